// Single files and hunks of a review: taken into the local checkout, or taken back in the sandbox.

import * as vscode from "vscode";

import type { Ctx } from "./ctx.js";
import type { Documents } from "./documents.js";
import { RequestError } from "./errors.js";
import { applyChanges } from "./local.js";
import { type Patch, hunkAt, only, parse } from "./patch.js";
import type { Against, FileDiff } from "./protocol.js";
import { quote, runInSandbox } from "./sandbox_shell.js";
import { clean } from "./text.js";

const t = vscode.l10n.t;

export interface Target {
  threadId: string;
  against: Against;
  path: string;
}

/** Brings the change of a file, or of some of its hunks, into the local checkout. */
export async function take(ctx: Ctx, documents: Documents, target: Target, hunks?: readonly number[]): Promise<boolean> {
  const { threadId, against, path } = target;
  // What is against the base goes whole, binary files and modes with it.
  if (hunks === undefined && against === "base") return applyChanges(ctx, threadId, { files: [path] });
  const patch = await patchOf(documents, target, hunks);
  return applyChanges(ctx, threadId, { files: [path], patch });
}

/** Takes the change of a file, or of some of its hunks, back in the sandbox. */
export async function revert(ctx: Ctx, documents: Documents, target: Target, hunks?: readonly number[]): Promise<boolean> {
  const thread = ctx.threads.get(target.threadId);
  if (thread?.state === "running" || thread?.state === "requiresAction") {
    throw new RequestError(t("The agent is working on these files"), 0, "TURN_ACTIVE", t("stop it, or tell it what to take back"));
  }
  const file = await documents.diff(target.threadId, target.against, target.path);
  const act = t("Revert");
  const name = clean(target.path, 200);
  const part = hunks?.length === 1 ? t("Take back one change of {0} in the sandbox?", name) : t("Take back {0} changes of {1} in the sandbox?", hunks?.length ?? 0, name);
  const what = hunks === undefined ? t("Take back all changes of {0} in the sandbox?", name) : part;
  const detail = t("The agent sees it as a change by you. Your local checkout stays as it is.");
  if ((await vscode.window.showWarningMessage(what, { modal: true, detail }, act)) !== act) return false;
  const work = async (): Promise<void> => {
    // What has no patch goes back whole.
    if (hunks === undefined && (file.binary || file.patch === undefined)) await restore(ctx, target, file);
    else await inSandbox(ctx, target.threadId, "cd /workspace && git apply -R --whitespace=nowarn -", await patchOf(documents, target, hunks));
  };
  await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: t("Reverting {0}", clean(target.path, 80)) }, work);
  return true;
}

/** Asks which hunks of a file are meant; undefined when none. */
export async function pickHunks(documents: Documents, target: Target, title: string): Promise<number[] | undefined> {
  const { hunks } = parse(await patchOf(documents, target));
  const items = hunks.map((hunk, index) => {
    const changed = hunk.lines.filter((line) => /^[+-]/.test(line));
    const detail = changed.slice(0, 3).map((line) => clean(line, 80)).join("  ⏎  ");
    return { label: t("Lines {0} to {1}", hunk.newStart, hunk.newStart + Math.max(0, hunk.newLines - 1)), description: clean(hunk.section.trim(), 60), detail, index };
  });
  const picked = await vscode.window.showQuickPick(items, { canPickMany: true, title, placeHolder: t("Which changes?") });
  return picked && picked.length > 0 ? picked.map(({ index }) => index) : undefined;
}

/** The hunk in which the cursor of an editor stands. */
export async function hunkOfCursor(documents: Documents, target: Target, line: number): Promise<number[]> {
  const index = hunkAt(parse(await patchOf(documents, target)), line);
  if (index === -1) throw new RequestError(t("There is no change at this line"), 0, "NO_HUNK", t("put the cursor into a changed place of the new text"));
  return [index];
}

async function patchOf(documents: Documents, { threadId, against, path }: Target, hunks?: readonly number[]): Promise<string> {
  const { patch, binary } = await documents.diff(threadId, against, path);
  if (patch === undefined || binary) {
    throw new RequestError(t("{0} is binary or too large to take it in parts", clean(path, 200)), 0, "NO_PATCH", t("take the whole file against the base"));
  }
  const parsed: Patch = parse(patch);
  return hunks === undefined ? patch : only(parsed, hunks);
}

/** The content of a file as it was at the base. */
async function restore(ctx: Ctx, { threadId, against, path }: Target, file: FileDiff): Promise<void> {
  const base = against === "base" ? ctx.threads.get(threadId)?.baseCommit : against === "uncommitted" ? "HEAD" : undefined;
  if (base === undefined) throw new RequestError(t("A binary or large file can be reverted in a review against the base only"), 0, "NO_PATCH");
  const [now, before] = [quote(path), quote(file.oldPath ?? path)];
  const back = file.status === "added" ? `rm -f -- ${now}` : `git restore --source=${quote(base)} --worktree -- ${before}`;
  const gone = file.status === "renamed" ? ` && rm -f -- ${now}` : "";
  await inSandbox(ctx, threadId, `cd /workspace && ${back}${gone}`, "");
}

/** Runs a line in the sandbox, which must work. */
async function inSandbox(ctx: Ctx, threadId: string, line: string, input: string): Promise<void> {
  const { code, words } = await runInSandbox(ctx, threadId, line, input);
  if (code === 0) return;
  throw new RequestError(clean(words, 300) || t("The sandbox answered with exit code {0}", String(code)), 0, "REVERT_FAILED", t("the file may have changed since: refresh the review"));
}
