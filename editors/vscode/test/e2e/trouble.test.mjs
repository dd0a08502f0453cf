// What a person meets where something is missing, wrong or not to be trusted, and what helps.

import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { after, before } from "node:test";

import { journey, until } from "../rig/journey.mjs";
import { World } from "../rig/world.mjs";

const KEY = "sk-ant-test-0123456789abcdefghijklmnop";
// A program of the time before there were versions.
const OLD = String.raw`#!/bin/sh
answer='{"jsonrpc":"2.0","id":0,"result":{"capabilities":{"experimental":{"aloft":{"protocolVersion":0,"version":"0.0.1"}}}}}'
printf 'Content-Length: %s\r\n\r\n%s' "${"${#answer}"}" "$answer"
exec cat > /dev/null
`;

let world, editor, window, page, panel, models;

before(async () => {
  models = http.createServer((request, response) => {
    const known = request.headers["x-api-key"] === KEY;
    response.writeHead(known ? 200 : 401, { "content-type": "application/json" });
    response.end(JSON.stringify(known ? { data: [], has_more: false } : { type: "error", error: { type: "authentication_error", message: "invalid x-api-key" } }));
  });
  models.listen(0, "127.0.0.1");
  await once(models, "listening");
  world = await World.start({ settings: { "security.workspace.trust.enabled": true, "security.workspace.trust.startupPrompt": "never" } });
  editor = await world.editor();
  await mkdir(path.join(world.folder, ".vscode"));
  await writeFile(path.join(world.folder, ".vscode/settings.json"), JSON.stringify({ "aloft.agent": "shell", "aloft.path": "/bin/false" }));
  await editor.done(world.folder, "$ true", { title: "Watched" });
  window = await world.window();
  ({ page, panel } = window);
});
after(async () => {
  models?.close();
  await world?.close();
});

const step = journey(() => window);
/** The agent that the form for new ones begins with. */
async function offered() {
  await window.command("Aloft: Create Agent");
  await panel.locator("#agent option[value=shell]").waitFor({ state: "attached" });
  const agent = await panel.locator("#agent").inputValue();
  await page.getByRole("tab", { name: "Create Agent" }).getByRole("button", { name: /Close/ }).click();
  await page.getByRole("tab", { name: "Create Agent" }).waitFor({ state: "detached" });
  return agent;
}

step("in a folder that is not trusted agents are watched, and its settings are not taken", async () => {
  await page.locator(".part.banner", { hasText: "Restricted Mode" }).waitFor();
  await window.row(/Watched.*done/).waitFor();
  assert.equal(await offered(), "");
  await window.shot("restricted");
  await window.command("Workspaces: Manage Workspace Trust");
  await page.locator(".workspace-trust-editor").getByRole("button", { name: "Trust", exact: true }).click();
  await page.locator(".part.banner", { hasText: "Restricted Mode" }).waitFor({ state: "hidden" });
  await until("the folder's settings", async () => (await offered()) === "shell");
});

step("a program that is not there is named, and the list goes on when the setting is mended", async () => {
  world.server.set({ "aloft.path": "/nowhere/aloft" });
  await window.toast(/names does not exist: \/nowhere\/aloft/).first().waitFor();
  await page.locator(".statusbar-item[aria-label*='The bridge does not run']").waitFor();
  await window.shot("no-program");
  world.server.set({});
  await page.locator(".statusbar-item[aria-label*='The bridge does not run']").waitFor({ state: "detached" });
  await editor.done(world.folder, "$ true", { title: "After that" });
  await window.row(/After that.*done/).waitFor();
});

step("a program of another time is named with what to do", async () => {
  const old = world.home.path("old");
  await writeFile(old, OLD);
  await chmod(old, 0o755);
  world.server.set({ "aloft.path": old });
  await window.toast(/\(0\.0\.1\) is too old for this extension.*Update aloft/).first().waitFor();
  world.server.set({});
  await page.locator(".statusbar-item[aria-label*='The bridge does not run']").waitFor({ state: "detached" });
});

step("a cloud that cannot be reached is named with a way to try again, and the list comes back with the other one", async () => {
  world.server.set({ "aloft.cloud": "http://127.0.0.1:9" });
  await page.locator(".statusbar-item[aria-label*='The cloud cannot be reached']").waitFor();
  await page.getByText("Agents in it go on working.").waitFor();
  await page.getByRole("button", { name: "Try again" }).waitFor();
  await window.row(/Watched/).waitFor({ state: "detached" });
  await window.shot("offline");
  world.server.set({});
  await window.row(/Watched.*done/).waitFor();
});

step("a model key is asked for, tried and shown nowhere", async () => {
  // Three toasts are shown at a time.
  await window.command("Notifications: Clear All Notifications");
  const give = async (key) => {
    const secret = page.locator(".quick-input-widget", { hasText: "Key of Anthropic" }).locator("input[type='password']");
    await secret.fill(key);
    await secret.press("Enter");
    const address = page.locator(".quick-input-widget", { hasText: "Address of the API" }).locator("input[type='text']");
    await address.fill(`http://127.0.0.1:${models.address().port}`);
    await address.press("Enter");
  };
  await window.command("Aloft: Model Keys…", "Anthropic");
  await give("sk-ant-wrong-0123456789abcdefghijk");
  await window.toast(/is kept, but does not work/).first().waitFor();
  await window.command("Aloft: Model Keys…", "Anthropic", "Set another key");
  await give(KEY);
  await window.toast("The key of Anthropic works.").first().waitFor();
  const [{ suffix }] = await editor.request("key/list", {});
  assert.ok(KEY.endsWith(suffix) && suffix.length <= 4);
});

step("logs are collected into a document without secrets", async () => {
  await window.command("Aloft: Collect Logs");
  await page.locator(".editor-instance .view-line", { hasText: "# Aloft" }).first().click();
  const text = await until("the whole document", async () => {
    await page.keyboard.press("Control+A");
    await page.keyboard.press("Control+C");
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    return copied.startsWith("# Aloft") && copied;
  });
  for (const part of [/^- program: .*\/bin\/aloft \(from extension\), version \d/m, /^## aloft doctor\n```\n\S/m, /^## aloft cloud logs$/m, /^## Log of the extension\n```\n\S/m]) assert.match(text, part);
  assert.ok(!text.includes(KEY), "a key is in it");
});
