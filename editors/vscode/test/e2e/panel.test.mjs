// The thread panel and the dashboard in a real workbench, with the real bridge, cloud, sandbox and the `shell` agent.

import assert from "node:assert/strict";
import { after, before } from "node:test";

import { say } from "../../../../tests/jsonrpc/support/editor.mjs";
import { journey, until } from "../rig/journey.mjs";
import { World } from "../rig/world.mjs";

let world, editor, window, page, panel;

before(async () => {
  world = await World.start();
  editor = await world.editor();
  window = await world.window();
  ({ page, panel } = window);
});
after(() => world?.close());

const step = journey(() => window);

async function begin(title, text, more = {}) {
  const { thread } = await editor.request("thread/create", { path: world.folder, agent: "shell", mode: "auto", title, input: say(text), ...more });
  await editor.follow(thread.id);
  return thread;
}

async function open(title) {
  await window.row(title).waitFor();
  await window.open(title);
}

const message = () => panel.getByRole("textbox", { name: "Message to the agent" });
const turn = (number, ended) => panel.getByRole("article", { name: new RegExp(`^Turn ${number} ${ended}`) });
const thread = async (title) => (await editor.request("thread/list", {})).threads.find((thread) => thread.title === title);

step("a question is answered, what runs is guided, and what waits can be changed", async () => {
  const thread = await begin("Fix the login", "plan: look\nplan: write\n$ printf '\\033[32mgreen\\033[0m\\n'; seq 1 14000\n```write src/new.py\nx = 1\n```\n$ sleep 300", { mode: "manual" });
  await open("Fix the login");
  await panel.getByRole("group", { name: /The agent asks/ }).waitFor();
  await panel.getByText("Plan 0/2: look").waitFor();
  await window.shot("panel-question");
  for (const asked of [/printf/, /Write src\/new.py/, /sleep 300/]) {
    const question = panel.getByRole("group", { name: asked });
    await question.getByRole("button", { name: "Allow", exact: true }).click();
    await question.waitFor({ state: "hidden" });
  }
  // The output shows its end, in colour when expanded, and all of it page by page.
  const command = panel.getByRole("article", { name: /Command printf/ });
  await command.locator("pre.output", { hasText: "14000" }).waitFor();
  await command.locator("summary").click();
  await command.getByText("before this").waitFor();
  const earlier = command.getByRole("button", { name: "Show earlier output" });
  await earlier.click();
  await earlier.waitFor({ state: "hidden" });
  await command.locator(".ansi-front-2", { hasText: "green" }).waitFor();
  await window.shot("panel-output");
  await command.getByRole("button", { name: "Open whole output in an editor" }).click();
  await page.getByRole("tab", { name: /Output i\d+\.log/ }).waitFor();
  await page.locator(".view-line", { hasText: "green" }).first().waitFor();
  await page.getByRole("tab", { name: /Fix the login/ }).first().click();
  await command.locator("summary").click();
  await command.locator("pre.output.whole").waitFor({ state: "detached" });
  // The diff of a change is VS Code's own.
  await panel.getByRole("button", { name: /src\/new.py .*Open the diff/ }).click();
  await page.locator(".monaco-diff-editor .line-insert").first().waitFor();
  await page.getByRole("tab", { name: /Fix the login/ }).first().click();
  await message().waitFor();

  await message().fill("$ echo first");
  await panel.getByRole("button", { name: "After this turn" }).click();
  await message().fill("$ echo second");
  await message().press("Alt+Enter");
  const waiting = panel.getByRole("region", { name: "Waiting messages" });
  await waiting.getByRole("listitem").nth(1).waitFor();
  await waiting.getByRole("button", { name: "Move up: $ echo second" }).click();
  await waiting.getByRole("listitem").first().filter({ hasText: "second" }).waitFor();
  await waiting.getByRole("button", { name: "Edit: $ echo first" }).click();
  await message().fill("$ echo changed");
  await panel.getByRole("button", { name: "Save" }).click();
  await waiting.getByRole("listitem").nth(1).filter({ hasText: "changed" }).waitFor();
  await waiting.getByRole("button", { name: "Drop: $ echo second" }).click();
  await waiting.getByRole("listitem").nth(1).waitFor({ state: "detached" });
  const { items } = await editor.request("queue/list", { threadId: thread.id });
  assert.deepEqual(items.map((item) => item.input), [say("$ echo changed")]);

  await message().fill("$ echo guided > guided.txt");
  await panel.getByRole("button", { name: "Guide", exact: true }).click();
  await turn(1, "stopped").waitFor();
  await panel.getByRole("group", { name: /echo guided/ }).waitFor();
  await message().fill("$ never said");
  // Earlier messages come with the arrow keys, and the draft comes back.
  await message().press("ArrowUp");
  assert.equal(await message().inputValue(), "$ echo guided > guided.txt");
  await message().press("ArrowDown");
  assert.equal(await message().inputValue(), "$ never said");
});

step("the panel is readable and named in all themes", () => window.themes("panel"));

step("unsent words and the place survive a reload of the window", async () => {
  await page.reload();
  await panel.getByRole("heading", { level: 1, name: "Fix the login" }).waitFor();
  assert.equal(await message().inputValue(), "$ never said");
  await panel.getByRole("group", { name: /echo guided/ }).waitFor();
});

step("a stop holds what runs, and the conversation goes on", async () => {
  const { id } = await thread("Fix the login");
  await editor.follow(id);
  await panel.getByRole("button", { name: "Stop", exact: true }).click();
  await turn(2, "stopped").waitFor();
  // What waited still waits, and is sent after the next message.
  await message().fill("$ echo onward");
  await panel.getByRole("button", { name: "Send", exact: true }).click();
  await panel.getByRole("group", { name: /echo onward/ }).getByRole("button", { name: "Allow", exact: true }).click();
  await panel.getByRole("group", { name: /echo changed/ }).getByRole("button", { name: "Always allow" }).click();
  await editor.turnEnd(id, 4);
  await turn(4, "completed").waitFor();
  await panel.getByRole("button", { name: "Send", exact: true }).waitFor();
});

step("a bridge that dies is started again, and the conversation goes on where it was", async () => {
  const { id } = await thread("Fix the login");
  await world.killBridges();
  await editor.request("turn/start", { threadId: id, input: say("$ echo after the bridge") });
  await panel.getByRole("article", { name: "Command echo after the bridge" }).waitFor();
  await turn(5, "completed").waitFor();
  for (const number of [1, 2, 3, 4, 5]) assert.equal(await turn(number, "").count(), 1);
});

step("hostile texts are letters", async () => {
  const evil = "<img src=x onerror=alert(1)><b>bold</b>";
  await begin("Hostile <b>title</b>", `$ printf '\\033]0;title\\007\\033]8;;https://evil.test\\033\\\\link\\033]8;;\\033\\\\ <script>alert(1)</script> \\342\\200\\256txet\\n' # ${evil}`);
  await open("Hostile <b>title</b>");
  const output = panel.locator(".commandExecution pre.output");
  await output.filter({ hasText: "link <script>alert(1)</script> ⟨U+202E⟩txet" }).waitFor();
  assert.equal(await panel.locator("#app").locator("img, b, script").count(), 0);
  await window.shot("panel-hostile");
});

step("a long conversation is read page by page", async () => {
  const lines = Array.from({ length: 450 }, (_, index) => `$ echo ${index + 1}`).join("\n");
  const thread = await begin("Long talk", lines);
  await editor.turnEnd(thread.id);
  await open("Long talk");
  await panel.getByRole("article", { name: "Command echo 450", exact: true }).waitFor();
  const log = panel.getByRole("feed");
  const first = panel.getByRole("article", { name: "Command echo 1", exact: true });
  await until("the first command", async () => {
    await log.evaluate((element) => element.scrollTo(0, 0));
    return (await first.count()) > 0;
  });
  assert.ok((await panel.locator("article").count()) < 300, "all rows are drawn at once");
  await panel.getByRole("button", { name: "↓ To the end" }).click();
  await panel.getByRole("article", { name: "Command echo 450", exact: true }).waitFor();
});

step("a thread deleted elsewhere says so, with what was written", async () => {
  await message().fill("half a thought");
  await editor.request("thread/delete", { threadId: (await thread("Long talk")).id });
  await panel.getByText("This thread was deleted.").first().waitFor();
  assert.equal(await message().inputValue(), "half a thought");
});

step("and another agent can be begun with it", async () => {
  await panel.getByRole("combobox", { name: "For" }).selectOption("Remote Agent (new)");
  await window.shot("remote-agent");
  await panel.getByRole("button", { name: "Create agent…" }).click();
  await until("the form with it", async () => (await panel.locator("#prompt").inputValue()) === "half a thought");
  await panel.locator("#source", { hasText: "shop" }).waitFor();
  await window.command("View: Close Editor");
  await message().waitFor();
  assert.equal(await message().inputValue(), "");
});

step("the dashboard shows all agents live, and acts", async () => {
  const running = await begin("Long work", "plan: look\nplan: write\nplan: test\n$ sleep 300");
  await begin("Asks first", "$ make all", { mode: "manual" });
  await window.row("Asks first").waitFor();
  await page.getByRole("button", { name: "Open Dashboard" }).first().click();
  const card = (title) => panel.locator(".card").filter({ has: panel.getByRole("heading", { name: title }) });
  await card("Long work").getByText("$ sleep 300").waitFor();
  await card("Long work").getByText("look").waitFor();
  await panel.getByRole("region", { name: /Needs you/ }).getByText("make all").waitFor();
  await card("Fix the login").getByRole("img", { name: /files? changed/ }).waitFor();
  await window.themes("dashboard");
  await panel.getByRole("button", { name: "Stop: Long work" }).click();
  await editor.turnEnd(running.id);
  await panel.getByRole("region", { name: /Ready/ }).getByRole("heading", { name: "Long work" }).waitFor();
  await panel.getByRole("searchbox").fill("asks");
  await card("Long work").waitFor({ state: "detached" });
  // What happens elsewhere is told within a second.
  const begun = Date.now();
  await editor.request("thread/update", { threadId: running.id, title: "Asks nothing" });
  await card("Asks nothing").waitFor();
  console.log(`a change made elsewhere was on the dashboard after ${Date.now() - begun} ms`);
  // Deleted there, it is gone for all.
  const { id } = await begin("Goes away", "$ true");
  await panel.getByRole("searchbox").fill("");
  await panel.getByRole("button", { name: "Delete: Goes away" }).click();
  await page.locator(".monaco-dialog-box").getByRole("button", { name: "Delete", exact: true }).click();
  await card("Goes away").waitFor({ state: "detached" });
  assert.ok(!(await editor.request("thread/list", {})).threads.some((one) => one.id === id));
  await panel.getByRole("searchbox").fill("asks");
  await card("Fix the login").waitFor({ state: "detached" });
  // By keyboard alone: from the search to the card's first button.
  await panel.getByRole("searchbox").focus();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await panel.getByRole("heading", { level: 1, name: "Asks first" }).waitFor();
});
