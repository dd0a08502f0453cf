// A person's machine with VS Code on it: the packed extension with the programs in it, the real bridge, cloud and sandbox, and
// windows that a test drives as a person does.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Editor } from "../../../../tests/jsonrpc/support/editor.mjs";
import { Home } from "../../../../tests/jsonrpc/support/home.mjs";
import { until } from "./journey.mjs";
import { LIMIT, launchBrowser, SERVER, startVsCode } from "./vscode.mjs";

const run = promisify(execFile);
const at = (below) => fileURLToPath(new URL(`../../../../target/${below}`, import.meta.url));
const SHOTS = at("vscode-shots");
/** The packed extension, with the programs in it. */
const VSIX = process.env.ALOFT_TEST_VSIX ?? at("vscode-vsix/aloft.vsix");
/** Colour themes of every kind, and what VS Code calls that kind in a webview. */
const THEMES = { "Dark Modern": "vscode-dark", "Dark High Contrast": "vscode-high-contrast", "Light High Contrast": "vscode-high-contrast-light", "Light Modern": "vscode-light" };

export class World {
  /** @param {{ settings?: object, probe?: boolean }} options `probe` has an extension there that says it can open SSH hosts. */
  static async start({ settings = {}, probe = false } = {}) {
    const world = new World();
    /** What pages complained of: their policy was about to be broken. */
    world.complaints = [];
    world.home = await Home.create();
    try {
      world.folder = await world.home.repository("shop");
      world.extensions = world.home.path("extensions");
      if (probe) await installProbe(world.extensions);
      await install(world.extensions, world.home.path("installer"));
      // No aloft in PATH: the one of the package is used, or none.
      world.server = await startVsCode({ env: world.home.env, extensions: world.extensions, settings });
      world.browser = await launchBrowser();
      world.context = await world.browser.newContext({ viewport: { width: 1400, height: 900 } });
      await world.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    } catch (error) {
      await world.close();
      throw error;
    }
    return world;
  }

  /** Opens a window with the list of agents; the windows of one world are those of one person. */
  async window(folder = this.folder) {
    const page = await this.context.newPage();
    page.setDefaultTimeout(LIMIT);
    const window = new Window(page);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) window.said.push(message.text());
      if (/Content Security Policy/i.test(message.text()) && /aloft|webview/i.test(message.text() + message.location().url)) this.complaints.push(message.text());
    });
    await page.goto(`${this.server.url}/?folder=${encodeURIComponent(folder)}`);
    await page.locator(".monaco-workbench .part.statusbar").waitFor();
    await window.status(/./);
    await window.agents();
    return window;
  }

  /** Another editor on the same machine, with a bridge of its own, to do something elsewhere and to see what is true. */
  async editor() {
    return (this.other ??= await Editor.open(this.home));
  }

  /** Kills the bridges that VS Code has started, as a crash does. */
  async killBridges() {
    const { stdout } = await run("ps", ["-eo", "pid=,ppid=,args="]);
    const all = stdout.trim().split("\n").map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line).slice(1));
    const ours = new Set([String(this.server.pid)]);
    // Parents stand before their children only by chance.
    for (let before = 0; before !== ours.size; ) {
      before = ours.size;
      for (const [pid, parent] of all) if (ours.has(parent)) ours.add(pid);
    }
    const bridges = all.filter(([pid, , words]) => ours.has(pid) && words.endsWith("/bin/aloft lsp"));
    assert.notEqual(bridges.length, 0, "there is no bridge");
    for (const [pid] of bridges) process.kill(Number(pid), "SIGKILL");
  }

  async close() {
    await this.browser?.close();
    await this.server?.stop();
    await this.other?.close().catch(() => {});
    await this.home.close();
    assert.deepEqual(this.complaints, [], "a page's policy was about to be broken");
  }
}

/** Takes the authority `ssh-remote` as Remote-SSH does, as far as that can be seen before it is used. */
async function installProbe(extensions) {
  const folder = path.join(extensions, "aloft-tests.probe-0.0.0");
  await mkdir(folder, { recursive: true });
  const manifest = {
    name: "probe", publisher: "aloft-tests", version: "0.0.0", engines: { vscode: "^1.100.0" }, main: "./main.js",
    activationEvents: ["onResolveRemoteAuthority:ssh-remote"],
  };
  await writeFile(path.join(folder, "package.json"), JSON.stringify(manifest));
  await writeFile(path.join(folder, "main.js"), "exports.activate = () => {};\n");
}

async function install(extensions, data) {
  const words = [SERVER, "--extensions-dir", extensions, "--user-data-dir", data, "--server-data-dir", data, "--install-extension", VSIX];
  await run(process.execPath, words, { env: { ...process.env, EXTENSIONS_GALLERY: "{}" } });
  await rm(data, { recursive: true, force: true });
}

export class Window {
  constructor(page) {
    this.page = page;
    /** What it warned of. */
    this.said = [];
    /** What is inside of the webview that is on screen. */
    this.panel = page.frameLocator("iframe.webview.ready").first().frameLocator("iframe#active-frame");
  }

  /** Waits for the item of Aloft in the status bar to say something. */
  async status(text) {
    await this.page.locator("[id='aloft.aloft.aloft.status'], .statusbar-item[id*='aloft']").filter({ hasText: text }).first().waitFor();
  }

  /** Shows the list of agents. */
  async agents() {
    const view = this.page.locator("[id='workbench.view.extension.aloft']");
    if (!(await view.isVisible())) await this.page.locator(".activitybar [aria-label^='Aloft']").first().click();
    await view.waitFor();
  }

  /** A row of a list, by words of its name. */
  row(name) {
    return this.page.getByRole("treeitem", { name });
  }

  /** The number at the icon, or undefined. */
  async badge() {
    const badge = this.page.locator(".activitybar .action-item:has([aria-label^='Aloft']) .badge-content");
    return (await badge.isVisible()) ? badge.textContent() : undefined;
  }

  get #input() {
    return this.page.locator(".quick-input-widget input:is([type='text'], [type='password'])");
  }

  /** Runs a command by its whole name; where it asks, picks what has these words. */
  async command(name, ...picks) {
    const whole = new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
    const row = this.page.locator(".quick-input-list .monaco-list-row").filter({ has: this.page.locator(".label-name", { hasText: whole }) }).first();
    // A page that just takes the focus may swallow the key, or close what it had opened.
    await until(`the command ${name}`, async () => {
      if (!(await this.#input.isVisible())) await this.page.keyboard.press("F1");
      const asked = this.#input.fill(`>${name}`, { timeout: 3_000 }).then(() => row.click({ timeout: 5_000 }));
      return asked.then(() => true, () => false);
    });
    for (const words of picks) await this.pick(words);
  }

  /**
   * Shows the conversation of an agent. VS Code's service worker of webviews, asked after a rest, sometimes gives no answer, and a
   * page then stays empty whatever it is to show: its editor is closed and opened again, as a person would.
   */
  async open(title) {
    const heading = this.panel.getByRole("heading", { level: 1, name: title });
    await until(`the conversation of ${title}`, async () => {
      await this.command("Aloft: Go to Agent…", title);
      if (await heading.waitFor({ timeout: 15_000 }).then(() => true, () => false)) return true;
      const begun = await this.page.frameLocator("iframe.webview.ready").first().locator("iframe").count();
      if (begun > 0) await heading.waitFor();
      else await this.command("View: Close Editor");
      return begun > 0;
    });
  }

  /**
   * Chooses from the menu of a row, and again until what this opens is there: a menu closes when the focus moves, and hears no click
   * in the first tenth of a second.
   */
  async menu(row, name, opens) {
    const item = this.page.getByRole("menuitem", { name });
    await until(`what “${name}” opens`, async () => {
      const shown = row.click({ button: "right", timeout: 5_000 }).then(() => item.waitFor({ timeout: 3_000 }));
      const chosen = await shown.then(() => item.click({ delay: 200, timeout: 3_000 })).then(() => true, () => false);
      const opened = await opens.waitFor({ timeout: chosen ? 10_000 : 1 }).then(() => true, () => false);
      if (!opened) await this.page.keyboard.press("Escape");
      return opened;
    });
  }

  /** Presses a button of a row, which is there while the pointer is. */
  async act(row, button) {
    await row.hover();
    await row.getByRole("button", { name: button, exact: true }).click();
  }

  /** Chooses an entry of a quick pick. */
  async pick(words) {
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: words }).first().click();
  }

  /** What a command writes into an input box. */
  async type(text) {
    await this.#input.fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** Shows the webview in themes of every kind: it must be readable, and everything on it have a name. */
  async themes(name) {
    for (const [theme, kind] of Object.entries(THEMES)) {
      await this.command("Preferences: Color Theme");
      await this.#input.fill(theme);
      await this.pick(theme);
      await this.page.locator(".quick-input-widget").waitFor({ state: "hidden" });
      await this.panel.locator(`body.${kind}`).waitFor();
      await this.shot(`${name}-${theme.replaceAll(" ", "-").toLowerCase()}`);
      await this.#accessible(`${name} in ${theme}`);
    }
  }

  /** Asks axe-core whether everything in the webview has a role, a name and enough contrast. */
  async #accessible(what) {
    const outer = await this.page.locator("iframe.webview.ready").first().elementHandle();
    const inner = await (await outer.contentFrame()).waitForSelector("iframe#active-frame", { state: "attached" });
    const frame = await inner.contentFrame();
    axe ??= await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    await frame.evaluate(axe);
    // Regions and landmarks are the workbench's, of which this page is a part.
    const { violations } = await frame.evaluate(() => globalThis.axe.run(document, { rules: { region: { enabled: false }, "page-has-heading-one": { enabled: false } } }));
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ""}`).join(" | ")}`);
    assert.deepEqual(found, [], what);
  }

  toast(text) {
    return this.page.locator(".notification-toast", { hasText: text });
  }

  /** Presses a button of a toast; of one that went away already, as they do after a while, in the list of notifications. */
  async press(text, button) {
    const press = async (place, timeout) => {
      await place.hover({ timeout });
      await place.getByRole("button", { name: button, exact: true }).click({ timeout });
    };
    try {
      await press(this.toast(text).first(), 5_000);
    } catch {
      await this.command("Notifications: Show Notifications");
      await press(this.page.locator(".notifications-center .notification-list-item", { hasText: text }).first());
    }
  }

  async shot(name) {
    await mkdir(SHOTS, { recursive: true });
    await this.page.screenshot({ path: path.join(SHOTS, `${name}.png`) });
  }
}

let axe;
