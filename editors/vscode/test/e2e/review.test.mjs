// The review in a real workbench: the diff, comments to the agent, and single changes into the checkout or out of the sandbox.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { LIMIT, Stage } from "../rig/stage.mjs";

const LINES = Array.from({ length: 60 }, (_, index) => `line ${index + 1}\n`).join("");
const CHANGE = `\`\`\`sh
echo 'FLAG = True' > src/main.py
git commit -qam flag
sed -i 's/^line 3$/LINE 3/; s/^line 50$/LINE 50/' long.txt
printf '\\0\\1' > bin.dat
git rm -q README.md
\`\`\``;

let stage, page, thread;

before(async () => {
  stage = await Stage.start();
  await writeFile(path.join(stage.folder, "long.txt"), LINES);
  await stage.home.git(stage.folder, "add", ".");
  await stage.home.git(stage.folder, "commit", "-q", "-m", "long");
  ({ thread } = await stage.editor.done(stage.folder, CHANGE, { title: "Change things" }));
  page = await stage.window();
  await stage.row(page, "Change things").waitFor();
});
after(() => stage?.close());

function step(name, work) {
  test(name, { timeout: 10 * LIMIT }, async () => {
    await work().catch(async (error) => {
      await stage.shot(page, `failed-${name.replace(/\W+/g, "-").slice(0, 60)}`);
      throw error;
    });
  });
}

/** Waits until something is so. */
async function poll(read, wanted) {
  const end = Date.now() + LIMIT;
  for (;;) {
    const found = await read();
    if (found === wanted || Date.now() > end) return assert.equal(found, wanted);
    await new Promise((go) => setTimeout(go, 100));
  }
}

const file = (name) => page.getByRole("treeitem", { name: new RegExp(`^${name}, `) }).first();

/** A button of a row, which is there while the pointer is. */
async function act(name, button) {
  await file(name).hover();
  await file(name).getByRole("button", { name: button }).click();
}

step("all changes of a thread in one editor, and each file alone", async () => {
  await stage.command(page, "Aloft: Review Changes", "Change things");
  await page.getByRole("tab", { name: /Change things: all changes.*4 files/ }).waitFor();
  await page.locator(".multiDiffEntry").first().waitFor();
  await page.getByText("0 of 4 files viewed").waitFor();
  await stage.shot(page, "review-all");
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
  await stage.shot(page, "review-comment");
  await stage.command(page, "Aloft: Send Comments to the Agent");
  await stage.editor.turnEnd(thread.id, 2);
  const { items } = await stage.editor.request("thread/read", { threadId: thread.id });
  const sent = items.filter((item) => item.type === "userMessage").at(-1).input;
  assert.deepEqual(sent[1], { type: "selection", path: "src/main.py", text: "FLAG = True", range: { start: { line: 0, character: 0 }, end: { line: 1, character: 0 } } });
  assert.equal(sent[2].text, "src/main.py:1:\n$ echo reviewed > reviewed.txt");
  // The review follows what the agent did about it; what was viewed and is as it was stays viewed.
  await file("reviewed.txt").waitFor();
  await page.getByText("1 of 5 files viewed").waitFor();
  await page.getByRole("treeitem", { name: /Comments to send/ }).waitFor({ state: "detached" });
});

step("one file goes into the local checkout, and the others do not", async () => {
  await act("src/main.py", "Take File into Local Checkout");
  await poll(() => readFile(path.join(stage.folder, "src/main.py"), "utf8"), "FLAG = True\n");
  assert.match(await readFile(path.join(stage.folder, "README.md"), "utf8"), /Sample/);
});

step("the place of a file where the cursor stands goes into the local checkout", async () => {
  await file("long.txt").click();
  await page.locator(".editor.modified .view-line", { hasText: /LINE/ }).first().click();
  await stage.command(page, "Aloft: Take Change into Local Checkout…");
  await poll(() => readFile(path.join(stage.folder, "long.txt"), "utf8"), LINES.replace("line 3\n", "LINE 3\n"));
});

step("against another state: only what is not committed", async () => {
  await stage.command(page, "Aloft: Review Uncommitted Changes");
  await page.getByRole("tab", { name: /Change things: not committed/ }).waitFor();
  await file("long.txt").click();
  await page.locator(".monaco-diff-editor .char-insert").first().waitFor();
});

step("one place of a file is taken back in the sandbox", async () => {
  await file("long.txt").click({ button: "right" });
  const revert = page.getByRole("menuitem", { name: "Revert Change in Sandbox…" });
  await revert.waitFor();
  // A menu hears no click in the first tenth of a second after it opened.
  while (await revert.isVisible()) await revert.click({ timeout: 5_000 }).catch(() => undefined);
  const rows = page.locator(".quick-input-list .monaco-list-row");
  await rows.filter({ hasText: "LINE 50" }).click();
  await page.locator(".quick-input-widget").getByRole("button", { name: "OK" }).click();
  await page.locator(".monaco-dialog-box").getByRole("button", { name: "Revert" }).click();
  await page.locator(".monaco-list-row", { hasText: "reverted in the sandbox" }).first().waitFor();
  const there = await readFile(stage.home.path(`s/s/${thread.id}/workspace/long.txt`), "utf8");
  assert.equal(there, LINES.replace("line 3\n", "LINE 3\n"));
});

step("a turn alone", async () => {
  await stage.command(page, "Aloft: Review Changes of a Turn…");
  await page.locator(".quick-input-list .monaco-list-row", { hasText: "Turn 2" }).click();
  await page.getByRole("tab", { name: /Change things: turn 2.*1 file/ }).waitFor();
});

step("thousands of files come in pages", async () => {
  await stage.editor.done(stage.folder, "$ for i in $(seq 1 1000); do echo $i > f$i.txt; done", { title: "Many files" });
  await stage.row(page, "Many files").waitFor();
  await stage.command(page, "Aloft: Review Changes", "Many files");
  await page.getByRole("tab", { name: /Many files: all changes \(1 to 300 of 1000\)/ }).waitFor();
  await page.getByRole("treeitem", { name: /Files 901 to 1000/ }).click();
  await page.getByRole("tab", { name: /Many files: all changes \(901 to 1000 of 1000\)/ }).waitFor();
});
