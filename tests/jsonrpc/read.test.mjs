// What is read: pages of threads and items, whole output, the same request twice, errors.

import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";

import { Editor, messages, say } from "./support/editor.mjs";
import { Home, refused } from "./support/home.mjs";

let home, folder, editor;
before(async () => {
  home = await Home.create();
  folder = await home.repository();
  editor = await Editor.open(home);
});
after(async () => {
  await editor?.close().finally(() => home.close());
});

test("threads are listed in pages, newest first, by state and by words", async () => {
  const titles = ["one apple", "two apples", "three pears", "four pears", "five plums"];
  for (const title of titles) {
    // With no message a thread only waits.
    await editor.request("thread/create", { path: folder, agent: "shell", title });
  }
  const listed = [];
  let pageToken, pages = 0;
  do {
    const page = await editor.request("thread/list", { pageSize: 2, pageToken });
    assert.ok(page.threads.length <= 2 && page.feed > 0);
    listed.push(...page.threads.map((thread) => thread.title));
    ({ nextPageToken: pageToken } = page);
    pages += 1;
  } while (pageToken !== undefined);
  assert.deepEqual(listed, [...titles].reverse());
  assert.equal(pages, 3);
  const pears = await editor.request("thread/list", { query: "pears" });
  assert.deepEqual(pears.threads.map((thread) => thread.title), ["four pears", "three pears"]);
  assert.deepEqual((await editor.request("thread/list", { state: "failed" })).threads, []);
  const error = await refused(editor.request("thread/list", { state: "asleep" }), -32602, "INVALID_PARAMS");
  assert.match(error.message, /^state: /);
  await refused(editor.request("thread/list", { pageToken: "nonsense" }), -32602, "INVALID_ARGUMENT");
});

test("a thread is read backwards in pages, and the cursor misses nothing", async () => {
  const prompt = Array.from({ length: 12 }, (_, number) => `$ echo ${number}`).join("\n");
  const { thread } = await editor.done(folder, prompt);
  await editor.request("turn/start", { threadId: thread.id, input: say("$ echo last") });
  await editor.turnEnd(thread.id, 2);
  const whole = await editor.request("thread/read", { threadId: thread.id });
  assert.equal(whole.hasMore, false);
  assert.deepEqual(whole.turns.map((turn) => turn.number), [1, 2]);
  assert.deepEqual(messages(whole.items), [prompt, "$ echo last"]);
  const items = [];
  let before, page;
  do {
    page = await editor.request("thread/read", { threadId: thread.id, before, limit: 4 });
    assert.ok(page.items.length <= 4);
    const turns = new Set(page.items.map((item) => item.turnId).filter(Boolean));
    assert.deepEqual(new Set(page.turns.map((turn) => turn.id)), turns);
    items.unshift(...page.items);
    before = page.items[0].id;
  } while (page.hasMore);
  assert.deepEqual(items, whole.items);

  const started = await editor.request("turn/start", { threadId: thread.id, input: say("$ echo more") });
  const late = await Editor.open(home);
  await late.follow(thread.id, whole.cursor);
  await late.turnEnd(thread.id, 3);
  const cursors = late.events(thread.id).map((event) => event.cursor);
  assert.deepEqual(cursors, cursors.map((_, index) => whole.cursor + 1 + index));
  assert.ok(cursors.includes(started.cursor));
  await late.close();
  for (const item of items) {
    assert.deepEqual((await editor.request("item/read", { threadId: thread.id, itemId: item.id })).item, item);
  }
});

test("five megabytes of output that is no UTF-8 are read in pages, byte for byte", async () => {
  // A small generator whose every byte is known here too.
  const script = `import sys
x, out = 12345, bytearray()
for _ in range(5 << 20):
    x = (x * 1103515245 + 12345) & 0x7fffffff
    out.append(x >> 16 & 0xff)
sys.stdout.buffer.write(out)`;
  const expected = Buffer.alloc(5 << 20);
  for (let index = 0, x = 12345n; index < expected.length; index += 1) {
    x = (x * 1103515245n + 12345n) & 0x7fffffffn;
    expected[index] = Number((x >> 16n) & 0xffn);
  }
  const { thread, turn } = await editor.done(folder, "```write gen.py\n" + script + "\n```\n$ python3 gen.py");
  assert.equal(turn.state, "completed");
  const { items } = await editor.request("thread/read", { threadId: thread.id });
  const command = items.find((item) => item.type === "commandExecution");
  assert.equal(command.exitCode, 0, command.output);
  assert.equal(command.outputBytes, expected.length);
  assert.equal(command.truncated, true);
  assert.ok(Buffer.byteLength(command.output) <= 3 * 65536 && command.output.includes("\ufffd"));
  const read = (offset, limit) =>
    editor.request("item/output", { threadId: thread.id, itemId: command.id, offset, limit });
  const pieces = [];
  let offset = 0;
  while (offset < expected.length) {
    const page = await read(offset, 700_001);
    assert.equal(page.totalBytes, expected.length);
    pieces.push(Buffer.from(page.data, "base64"));
    assert.ok(page.nextOffset > offset);
    offset = page.nextOffset;
  }
  const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");
  assert.equal(hash(Buffer.concat(pieces)), hash(expected));
  const past = await read(expected.length + 10);
  assert.equal(past.data, "");
  assert.equal(Buffer.from((await read(0)).data, "base64").length, 65536);
  const message = items.find((item) => item.type === "userMessage");
  const none = await editor.request("item/output", { threadId: thread.id, itemId: message.id });
  assert.deepEqual(none, { data: "", nextOffset: 0, totalBytes: 0 });
});

test("the same request twice is one request; with other parameters it is an error", async () => {
  const count = async () => (await editor.request("thread/list", { query: "twice" })).threads.length;
  const params = {
    requestId: randomUUID(), path: folder, agent: "shell", mode: "auto", title: "twice",
    input: say("$ until [ -e go ]; do sleep 0.05; done"),
  };
  const [first, second] = await Promise.all([
    editor.request("thread/create", params), editor.request("thread/create", params),
  ]);
  assert.equal(second.thread.id, first.thread.id);
  const other = await Editor.open(home);
  const third = await other.request("thread/create", params);
  assert.equal(third.thread.id, first.thread.id);
  assert.equal(await count(), 1);
  await refused(
    editor.request("thread/create", { ...params, title: "twice other" }), -32602, "REQUEST_ID_REUSED");
  assert.equal(await count(), 1);

  const threadId = first.thread.id;
  const start = { requestId: randomUUID(), threadId, queue: true, input: say("$ true") };
  const a = await editor.request("turn/start", start);
  const b = await other.request("turn/start", start);
  assert.deepEqual(b, a);
  assert.equal((await editor.request("queue/list", { threadId })).items.length, 1);
  await refused(editor.request("turn/start", { ...start, queue: false }), -32602, "REQUEST_ID_REUSED");
  await refused(editor.request("thread/pause", { requestId: start.requestId, threadId }), -32602, "REQUEST_ID_REUSED");

  const stop = { requestId: randomUUID(), threadId, expectedTurnId: "t1" };
  await editor.follow(threadId);
  const stopped = await editor.request("turn/interrupt", stop);
  await editor.turnEnd(threadId);
  // Sent again, the stop of a turn that is over still has its first answer.
  assert.deepEqual(await editor.request("turn/interrupt", stop), stopped);
  await other.close();
});

test("what is not there is named", async () => {
  const { thread } = await editor.request("thread/create", { path: folder, agent: "shell" });
  for (const [method, params] of [
    ["thread/read", {}], ["thread/update", { title: "x" }], ["thread/pause", {}], ["thread/delete", {}],
    ["thread/subscribe", {}], ["thread/diff", {}], ["turn/start", { input: say("x") }], ["turn/interrupt", {}],
    ["queue/list", {}], ["permission/answer", { optionId: "allow" }], ["thread/apply", {}], ["thread/checkout", {}],
  ]) {
    const request = editor.request(method, { threadId: "no-such-thread", ...params });
    const error = await refused(request, -32012, "THREAD_NOT_FOUND");
    assert.match(error.message, /no-such-thread/, method);
    assert.ok(error.data.hint, method);
  }
  assert.deepEqual(await editor.request("thread/unsubscribe", { threadId: "no-such-thread" }), {});
  const threadId = thread.id;
  await refused(editor.request("item/read", { threadId, itemId: "i99" }), -32012, "ITEM_NOT_FOUND");
  await refused(editor.request("item/output", { threadId, itemId: "i99" }), -32012, "ITEM_NOT_FOUND");
  await refused(editor.request("thread/read", { threadId, before: "i99" }), -32012, "ITEM_NOT_FOUND");
  const create = { path: folder, agent: "shell", input: say("$ true") };
  await refused(editor.request("thread/create", { ...create, agent: "nobody" }), -32012, "AGENT_UNKNOWN");
  await refused(editor.request("thread/create", { ...create, ref: "no-such-branch" }), -32012, "REF_UNKNOWN");
  await refused(editor.request("thread/create", { ...create, path: home.path("home") }), -32013, "NOT_A_REPOSITORY");
});

test("wrong parameters name their field", async () => {
  for (const [method, params, field] of [
    ["thread/read", {}, "threadId"],
    ["thread/read", { threadId: 5 }, "threadId"],
    ["thread/read", { threadId: "x", limit: -1 }, "limit"],
    ["thread/create", { path: folder, input: [{ type: "text" }] }, "input[0]"],
    ["thread/create", { path: folder, input: "words" }, "input"],
    ["thread/create", { path: folder, mode: "never" }, "mode"],
    ["thread/create", { path: folder, dirty: "maybe" }, "dirty"],
    ["thread/create", { path: folder, repository: "https://localhost/r" }, "path"],
    ["thread/create", { agent: "shell" }, "path"],
    ["turn/start", { threadId: "x" }, "input"],
    ["turn/start", { threadId: "x", input: [{ type: "image", mimeType: "image/png", data: "%" }] }, "input[0]"],
    ["permission/answer", { threadId: "x" }, "optionId"],
    ["thread/diff", { threadId: "x", against: { turn: "one" } }, "against.turn"],
    ["queue/move", { threadId: "x", itemId: "i1", position: 1.5 }, "position"],
    ["thread/subscribe", { threadId: "x", after: "0" }, "after"],
  ]) {
    const error = await refused(editor.request(method, params), -32602, "INVALID_PARAMS");
    assert.ok(error.message.includes(field), `${method}: ${error.message} does not name ${field}`);
  }
  await refused(
    editor.request("thread/create", { path: folder, agent: "shell", input: say(" ") }), -32602, "EMPTY_MESSAGE");
});

test("a cursor after the newest event is refused", async () => {
  const { thread, cursor } = await editor.request("thread/create", { path: folder, agent: "shell" });
  await refused(editor.follow(thread.id, cursor + 1000), -32602, "INVALID_PARAMS");
});
