// A thread's work into the checkout on this machine.

import * as vscode from "vscode";

import type { Ctx } from "./ctx.js";
import { isReason, type RequestError } from "./errors.js";
import { plain } from "./text.js";
import { busy, title } from "./verbs.js";
import { fileCount } from "./words.js";

const t = vscode.l10n.t;

/** The changes into the working tree, three-way. A conflict changes nothing unless a person wants its marks. */
export async function applyChanges(ctx: Ctx, threadId: string, part: { files?: string[]; patch?: string } = {}): Promise<boolean> {
  const path = await checkout(ctx, threadId);
  if (path === undefined) return false;
  const apply = (conflicts: boolean) =>
    busy(t("Applying {0}", title(ctx, threadId)), () => ctx.bridge.request("thread/apply", { threadId, path, conflicts, ...part }));
  try {
    tell((await apply(false)).files.length, path);
    return true;
  } catch (error) {
    if (!isReason(error, "APPLY_CONFLICT")) throw error;
    const mark = t("Apply with conflict marks");
    const answer = await vscode.window.showWarningMessage(
      t("The changes do not fit what is in {0}. Nothing was changed.", path),
      { modal: true, detail: (error as RequestError).message },
      mark,
    );
    if (answer !== mark) return false;
    const { conflicts } = await apply(true);
    for (const file of conflicts.slice(0, 10)) {
      await vscode.window.showTextDocument(vscode.Uri.joinPath(vscode.Uri.file(path), file), { preview: false });
    }
    const { length } = conflicts;
    void vscode.window.showWarningMessage(length === 1 ? t("One file holds conflict marks.") : t("{0} files hold conflict marks.", length));
    return true;
  }
}

/** The branch with its commits, as a branch here. */
export async function checkOut(ctx: Ctx, threadId: string): Promise<void> {
  const path = await checkout(ctx, threadId);
  if (path === undefined) return;
  const { branch, commit } = await busy(t("Checking out {0}", title(ctx, threadId)), () =>
    ctx.bridge.request("thread/checkout", { threadId, path }));
  const copy = t("Copy the command");
  void vscode.window
    .showInformationMessage(t("The branch {0} is here now, at {1}. Switch to it when you like.", plain(branch), commit.slice(0, 8)), copy)
    .then((answer) => (answer === copy ? vscode.env.clipboard.writeText(`git switch '${branch.replaceAll("'", "'\\''")}'`) : undefined));
}

/** The folder to write to: where the thread began, a folder of this window, or one that a person names. */
async function checkout(ctx: Ctx, threadId: string): Promise<string | undefined> {
  const begun = ctx.threads.get(threadId)?.repository.path;
  const here = (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath);
  if (begun !== undefined && here.includes(begun)) return begun;
  const other = t("Another folder…");
  const folders = [...new Set([...(begun === undefined ? [] : [begun]), ...here])];
  const items = [
    ...folders.map((label) => (label === begun ? { label, description: t("where the agent began") } : { label })),
    { label: other },
  ];
  const picked = await vscode.window.showQuickPick(items, { placeHolder: t("Into which checkout?") });
  if (picked?.label !== other) return picked?.label;
  const [folder] = (await vscode.window.showOpenDialog({ canSelectFolders: true, canSelectFiles: false })) ?? [];
  return folder?.fsPath;
}

function tell(files: number, path: string): void {
  const show = t("Show changes");
  void vscode.window
    .showInformationMessage(t("{0} changed in {1}.", fileCount(files, t), path), show)
    .then((answer) => answer === show && vscode.commands.executeCommand("workbench.view.scm"));
}
