// A file as it is in a sandbox: of this window's folder where that is the sandbox's, else as a document of its own.

import * as vscode from "vscode";

import type { Ctx } from "./ctx.js";
import { RequestError } from "./errors.js";
import { hostOfAuthority } from "./remote.js";
import { sandboxUri } from "./sandbox_files.js";
import { clean } from "./text.js";

export async function openInSandbox(ctx: Ctx, threadId: string, path: string, line?: number): Promise<void> {
  const folder = ownFolder(ctx, threadId);
  const uri = folder ? vscode.Uri.joinPath(folder, path) : sandboxUri(threadId, path);
  const selection = line === undefined ? undefined : new vscode.Range(line, 0, line, 0);
  try {
    await vscode.window.showTextDocument(uri, selection ? { selection } : {});
  } catch (error) {
    // What the editor says of a file that is not there is for nobody to read.
    const there = await vscode.workspace.fs.stat(uri).then(() => true, () => false);
    if (there) throw error;
    const [what, hint] = [vscode.l10n.t("There is no file {0} in the sandbox", clean(path, 200)), vscode.l10n.t("it may be gone since")];
    throw new RequestError(what, 0, "FILE_NOT_FOUND", hint);
  }
}

/** The folder of this window, where it is the workspace of that thread. */
function ownFolder(ctx: Ctx, threadId: string): vscode.Uri | undefined {
  return vscode.workspace.workspaceFolders?.find(({ uri }) => {
    const host = uri.scheme === "vscode-remote" ? hostOfAuthority(uri.authority) : undefined;
    return host !== undefined && ctx.threads.named(host)?.id === threadId;
  })?.uri;
}
