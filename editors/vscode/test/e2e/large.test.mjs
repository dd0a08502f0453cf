// What is large opens quickly and in parts: thousands of changed files, and an output of many megabytes.

import { after, before } from "node:test";

import { journey } from "../rig/journey.mjs";
import { World } from "../rig/world.mjs";

const FILES = 5_000;
/** More than an editor is given. */
const LINES = 250_000;
const WORK = `$ yes ${"x".repeat(99)} | head -n ${LINES}; echo the end\n$ mkdir many; for i in $(seq 1 ${FILES}); do echo $i > many/$i.txt; done`;

let world, window, page, panel;

before(async () => {
  world = await World.start();
  await (await world.editor()).done(world.folder, WORK, { title: "Much" });
  window = await world.window();
  ({ page, panel } = window);
  await window.row(/Much.*done/).waitFor();
});
after(() => world?.close());

const step = journey(() => window);

/** Says how long something took. */
async function timed(what, work) {
  const begun = Date.now();
  await work();
  console.log(`${what}: ${Date.now() - begun} ms`);
}

step("of an output of 25 MB the end is shown at once, and an editor gets its last 2 MiB", async () => {
  const command = panel.getByRole("article", { name: /Command yes/ });
  await timed("the conversation with 25 MB in it", async () => {
    await window.command("Aloft: Open Agent", "Much");
    await command.locator("pre.output", { hasText: "the end" }).waitFor();
  });
  await command.getByText(/· 25(\.0)? MB/).waitFor();
  await command.locator("summary").click();
  await command.getByText("before this").waitFor();
  await timed("2 MiB in an editor", async () => {
    await command.getByRole("button", { name: "Open whole output in an editor" }).click();
    await page.getByRole("tab", { selected: true, name: /Output i\d+\.log/ }).waitFor();
    await page.locator(".view-line", { hasText: /^\(\d+\sbytes\sbefore\sthis\sare\sleft\sout/ }).waitFor();
  });
});

step("of thousands of files 300 are shown, and the others come in pages", async () => {
  await timed(`a review of ${FILES} files`, async () => {
    await window.command("Aloft: Review Changes", "Much");
    await page.getByRole("tab", { name: new RegExp(`Much: all changes \\(1 to 300 of ${FILES}\\)`) }).waitFor();
    await page.locator(".multiDiffEntry").first().waitFor();
  });
  const last = page.getByRole("treeitem", { name: `Files 4801 to ${FILES}` });
  await window.row(/Files 1 to 300/).click();
  await page.keyboard.press("End");
  await last.click();
  await page.getByRole("tab", { name: new RegExp(`Much: all changes \\(4801 to ${FILES} of ${FILES}\\)`) }).waitFor();
  await page.locator(".multiDiffEntry").first().waitFor();
  await window.shot("large-review");
});
