// A file as it is in a sandbox: in this window where it is the sandbox's, else in the sandbox's own window, which is told which file
// is wanted.

import * as vscode from "vscode";

import type { Ctx } from "./ctx.js";
import { hostOfAuthority } from "./remote.js";

const KEY = "aloft.openFile";
/** A wish older than this was of a window that never came. */
const FRESH_MS = 10 * 60_000;

interface Wanted {
  threadId: string;
  path: string;
  line?: number | undefined;
  time: number;
}

export async function openInSandbox(ctx: Ctx, threadId: string, path: string, line?: number): Promise<void> {
  const folder = ownFolder(ctx, threadId);
  if (folder) return show(folder, path, line);
  await ctx.extension.globalState.update(KEY, { threadId, path, line, time: Date.now() } satisfies Wanted);
  await vscode.commands.executeCommand("aloft.sshNewWindow", threadId);
}

/** In a window of a sandbox: opens the file that another window wanted there. */
export function followWishes(ctx: Ctx): void {
  const look = async (): Promise<void> => {
    const wanted = ctx.extension.globalState.get<Wanted>(KEY);
    const folder = wanted && ownFolder(ctx, wanted.threadId);
    if (!folder) return;
    await ctx.extension.globalState.update(KEY, undefined);
    if (Date.now() - wanted.time < FRESH_MS) await show(folder, wanted.path, wanted.line);
  };
  const tried = (): void => void look().catch((error: unknown) => ctx.fail(vscode.l10n.t("Open a file in the sandbox"), error));
  ctx.extension.subscriptions.push(
    ctx.threads.onDidLoad(tried),
    vscode.window.onDidChangeWindowState(({ focused }) => focused && tried()),
  );
}

/** The folder of this window, where it is the workspace of that thread. */
function ownFolder(ctx: Ctx, threadId: string): vscode.Uri | undefined {
  return vscode.workspace.workspaceFolders?.find(({ uri }) => {
    const host = uri.scheme === "vscode-remote" ? hostOfAuthority(uri.authority) : undefined;
    return host !== undefined && ctx.threads.named(host)?.id === threadId;
  })?.uri;
}

async function show(folder: vscode.Uri, path: string, line: number | undefined): Promise<void> {
  const at = line === undefined ? undefined : new vscode.Range(line, 0, line, 0);
  await vscode.window.showTextDocument(vscode.Uri.joinPath(folder, path), at ? { selection: at } : {});
}
