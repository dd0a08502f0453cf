import { expect, test } from "vitest";

import { Follows } from "../../src/follows.js";
import type { Bridge } from "../../src/bridge.js";
import type { Event } from "../../src/protocol.js";
import { EventEmitter } from "./vscode.stub.js";

/** A bridge that remembers what it was asked; what it tells is told here. */
function fake(...cursors: number[]) {
  let pages: Promise<unknown>[] = [];
  const handlers = new Map<string, Set<(params: unknown) => void>>();
  const started = new EventEmitter<void>();
  const asked: [string, Record<string, unknown>][] = [];
  let refuse: unknown;
  const bridge = {
    ready: true,
    onDidStart: started.event,
    onNotification: (method: string, handler: (params: unknown) => void) => {
      const all = handlers.get(method) ?? new Set();
      handlers.set(method, all.add(handler));
      return { dispose: () => all.delete(handler) };
    },
    request: async (method: string, params: Record<string, unknown>) => {
      asked.push([method, params]);
      if (method === "thread/read") {
        const cursor = cursors.shift() ?? 5;
        // The answers come in the order that a test wants.
        await pages.shift();
        return { thread: { id: params["threadId"] }, cursor, items: [], turns: [], hasMore: false };
      }
      if (refuse !== undefined && method === "thread/subscribe") throw refuse as Error;
      return {};
    },
  };
  const tell = (at: number): void => handlers.get("item/didAppend")?.forEach((handler) => handler({ threadId: "t", cursor: at, type: "itemAppended" }));
  return { bridge: bridge as unknown as Bridge, asked, tell, restart: () => started.fire(), wait: (...all: Promise<unknown>[]): void => void (pages = all), refuse: (error: unknown) => (refuse = error) };
}

function listener() {
  const heard: number[] = [];
  const lost: unknown[] = [];
  return { heard, lost, event: (event: Event) => void heard.push(event.cursor), onLost: (error: unknown) => void lost.push(error) };
}

const as = (one: ReturnType<typeof listener>) => ({ event: one.event, lost: one.onLost });

test("two who look at one thread share a subscription, and each hears each event after its page once", async () => {
  const { bridge, asked, tell } = fake(5, 6);
  const follows = new Follows(bridge);
  const [one, two] = [listener(), listener()];
  const first = await follows.open("t", as(one), 10);
  await expect.poll(() => asked.map(([method]) => method)).toEqual(["thread/read", "thread/subscribe"]);
  expect(asked[1]?.[1]).toEqual({ threadId: "t", after: 5 });
  tell(5);
  tell(6);
  const second = await follows.open("t", as(two), 10);
  tell(6);
  tell(7);
  await expect.poll(() => two.heard).toEqual([7]);
  expect(one.heard).toEqual([6, 7]);
  expect(asked.filter(([method]) => method === "thread/subscribe")).toHaveLength(1);
  first.dispose();
  expect(asked.map(([method]) => method)).not.toContain("thread/unsubscribe");
  second.dispose();
  await expect.poll(() => asked.at(-1)?.[0]).toBe("thread/unsubscribe");
  tell(8);
  expect(one.heard).toEqual([6, 7]);
});

test("of two pages whose answers cross the older one is read again, so that no event is missing", async () => {
  const { bridge, asked, tell, wait } = fake(5, 7, 7);
  const follows = new Follows(bridge);
  const [one, two] = [listener(), listener()];
  let come = (): void => undefined;
  wait(new Promise<void>((resolve) => (come = resolve)));
  const slow = follows.open("t", as(one), 10);
  expect((await follows.open("t", as(two), 10)).page.cursor).toBe(7);
  come();
  expect((await slow).page.cursor).toBe(7);
  await new Promise(setImmediate);
  tell(8);
  expect([one.heard, two.heard]).toEqual([[8], [8]]);
  expect(asked.filter(([method]) => method === "thread/read")).toHaveLength(3);
});

test("another bridge goes on after the newest event", async () => {
  const { bridge, asked, tell, restart } = fake();
  const follows = new Follows(bridge);
  const one = listener();
  await follows.open("t", as(one), 10);
  await new Promise(setImmediate);
  tell(6);
  restart();
  await expect.poll(() => asked.at(-1)).toEqual(["thread/subscribe", { threadId: "t", after: 6 }]);
  tell(7);
  expect(one.heard).toEqual([6, 7]);
});

test("who cannot go on is told", async () => {
  const { bridge, restart, refuse } = fake();
  const follows = new Follows(bridge);
  const one = listener();
  await follows.open("t", as(one), 10);
  refuse(Object.assign(new Error("gone"), { reason: "THREAD_NOT_FOUND" }));
  restart();
  await expect.poll(() => one.lost.length).toBe(1);
});
