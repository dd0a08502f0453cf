// The bridge dies at any point; a new one goes on from the cursor. ALOFT_TEST_SEED repeats a run.

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, test } from "node:test";

import { Editor, say } from "./support/editor.mjs";
import { Home } from "./support/home.mjs";

/** How often the bridge is killed. */
const KILLS = 50;
/** The most events that one bridge tells before it is killed. */
const MOST = 40;

const seed = Number(process.env.ALOFT_TEST_SEED ?? randomInt(2 ** 31));

let home, folder;
before(async () => {
  home = await Home.create();
  folder = await home.repository();
});
after(() => home.close());

/** Numbers from a seed (mulberry32), each below 1. */
function numbers(from) {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(`killed at ${KILLS} points, it loses no event and tells none twice`, async (t) => {
  t.diagnostic(`ALOFT_TEST_SEED=${seed}`);
  const next = numbers(seed);
  // Output in small pieces with pauses: far more events than the bridges are killed after, told while they come.
  const chatty = "$ touch begun; n=0; until [ -e stop ]; do n=$((n+1)); echo line $n of the turn; sleep 0.005; done";
  let bridge = await Editor.open(home);
  const { thread } = await bridge.request("thread/create", {
    path: folder, agent: "shell", mode: "auto", input: say(chatty),
  });
  const joined = [];
  let cursor = 0;
  for (let kill = 0; kill <= KILLS; kill += 1) {
    if (kill > 0) bridge = await Editor.open(home);
    await bridge.follow(thread.id, cursor);
    // The last one reads the end.
    if (kill === KILLS) break;
    // Sometimes before the first event, sometimes in the middle of many.
    const count = Math.floor(next() ** 2 * MOST);
    if (count > 0) {
      const from = cursor;
      await bridge.hears(`${count} events`, (heard) => heard.threadId === thread.id && heard.cursor >= from + count);
    }
    await bridge.kill();
    const heard = bridge.events(thread.id);
    joined.push(...heard);
    cursor = heard.at(-1)?.cursor ?? cursor;
  }
  await bridge.request("turn/steer", { threadId: thread.id, input: say("$ echo the end") });
  const { cursor: ended } = await bridge.turnEnd(thread.id, 2);
  await bridge.hears("idle", (heard) => heard.cursor > ended && heard.thread?.state === "idle");
  const { cursor: newest } = await bridge.request("thread/read", { threadId: thread.id, limit: 1 });
  await bridge.hears("the newest event", (heard) => heard.threadId === thread.id && heard.cursor >= newest);
  joined.push(...bridge.events(thread.id));
  await bridge.close();

  const whole = await home.events(thread.id, newest);
  assert.ok(whole.length > KILLS, `${whole.length} events are too few to be killed between`);
  assert.deepEqual(whole.map((event) => event.cursor), whole.map((_, index) => index + 1));
  assert.deepEqual(joined.map((event) => event.cursor), whole.map((event) => event.cursor));
  assert.deepEqual(joined, whole);
  t.diagnostic(`${whole.length} events over ${KILLS + 1} bridges`);
});

test("a cloud that is killed and started again is followed on without a gap", async () => {
  const editor = await Editor.open(home);
  const { thread } = await editor.done(folder, "$ echo before");
  const { pid } = await editor.request("cloud/status");
  process.kill(pid, "SIGKILL");
  await editor.hears("the loss", (heard) => heard.method === "connection/didChange" && heard.state !== "connected");
  await editor.request("turn/start", { threadId: thread.id, input: say("$ echo after") });
  await editor.turnEnd(thread.id, 2);
  const events = editor.events(thread.id);
  const whole = await home.events(thread.id, events.at(-1).cursor);
  assert.deepEqual(events, whole.slice(0, events.length));
  await editor.close();
});
