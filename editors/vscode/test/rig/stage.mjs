// A person's machine with VS Code on it: the real bridge, cloud and sandbox, and windows of a real workbench.

import assert from "node:assert/strict";
import { symlink, mkdir, readFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Editor } from "../../../../tests/jsonrpc/support/editor.mjs";
import { ALOFT, Home } from "../../../../tests/jsonrpc/support/home.mjs";
import { launchBrowser, startVsCode } from "./vscode.mjs";

const run = promisify(execFile);
const EXTENSION = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");
const SHOTS = fileURLToPath(new URL("../../../../target/vscode-shots/", import.meta.url));
/** How long anything may take: far more than it needs on a busy machine. */
export const LIMIT = 120_000;

export class Stage {
  /** @param {{ settings?: object }} options */
  static async start({ settings = {} } = {}) {
    const stage = new Stage();
    try {
      stage.home = await Home.create();
      stage.folder = await stage.home.repository();
      const extensions = stage.home.path("extensions");
      await mkdir(extensions);
      await symlink(EXTENSION, path.join(extensions, "aloft.aloft-0.1.0"));
      stage.server = await startVsCode({ env: stage.home.env, extensions, settings: { "aloft.path": ALOFT, ...settings } });
      stage.browser = await launchBrowser();
      stage.context = await stage.browser.newContext({ viewport: { width: 1400, height: 900 } });
      /** What pages complained of: their policy was about to be broken. */
      stage.violations = [];
      // Another editor on the same machine, to see what is true.
      stage.editor = await Editor.open(stage.home);
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  /** A window on a folder, with the list of agents open. */
  async window(folder = this.folder) {
    const page = await this.context.newPage();
    page.setDefaultTimeout(LIMIT);
    page.on("console", (message) => {
      if (/Content Security Policy/i.test(message.text()) && /aloft|webview/i.test(message.location().url)) this.violations.push(message.text());
    });
    await page.goto(`${this.server.url}/?folder=${folder}`);
    await page.locator(".monaco-workbench .part.statusbar").waitFor();
    await page.locator('.activitybar [aria-label^="Aloft"]').first().click();
    return page;
  }

  /** A row of the list of agents, by its title. */
  row(page, title) {
    return page.getByRole("treeitem", { name: new RegExp(title) }).first();
  }

  /** Runs a command by its whole name; where it asks, picks what has these words. */
  async command(page, name, ...picks) {
    await page.keyboard.press("F1");
    await page.locator(".quick-input-widget input").fill(`>${name}`);
    const whole = new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
    await page.locator(".quick-input-list .monaco-list-row").filter({ has: page.locator(".label-name", { hasText: whole }) }).first().click();
    for (const words of picks) {
      await page.locator(".quick-input-widget input").fill(words);
      await page.locator(".quick-input-list .monaco-list-row").filter({ hasText: words }).first().click();
    }
  }

  /** What is inside of the webview that is on screen. */
  webview(page) {
    return page.frameLocator("iframe.webview.ready").first().frameLocator("iframe#active-frame");
  }

  /** The same as a frame, in which script can be run. */
  async frame(page) {
    const outer = await page.locator("iframe.webview.ready").first().elementHandle();
    const inner = await (await outer.contentFrame()).waitForSelector("iframe#active-frame", { state: "attached" });
    return inner.contentFrame();
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
    const bridges = all.filter(([pid, , words]) => ours.has(pid) && words === `${ALOFT} lsp`);
    assert.notEqual(bridges.length, 0, "there is no bridge");
    for (const [pid] of bridges) process.kill(Number(pid), "SIGKILL");
  }

  async theme(page, name) {
    await this.command(page, "Preferences: Color Theme");
    await page.locator(".quick-input-widget input").fill(name);
    await page.locator(".quick-input-list .monaco-list-row").filter({ hasText: name }).first().waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".quick-input-widget").waitFor({ state: "hidden" });
  }

  async shot(page, name) {
    await mkdir(SHOTS, { recursive: true });
    await page.screenshot({ path: path.join(SHOTS, `${name}.png`) });
  }

  /** Asks axe-core whether everything in a webview has a role, a name and enough contrast. */
  async accessible(page, what) {
    const frame = await this.frame(page);
    axe ??= await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    await frame.evaluate(axe);
    // Regions and landmarks are the workbench's, of which this page is a part.
    const { violations } = await frame.evaluate(() => globalThis.axe.run(document, { rules: { region: { enabled: false }, "page-has-heading-one": { enabled: false } } }));
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ""}`).join(" | ")}`);
    assert.deepEqual(found, [], what);
  }

  async close() {
    await this.browser?.close();
    await this.server?.stop();
    await this.editor?.close().catch(() => {});
    await this.home?.close();
  }
}

let axe;
