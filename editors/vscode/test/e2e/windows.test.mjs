// Windows that come later, and windows in sandboxes.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before } from "node:test";

import { journey, until } from "../rig/journey.mjs";
import { World } from "../rig/world.mjs";

let world, window;
const step = journey(() => window);

before(async () => {
  world = await World.start({ probe: true });
});
after(async () => {
  await window?.shot("windows-end").catch(() => {});
  await world?.close();
});

step("what happened while no window was open is told at the start, all in one", async () => {
  for (const title of ["First", "Second", "Third"]) {
    await world.home.json("new", "--repo", world.folder, "--agent", "shell", "--mode", "auto", "--title", title, "--wait", "$ true");
  }
  window = await world.window();
  await window.toast(/3 (agents )?are done/).first().waitFor();
  assert.equal(await window.page.locator(".notification-toast").count(), 1);
  await window.shot("digest");
  await window.press(/3 (agents )?are done/, "Show agents");
  await window.row(/Third.*done/).waitFor();
  await until("notices that were told to be read", async () => (await world.home.json("notice", "list")).every(({ read }) => read));
});

step("SSH to agent asks before it touches the config of ssh, then opens the sandbox in a window of its own", async () => {
  await window.command("Aloft: SSH to Agent");
  await window.pick("Second");
  const dialog = window.page.locator(".monaco-dialog-box");
  await dialog.getByText("Your ssh does not know the hosts of Aloft yet").waitFor();
  await dialog.getByText(/Include/).first().waitFor();
  await window.shot("ssh-consent");
  const [opened] = await Promise.all([
    world.context.waitForEvent("page"),
    dialog.getByRole("button", { name: "Add the lines" }).click(),
  ]);
  // This window is a remote one itself, so the workbench is told of a folder of its own machine; test/host has the whole address.
  assert.equal(new URL(opened.url()).searchParams.get("folder"), "/workspace");
  assert.match(await readFile(world.home.path("home/.ssh/config"), "utf8"), /Include/);
  await opened.close();
});

step("a bridge that was killed comes back, and nothing is shown twice", async () => {
  await window.agents();
  await world.killBridges();
  await window.row(/Third.*done/).waitFor();
  const { id } = await world.home.json("new", "--repo", world.folder, "--agent", "shell", "--mode", "auto", "--title", "Fourth", "$ true");
  await window.row(/Fourth.*done/).waitFor();
  assert.equal(await window.row(/Third/).count(), 1);
  await world.home.json("delete", id, "--yes");
  await window.row(/Fourth/).waitFor({ state: "detached" });
});
