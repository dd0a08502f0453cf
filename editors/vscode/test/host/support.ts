// The extension as it runs here, and the product beside it, by its command line.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

import * as vscode from "vscode";

import type { Api } from "../../src/main.js";
import type { Thread } from "../../src/protocol.js";

/** How long anything may take before a test gives up. */
const LIMIT_MS = 60_000;
const run = promisify(execFile);

const program = process.env["ALOFT_TEST_PROGRAM"]!;
/** A checkout, which is the folder of this window too. */
export const folder = process.env["ALOFT_TEST_FOLDER"]!;

let listening = false;

/** What `activate` gave. */
export async function aloft(): Promise<Api> {
  const api = await vscode.extensions.getExtension<Api>("aloft.aloft")!.activate();
  if (!listening) listen(api.ctx.log);
  listening = true;
  return api;
}

/** Runs `aloft … --json` as another client would. */
export async function cli<T = Thread>(...words: string[]): Promise<T> {
  const { stdout } = await run(program, [...words, "--json"], { maxBuffer: 1 << 26 });
  return JSON.parse(stdout) as T;
}

/** A new agent of the kind `shell`. */
export function agent(text: string, ...more: string[]): Promise<Thread> {
  return cli("new", "--repo", folder, "--agent", "shell", ...(more.includes("--mode") ? [] : ["--mode", "auto"]), ...more, text);
}

/** What the extension wrote into its log since the first call of `aloft`. */
const lines: string[] = [];

function listen(log: vscode.LogOutputChannel): void {
  for (const level of ["info", "warn", "error"] as const) {
    const write = log[level].bind(log) as (line: string) => void;
    log[level] = (line: string | Error) => {
      lines.push(`${level}: ${String(line)}`);
      write(String(line));
    };
  }
}

/** Waits until it holds; gives what it gave. */
export async function until<T>(what: string, holds: () => T | undefined | false): Promise<T> {
  for (const end = Date.now() + LIMIT_MS; ; ) {
    const found = holds();
    if (found) return found;
    if (Date.now() > end) {
      const { ctx } = await aloft();
      throw new Error(`waited for ${what}; bridge ${ctx.bridge.pid}: ${JSON.stringify(ctx.bridge.state)}\n${lines.slice(-20).join("\n")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
