import { expect, test } from "vitest";

import type { Bridge } from "../../src/bridge.js";
import type { Thread } from "../../src/protocol.js";
import { Threads } from "../../src/threads.js";
import { thread } from "./samples.js";
import { EventEmitter } from "./vscode.stub.js";

function fake(list: () => Thread[]) {
  const handlers = new Map<string, (params: unknown) => void>();
  const bridge = {
    onDidStart: new EventEmitter<void>().event,
    onDidChangeState: new EventEmitter<unknown>().event,
    onNotification: (method: string, handler: (params: unknown) => void) => handlers.set(method, handler),
    request: async () => ({ threads: list(), feed: 1 }),
  } as unknown as Bridge;
  return { handlers, threads: new Threads(bridge, {} as never) };
}

test("an answer that comes after the end of its thread does not bring it back; an archive does", async () => {
  const { handlers, threads } = fake(() => [thread({ id: "a" })]);
  await threads.load();
  handlers.get("thread/didDelete")!({ feed: 2, threadId: "a" });
  threads.learn(thread({ id: "a", state: "deleting" }));
  expect(threads.all()).toEqual([]);
  handlers.get("thread/didChange")!({ feed: 3, thread: thread({ id: "a" }) });
  threads.learn(thread({ id: "a", updateTime: "2026-01-02T03:00:00.000Z", title: "renamed" }));
  expect(threads.all().map(({ title }) => title)).toEqual(["renamed"]);
});

test("one that went while no bridge was there to tell is told to be gone; of another cloud nothing is known", async () => {
  let list = [thread({ id: "a" }), thread({ id: "b" })];
  const { threads } = fake(() => list);
  await threads.load();
  const gone: unknown[] = [];
  threads.onDidChange(({ id, thread, before }) => gone.push([id, thread, before?.id]));
  list = list.slice(1);
  await threads.load();
  expect(gone).toEqual([["a", undefined, "a"]]);
  threads.forget();
  expect([threads.all(), threads.loaded, gone.length]).toEqual([[], false, 1]);
});
