// Who is told what, how often: every kind, muted or not, in editors that are open, closed, cut off; and the webhook.

import assert from "node:assert/strict";
import { appendFile, chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";

import { Editor, say } from "./support/editor.mjs";
import { Home } from "./support/home.mjs";
import { Hook, verified } from "./support/hook.mjs";
import { Remote } from "./support/remote.mjs";
import { until } from "./support/until.mjs";

const SECRET = "a secret of the tests, long enough";

/** What makes a notice of each kind: a thread's agent and mode, what it is told, and what ends it. */
const KINDS = {
  completed: { agent: "shell", mode: "auto", text: "$ true" },
  needsAttention: { agent: "shell", mode: "manual", text: "$ true" },
  failed: { agent: "broken", mode: "auto", text: "go" },
};

/** A machine with a cloud on a port that is configured like this. */
async function world(config) {
  const home = await Home.create();
  const broken = `[serve.agents.broken]\ncommand = ["bash", "-c", "exit 4"]\n`;
  await appendFile(home.path("config/config.toml"), `${config}\n${broken}`);
  await writeFile(home.path("config/hook.secret"), SECRET);
  const folder = await home.repository();
  const remote = await Remote.start(home);
  return { home, folder, remote, close: async () => (await remote.close(), await home.close()) };
}

/** An editor that hears the feed from this number on, by the way that is given. */
async function listener(home, url, after) {
  const usual = home.env.ALOFT_CLOUD;
  home.env.ALOFT_CLOUD = url;
  const editor = await Editor.open(home);
  home.env.ALOFT_CLOUD = usual;
  await editor.request("thread/subscribe", { after });
  return editor;
}

/** Notices an editor heard posted, as words to compare. */
const posted = (editor) =>
  editor.heard
    .filter((heard) => heard.method === "notice/didPost")
    .map((heard) => `${heard.notice.title} (${heard.notice.kind})`)
    .sort();

/** Waits until an editor has heard of everything so far: what is posted now comes after it. */
async function caughtUp(editor, driver, thread) {
  const title = `mark ${Math.random()}`;
  await driver.request("thread/update", { threadId: thread, title });
  await editor.hears("the mark", (heard) => heard.method === "thread/didChange" && heard.thread.title === title);
}

/** Drives one thread of each kind to its notice. */
async function drive(editor, folder, muted) {
  const threads = {};
  for (const [kind, { agent, mode, text }] of Object.entries(KINDS)) {
    const title = `${muted ? "quiet" : "loud"} ${kind}`;
    const { thread } = await editor.request("thread/create", { path: folder, agent, mode, title });
    if (muted) await editor.request("thread/update", { threadId: thread.id, muted });
    await editor.follow(thread.id);
    await editor.request("turn/start", { threadId: thread.id, input: say(text) });
    if (kind === "needsAttention") await editor.question(thread.id);
    else await editor.turnEnd(thread.id);
    threads[kind] = thread.id;
  }
  return threads;
}

for (const pierce of [false, true]) {
  const rule = pierce ? "questions pierce the mute where the user says so" : "a mute silences everything";
  test(`each notice reaches each editor once: ${rule}`, async () => {
    const { home, folder, remote, close } = await world(`[serve.notices]\nquestionsPierceMute = ${pierce}`);
    try {
      const driver = await listener(home, remote.url, 0);
      const { thread: mark } = await driver.request("thread/create", { path: folder, agent: "shell", title: "mark" });
      const { feed } = await driver.request("thread/list", {});
      const second = await listener(home, remote.url, feed);
      const cut = await listener(home, remote.relay.url, feed);
      await caughtUp(cut, driver, mark.id);
      remote.relay.set("silent");

      await drive(driver, folder, true);
      const loud = await drive(driver, folder, false);
      const expected = [
        ...(pierce ? ["quiet needsAttention needs an answer (needsAttention)"] : []),
        "loud completed is done (completed)",
        "loud failed failed (failed)",
        "loud needsAttention needs an answer (needsAttention)",
      ].sort();
      remote.relay.set("up");
      for (const editor of [driver, second, cut]) {
        await caughtUp(editor, driver, mark.id);
        assert.deepEqual(posted(editor), expected);
      }
      // Lost and back once more: nothing is told again.
      remote.relay.set("cut");
      await cut.hears("offline", (heard) => heard.method === "connection/didChange" && heard.state === "offline");
      remote.relay.set("up");
      await caughtUp(cut, driver, mark.id);
      assert.deepEqual(posted(cut), expected);
      // One that was closed: what waited for it comes once.
      const late = await listener(home, remote.url, feed);
      await caughtUp(late, driver, mark.id);
      assert.deepEqual(posted(late), expected);
      const { notices } = await late.request("notice/list", { unread: true });
      assert.deepEqual(notices.map((notice) => `${notice.title} (${notice.kind})`).sort(), expected);

      // The mute holds in a cloud that was killed, and ends when it is taken back.
      await remote.kill();
      await remote.run();
      const quiet = (await driver.request("thread/list", { query: "quiet completed" })).threads[0];
      assert.equal(quiet.muted, true);
      const again = { threadId: quiet.id, input: say("$ true") };
      await driver.request("turn/start", again);
      await driver.turnEnd(quiet.id, 2);
      await driver.request("thread/update", { threadId: quiet.id, muted: false });
      await driver.request("turn/start", again);
      await driver.turnEnd(quiet.id, 3);
      for (const editor of [driver, second, cut, late]) {
        await caughtUp(editor, driver, mark.id);
        // The cloud that was killed cut a question off: that is no notice.
        assert.deepEqual(posted(editor), [...expected, "quiet completed is done (completed)"].sort());
      }

      // Read in one, read in all, once each.
      const unread = (await driver.request("notice/list", { unread: true })).notices.map((notice) => notice.id);
      await second.request("notice/read", {});
      for (const editor of [driver, second, cut, late]) {
        await caughtUp(editor, driver, mark.id);
        const read = editor.heard.filter((heard) => heard.method === "notice/didRead").map((heard) => heard.noticeId);
        assert.deepEqual(read.sort(), unread.toSorted());
      }
      const after = await listener(home, remote.url, feed);
      await caughtUp(after, driver, mark.id);
      assert.deepEqual(posted(after), []);
      assert.ok(loud.completed);
    } finally {
      await close();
    }
  });
}

test("a webhook is called once for each notice, signed, across failures and restarts", async () => {
  const hook = await Hook.open();
  const { home, folder, remote, close } = await world(
    `[serve.notices.webhook]\nurl = "${hook.url}"\nsecretFile = "hook.secret"\nallowPrivate = true`,
  );
  try {
    const driver = await listener(home, remote.url, 0);
    await driver.followFeed();
    const first = await driver.done(folder, "$ true", { title: "First" });
    const call = await hook.hears("the first notice", ({ said }) => said.notice.title === "First is done");
    assert.ok(verified(SECRET, call.headers, call.body));
    assert.ok(!verified(SECRET, call.headers, Buffer.concat([call.body, Buffer.from(" ")])));
    assert.ok(!verified("another secret", call.headers, call.body));
    assert.ok(!verified(SECRET, call.headers, call.body, Date.now() + 600_000));
    const { notices } = await driver.request("notice/list", {});
    assert.deepEqual(call.said.notice, { ...notices[0], read: false });
    assert.equal(call.headers["webhook-id"], notices[0].id);
    assert.equal(call.said.thread.id, first.thread.id);
    assert.equal(call.said.thread.branch, first.thread.branch);

    // It fails for a while: nobody waits for it, and the notice comes when it is back, with the same id.
    hook.answer = ({ said }) => (hook.calls.filter((before) => before.said.notice.id === said.notice.id).length < 2 ? 503 : 204);
    await driver.done(folder, "$ true", { title: "Second" });
    const taken = ({ said, status }) => said.notice.title === "Second is done" && status === 204;
    await hook.hears("the second notice", taken);
    assert.equal(hook.calls.filter(({ said }) => said.notice.title === "Second is done").length, 3);

    // The cloud is killed while the other end is down; what was posted meanwhile is not forgotten.
    hook.answer = () => 500;
    await driver.done(folder, "$ true", { title: "Third" });
    await hook.hears("the third notice", ({ said }) => said.notice.title === "Third is done");
    await remote.kill();
    hook.answer = () => 204;
    await remote.run();
    await hook.hears("the third notice again", ({ said, status }) => said.notice.title === "Third is done" && status === 204);
    const order = hook.calls.filter(({ status }) => status === 204).map(({ said }) => said.notice.title);
    assert.deepEqual(order, ["First is done", "Second is done", "Third is done"]);
    // A redirect leads nowhere.
    hook.answer = ({ said }) => (hook.calls.some((before) => before.said.notice.id === said.notice.id) ? 204 : 302);
    await driver.done(folder, "$ true", { title: "Fourth" });
    await hook.hears("the fourth notice", ({ said, status }) => said.notice.title === "Fourth is done" && status === 204);
    const log = await readFile(home.path("remote.log"), "utf8");
    assert.ok(!log.includes(SECRET) && !log.includes("in-the-address"), log);
  } finally {
    await close();
    await hook.close();
  }
});

test("a webhook into a private network is not called unless the operator allows it", async (t) => {
  const hook = await Hook.open();
  t.after(() => hook.close());
  const address = hook.url.replace("http://", "https://");
  const { home, folder, remote, close } = await world(
    `[serve.notices.webhook]\nurl = "${address}"\nsecretFile = "hook.secret"`,
  );
  t.after(close);
  const driver = await listener(home, remote.url, 0);
  await driver.done(folder, "$ true", { title: "Private" });
  await until("the refusal in the log", async () => (await readFile(home.path("remote.log"), "utf8")).includes("allowPrivate"));
  assert.deepEqual(hook.calls, []);
  // What waits for it holds nothing else up.
  await driver.done(folder, "$ true", { title: "Next" });
});

/** A program of this name that writes down what it is called with, and that bridges of this home find. */
async function recorder(home, name) {
  const [folder, file] = [home.path("programs"), home.path(`${name}.calls`)];
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}/${name}`, `#!/bin/bash\nprintf '%s\\0' "$@" >> ${file}; printf '\\n' >> ${file}\n`);
  await chmod(`${folder}/${name}`, 0o755);
  await writeFile(file, "");
  home.env.PATH = `${folder}:${home.env.PATH}`;
  return async () => {
    const lines = (await readFile(file, "utf8")).split("\n").filter(Boolean);
    return lines.map((line) => line.split("\0").slice(0, -1));
  };
}

test("of several editors one shows a notice on the desktop, as words and nothing else", async (t) => {
  const { home, folder, remote, close } = await world("[notices]\ndesktop = true");
  t.after(close);
  const calls = await recorder(home, "notify-send");
  const [driver, second] = [await listener(home, remote.url, 0), await listener(home, remote.url, 0)];
  const title = "<b>bold</b> \u001b]0;owned\u0007\u202e$(id) --help";
  const { thread } = await driver.done(folder, "$ true", { title });
  await driver.request("thread/update", { threadId: thread.id, title: "Plain" });
  await driver.request("turn/start", { threadId: thread.id, input: say("$ true") });
  await driver.turnEnd(thread.id, 2);
  await until("both to be shown", async () => (await calls()).length >= 2);
  await caughtUp(second, driver, thread.id);
  const shown = (await calls()).sort((one, other) => one.join().localeCompare(other.join()));
  assert.equal(shown.length, 2, JSON.stringify(shown));
  const words = shown.map((call) => call.slice(0, 3));
  assert.deepEqual(words.map(([app, end]) => [app, end]), [["--app-name=Aloft", "--"], ["--app-name=Aloft", "--"]]);
  const titles = words.map((call) => call[2]).sort();
  assert.ok(titles.includes("Plain is done"), titles);
  assert.ok(titles.some((text) => text.includes("$(id) --help") && !/[\u0000-\u001f\u202e]/.test(text)), titles);
});

test("an editor without a plugin is shown messages, and what is chosen is done", async (t) => {
  const { home, folder, remote, close } = await world("");
  t.after(close);
  const driver = await listener(home, remote.url, 0);
  await driver.followFeed();
  // Posted while this editor was closed.
  const done = await driver.done(folder, "$ true", { title: "Done before" });
  const asked = [];
  const plain = new Editor(home);
  const documents = [];
  plain.connection.onRequest("window/showDocument", ({ uri }) => (documents.push(uri), { success: true }));
  plain.connection.onRequest("window/showMessageRequest", (params) => new Promise((resolve) => asked.push({ params, resolve })));
  await plain.initialize({
    capabilities: { window: { showDocument: { support: true }, showMessage: { messageActionItem: {} } } },
    initializationOptions: { notices: { messages: true } },
  });
  const message = (words) => until(`a message with ${words}`, () => asked.find(({ params }) => params.message.includes(words)));
  const choose = ({ params, resolve }, title) => {
    const action = params.actions.find((action) => action.title === title);
    assert.ok(action, `${title} is not in ${JSON.stringify(params.actions)}`);
    resolve(action);
  };
  const read = (words) => (heard) =>
    heard.method === "notice/didRead" && driver.heard.some((one) => one.notice?.id === heard.noticeId && one.notice.title.includes(words));

  choose(await message("Done before"), "Open");
  await driver.hears("that it was read", read("Done before"));
  await until("the document", () => documents.length > 0);
  assert.match(await readFile(new URL(documents[0]), "utf8"), /# Done before/);

  const asking = await driver.shell(folder, "$ touch allowed", { mode: "manual", title: "Asking" });
  choose(await message("Asking"), "Answer");
  const question = await message("touch allowed");
  choose(question, question.params.actions[0].title);
  await driver.turnEnd(asking.id);
  assert.ok(await home.inWorkspace(asking.id, "allowed"));

  const stopping = await driver.shell(folder, "$ touch never", { mode: "manual", title: "Stopping" });
  choose(await message("Stopping"), "Stop");
  assert.equal((await driver.turnEnd(stopping.id)).turn.state, "interrupted");

  // Nobody answers this one, and nothing waits for it; closed, the next is read.
  await driver.done(folder, "$ true", { title: "Ignored" });
  await message("Ignored");
  await driver.done(folder, "$ true", { title: "Muted" });
  choose(await message("Muted"), "Mute");
  await driver.hears("the mute", (heard) => heard.thread?.title === "Muted" && heard.thread.muted);
  await driver.done(folder, "$ true", { title: "Closed" });
  (await message("Closed")).resolve(null);
  await driver.hears("that it was read", read("Closed"));
  const { notices } = await driver.request("notice/list", { unread: true });
  assert.ok(notices.some((notice) => notice.title.includes("Ignored")), JSON.stringify(notices));
  assert.ok(!notices.some((notice) => notice.title.includes("Closed")), JSON.stringify(notices));
  assert.deepEqual(await plain.request("thread/list", { query: "nothing like it" }).then(({ threads }) => threads), []);
  assert.ok(done);
  await plain.kill();
});
