// What is done with one agent from the palette and its panel: names, modes, other ways from an earlier turn, archives, ports.

import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { after, before } from "node:test";

import { say } from "../../../../tests/jsonrpc/support/editor.mjs";
import { journey, until } from "../rig/journey.mjs";
import { World } from "../rig/world.mjs";

let world, editor, window, page, panel, id;

before(async () => {
  world = await World.start();
  editor = await world.editor();
  ({ thread: { id } } = await editor.done(world.folder, "$ echo one > a.txt", { title: "First name" }));
  await editor.request("turn/start", { threadId: id, input: say("$ echo two > a.txt") });
  await editor.turnEnd(id, 2);
  window = await world.window();
  ({ page, panel } = window);
  await window.row(/First name.*done/).waitFor();
});
after(() => world?.close());

const step = journey(() => window);
const thread = async () => (await editor.request("thread/read", { threadId: id, limit: 1 })).thread;
const inSandbox = (of, name) => readFile(world.home.path(`s/s/${of}/workspace/${name}`), "utf8").catch(() => undefined);
const open = (title) => panel.getByRole("heading", { level: 1, name: title, exact: true }).waitFor();

/** Answers a box that asks this. */
async function answer(question, text) {
  await page.locator(".quick-input-widget", { hasText: question }).waitFor();
  await window.type(text);
  await page.locator(".quick-input-widget").waitFor({ state: "hidden" });
}

/** Names a file beside the checkout in the dialog with this title, which first writes a path of its own into its box. */
async function choose(title, own, file) {
  const dialog = page.locator(".quick-input-widget", { hasText: title });
  const input = dialog.locator("input[type='text']");
  await until("the dialog's own path", async () => own.test(await input.inputValue()));
  await input.fill(file);
  await dialog.getByRole("option", { name: "shop", exact: true }).waitFor();
  assert.equal(await input.inputValue(), file);
  await dialog.locator(".quick-input-action .monaco-button").first().click();
  await dialog.waitFor({ state: "hidden" });
}

step("it gets another name, and the panel, its tab and the list have it", async () => {
  await window.command("Aloft: Open Agent", "First name");
  await open("First name");
  await window.command("Aloft: Rename…");
  await answer("Title of the agent", "Second name");
  await open("Second name");
  await page.getByRole("tab", { name: /Second name/ }).waitFor();
  await window.row(/Second name.*done/).waitFor();
  assert.equal((await thread()).title, "Second name");
});

step("its mode and its model change", async () => {
  await panel.getByRole("button", { name: "Mode: auto" }).click();
  await window.pick("Manual");
  await panel.getByRole("button", { name: "Mode: manual" }).waitFor();
  assert.equal((await thread()).mode, "manual");
  await window.command("Aloft: Change Model…");
  await answer("Name of the model", "some-model");
  await until("the model", async () => (await thread()).model === "some-model");
  await panel.getByText("shell (some-model)").waitFor();
});

step("a fork goes on from the end of an earlier turn, in a sandbox of its own", async () => {
  await panel.getByRole("article", { name: /^Turn 1 / }).getByRole("button", { name: "Fork from here" }).click();
  const fork = await until("the fork", async () => (await editor.request("thread/list", {})).threads.find((one) => one.id !== id));
  await page.getByRole("tab", { selected: true, name: fork.title }).waitFor();
  await panel.getByRole("article", { name: /^Turn 1 / }).waitFor();
  assert.equal(await panel.getByRole("article", { name: /^Turn 2 / }).count(), 0);
  await until("its files", async () => (await inSandbox(fork.id, "a.txt")) === "one\n");
  assert.equal(await inSandbox(id, "a.txt"), "two\n");
  await editor.request("thread/delete", { threadId: fork.id });
  await panel.getByText("This thread was deleted.").first().waitFor();
  await panel.getByRole("button", { name: "Fork from here" }).waitFor({ state: "hidden" });
});

step("a rewind asks before it takes away what was changed by hand", async () => {
  await writeFile(world.home.path(`s/s/${id}/workspace/mine.txt`), "mine\n");
  await window.command("Aloft: Rewind…", "Second name", "Turn 1");
  const dialog = page.locator(".monaco-dialog-box");
  await dialog.getByText("Files were changed by hand", { exact: true }).waitFor();
  await window.shot("rewind");
  await dialog.getByRole("button", { name: "Rewind anyway" }).click();
  await until("the files of turn 1", async () => (await inSandbox(id, "a.txt")) === "one\n");
  assert.equal(await inSandbox(id, "mine.txt"), undefined);
});

step("archived into a file, deleted, and restored from the file", async () => {
  const file = world.home.path("kept.aloft");
  await window.command("Aloft: Archive to File…", "Second name");
  await choose("Archive Second name", /\.aloft$/, file);
  await window.toast(/is archived in/).first().waitFor();
  await stat(file);
  await editor.request("thread/delete", { threadId: id });
  await window.row(/Second name/).waitFor({ state: "detached" });
  await window.command("Aloft: Restore from Archive…");
  await choose("Restore an archived agent", /\/shop\/$/, file);
  await window.row(/Paused/).waitFor();
  await open("Second name");
  await panel.getByRole("button", { name: "Resume" }).waitFor();
  await panel.getByRole("article", { name: /^Turn 2 / }).waitFor();
});

step("what listens in a sandbox is brought here, and let go", async () => {
  const serving = await editor.shell(world.folder, "$ exec python3 -m http.server 8123 --bind 127.0.0.1", { title: "Serves" });
  await until("the port", async () => (await editor.request("port/list", { threadId: serving.id })).ports.some(({ port }) => port === 8123));
  await window.command("Aloft: Open Dashboard");
  await panel.getByRole("button", { name: "Ports: Serves" }).click();
  await window.pick("8123");
  const toast = window.toast(/Port 8123 of Serves is here as/).first();
  const [address] = /127\.0\.0\.1:\d+|localhost:\d+/.exec(await toast.textContent());
  assert.match(await (await fetch(`http://${address}/README.md`)).text(), /Sample/);
  await window.shot("ports");
  await window.press(/Port 8123 of Serves/, "Stop forwarding");
  await until("its end", () => fetch(`http://${address}/README.md`).then(() => false, () => true));
});
