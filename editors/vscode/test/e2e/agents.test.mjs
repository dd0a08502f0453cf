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
  // On the first day no agent thinks.
  await window.page.getByRole("button", { name: "Set a Model Key" }).waitFor();
  await window.status("Aloft");
  await window.shot("welcome");
  await window.command("Welcome: Open Walkthrough...", "Get started with Aloft");
  for (const name of ["Give it a model", "Create your first agent", "Watch and guide", "Review and take over"]) await window.page.locator(".getting-started-step", { hasText: name }).waitFor();
  await window.panel.getByRole("heading", { name: "A model, or none" }).waitFor();
  await window.shot("walkthrough");
  await window.command("View: Close Editor");
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
  await form.getByText("No agent that thinks can be used yet").waitFor();
  await form.getByRole("button", { name: "Model keys…" }).waitFor();
  await window.themes("create");
  await form.locator("#agent").selectOption("shell");
  await form.locator("#mode").selectOption("manual");
  await window.shot("create");
  await form.locator("button[type=submit]").click();
  const thread = await until("the agent", async () => (await threads()).find(({ agent }) => agent === "shell"));
  assert.equal(thread.repository.name, "shop");
  assert.equal(thread.mode, "manual");
  await window.row(/make a file|plan|echo/).first().waitFor();
});

step("an agent that needs you says so with a badge, and with a toast where it is not on screen", async () => {
  await window.agents();
  await window.row(/needs you/).first().waitFor();
  await until("the badge", async () => (await window.badge()) === "1");
  await window.status("1 needs you");
  const [first] = await threads();
  const notices = async (id) => (await world.home.json("notice", "list")).filter(({ threadId }) => threadId === id);
  await until("its notice to be read", async () => (await notices(first.id)).some(({ read }) => read));
  const { id } = await world.home.json("new", "--repo", world.folder, "--agent", "shell", "--mode", "manual", "--title", "Asks you", "$ true");
  await window.toast(/Asks you/).getByRole("button", { name: "Stop", exact: true }).waitFor();
  await window.shot("needs-you");
  await window.press(/Asks you/, "Answer");
  await window.panel.getByRole("heading", { level: 1, name: "Asks you" }).waitFor();
  await window.panel.getByRole("button", { name: "Allow", exact: true }).click();
  await window.row(/Asks you.*done/).waitFor();
  assert.equal(await window.page.locator(".notification-toast").count(), 0);
  await world.home.json("delete", id, "--yes");
  await window.command("View: Close Editor");
});

step("answered elsewhere it goes on to its end", async () => {
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

step("the row of an agent has its bell and its stop, and the rest in a menu", async () => {
  await world.home.json("new", "--repo", world.folder, "--agent", "shell", "--mode", "auto", "--title", "By its row", "$ sleep 300");
  const row = window.row(/By its row/);
  await window.row(/By its row, running/).waitFor();
  await window.act(row, "Mute Notices");
  await row.getByText(/^muted · /).waitFor();
  await window.act(row, "Unmute Notices");
  await row.getByText(/^muted · /).waitFor({ state: "detached" });
  await window.act(row, "Stop");
  await window.row(/By its row, stopped/).waitFor();
  const paused = window.row(/Paused, 1 agent/);
  await window.menu(row, "Pause", paused);
  await paused.click();
  await window.row(/By its row, paused/).click();
  await window.panel.getByRole("button", { name: "Resume" }).click();
  await window.row(/By its row, stopped/).waitFor();
  await window.panel.getByRole("button", { name: "Resume" }).waitFor({ state: "hidden" });
});

step("two windows show one list, whatever is open in them, and one of them tells a notice", async () => {
  const second = await world.window(await world.home.repository("elsewhere"));
  await second.agents();
  await second.row(/Loud one/).waitFor();
  await world.home.json("new", "--repo", world.folder, "--agent", "shell", "--mode", "auto", "--title", "Once only", "$ true");
  await second.row(/Once only.*done/).waitFor();
  await window.row(/Once only.*done/).waitFor();
  const told = () => Promise.all([window, second].map((each) => each.toast(/Once only/).count())).then(([a, b]) => a + b);
  await until("the toast", async () => (await told()) > 0);
  assert.equal(await told(), 1);
  // An agent of another project is talked to as any.
  await second.open("Loud one");
  await second.panel.getByRole("textbox", { name: "Message to the agent" }).fill("$ echo from elsewhere");
  await second.panel.getByRole("button", { name: "Send", exact: true }).click();
  await second.panel.getByRole("article", { name: /^Turn 3 completed/ }).waitFor();
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

step("a link to an agent opens it, after the editor asked", async () => {
  const [{ slug, title }] = (await threads()).filter(({ title }) => title === "Loud one");
  await window.command("Developer: Open URL");
  await window.type(`code-oss://aloft.aloft/thread/${slug}`);
  await window.page.locator(".monaco-dialog-box").getByRole("button", { name: "Open" }).click();
  await window.panel.getByRole("heading", { level: 1, name: title }).waitFor();
});
