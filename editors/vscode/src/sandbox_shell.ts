// Runs a line in a sandbox, by `aloft ssh`.

import { spawn } from "node:child_process";

import * as vscode from "vscode";

import * as config from "./config.js";
import type { Ctx } from "./ctx.js";
import { RequestError } from "./errors.js";

const t = vscode.l10n.t;
/** What is kept of why it did not work. */
const WORDS = 2000;

export interface Ran {
  readonly code: number | null;
  readonly stdout: Buffer;
  /** The end of what it complained of. */
  readonly words: string;
}

export async function runInSandbox(ctx: Ctx, threadId: string, line: string, input: string | Uint8Array = ""): Promise<Ran> {
  // A bridge that only just starts is waited for, and a thread that is gone is told as such.
  await ctx.bridge.request("thread/read", { threadId, limit: 1 });
  const { program } = ctx.bridge;
  if (!program) throw new RequestError(t("Aloft does not run"), 0, "BRIDGE_STOPPED", t("restart it"));
  const child = spawn(program.path, ["ssh", ...config.cloudWords(), threadId, "--", line], {
    env: { ...process.env, ...config.environment() },
    stdio: ["pipe", "pipe", "pipe"],
    windowsHide: true,
  });
  const out: Buffer[] = [];
  let words = "";
  child.stdout.on("data", (bytes: Buffer) => void out.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => void (words = (words + bytes.toString("utf8")).slice(-WORDS)));
  // It may end before it has read everything: its exit code tells.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) ctx.log.warn(`in the sandbox of ${threadId}: ${line}: exit code ${String(code)}: ${words}`);
  return { code, stdout: Buffer.concat(out), words };
}

/** A word as a shell reads it. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
