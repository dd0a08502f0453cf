// Files on their way between an editor and a sandbox: selections that go to an agent, links and files that are opened, changed and
// taken back where the agent works.

import assert from "node:assert/strict";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";

import { say } from "../../../../tests/jsonrpc/support/editor.mjs";
import { journey, until } from "../rig/journey.mjs";
import { World } from "../rig/world.mjs";

// An agent of a person's own, which says one thing.
const TALKER = String.raw`
while read -r line; do
  id=${"${line#*\\\"id\\\":}"}; id=${"${id%%[,\\}]*}"}
  case $line in
    *'"method":"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":1,"agentCapabilities":{}}}\n' "$id" ;;
    *'"method":"session/new"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"sessionId":"s"}}\n' "$id" ;;
    *'"method":"session/prompt"'*)
      printf '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"%s"}}}}\n' "$1"
      printf '{"jsonrpc":"2.0","id":%s,"result":{"stopReason":"end_turn"}}\n' "$id" ;;
    *'"method":'*'"id":'*|*'"id":'*'"method":'*) printf '{"jsonrpc":"2.0","id":%s,"result":{}}\n' "$id" ;;
  esac
done
`;
const SAID = "See [the flag](src/main.py#L1), [the page](https://example.test/page), [the secret](/etc/passwd) and [nothing](no/such.txt).";

let world, editor, window, page, panel;

before(async () => {
  world = await World.start();
  const command = JSON.stringify(["/bin/sh", "-c", TALKER, "talker", SAID]);
  await appendFile(world.home.path("config/config.toml"), `[serve.agents.talker]\ncommand = ${command}\n`);
  editor = await world.editor();
  await writeFile(path.join(world.folder, "image.bin"), Buffer.from([0, 1, 2, 3]));
  await world.home.git(world.folder, "add", ".");
  await world.home.git(world.folder, "commit", "-q", "-m", "a picture");
  window = await world.window();
  ({ page, panel } = window);
});
after(() => world?.close());

const step = journey(() => window);
const list = async () => (await editor.request("thread/list", {})).threads;
const items = async (threadId) => (await editor.request("thread/read", { threadId, limit: 1000 })).items;
const inSandbox = (thread, name) => readFile(world.home.path(`s/s/${thread.id}/workspace/${name}`), "latin1").catch(() => undefined);
const chip = (text) => panel.locator(".chip", { hasText: text });
const row = (name) => page.getByRole("treeitem", { name: new RegExp(`^${name}, `) }).first();
let shell, head;

const line = (text) => page.locator(".editor-instance .view-line", { hasText: text }).first();

/** Opens a file of the checkout and selects all of it. */
async function select(name) {
  const input = page.locator(".quick-input-widget input[type='text']");
  const file = page.locator(".quick-input-list .monaco-list-row", { hasText: name }).first();
  const within = (what) => what.then(() => true, () => false);
  // A page that just takes the focus may swallow the key, and a list that just fills the click.
  await until(`${name} to be open`, async () => {
    await page.keyboard.press("Control+P");
    if (!(await within(input.waitFor({ timeout: 3_000 })))) return false;
    await input.fill(name);
    await within(file.click({ timeout: 5_000 }));
    return within(page.getByRole("tab", { selected: true, name: new RegExp(name) }).waitFor({ timeout: 5_000 }));
  });
  await line("").click();
  await page.keyboard.press("Control+A");
  await page.locator(".editor-instance .selected-text").first().waitFor();
}

step("what is selected goes to a new agent from the editor's menu, with its commit", async () => {
  head = (await world.home.git(world.folder, "rev-parse", "HEAD")).trim();
  await select("main.py");
  await window.menu(line("FLAG"), "Delegate Selection to an Agent", chip(`src/main.py:1 @ ${head.slice(0, 8)}`).first());
});

step("it is marked when something else is there now", async () => {
  await writeFile(path.join(world.folder, "src/main.py"), "FLAG = None\n");
  await page.getByRole("tab", { name: /main.py/ }).first().click();
  await line("FLAG = None").waitFor();
  await page.getByRole("tab", { name: /Create Agent/ }).first().click();
  await chip("changed since").waitFor();
  await window.shot("create-stale");
  await panel.locator("#prompt").fill("$ cat src/main.py\n$ printf '\\0\\1\\2' > image.bin; echo 'FLAG = True' > src/main.py");
  await panel.locator("#branch").fill("mine/flag");
  await panel.locator("#agent").selectOption("shell");
  await panel.locator("#mode").selectOption("auto");
  await panel.getByRole("button", { name: "Create agent" }).click();
  shell = await until("the agent", async () => (await list()).find(({ agent }) => agent === "shell"));
  await panel.getByRole("article", { name: /^Turn 1 completed/ }).waitFor();
  const [{ input }] = (await items(shell.id)).filter(({ type }) => type === "userMessage");
  assert.equal(shell.branch, "mine/flag");
  const { range: _, ...selection } = input.find(({ type }) => type === "selection");
  assert.deepEqual(selection, { type: "selection", path: "src/main.py", text: "FLAG = False\n", commit: head });
});

step("a file is attached with its commit, and marked while one looks at it when it changes or another commit is there", async () => {
  const marked = (mark) => panel.locator(".chip.stale", { hasText: `README.md @ ${head.slice(0, 8)} (${mark})` });
  const readme = path.join(world.folder, "README.md");
  const before = await readFile(readme, "utf8");
  await select("README.md");
  await window.command("Aloft: Delegate File to an Agent");
  await panel.locator(".chip:not(.stale)", { hasText: `README.md @ ${head.slice(0, 8)}` }).waitFor();
  await writeFile(readme, `${before}More.\n`);
  await marked("changed since").waitFor();
  await writeFile(readme, before);
  await world.home.git(world.folder, "commit", "-q", "--allow-empty", "-m", "Another");
  await marked("another commit").waitFor();
  const inner = await world.home.repository("shop/inner");
  await writeFile(path.join(inner, "README.md"), "# Changed\n");
  await panel.locator("#prompt").fill("$ true");
  await panel.locator("#dirty").selectOption("carry");
  await panel.locator("#agent").selectOption("shell");
  await panel.locator("#mode").selectOption("auto");
  await panel.getByRole("button", { name: "Create agent" }).click();
  await window.toast(/Not taken along: what is not committed in inner\./).first().waitFor();
  await panel.getByRole("article", { name: /^Turn 1 completed/ }).waitFor();
  const { id } = await until("the agent", async () => (await list()).find(({ agent, id }) => agent === "shell" && id !== shell.id));
  const [{ input }] = (await items(id)).filter(({ type }) => type === "userMessage");
  assert.deepEqual(input.find(({ type }) => type === "file"), { type: "file", path: "README.md", commit: head });
});

step("a selection is delegated with a code action, and added to the message of an agent that is there", async () => {
  await select("README.md");
  // The key may be lost while actions are still looked for, and the menu go away with what was found before.
  await until("the form with the selection", async () => {
    await page.keyboard.press("Control+.");
    await page.locator(".action-widget .monaco-list-row", { hasText: "Delegate to an agent" }).click({ timeout: 5_000 }).catch(() => undefined);
    return chip("README.md:1").first().waitFor({ timeout: 5_000 }).then(() => true, () => false);
  });
  await select("README.md");
  const choice = page.locator(".quick-input-list .monaco-list-row", { hasText: shell.title });
  await window.menu(line("Sample"), "Add Selection to an Agent's Message", choice);
  await choice.click();
  await panel.getByRole("textbox", { name: "Message to the agent" }).waitFor();
  await chip("README.md:1").waitFor();
  await panel.getByRole("textbox", { name: "Message to the agent" }).fill("$ echo seen");
  await panel.getByRole("button", { name: "Send", exact: true }).click();
  await panel.getByRole("article", { name: /^Turn 2 completed/ }).waitFor();
  const [, { input }] = (await items(shell.id)).filter(({ type }) => type === "userMessage");
  assert.equal(input.find(({ type }) => type === "selection").text, "# Sample\n");
});

step("a link in a message opens the file at its line, and an address only after the editor asked", async () => {
  await editor.done(world.folder, "what do you say?", { agent: "talker", title: "Talks" });
  await window.command("Aloft: Open Agent", "Talks");
  await panel.locator(".dead-link", { hasText: "the secret" }).waitFor();
  await panel.getByRole("link", { name: "the page" }).click();
  const dialog = page.locator(".monaco-dialog-box");
  await dialog.getByText("https://example.test/page").waitFor();
  await window.shot("link");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
  await panel.getByRole("button", { name: "nothing" }).click();
  await panel.getByRole("alert").getByText("There is no file no/such.txt in the sandbox").waitFor();
  await panel.getByRole("button", { name: "the flag" }).click();
  await page.getByRole("tab", { selected: true, name: /main.py \(sandbox\)/ }).waitFor();
  await line("FLAG = False").waitFor();
});

step("a file of the sandbox is changed in the editor, and the agent is told", async () => {
  await window.command("Aloft: Review Changes", shell.title);
  await window.act(row("src/main.py"), "Open File in Sandbox");
  await page.getByRole("tab", { selected: true, name: /main.py \(sandbox\)/ }).waitFor();
  await line("FLAG = True").click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("MINE = 1");
  await line("MINE = 1").waitFor();
  await page.keyboard.press("Control+S");
  await until("the file", async () => (await inSandbox(shell, "src/main.py")) === "FLAG = True\nMINE = 1");
  await page.locator(".tab.dirty").waitFor({ state: "detached" });
  await window.shot("sandbox-file");
  await editor.follow(shell.id);
  await editor.request("turn/start", { threadId: shell.id, input: say("$ echo 'AGAIN = 2' > src/main.py") });
  await editor.turnEnd(shell.id, 3);
  const [told] = (await items(shell.id)).filter(({ type, author }) => type === "fileChange" && author === "person");
  assert.deepEqual(told.changes.map((change) => change.path), ["src/main.py"]);
  // What is open follows the turn.
  await line("AGAIN = 2").waitFor();
});

step("a whole file, and a binary one, are taken back in the sandbox", async () => {
  for (const [name, was] of [["src/main.py", "FLAG = False\n"], ["image.bin", "\x00\x01\x02\x03"]]) {
    await window.act(row(name), "Revert File in Sandbox");
    const dialog = page.locator(".monaco-dialog-box");
    await dialog.getByText(`Take back all changes of ${name}`).waitFor();
    await dialog.getByRole("button", { name: "Revert" }).click();
    await dialog.waitFor({ state: "detached" });
    await until(`the old ${name}`, async () => (await inSandbox(shell, name)) === was);
  }
  await line("FLAG = False").waitFor();
  await window.shot("reverted");
});
