// From a repository that opens to nobody to a merged pull request, with a forge of this machine that speaks GitHub's API.

import assert from "node:assert/strict";
import { after, before } from "node:test";

import { say } from "../../../../tests/jsonrpc/support/editor.mjs";
import { Forge } from "../rig/forge.mjs";
import { journey, until } from "../rig/journey.mjs";
import { World } from "../rig/world.mjs";

let world, forge, other, editor, window, page, panel, id;

before(async () => {
  world = await World.start();
  forge = await Forge.start(world.home, world.folder);
  await forge.known(world.home);
  other = await Forge.start(world.home, world.folder, "other");
  editor = await world.editor();
  window = await world.window();
  ({ page, panel } = window);
  // Pages of the forge that are opened are not looked at.
  world.context.on("page", (other) => void other.close().catch(() => undefined));
});
after(async () => {
  await world?.close();
  await forge?.close();
  await other?.close();
});

const step = journey(() => window);
const inTitle = (name) => page.locator(".editor-actions").getByRole("button", { name });

step("an agent whose repository opens to nobody has Connect, and goes on once a code was confirmed", async () => {
  const repository = `${forge.url}/dev/tool.git`;
  ({ thread: { id } } = await editor.request("thread/create", { repository, agent: "shell", mode: "auto", title: "Fix the tool", input: say("$ echo one > new.txt") }));
  await window.row(/Fix the tool.*failed/).waitFor();
  await window.command("Aloft: Open Agent", "Fix the tool");
  await panel.getByRole("button", { name: "Connect…" }).click();
  await window.pick("GitHub Enterprise");
  const dialog = page.locator(".monaco-dialog-box");
  const [code] = /\w{4}-\w{4}/.exec(await dialog.getByText(/Your code for/).textContent());
  await window.shot("connect");
  await dialog.getByRole("button", { name: "Copy the code and open the page" }).click();
  await window.toast(`Waiting until the code ${code} is confirmed`).first().waitFor();
  await forge.device(code, "authorize");
  await window.toast(`Connected to ${forge.host} as dev`).first().waitFor();
  await panel.getByRole("article", { name: /^Turn 2 completed/ }).waitFor();
  await panel.getByRole("button", { name: "Connect…" }).waitFor({ state: "hidden" });
});

step("a pull request is created from the panel's title, and its link and state are shown", async () => {
  await inTitle("Create or Update PR").click();
  const link = panel.getByRole("link", { name: /Pull request #1 \(open\)/ });
  await link.waitFor();
  await inTitle("Open Pull Request").waitFor();
  await window.shot("pull-request");
  const pull = await forge.pull(1);
  assert.deepEqual([pull.state, pull.base.ref, pull.title], ["open", "main", "Fix the tool"]);
  const opened = world.context.waitForEvent("page");
  await link.click();
  assert.match((await opened).url(), /^about:blank$|\/dev\/tool\/pull\/1/);
  // Brought up to date from its card it is the same one, and that is told with its address.
  await window.command("Aloft: Open Dashboard");
  await panel.getByRole("button", { name: "Update PR: Fix the tool" }).click();
  await window.toast(/Fix the tool: .*\/dev\/tool\/pull\/1/).first().getByRole("button", { name: "Open in the browser" }).waitFor();
});

step("once it was merged at the forge, panel and dashboard say so", async () => {
  await forge.merge(1);
  await panel.locator(".card").getByRole("link", { name: /Pull request #1 \(merged\)/ }).waitFor();
  await page.getByRole("tab", { name: /Fix the tool/ }).click();
  await panel.locator("header").getByRole("link", { name: /Pull request #1 \(merged\)/ }).waitFor();
  await until("a notice of it", async () => (await world.home.json("notice", "list")).some(({ title }) => /merged/.test(title)));
});

step("the repositories of the account can be picked for a new agent", async () => {
  await window.command("Aloft: Create Agent");
  await panel.locator("#source").click();
  await window.pick("dev/tool");
  await panel.locator("#source", { hasText: `${forge.host}/dev/tool` }).waitFor();
});

step("and the branch that it begins at, of those that the repository has there", async () => {
  await world.home.git(world.home.path("forge/dev/tool.git"), "branch", "release/1");
  await panel.locator("#ref").click();
  await page.locator(".quick-input-list .monaco-list-row", { hasText: "default branch" }).filter({ hasText: "main" }).waitFor();
  await window.shot("branches");
  await window.pick("release/1");
  await panel.locator("#ref", { hasText: "release/1" }).waitFor();
});

step("an account whose token is not accepted any more is named at the end of that list, and connected again from there", async () => {
  await editor.request("forge/connect", { kind: "github", url: other.url, token: other.token });
  await other.revoke();
  await panel.locator("#source").click();
  const trouble = page.locator(".quick-input-list .monaco-list-row", { hasText: `The repositories of dev at ${other.host} are missing` });
  await trouble.getByText(/does not accept the token/).waitFor();
  await page.locator(".quick-input-list .monaco-list-row", { hasText: forge.host }).first().waitFor();
  await window.shot("account-refused");
  await trouble.click();
  await page.locator(".quick-input-widget input[type='password']").waitFor();
  await window.type(await other.grant());
  await window.toast(`Connected to ${other.host} as dev`).first().waitFor();
  await page.locator(".quick-input-list .monaco-list-row", { hasText: other.host }).filter({ hasText: "dev/tool" }).click();
  await panel.locator("#source", { hasText: `${other.host}/dev/tool` }).waitFor();
});

step("an issue alone is enough for a new agent, and Connect is there where no account reaches it", async () => {
  const url = await other.issue("Turn the flag on", "plan: turn it on\n\n```write flag.txt\nFLAG = TRUE\n```\n");
  await editor.request("forge/disconnect", { forge: other.host });
  const create = panel.getByRole("button", { name: "Create agent" });
  const error = panel.getByRole("alert");
  await panel.locator("button[type=submit]:disabled").waitFor();
  await panel.getByLabel("Agent", { exact: true }).selectOption("shell");
  await panel.getByLabel("Mode", { exact: true }).selectOption("auto");
  await panel.getByLabel("Issue").fill("#99");
  await create.click();
  await error.getByText(other.host).waitFor();
  await window.shot("issue");
  await panel.getByRole("button", { name: "Connect…" }).click();
  await window.pick("GitHub Enterprise");
  await page.locator(".quick-input-widget input[type='password']").waitFor();
  await window.type(await other.grant());
  await window.toast(`Connected to ${other.host} as dev`).first().waitFor();
  await error.waitFor({ state: "hidden" });
  await create.click();
  await error.getByText(/issue 99|#99/).waitFor();
  await panel.getByLabel("Issue").fill(url);
  await create.click();
  await panel.getByRole("heading", { level: 1, name: "Turn the flag on" }).waitFor();
  await panel.getByRole("article", { name: /^Turn 1 completed/ }).waitFor();
  await panel.locator("header").getByText("1 file").waitFor();
});

step("its panel leads to the issue, which is told once what the agent did", async () => {
  const opened = world.context.waitForEvent("page");
  await panel.locator("header").getByRole("link", { name: "Issue 1" }).click();
  assert.match((await opened).url(), /^about:blank$|\/dev\/tool\/issues\/1/);
  await window.shot("thread-of-an-issue");
  await other.revoke();
  await window.command("Aloft: Comment on Issue");
  await window.press(/Turn the flag on: .*does not accept the token/, "Connect…");
  await window.pick("GitHub Enterprise");
  await page.locator(".quick-input-widget input[type='password']").waitFor();
  await window.type(await other.grant());
  await window.toast(/Turn the flag on: The issue was told what was done: .*\/dev\/tool\/issues\/1#/).first().getByRole("button", { name: "Open in the browser" }).waitFor();
  await window.shot("comment");
  const said = await other.said(1);
  assert.equal(said.length, 1);
  assert.match(said[0], /^- \[x\] turn it on$/m);
  await panel.locator("header").getByRole("button", { name: "More actions" }).click();
  await window.pick("Comment on its issue");
  await window.toast(/Turn the flag on: The issue was told of this turn before/).first().waitFor();
  assert.equal((await other.said(1)).length, 1);
});
