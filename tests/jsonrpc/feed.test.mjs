// What every attached editor hears without asking: the list of threads and the notices.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Editor, say } from "./support/editor.mjs";
import { Home } from "./support/home.mjs";

let home, folder;
before(async () => {
  home = await Home.create();
  folder = await home.repository();
});
after(() => home.close());

test("notices are posted to every editor, and read in one they are read in all", async () => {
  const [first, second] = [await Editor.open(home), await Editor.open(home)];
  await first.followFeed();
  await second.followFeed();
  const { thread } = await first.done(folder, "$ true", { title: "Well done" });
  const about = (kind) => (heard) =>
    heard.method === "notice/didPost" && heard.notice.threadId === thread.id && heard.notice.kind === kind;
  const { notice } = await second.hears("the notice", about("completed"));
  assert.match(notice.title, /Well done/);
  assert.equal(notice.read, false);
  await first.hears("the same notice", (heard) => heard.notice?.id === notice.id);
  const unread = await first.request("notice/list", { unread: true });
  assert.deepEqual(unread.notices.map((listed) => listed.id), [notice.id]);

  await first.request("notice/read", { noticeIds: [notice.id] });
  await second.hears("that it was read", (heard) => heard.method === "notice/didRead" && heard.noticeId === notice.id);
  assert.deepEqual((await second.request("notice/list", { unread: true })).notices, []);
  assert.equal((await second.request("notice/list", {})).notices[0].read, true);

  await first.request("thread/update", { threadId: thread.id, mode: "manual" });
  await first.request("turn/start", { threadId: thread.id, input: say("$ true") });
  const asked = await second.hears("a call for a person", about("needsAttention"));
  await second.request("permission/answer", { threadId: thread.id, optionId: "deny" });
  await first.turnEnd(thread.id, 2);

  await first.request("notice/read", {});
  await second.hears("that all were read", (heard) =>
    heard.method === "notice/didRead" && heard.noticeId === asked.notice.id);
  assert.deepEqual((await first.request("notice/list", { unread: true })).notices, []);
  await first.close();
  await second.close();
});

test("a muted thread posts no notices", async () => {
  const editor = await Editor.open(home);
  const { thread } = await editor.request("thread/create", { path: folder, agent: "shell", mode: "auto" });
  await editor.request("thread/update", { threadId: thread.id, muted: true });
  await editor.follow(thread.id);
  await editor.request("turn/start", { threadId: thread.id, input: say("$ true") });
  await editor.turnEnd(thread.id);
  const { notices } = await editor.request("notice/list", {});
  assert.deepEqual(notices.filter((notice) => notice.threadId === thread.id), []);
  await editor.close();
});

test("a feed that is followed from an old number tells what changed since, once", async () => {
  const editor = await Editor.open(home);
  const { feed } = await editor.request("thread/list", {});
  const kept = await editor.done(folder, "$ true", { title: "Kept" });
  const gone = await editor.done(folder, "$ true", { title: "Gone" });
  await editor.request("thread/subscribe", { after: feed });
  await editor.request("thread/delete", { threadId: gone.thread.id });
  await editor.hears("deletion", (heard) => heard.method === "thread/didDelete" && heard.threadId === gone.thread.id);

  const late = await Editor.open(home);
  await late.request("thread/subscribe", { after: feed });
  await late.hears("deletion", (heard) => heard.method === "thread/didDelete" && heard.threadId === gone.thread.id);
  const changed = late.heard.filter((heard) => heard.method === "thread/didChange").map((heard) => heard.thread.title);
  assert.deepEqual(changed, ["Kept"]);
  await late.request("thread/unsubscribe", {});
  const heard = late.heard.length;
  await editor.request("thread/update", { threadId: kept.thread.id, title: "Still here" });
  await editor.hears("the title", (heard) => heard.thread?.title === "Still here");
  await late.request("thread/list", {});
  assert.deepEqual(late.heard.slice(heard), []);
  await editor.close();
  await late.close();
});

test("a thread that is followed no more is silent", async () => {
  const editor = await Editor.open(home);
  const { thread } = await editor.done(folder, "$ true");
  await editor.request("thread/unsubscribe", { threadId: thread.slug });
  const before = editor.events(thread.id).length;
  await editor.request("thread/update", { threadId: thread.id, title: "Unheard" });
  await editor.request("thread/read", { threadId: thread.id });
  assert.equal(editor.events(thread.id).length, before);
  await editor.close();
});
