// The review in a real workbench: the diff, comments to the agent, and single changes into the checkout or out of the sandbox.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";

import { journey, until } from "../rig/journey.mjs";
import { World } from "../rig/world.mjs";

const LINES = Array.from({ length: 60 }, (_, index) => `line ${index + 1}\n`).join("");
const CHANGE = `\`\`\`sh
echo 'FLAG = True' > src/main.py
git commit -qam flag
sed -i 's/^line 3$/LINE 3/; s/^line 50$/LINE 50/' long.txt
printf '\\0\\1' > bin.dat
git rm -q README.md
\`\`\``;

let world, editor, window, page, thread;

before(async () => {
  world = await World.start();
  editor = await world.editor();
  await writeFile(path.join(world.folder, "long.txt"), LINES);
  await world.home.git(world.folder, "add", ".");
  await world.home.git(world.folder, "commit", "-q", "-m", "long");
  ({ thread } = await editor.done(world.folder, CHANGE, { title: "Change things" }));
  window = await world.window();
  ({ page } = window);
  await window.row("Change things").waitFor();
});
after(() => world?.close());

const step = journey(() => window);

/** Waits until a file of the checkout holds this; git removes a file before it writes it anew. */
const holds = (name, text) => until(`the text of ${name}`, async () => (await readFile(path.join(world.folder, name), "utf8").catch(() => undefined)) === text);

const file = (name) => page.getByRole("treeitem", { name: new RegExp(`^${name}, `) }).first();

step("all changes of a thread in one editor, and each file alone", async () => {
  await window.command("Aloft: Review Changes", "Change things");
  await page.getByRole("tab", { name: /Change things: all changes.*4 files/ }).waitFor();
  await page.locator(".multiDiffEntry").first().waitFor();
  await page.getByText("0 of 4 files viewed").waitFor();
  await window.shot("review-all");
  await file("src/main.py").click();
  await page.locator(".monaco-diff-editor .char-insert").first().waitFor();
});

step("what was viewed is marked", async () => {
  await file("src/main.py").getByRole("checkbox").click();
  await page.getByText("1 of 4 files viewed").waitFor();
});

step("a comment on a line goes to the agent with the line", async () => {
  const glyph = page.locator(".editor.modified .comment-range-glyph, .modified-in-monaco-diff-editor .comment-range-glyph").first();
  await glyph.hover();
  await glyph.click();
  await page.locator(".review-widget .monaco-editor").first().waitFor();
  await page.keyboard.type("$ echo reviewed > reviewed.txt");
  await page.getByRole("button", { name: "Add to Review" }).click();
  await page.getByRole("treeitem", { name: /Comments to send/ }).waitFor();
  await window.shot("review-comment");
  await window.command("Aloft: Send Comments to the Agent");
  await editor.turnEnd(thread.id, 2);
  const { items } = await editor.request("thread/read", { threadId: thread.id });
  const sent = items.filter((item) => item.type === "userMessage").at(-1).input;
  assert.deepEqual(sent[1], { type: "selection", path: "src/main.py", text: "FLAG = True", range: { start: { line: 0, character: 0 }, end: { line: 1, character: 0 } } });
  assert.equal(sent[2].text, "src/main.py:1:\n$ echo reviewed > reviewed.txt");
  // The review follows what the agent did about it; what was viewed and is as it was stays viewed.
  await file("reviewed.txt").waitFor();
  await page.getByText("1 of 5 files viewed").waitFor();
  await page.getByRole("treeitem", { name: /Comments to send/ }).waitFor({ state: "detached" });
});

step("one file goes into the local checkout, and the others do not", async () => {
  await window.act(file("src/main.py"), "Take File into Local Checkout");
  await holds("src/main.py", "FLAG = True\n");
  assert.match(await readFile(path.join(world.folder, "README.md"), "utf8"), /Sample/);
});

step("the place of a file where the cursor stands goes into the local checkout", async () => {
  await file("long.txt").click();
  await page.locator(".editor.modified .view-line", { hasText: /LINE/ }).first().click();
  await window.command("Aloft: Take Change into Local Checkout…");
  await holds("long.txt", LINES.replace("line 3\n", "LINE 3\n"));
});

step("against another state: the base branch as it is now, and only what is not committed", async () => {
  await window.command("Aloft: Review Against the Base Branch Now");
  await page.getByRole("tab", { name: /Change things: against the base branch now.*5 files/ }).waitFor();
  await window.command("Aloft: Review Uncommitted Changes");
  await page.getByRole("tab", { name: /Change things: not committed/ }).waitFor();
  await file("long.txt").click();
  await page.locator(".monaco-diff-editor .char-insert").first().waitFor();
});

step("one place of a file is taken back in the sandbox", async () => {
  const place = page.locator(".quick-input-list .monaco-list-row", { hasText: "LINE 50" });
  await window.menu(file("long.txt"), "Revert Change in Sandbox…", place);
  await place.click();
  await page.locator(".quick-input-widget").getByRole("button", { name: "OK" }).click();
  await page.locator(".monaco-dialog-box").getByRole("button", { name: "Revert" }).click();
  await page.locator(".monaco-list-row", { hasText: "reverted in the sandbox" }).first().waitFor();
  const there = await readFile(world.home.path(`s/s/${thread.id}/workspace/long.txt`), "utf8");
  assert.equal(there, LINES.replace("line 3\n", "LINE 3\n"));
});

step("a turn alone", async () => {
  await window.command("Aloft: Review Changes of a Turn…");
  await page.locator(".quick-input-list .monaco-list-row", { hasText: "Turn 2" }).click();
  await page.getByRole("tab", { name: /Change things: turn 2.*1 file/ }).waitFor();
});

step("all of it goes into the local checkout, and what does not fit there is asked about first", async () => {
  const mine = (await readFile(path.join(world.folder, "long.txt"), "utf8")).replace("line 50\n", "mine\n");
  await writeFile(path.join(world.folder, "long.txt"), mine);
  await window.command("Aloft: Apply Changes to Local Checkout", "Change things");
  const dialog = page.locator(".monaco-dialog-box");
  await dialog.getByText(/do not fit what is in .*Nothing was changed/).waitFor();
  await holds("long.txt", mine);
  await window.shot("apply-conflict");
  await dialog.getByRole("button", { name: "Apply with conflict marks" }).click();
  await window.toast("One file holds conflict marks.").first().waitFor();
  await page.getByRole("tab", { selected: true, name: /long.txt/ }).waitFor();
  const marked = await readFile(path.join(world.folder, "long.txt"), "utf8");
  assert.match(marked, /<<<<<<<[^\n]*\nmine\n[^]*LINE 50\n>>>>>>>/);
  await holds("reviewed.txt", "reviewed\n");
});
