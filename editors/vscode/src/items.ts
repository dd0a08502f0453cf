// Items of a thread in editors: the diff of a change, the whole output of a command, what a tool was called with.

import { posix } from "node:path";

import * as vscode from "vscode";

import type { Ctx } from "./ctx.js";
import { uriOf } from "./documents.js";
import { clean } from "./text.js";
import { busy } from "./verbs.js";

const t = vscode.l10n.t;

/** The diff of one file that an item changed. */
export async function openItem(ctx: Ctx, threadId: string, itemId: string, index: number): Promise<void> {
  const { item } = await ctx.bridge.request("item/read", { threadId, itemId });
  const file = item.type === "fileChange" ? item.changes[index] : undefined;
  if (file === undefined) return;
  const at = (side: "before" | "after"): vscode.Uri => uriOf(side === "before" ? (file.oldPath ?? file.path) : file.path, { kind: "item", threadId, itemId, index, side });
  await vscode.commands.executeCommand("vscode.diff", at("before"), at("after"), `${clean(posix.basename(file.path), 60)} (${t("as the agent changed it")})`, { preview: true });
}

export async function showOutput(threadId: string, itemId: string): Promise<void> {
  await busy(t("Reading the output"), () => open(uriOf(`${t("Output")} ${itemId}.log`, { kind: "output", threadId, itemId })));
}

export async function showDetail(threadId: string, itemId: string, part: "arguments" | "result"): Promise<void> {
  await open(uriOf(`${part} ${itemId}.json`, { kind: "detail", threadId, itemId, part }));
}

async function open(uri: vscode.Uri): Promise<void> {
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), { preview: true });
}
