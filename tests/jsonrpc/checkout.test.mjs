// A local checkout: threads that begin in it, and their work coming back to it.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { Editor, say } from "./support/editor.mjs";
import { Home, refused } from "./support/home.mjs";

let home, editor;
before(async () => {
  home = await Home.create();
  editor = await Editor.open(home);
});
after(async () => {
  await editor?.close().finally(() => home.close());
});

/** The commit and the state of a checkout, as git tells them. */
async function state(folder) {
  return [await home.git(folder, "rev-parse", "HEAD"), await home.git(folder, "status", "--porcelain")];
}

/** What the only command of a thread printed. */
async function output(threadId) {
  const { items } = await editor.request("thread/read", { threadId });
  return items.find((item) => item.type === "commandExecution").output;
}

test("a thread begins with uncommitted changes when they are carried, and touches nothing", async () => {
  const folder = await home.repository("dirty");
  await writeFile(path.join(folder, "README.md"), "# Changed\n");
  await writeFile(path.join(folder, "new.txt"), "untracked\n");
  const before = await state(folder);
  const carried = await editor.done(folder, "$ cat README.md new.txt", { dirty: "carry" });
  assert.equal(await output(carried.thread.id), "# Changed\nuntracked\n");
  const clean = await editor.done(folder, "$ cat README.md; ls", { dirty: "ignore" });
  assert.equal(await output(clean.thread.id), "# Sample\nREADME.md\nsrc\n");
  await refused(
    editor.request("thread/create", { path: folder, agent: "shell", dirty: "refuse" }), -32013, "UNCOMMITTED_CHANGES");
  assert.deepEqual(await state(folder), before);
});

test("a repository inside of the carried one is named, as its own changes stay behind", async () => {
  const folder = await home.repository("outer");
  const inner = await home.repository("outer/inner");
  const module = await home.repository("source");
  await home.git(folder, "-c", "protocol.file.allow=always", "submodule", "add", "-q", module, "module");
  await home.git(folder, "commit", "-q", "-m", "a module");
  const create = async (dirty) => (await editor.request("thread/create", { path: folder, agent: "shell", dirty })).leftBehind;
  await writeFile(path.join(folder, "module/README.md"), "# Changed\n");
  await writeFile(path.join(inner, "new.txt"), "untracked\n");
  assert.deepEqual((await create("carry")).sort(), ["inner", "module"]);
  assert.equal(await create("ignore"), undefined);
});

test("apply brings the changes into the checkout, or changes nothing", async () => {
  const folder = await home.repository("applied");
  const { thread } = await editor.done(folder, "$ echo more >> README.md\n$ echo new > new.txt");
  const before = await state(folder);
  const done = await editor.request("thread/apply", { threadId: thread.id });
  assert.deepEqual(done.files.sort(), ["README.md", "new.txt"]);
  assert.deepEqual(done.conflicts, []);
  assert.equal(await readFile(path.join(folder, "README.md"), "utf8"), "# Sample\nmore\n");
  assert.equal(await readFile(path.join(folder, "new.txt"), "utf8"), "new\n");
  assert.equal((await state(folder))[0], before[0]);

  const other = await home.repository("conflicting");
  await writeFile(path.join(other, "README.md"), "# Something else\n");
  const untouched = await state(other);
  const into = { threadId: thread.id, path: other };
  const error = await refused(editor.request("thread/apply", into), -32013, "APPLY_CONFLICT");
  assert.match(error.message, /README\.md/);
  assert.deepEqual(await state(other), untouched);
  const marked = await editor.request("thread/apply", { ...into, conflicts: true });
  assert.deepEqual(marked.conflicts, ["README.md"]);
  assert.match(await readFile(path.join(other, "README.md"), "utf8"), /^<<<<<<< /m);
});

test("apply takes single files, and single places of a file", async () => {
  const folder = await home.repository("parts");
  const lines = Array.from({ length: 40 }, (_, index) => `line ${index + 1}\n`).join("");
  await writeFile(path.join(folder, "long.txt"), lines);
  await home.git(folder, "add", ".");
  await home.git(folder, "commit", "-q", "-m", "long");
  const script = "```sh\nsed -i 's/^line 3$/LINE 3/; s/^line 30$/LINE 30/' long.txt\necho new > new.txt\nprintf '\\0\\1' > picture\n```";
  const { thread } = await editor.done(folder, script);
  const apply = (params) => editor.request("thread/apply", { threadId: thread.id, ...params });

  assert.deepEqual((await apply({ files: ["new.txt", "picture"] })).files.sort(), ["new.txt", "picture"]);
  assert.equal(await readFile(path.join(folder, "long.txt"), "utf8"), lines);
  await refused(apply({ files: ["README.md"] }), -32012, "FILE_NOT_CHANGED");

  const { patch } = await editor.request("thread/fileDiff", { threadId: thread.id, path: "long.txt" });
  const [head, , second] = patch.split(/^(?=@@ )/m);
  assert.deepEqual((await apply({ files: ["long.txt"], patch: head + second })).files, ["long.txt"]);
  assert.equal(await readFile(path.join(folder, "long.txt"), "utf8"), lines.replace("line 30\n", "LINE 30\n"));
});

test("checkout makes the thread's branch a local one, with its commits", async () => {
  const folder = await home.repository("branches");
  const script = "```sh\necho 1 > one\ngit add one\ngit commit -qm 'add one'\necho 2 > two\n```";
  const { thread } = await editor.done(folder, script);
  const before = await state(folder);
  const { branch, commit } = await editor.request("thread/checkout", { threadId: thread.id });
  assert.equal(branch, thread.branch);
  assert.equal((await home.git(folder, "rev-parse", branch)).trim(), commit);
  const log = await home.git(folder, "log", "--format=%s", `HEAD..${branch}`);
  assert.match(log, /^add one$/m);
  assert.equal(await home.git(folder, "show", `${branch}:two`), "2\n");
  assert.deepEqual(await state(folder), before);
  const named = await editor.request("thread/checkout", { threadId: thread.id, branch: "mine" });
  assert.equal(named.branch, "mine");
  assert.equal((await home.git(folder, "rev-parse", "mine")).trim(), commit);
  // Once more changes nothing, and the branch follows the thread as long as nobody commits to it here.
  assert.equal((await editor.request("thread/checkout", { threadId: thread.id })).commit, commit);
  await editor.request("turn/start", { threadId: thread.id, input: say("$ echo 3 > three") });
  await editor.turnEnd(thread.id, 2);
  await editor.request("thread/checkout", { threadId: thread.id });
  assert.equal(await home.git(folder, "show", `${branch}:three`), "3\n");
  await home.git(folder, "switch", "-q", branch);
  await home.git(folder, "commit", "-q", "--allow-empty", "-m", "my own");
  const own = await state(folder);
  await editor.request("turn/start", { threadId: thread.id, input: say("$ echo 4 > four") });
  await editor.turnEnd(thread.id, 3);
  await refused(editor.request("thread/checkout", { threadId: thread.id }), -32013, "BRANCH_DIVERGED");
  assert.deepEqual(await state(folder), own);
});
