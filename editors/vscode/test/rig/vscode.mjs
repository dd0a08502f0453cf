// A real VS Code: its server with workbench and extension host, and a browser as its window.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const VSCODE = process.env.ALOFT_TEST_VSCODE ?? fileURLToPath(new URL("../../../../target/vscode", import.meta.url));
/** The program that is VS Code's server, for node. */
export const SERVER = path.join(VSCODE, "vscode/out/server-main.js");
/** How long anything may take: far more than it needs on a busy machine. */
export const LIMIT = 120_000;

const SETTINGS = {
  "workbench.startupEditor": "none",
  "telemetry.telemetryLevel": "off",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "chat.disableAIFeatures": true,
  "security.workspace.trust.enabled": false,
  "extensions.autoUpdate": false,
  "extensions.autoCheckUpdates": false,
  "workbench.enableExperiments": false,
  // What takes the focus on a busy machine does not take a choice away.
  "workbench.quickOpen.closeOnFocusLost": false,
  "workbench.tips.enabled": false,
  "workbench.reduceMotion": "on",
  "git.openRepositoryInParentFolders": "never",
};

/**
 * Starts the server. `testDriver` lets tests run in the extension host, and switches toasts off.
 * @param {{ env?: Record<string, string>, extensions?: string, settings?: object, testDriver?: boolean }} options
 */
export async function startVsCode({ env = {}, extensions, settings = {}, testDriver = false } = {}) {
  const data = mkdtempSync("/var/tmp/avs");
  // A person's settings, and those of the machine: in this window, which is a remote one, some are taken from the latter only.
  const files = ["user/User", "user/Machine", "server/data/Machine"].map((folder) => path.join(data, folder));
  // Its extensions leave sockets where temporary files are; their names have some fifty letters, of about a hundred.
  const temporary = path.join(data, "tmp");
  for (const folder of [...files, temporary]) mkdirSync(folder, { recursive: true });
  const write = (more) => {
    for (const folder of files) writeFileSync(path.join(folder, "settings.json"), JSON.stringify({ ...SETTINGS, ...settings, ...more }));
  };
  write({});
  const words = [
    SERVER, "--host", "127.0.0.1", "--port", "0", "--without-connection-token", "--accept-server-license-terms",
    "--telemetry-level", "off", "--server-data-dir", path.join(data, "server"), "--user-data-dir", path.join(data, "user"),
    "--extensions-dir", extensions ?? path.join(data, "extensions"), ...(testDriver ? ["--enable-smoke-test-driver"] : []),
  ];
  // A group of its own: an extension host outlives a server that was merely killed.
  const child = spawn(process.execPath, words, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, LANG: "C.UTF-8", TMPDIR: temporary, ...env, EXTENSIONS_GALLERY: "{}" },
  });
  let log = "";
  const stop = async () => {
    const ended = child.exitCode !== null || child.signalCode !== null ? undefined : new Promise((resolve) => child.once("exit", resolve));
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
    await ended;
    rmSync(data, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  };
  const port = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`VS Code's server did not start:\n${log}`)), LIMIT);
    const hear = (bytes) => {
      log = (log + bytes).slice(-100_000);
      const [, found] = /Extension host agent listening on (\d+)/.exec(log) ?? [];
      if (!found) return;
      clearTimeout(timer);
      resolve(Number(found));
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", (code) => reject(new Error(`VS Code's server ended with ${code}:\n${log}`)));
  }).catch(async (error) => {
    await stop();
    throw error;
  });
  return { port, url: `http://127.0.0.1:${port}`, authority: `127.0.0.1:${port}`, data, log: () => log, set: write, stop, pid: child.pid };
}

export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.ALOFT_TEST_CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    // Root and containers have no sandbox for it; it opens nothing but the workbench on this machine.
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}
