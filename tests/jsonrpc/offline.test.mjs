// An editor whose cloud cannot be reached: what is asked for is kept and delivered, what was seen stays readable.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Editor, messages, say } from "./support/editor.mjs";
import { Home, refused } from "./support/home.mjs";
import { Remote } from "./support/remote.mjs";
import { until } from "./support/until.mjs";

let home, remote, folder;
before(async () => {
  home = await Home.create();
  folder = await home.repository();
  remote = await Remote.start(home);
});
after(async () => {
  await remote.close();
  await home.close();
});

const connection = (state) => (heard) => heard.method === "connection/didChange" && heard.state === state;
const delivered = (threadId, text) => (heard) =>
  heard.method === "outbox/didDeliver" && heard.kept.threadId === threadId && heard.kept.text === text;

/** Forgets what was heard so far. */
const fresh = (editor) => editor.heard.splice(0);

test("requests are kept while the network is away and delivered in order when it is back", async () => {
  const editor = await Editor.open(home);
  await editor.followFeed();
  const { thread } = await editor.done(folder, "$ true");
  await editor.state(thread.id, "idle");
  const long = await editor.shell(folder, "$ sleep 1000");
  await editor.state(long.id, "running");
  const asking = await editor.shell(folder, "$ touch allowed", { mode: "manual" });
  const { item } = await editor.question(asking.id);
  await editor.request("thread/read", { threadId: thread.id });
  const { turns } = await editor.request("thread/read", { threadId: long.id });
  fresh(editor);

  remote.relay.set("cut");
  await editor.hears("offline", connection("offline"));
  const list = await editor.request("thread/list", {});
  assert.equal(typeof list.lastSeen, "string");
  assert.deepEqual(new Set(list.threads.map((seen) => seen.id)), new Set([thread.id, long.id, asking.id]));
  const running = await editor.request("thread/list", { state: "running" });
  assert.deepEqual(running.threads.map((seen) => seen.id), [long.id]);
  const page = await editor.request("thread/read", { threadId: thread.slug });
  assert.equal(typeof page.lastSeen, "string");
  assert.deepEqual(messages(page.items), ["$ true"]);

  const first = await editor.request("turn/start", { threadId: thread.id, input: say("$ echo one >> log") });
  assert.deepEqual(first, { cursor: 0, kept: true });
  const second = { threadId: thread.id, input: say("$ echo two >> log"), queue: true };
  assert.equal((await editor.request("turn/start", second)).kept, true);
  assert.equal((await editor.request("turn/steer", {
    threadId: long.id, expectedTurnId: turns[0].id, input: say("$ echo guided"),
  })).kept, true);
  const muted = await editor.request("thread/update", { threadId: thread.id, muted: true });
  assert.deepEqual([muted.kept, muted.thread.muted], [true, true]);
  const answer = { threadId: asking.id, itemId: item.id, optionId: "allow" };
  assert.deepEqual(await editor.request("permission/answer", answer), { kept: true });
  const { waiting } = await editor.request("outbox/list", {});
  assert.deepEqual(waiting.map((kept) => kept.method), [
    "turn/start", "turn/start", "turn/steer", "thread/update", "permission/answer",
  ]);
  assert.equal(waiting[0].text, "$ echo one >> log");
  // What changes what an agent may do is not done late.
  await refused(editor.request("thread/update", { threadId: thread.id, mode: "auto" }), -32014, "NOT_KEPT");
  await refused(editor.request("thread/delete", { threadId: thread.id }), -32014, "CLOUD_UNREACHABLE");

  remote.relay.set("up");
  await editor.hears("connected", connection("connected"));
  await editor.hears("the first message", delivered(thread.id, "$ echo one >> log"));
  await editor.turnEnd(thread.id, 3);
  await editor.turnEnd(long.id, 2);
  await editor.turnEnd(asking.id, 1);
  const told = editor.heard.filter((heard) => heard.method === "outbox/didDeliver").map((heard) => heard.kept.requestId);
  assert.deepEqual(told, waiting.map((kept) => kept.requestId));
  const { items, thread: now } = await editor.request("thread/read", { threadId: thread.id });
  assert.deepEqual(messages(items), ["$ true", "$ echo one >> log", "$ echo two >> log"]);
  assert.equal(now.muted, true);
  assert.deepEqual(await editor.request("outbox/list", {}), { waiting: [], refused: [] });
  await editor.close();
});

test("what a killed editor kept, another delivers; a message that finds a turn running waits for its end", async () => {
  const editor = await Editor.open(home);
  const { thread } = await editor.done(folder, "$ true");
  remote.relay.set("cut");
  await editor.hears("offline", connection("offline"));
  assert.equal((await editor.request("turn/start", { threadId: thread.id, input: say("$ echo late") })).kept, true);
  await editor.kill();
  // Somebody else begins a turn meanwhile.
  home.env.ALOFT_CLOUD = remote.url;
  const other = await Editor.open(home);
  home.env.ALOFT_CLOUD = remote.relay.url;
  await other.follow(thread.id);
  await other.request("turn/start", { threadId: thread.id, input: say("$ until [ -e go ]; do sleep 0.05; done") });
  remote.relay.set("up");
  const next = await Editor.open(home);
  await next.hears("delivery", delivered(thread.id, "$ echo late"));
  const { items } = await other.request("queue/list", { threadId: thread.id });
  assert.deepEqual(messages(items), ["$ echo late"]);
  await other.request("turn/interrupt", { threadId: thread.id });
  await other.request("thread/read", { threadId: thread.id });
  await other.turnEnd(thread.id, 2);
  await next.close();
  await other.close();
});

test("a message whose answer was lost counts once, though bridge and cloud die", async () => {
  const editor = await Editor.open(home);
  const { thread } = await editor.done(folder, "$ true");
  home.env.ALOFT_CLOUD = remote.url;
  const witness = await Editor.open(home);
  home.env.ALOFT_CLOUD = remote.relay.url;
  await witness.follow(thread.id);
  remote.relay.set("deaf");
  const sending = editor.request("turn/start", { threadId: thread.id, input: say("$ echo once >> log") });
  await witness.turnEnd(thread.id, 2);
  await witness.close();
  remote.relay.set("cut");
  assert.equal((await sending).kept, true);
  await editor.kill();
  await remote.kill();
  await remote.run();
  remote.relay.set("up");
  const next = await Editor.open(home);
  await next.hears("delivery", delivered(thread.id, "$ echo once >> log"));
  const { items } = await next.request("thread/read", { threadId: thread.id });
  assert.deepEqual(messages(items), ["$ true", "$ echo once >> log"]);
  await next.close();
});

test("what the cloud refuses later is told, with its words", async () => {
  const editor = await Editor.open(home);
  const { thread } = await editor.done(folder, "$ true");
  remote.relay.set("cut");
  await editor.hears("offline", connection("offline"));
  const input = say("words nobody must lose");
  const { requestId } = { requestId: "taken-back" };
  await editor.request("turn/start", { threadId: thread.id, input: say("never sent"), requestId });
  assert.equal((await editor.request("outbox/remove", { requestId })).waiting.length, 0);
  await refused(editor.request("outbox/remove", { requestId }), -32012, "NOT_KEPT");
  assert.equal((await editor.request("turn/start", { threadId: thread.id, input })).kept, true);
  home.env.ALOFT_CLOUD = remote.url;
  await home.json("delete", thread.id, "--yes");
  home.env.ALOFT_CLOUD = remote.relay.url;
  remote.relay.set("up");
  const told = await editor.hears("the refusal", (heard) => heard.method === "outbox/didRefuse");
  assert.equal(told.kept.threadId, thread.id);
  assert.match(told.kept.error.reason, /^THREAD_(DELETING|NOT_FOUND)$/);
  const shown = await editor.hears("a message for the person", (heard) => heard.method === "window/showMessage");
  assert.match(shown.message, /words nobody must lose/);
  // What was told is forgotten a moment later: a bridge that dies between the two tells it again.
  await until("it to be forgotten", async () => {
    const { waiting, refused } = await editor.request("outbox/list", {});
    return waiting.length + refused.length === 0;
  });
  await editor.close();
});

test("a connection that died without a word is given up, and the network used when it is back", async () => {
  const editor = await Editor.open(home);
  await editor.followFeed();
  const { thread } = await editor.done(folder, "$ true");
  remote.relay.set("silent");
  const requested = editor.request("turn/start", { threadId: thread.id, input: say("$ echo heard") });
  home.env.ALOFT_CLOUD = remote.url;
  await home.json("rename", thread.id, "Renamed in silence");
  home.env.ALOFT_CLOUD = remote.relay.url;
  remote.relay.set("up");
  const began = Date.now();
  await editor.hears("the name", (heard) => heard.thread?.title === "Renamed in silence");
  // Five seconds at most on a machine that does nothing else; the kernel alone would take minutes.
  assert.ok(Date.now() - began < 18_000, `${Date.now() - began} ms`);
  await requested;
  await editor.turnEnd(thread.id, 2);
  const { items } = await editor.request("thread/read", { threadId: thread.id });
  assert.deepEqual(messages(items), ["$ true", "$ echo heard"]);
  await editor.close();
});

test("a bridge that slept does not believe what keeps its connection alive", async () => {
  const editor = await Editor.open(home);
  await editor.followFeed();
  const { thread } = await editor.done(folder, "$ true");
  // By now it leads nowhere, and nothing but a question to the cloud would tell.
  remote.relay.set("hollow");
  editor.bridge.kill("SIGSTOP");
  home.env.ALOFT_CLOUD = remote.url;
  await home.json("rename", thread.id, "Renamed in its sleep");
  home.env.ALOFT_CLOUD = remote.relay.url;
  // No wait for anything: this is the sleep.
  await new Promise((awake) => setTimeout(awake, 6_000));
  editor.bridge.kill("SIGCONT");
  await editor.hears("the name", (heard) => heard.thread?.title === "Renamed in its sleep");
  remote.relay.set("up");
  await editor.close();
});
