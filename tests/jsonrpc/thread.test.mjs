// A thread from its creation to its deletion: what an editor does with it and what it hears of it.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { Editor, messages, say } from "./support/editor.mjs";
import { Home, refused } from "./support/home.mjs";

let home, folder, editor;
before(async () => {
  home = await Home.create();
  folder = await home.repository();
  editor = await Editor.open(home);
  await editor.followFeed();
});
after(async () => {
  await editor?.close().finally(() => home.close());
});

/** The files that a thread changed, by what its diff says. */
async function changed(threadId) {
  const { files } = await editor.request("thread/diff", { threadId });
  return files.map((file) => file.path);
}

test("a thread is created, streams each step, and shows its diff", async () => {
  const prompt = "plan: look\nplan: write\n$ echo one; echo two >&2\n```write notes/a.txt\nhello\n```";
  const { thread, cursor } = await editor.request("thread/create", {
    path: folder, agent: "shell", mode: "auto", title: "First", input: say(prompt),
  });
  assert.ok(thread.id && thread.slug && cursor > 0);
  assert.equal(thread.title, "First");
  assert.equal(thread.branch, `aloft/${thread.slug}`);
  assert.equal(thread.repository.path, folder);
  assert.equal(thread.mode, "auto");
  assert.equal(thread.workspacePath, "/workspace");
  await editor.follow(thread.id);
  const end = await editor.turnEnd(thread.id);
  assert.equal(end.turn.state, "completed");

  const events = editor.events(thread.id);
  assert.deepEqual(events.map((event) => event.cursor), events.map((_, index) => index + 1));
  const whole = events.filter((event) => event.type === "itemCompleted").map((event) => event.item);
  const command = whole.find((item) => item.type === "commandExecution");
  assert.equal(command.command, "echo one; echo two >&2");
  assert.equal(command.exitCode, 0);
  assert.deepEqual(command.output.split("\n").sort(), ["", "one", "two"]);
  assert.equal(whole.filter((item) => item.type === "fileChange").length, 1);
  assert.match(whole.find((item) => item.type === "agentMessage").text, /ran 1 command and wrote 1 file/);
  const plan = whole.findLast((item) => item.type === "plan");
  assert.deepEqual(plan.steps.map((step) => [step.text, step.state]), [["look", "completed"], ["write", "completed"]]);
  const appended = events.filter((event) => event.type === "itemAppended" && event.itemId === command.id);
  assert.equal(appended.map((event) => event.delta).join(""), command.output);

  const { files } = await editor.request("thread/diff", { threadId: thread.id });
  assert.equal(files.length, 1);
  assert.equal(files[0].path, "notes/a.txt");
  assert.equal(files[0].status, "added");
  assert.match(files[0].patch, /^diff --git .*\n(.*\n)+\+hello\n$/);
  assert.equal(files[0].newText, undefined);
  const file = await editor.request("thread/fileDiff", { threadId: thread.id, path: "notes/a.txt" });
  assert.equal(file.newText, "hello\n");
  assert.equal(file.oldText, undefined);
  const unchanged = { threadId: thread.id, path: "README.md" };
  await refused(editor.request("thread/fileDiff", unchanged), -32012, "FILE_NOT_CHANGED");
});

test("a diff is against the base, one turn, or the last commit", async () => {
  const { thread } = await editor.done(folder, "```sh\necho 1 > a\ngit add -A\ngit commit -qm one\n```");
  await editor.request("turn/start", { threadId: thread.id, input: say("$ echo 2 > b") });
  await editor.turnEnd(thread.id, 2);
  const paths = async (against) => {
    const { files } = await editor.request("thread/diff", { threadId: thread.id, against });
    return files.map((file) => file.path);
  };
  assert.deepEqual(await paths(undefined), ["a", "b"]);
  assert.deepEqual(await paths("base"), ["a", "b"]);
  assert.deepEqual(await paths({ turn: 1 }), ["a"]);
  assert.deepEqual(await paths({ turn: 2 }), ["b"]);
  assert.deepEqual(await paths("uncommitted"), ["b"]);
  await refused(
    editor.request("thread/diff", { threadId: thread.id, against: { turn: 9 } }), -32012, "TURN_NOT_FOUND");
});

describe("permission", () => {
  test("nothing runs before it is allowed, and then it does", async () => {
    const thread = await editor.shell(folder, "$ touch marker\n$ ls", { mode: "manual" });
    const first = await editor.question(thread.id);
    assert.match(first.item.title + first.item.detail, /touch marker/);
    assert.ok(first.item.options.some((option) => option.kind === "allowOnce"));
    await editor.hears("requiresAction", (heard) =>
      heard.method === "thread/didChange" && heard.feed && heard.thread.id === thread.id &&
      heard.thread.state === "requiresAction");
    assert.equal(await home.inWorkspace(thread.id, "marker"), false);
    const items = (await editor.request("thread/read", { threadId: thread.id })).items;
    assert.ok(items.every((item) => item.exitCode === undefined), "something ran");

    const allow = { threadId: thread.id, itemId: first.item.id, optionId: "allow" };
    assert.deepEqual(await editor.request("permission/answer", allow), {});
    const second = await editor.question(thread.id, first.cursor);
    assert.equal(await home.inWorkspace(thread.id, "marker"), true);
    const again = await refused(editor.request("permission/answer", allow), -32013, "ALREADY_ANSWERED");
    const answered = await editor.request("item/read", { threadId: thread.id, itemId: first.item.id });
    assert.equal(again.data.answer, answered.item.answer);
    await editor.request("permission/answer", { threadId: thread.id, itemId: second.item.id, optionId: "allow" });
    const end = await editor.turnEnd(thread.id);
    assert.equal(end.turn.state, "completed");
    const listing = editor.events(thread.id).filter((event) => event.item?.command === "ls").at(-1);
    assert.match(listing.item.output, /^marker$/m);
    assert.deepEqual(await changed(thread.id), ["marker"]);
  });

  test("a no reaches the agent, and what it asked for is not done", async () => {
    const thread = await editor.shell(folder, "$ touch marker", { mode: "manual" });
    const question = await editor.question(thread.id);
    const no = { threadId: thread.id, itemId: question.item.id, optionId: "never-heard-of" };
    const error = await refused(editor.request("permission/answer", no), -32602, "NO_OPTION");
    assert.match(error.message, /never-heard-of/);
    await editor.request("permission/answer", { ...no, optionId: "deny" });
    await editor.turnEnd(thread.id);
    const items = editor.events(thread.id).filter((event) => event.type === "itemCompleted");
    assert.match(items.find((event) => event.item.type === "agentMessage").item.text, /You said no/);
    assert.equal(items.find((event) => event.item.type === "commandExecution").item.state, "declined");
    assert.deepEqual(await changed(thread.id), []);
    await refused(
      editor.request("permission/answer", { threadId: thread.id, optionId: "allow" }), -32013, "NO_QUESTION");
  });

  test("the mode can change in the middle of a turn, both ways", async () => {
    const prompt = "$ echo a\n$ until [ -e /tmp/go ]; do sleep 0.05; done\n$ echo c";
    const thread = await editor.shell(folder, "$ echo a\n$ echo b\n$ echo c", { mode: "manual" });
    await editor.question(thread.id);
    const auto = await editor.request("thread/update", { threadId: thread.id, mode: "auto" });
    assert.equal(auto.thread.mode, "auto");
    assert.equal((await editor.turnEnd(thread.id)).turn.state, "completed");
    const asked = editor.events(thread.id).filter((event) => event.type === "itemStarted" && event.item.type === "permission");
    assert.equal(asked.length, 1);

    const back = await editor.shell(folder, prompt.replace("echo a", "echo begun"), { mode: "auto" });
    await editor.prints(back.id, "begun");
    await editor.request("thread/update", { threadId: back.id, mode: "manual" });
    await editor.request("turn/steer", { threadId: back.id, input: say("$ echo guided") });
    const question = await editor.question(back.id);
    assert.match(question.item.title + question.item.detail, /echo guided/);
    await editor.request("permission/answer", { threadId: back.id, optionId: "deny" });
    await editor.turnEnd(back.id, 2);
  });
});

test("guiding ends what runs and begins the new thing", async () => {
  const thread = await editor.shell(folder, "$ echo begun; sleep 600; touch old");
  await editor.prints(thread.id, "begun");
  const active = { threadId: thread.id, input: say("$ touch new") };
  await refused(editor.request("turn/start", active), -32013, "TURN_ACTIVE");
  await refused(editor.request("turn/steer", { ...active, expectedTurnId: "t9" }), -32013, "TURN_CHANGED");
  const guided = await editor.request("turn/steer", { ...active, expectedTurnId: "t1" });
  assert.ok(guided.cursor > 0);
  assert.equal((await editor.turnEnd(thread.id, 1)).turn.state, "interrupted");
  assert.equal((await editor.turnEnd(thread.id, 2)).turn.state, "completed");
  assert.deepEqual(await changed(thread.id), ["new"]);
});

test("a stop names its turn, and a message goes on", async () => {
  const thread = await editor.shell(folder, "$ echo begun; sleep 600; touch old");
  await editor.prints(thread.id, "begun");
  const stop = { threadId: thread.id, expectedTurnId: "t2" };
  await refused(editor.request("turn/interrupt", stop), -32013, "TURN_CHANGED");
  const { cursor } = await editor.request("turn/interrupt", { ...stop, expectedTurnId: "t1" });
  assert.ok(cursor > 0);
  const end = await editor.turnEnd(thread.id);
  assert.equal(end.turn.state, "interrupted");
  assert.ok(end.turn.stoppedBy);
  await refused(editor.request("turn/interrupt", { threadId: thread.id }), -32013, "NO_TURN");
  const next = await editor.request("turn/start", { threadId: thread.id, input: say("$ touch new") });
  assert.equal(next.turn.number, 2);
  assert.equal((await editor.turnEnd(thread.id, 2)).turn.state, "completed");
  assert.deepEqual(await changed(thread.id), ["new"]);
});

test("a retry gives the stopped turn again", async () => {
  const { thread } = await editor.done(folder, "$ true");
  await refused(editor.request("thread/retry", { threadId: thread.id }), -32013, "NOTHING_TO_RETRY");
  const prompt = "$ test -e flag && echo again || { touch flag; echo begun; sleep 600; }";
  await editor.request("turn/start", { threadId: thread.id, input: say(prompt) });
  await editor.prints(thread.id, "begun");
  await editor.request("turn/interrupt", { threadId: thread.id });
  await editor.turnEnd(thread.id, 2);
  const { turn } = await editor.request("thread/retry", { threadId: thread.id });
  assert.equal(turn.number, 3);
  assert.equal((await editor.turnEnd(thread.id, 3)).turn.state, "completed");
  await editor.prints(thread.id, "again");
});

test("messages wait in a queue that can be changed", async () => {
  const thread = await editor.shell(folder, "$ echo begun; until [ -e go ]; do sleep 0.05; done", { mode: "auto" });
  await editor.prints(thread.id, "begun");
  const queue = async (text) => {
    const { item, turn } = await editor.request("turn/start", { threadId: thread.id, input: say(text), queue: true });
    assert.equal(turn, undefined);
    assert.equal(item.delivery, "queued");
    return item.id;
  };
  const ids = [await queue("$ echo first"), await queue("$ echo second"), await queue("$ echo third")];
  const list = await editor.request("queue/list", { threadId: thread.id });
  assert.deepEqual(list.items.map((item) => item.id), ids);
  const moved = await editor.request("queue/move", { threadId: thread.id, itemId: ids[2], position: 0 });
  assert.deepEqual(messages(moved.items), ["$ echo third", "$ echo first", "$ echo second"]);
  const left = await editor.request("queue/remove", { threadId: thread.id, itemId: ids[0] });
  assert.deepEqual(messages(left.items), ["$ echo third", "$ echo second"]);
  await refused(editor.request("queue/remove", { threadId: thread.id, itemId: ids[0] }), -32012, "NOT_QUEUED");
  await editor.request("turn/steer", { threadId: thread.id, input: say("$ echo guided") });
  await editor.turnEnd(thread.id, 4);
  const ran = editor.events(thread.id)
    .filter((event) => event.type === "itemCompleted" && event.item.type === "commandExecution")
    .map((event) => event.item.command);
  assert.deepEqual(ran.slice(1), ["echo guided", "echo third", "echo second"]);
  assert.deepEqual((await editor.request("queue/list", { threadId: thread.id })).items, []);
});

test("a follow-up sees what the turn before left", async () => {
  const { thread } = await editor.done(folder, "$ echo kept > state");
  const { turn, cursor } = await editor.request("turn/start", { threadId: thread.id, input: say("$ cat state") });
  assert.equal(turn.number, 2);
  assert.ok(cursor > 0);
  await editor.turnEnd(thread.id, 2);
  await editor.prints(thread.id, "kept");
});

test("what a person sets on a thread is set", async () => {
  const { thread } = await editor.done(folder, "$ true");
  const set = (params) => editor.request("thread/update", { threadId: thread.slug, ...params });
  const { thread: now } = await set({ title: "Another  name", muted: true, keep: true });
  assert.deepEqual([now.title, now.muted, now.keep], ["Another name", true, true]);
  const { thread: then } = await set({ muted: false, mode: "manual" });
  assert.deepEqual([then.title, then.muted, then.keep, then.mode], ["Another name", false, true, "manual"]);
  await refused(set({ title: " " }), -32602, "INVALID_ARGUMENT");
  const error = await refused(set({ mode: "sometimes" }), -32602, "INVALID_PARAMS");
  assert.match(error.message, /^mode: /);
});

test("pausing, resuming and deleting are heard in another editor", async () => {
  const other = await Editor.open(home);
  await other.followFeed();
  const { thread } = await editor.done(folder, "$ echo kept > state");
  const changes = (state) => (heard) =>
    heard.method === "thread/didChange" && heard.thread.id === thread.id && heard.thread.state === state;
  await other.hears("creation", changes("idle"));

  await editor.request("thread/update", { threadId: thread.id, title: "Renamed" });
  await other.hears("a new title", (heard) => heard.method === "thread/didChange" && heard.thread.title === "Renamed");
  await editor.request("thread/pause", { threadId: thread.id });
  await editor.state(thread.id, "paused");
  await other.hears("pause", changes("paused"));
  const seen = other.heard.length;
  await editor.request("thread/resume", { threadId: thread.id });
  await editor.hears("idle again", (heard) =>
    heard.method === "thread/didChange" && heard.feed && heard.thread.id === thread.id &&
    heard.thread.state === "idle" && other.heard.length > seen);
  await editor.request("turn/start", { threadId: thread.id, input: say("$ cat state") });
  await editor.turnEnd(thread.id, 2);

  const requestId = randomUUID();
  const { thread: going } = await editor.request("thread/delete", { requestId, threadId: thread.id });
  assert.equal(going.state, "deleting");
  const gone = (heard) => heard.method === "thread/didDelete" && heard.threadId === thread.id;
  await editor.hears("deletion", gone);
  await other.hears("deletion", gone);
  // Sent again, it has the answer that it had.
  const { thread: went } = await editor.request("thread/delete", { requestId, threadId: thread.id });
  assert.equal(went.id, thread.id);
  await refused(editor.request("thread/read", { threadId: thread.id }), -32012, "THREAD_NOT_FOUND");
  const numbers = other.heard.filter((heard) => heard.feed).map((heard) => heard.feed);
  assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b));
  await other.close();
});
