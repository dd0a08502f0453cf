import { expect, test } from "vitest";

import type { Bridge } from "../../src/bridge.js";
import { Threads } from "../../src/threads.js";
import { thread } from "./samples.js";
import { EventEmitter } from "./vscode.stub.js";

test("an answer that comes after the end of its thread does not bring it back; an archive does", async () => {
  const handlers = new Map<string, (params: unknown) => void>();
  const bridge = {
    onDidStart: new EventEmitter<void>().event,
    onDidChangeState: new EventEmitter<unknown>().event,
    onNotification: (method: string, handler: (params: unknown) => void) => handlers.set(method, handler),
    request: async () => ({ threads: [thread({ id: "a" })], feed: 1 }),
  } as unknown as Bridge;
  const threads = new Threads(bridge, {} as never);
  await threads.load();
  handlers.get("thread/didDelete")!({ feed: 2, threadId: "a" });
  threads.learn(thread({ id: "a", state: "deleting" }));
  expect(threads.all()).toEqual([]);
  handlers.get("thread/didChange")!({ feed: 3, thread: thread({ id: "a" }) });
  threads.learn(thread({ id: "a", updateTime: "2026-01-02T03:00:00.000Z", title: "renamed" }));
  expect(threads.all().map(({ title }) => title)).toEqual(["renamed"]);
});
