// A person's machine with VS Code on it, the packed extension installed, and windows that a test drives as a person does.

import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Home } from "../../../../tests/jsonrpc/support/home.mjs";
import { launchBrowser, SERVER, startVsCode } from "./vscode.mjs";

const run = promisify(execFile);
const at = (below) => fileURLToPath(new URL(`../../../../target/${below}`, import.meta.url));
const SHOTS = at("vscode-shots");
/** The packed extension, with the programs in it. */
const VSIX = process.env.ALOFT_TEST_VSIX ?? at("vscode-vsix/aloft.vsix");

/** How long a window may take to come up, and anything else after that: far more than it needs on a busy machine. */
const UP_MS = 120_000;
export const LIMIT_MS = 60_000;

export class World {
  /** @param {{ settings?: object, probe?: boolean }} options `probe` has an extension there that says it can open SSH hosts. */
  static async start({ settings = {}, probe = false } = {}) {
    const world = new World();
    world.home = await Home.create();
    world.contexts = [];
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

  /** Opens a window; the pages of one world are windows of one person. */
  async window(folder = this.folder, query = "") {
    const page = await this.context.newPage();
    const window = new Window(page);
    await page.goto(`${this.server.url}/?folder=${encodeURIComponent(folder)}${query}`);
    await page.locator(".monaco-workbench .part.statusbar").waitFor({ timeout: UP_MS });
    await window.status(/./, UP_MS);
    return window;
  }

  async close() {
    await this.browser?.close();
    await this.server?.stop();
    await this.home.close();
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
    this.complaints = [];
    page.on("console", (message) => {
      if (/Content Security Policy/i.test(message.text())) this.complaints.push(message.text());
    });
    page.setDefaultTimeout(LIMIT_MS);
  }

  /** Waits for the item of Aloft in the status bar to say something. */
  async status(text, timeout = LIMIT_MS) {
    const item = this.page.locator("[id='aloft.aloft.aloft.status'], .statusbar-item[id*='aloft']").filter({ hasText: text });
    await item.first().waitFor({ timeout });
    return item.first();
  }

  /** Shows the list of agents. */
  async agents() {
    const view = this.page.locator("[id='workbench.view.extension.aloft']");
    if (!(await view.isVisible())) await this.page.locator(".activitybar [aria-label^='Aloft']").first().click();
    await view.waitFor();
  }

  row(name) {
    return this.page.getByRole("treeitem", { name });
  }

  /** The number at the icon, or undefined. */
  async badge() {
    const badge = this.page.locator(".activitybar .action-item:has([aria-label^='Aloft']) .badge-content");
    return (await badge.isVisible()) ? badge.textContent() : undefined;
  }

  /** Runs a command by its title, from the palette. */
  async command(title) {
    const input = this.page.locator(".quick-input-widget input[type='text']");
    // A page that just takes the focus may swallow the key.
    for (const end = Date.now() + LIMIT_MS; Date.now() < end && !(await input.isVisible()); ) {
      await this.page.keyboard.press("F1");
      await input.waitFor({ timeout: 3_000 }).catch(() => undefined);
    }
    await input.fill(`>${title}`);
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: title }).first().click();
  }

  /** Chooses an entry of a quick pick. */
  async pick(text) {
    const row = this.page.locator(".quick-input-list .monaco-list-row", { hasText: text }).first();
    await row.waitFor();
    await row.click();
  }

  /** What a command writes into an input box. */
  async type(text) {
    const input = this.page.locator(".quick-input-widget input[type='text']");
    await input.waitFor();
    await input.fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** Takes a colour theme. */
  async theme(name) {
    await this.command("Preferences: Color Theme");
    await this.page.locator(".quick-input-widget input[type='text']").fill(name);
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: name }).first().waitFor();
    await this.page.keyboard.press("Enter");
    await this.page.locator(".quick-input-widget").waitFor({ state: "hidden" });
  }

  toast(text) {
    return this.page.locator(".notification-toast", { hasText: text });
  }

  /** Presses a button of a toast. */
  async press(text, button) {
    const toast = this.toast(text).first();
    await toast.waitFor();
    await toast.hover();
    await toast.getByRole("button", { name: button, exact: true }).click();
  }

  /** The inside of the webview that has this in it. */
  async webview(selector) {
    const end = Date.now() + LIMIT_MS;
    for (;;) {
      for (const frame of this.page.frames()) {
        if (!frame.url().includes("fake.html") && frame.name() !== "active-frame") continue;
        if ((await frame.locator(selector).count().catch(() => 0)) > 0) return frame;
      }
      if (Date.now() > end) {
        await this.shot("no-webview");
        throw new Error(`no webview has ${selector}`);
      }
      await this.page.waitForTimeout(100);
    }
  }

  async shot(name) {
    await mkdir(SHOTS, { recursive: true });
    await this.page.screenshot({ path: path.join(SHOTS, `${name}.png`) });
  }

  /** What axe-core finds wrong in a frame: roles, names, contrast. */
  async axe(frame, rules = {}) {
    const source = await readFile(fileURLToPath(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url)), "utf8");
    await frame.evaluate(source);
    const { violations } = await frame.evaluate((rules) => globalThis.axe.run(document, { resultTypes: ["violations"], rules }), rules);
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
  }
}
