// The list, the form, notices, windows: the packed extension with the programs in it, in a real VS Code, driven as a person would.

import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";

import { journey, until } from "../rig/journey.mjs";
import { World } from "../rig/world.mjs";

let world, window;
before(async () => {
  world = await World.start();
  window = await world.window();
});
after(async () => {
  await window?.shot("agents-end").catch(() => {});
  await world?.close();
});

const threads = () => world.home.json("list", "--all");
const step = journey(() => window);

step("the package brings its programs along, and an empty list says what to do", async () => {
  const [folder] = (await readdir(world.extensions)).filter((name) => name.startsWith("aloft.aloft"));
  for (const program of ["aloft", "aloft-cloud"]) {
    const { mode } = await stat(path.join(world.extensions, folder, "bin", program));
    assert.equal(mode & 0o777, 0o755);
  }
  await window.page.getByRole("button", { name: "Create Agent" }).first().waitFor();
  await window.status("Aloft");
  await window.shot("welcome");
});

step("a task that was not sent is there when the form is opened again, with its picture", async () => {
  const open = () => window.page.locator(".pane-body .monaco-button", { hasText: "Create Agent" }).first().click();
  await open();
  const form = window.panel;
  const prompt = form.locator("#prompt");
  const picture = form.locator(".chip", { hasText: "Picture" });
  await prompt.fill("Draw");
  await prompt.evaluate((box) => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([new Uint8Array(100_000)], "dot.png", { type: "image/png" }));
    box.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
  });
  await picture.waitFor();
  await prompt.pressSequentially(" this");
  await window.shot("create-picture");
  await window.command("View: Close Editor");
  await form.locator("#prompt").waitFor({ state: "detached" });
  await open();
  await picture.waitFor();
  assert.equal(await prompt.inputValue(), "Draw this");
  await picture.getByRole("button").click();
  await picture.waitFor({ state: "detached" });
});

step("an agent is created with the form", async () => {
  const form = window.panel;
  await form.locator("#prompt").fill("plan: make a file\n$ echo hello > made.txt\n$ echo bye");
  await form.locator("#source", { hasText: "shop" }).waitFor();
  await form.locator("#agent").selectOption("shell");
  await form.locator("#mode").selectOption("manual");
  await window.shot("create");
  await window.themes("create");
  await form.locator("button[type=submit]").click();
  const thread = await until("the agent", async () => (await threads()).find(({ agent }) => agent === "shell"));
  assert.equal(thread.repository.name, "shop");
  assert.equal(thread.mode, "manual");
  await window.row(/make a file|plan|echo/).first().waitFor();
});

step("it asks, and a toast and the badge say so", async () => {
  await window.agents();
  await window.row(/needs you/).first().waitFor();
  await until("the badge", async () => (await window.badge()) === "1");
  await window.status("1 needs you");
  await window.shot("needs-you");
});

step("answered elsewhere it goes on to its end, and another toast says so", async () => {
  const [thread] = await threads();
  await world.home.json("mode", thread.id, "auto");
  await window.row(/done/).first().waitFor();
  await until("no badge", async () => (await window.badge()) === undefined);
});

step("a toast tells of the end of an agent that is not on screen, and a muted one says nothing", async () => {
  const done = await world.home.json("new", "--repo", world.folder, "--agent", "shell", "--mode", "auto", "--title", "Loud one", "$ true");
  await window.toast(/Loud one/).first().waitFor();
  await window.shot("toast");
  await window.press(/Loud one/, "Mute");
  await until("the mute", async () => (await threads()).find(({ id }) => id === done.id).muted);
  await world.home.json("send", done.id, "$ echo again", "--wait");
  const after = await world.home.json("new", "--repo", world.folder, "--agent", "shell", "--mode", "auto", "--title", "Later one", "$ true");
  await window.toast(/Later one/).first().waitFor();
  assert.equal(await window.toast(/Loud one/).count(), 0);
  await window.row(/Loud one.*muted/).waitFor();
  await world.home.json("delete", after.id, "--yes");
});

step("two windows show one list, and one of them tells a notice", async () => {
  const second = await world.window();
  await second.agents();
  await second.row(/Loud one/).waitFor();
  await world.home.json("new", "--repo", world.folder, "--agent", "shell", "--mode", "auto", "--title", "Once only", "$ true");
  await second.row(/Once only.*done/).waitFor();
  await window.row(/Once only.*done/).waitFor();
  const told = () => Promise.all([window, second].map((each) => each.toast(/Once only/).count())).then(([a, b]) => a + b);
  await until("the toast", async () => (await told()) > 0);
  assert.equal(await told(), 1);
  await second.page.close();
});

step("a filter takes those that have its words", async () => {
  await window.agents();
  await window.command("Aloft: Filter Agents…");
  await window.type("loud");
  await window.row(/Loud one/).waitFor();
  await window.row(/Once only/).waitFor({ state: "detached" });
  await window.command("Aloft: Clear Filter");
  await window.row(/Once only/).waitFor();
});

step("SSH to agent offers an extension for SSH where there is none", async () => {
  // It is about the agent of the panel that one is in.
  await window.command("Aloft: SSH to Agent");
  await window.toast(/needs an extension for SSH/).first().waitFor();
  await window.toast(/needs an extension for SSH/).getByRole("button", { name: /Install jeanp413.open-remote-ssh/ }).waitFor();
  await window.shot("no-remote-ssh");
  await window.press(/needs an extension for SSH/, "Copy the ssh command");
});

step("the cloud is restarted, and the list goes on", async () => {
  await world.home.json("cloud", "stop");
  await world.home.json("cloud", "start");
  const made = await world.home.json("new", "--repo", world.folder, "--agent", "shell", "--mode", "auto", "--title", "After the restart", "$ true");
  await window.row(/After the restart.*done/).waitFor();
  await world.home.json("delete", made.id, "--yes");
  await window.row(/After the restart/).waitFor({ state: "detached" });
});

step("deleting asks first, and names what would be lost", async () => {
  await window.open("Once only");
  await window.command("Aloft: Delete…");
  const dialog = window.page.locator(".monaco-dialog-box");
  await dialog.getByText("Delete “Once only”?").waitFor();
  await window.shot("delete");
  await dialog.getByRole("button", { name: "Delete", exact: true }).click();
  await window.row(/Once only/).waitFor({ state: "detached" });
});
