// What helps to find a fault, in one document: versions, states, findings of `aloft doctor`, the log. No prompts, no files, no keys.

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

import * as vscode from "vscode";

import { cloudWords, environment, settings } from "./config.js";
import type { Ctx } from "./ctx.js";
import { busy } from "./verbs.js";

const run = promisify(execFile);
const LIMIT_MS = 30_000;

export async function collectLogs(ctx: Ctx): Promise<void> {
  const content = await busy(vscode.l10n.t("Collecting logs"), () => report(ctx));
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ language: "markdown", content }));
}

async function report(ctx: Ctx): Promise<string> {
  const { bridge, threads, extension } = ctx;
  const states: Record<string, number> = {};
  for (const { state } of threads.all()) states[state] = (states[state] ?? 0) + 1;
  const facts = {
    extension: (extension.extension.packageJSON as { version: string }).version,
    editor: `${vscode.env.appName} ${vscode.version} (${vscode.env.appHost}${vscode.env.remoteName ? `, ${vscode.env.remoteName}` : ""})`,
    system: `${process.platform} ${process.arch}, node ${process.version}`,
    program: bridge.program ? `${bridge.program.path} (from ${bridge.program.from}), version ${bridge.version ?? "unknown"}` : "none",
    bridge: [bridge.state.kind, bridge.state.message].filter(Boolean).join(": "),
    threads: threads.loaded ? JSON.stringify(states) : "not read",
    settings: JSON.stringify(settings()),
  };
  const list = Object.entries(facts).map(([name, value]) => `- ${name}: ${value}`);
  const program = bridge.program?.path;
  const doctor = program ? await words(program, ["doctor", ...cloudWords()]) : "";
  const cloud = program ? await words(program, ["cloud", "logs"]) : "";
  const parts = [["aloft doctor", doctor], ["aloft cloud logs", cloud], ["Log of the extension", await ownLog(ctx)]] as const;
  return ["# Aloft", ...list, "", ...parts.flatMap(([name, text]) => [`## ${name}`, "```", text.trimEnd().replaceAll("```", "'''"), "```", ""])].join("\n");
}

async function words(program: string, args: string[]): Promise<string> {
  const told = await run(program, args, { timeout: LIMIT_MS, env: { ...process.env, ...environment(), NO_COLOR: "1" }, maxBuffer: 1 << 24 }).catch(
    (error: { stdout?: string; stderr?: string; message: string }) => ({ stdout: error.stdout ?? "", stderr: error.stderr || error.message }),
  );
  return tail([told.stdout, told.stderr].filter(Boolean).join("\n"));
}

async function ownLog(ctx: Ctx): Promise<string> {
  const file = path.join(ctx.extension.logUri.fsPath, "Aloft.log");
  return tail(await readFile(file, "utf8").catch((error: Error) => error.message));
}

function tail(text: string, lines = 500): string {
  return text.split("\n").slice(-lines).join("\n");
}
