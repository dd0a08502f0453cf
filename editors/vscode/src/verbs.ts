// What can be done with one thread. Errors are the caller's to tell.

import { randomUUID } from "node:crypto";
import { homedir } from "node:os";
import path from "node:path";

import * as vscode from "vscode";

import { link } from "./check.js";
import { settings } from "./config.js";
import type { Ctx } from "./ctx.js";
import { isReason, type RequestError } from "./errors.js";
import type { Mode, Thread, ThreadResult } from "./protocol.js";
import { clean, plain } from "./text.js";
import { fileCount, stateName } from "./words.js";

const t = vscode.l10n.t;

export async function stop(ctx: Ctx, threadId: string): Promise<void> {
  told(await ctx.bridge.request("turn/interrupt", { threadId }));
}

export async function finish(ctx: Ctx, threadId: string): Promise<void> {
  told(await ctx.bridge.request("turn/interrupt", { threadId, finish: true }));
}

export async function pause(ctx: Ctx, threadId: string): Promise<void> {
  learn(ctx, await ctx.bridge.request("thread/pause", { threadId }));
}

export async function resume(ctx: Ctx, threadId: string): Promise<void> {
  await busy(t("Resuming {0}", title(ctx, threadId)), async () =>
    learn(ctx, await ctx.bridge.request("thread/resume", { threadId })));
}

export async function retry(ctx: Ctx, threadId: string): Promise<void> {
  told(await ctx.bridge.request("thread/retry", { threadId }));
}

export async function fork(ctx: Ctx, threadId: string, given?: number): Promise<void> {
  const turn = given ?? await pickTurn(ctx, threadId, t("Go on from the end of which turn?"));
  if (turn === undefined) return;
  const { thread } = await busy(t("Forking {0}", title(ctx, threadId)), () => ctx.bridge.request("thread/fork", { threadId, turn }));
  ctx.threads.learn(thread);
  ctx.openThread(thread.id);
}

export async function rewind(ctx: Ctx, threadId: string, given?: number): Promise<void> {
  const turn = given ?? await pickTurn(ctx, threadId, t("Take the workspace back to the end of which turn?"), true);
  if (turn === undefined) return;
  const back = (force: boolean) =>
    busy(t("Rewinding {0}", title(ctx, threadId)), () => ctx.bridge.request("thread/rewind", { threadId, turn, force }));
  try {
    learn(ctx, await back(false));
  } catch (error) {
    if (!isReason(error, "WORKSPACE_CHANGED")) throw error;
    const anyway = t("Rewind anyway");
    const detail = `${(error as RequestError).message}\n\n${t("What is there now is kept in a safety snapshot.")}`;
    if ((await vscode.window.showWarningMessage(t("Files were changed by hand"), { modal: true, detail }, anyway)) === anyway) {
      learn(ctx, await back(true));
    }
  }
}

export async function rename(ctx: Ctx, threadId: string): Promise<void> {
  const value = ctx.threads.get(threadId)?.title ?? "";
  const given = await vscode.window.showInputBox({
    prompt: t("Title of the agent"),
    value,
    validateInput: (text) => (text.trim() === "" ? t("A title has at least one character.") : undefined),
  });
  if (given !== undefined && given !== value) await update(ctx, threadId, { title: given.trim() });
}

export const mute = (ctx: Ctx, threadId: string) => update(ctx, threadId, { muted: true });
export const unmute = (ctx: Ctx, threadId: string) => update(ctx, threadId, { muted: false });
export const keep = (ctx: Ctx, threadId: string) => update(ctx, threadId, { keep: true });
export const unkeep = (ctx: Ctx, threadId: string) => update(ctx, threadId, { keep: false });

export async function mode(ctx: Ctx, threadId: string): Promise<void> {
  const now = ctx.threads.get(threadId)?.mode;
  const items: (vscode.QuickPickItem & { mode: Mode })[] = [
    { mode: "manual", label: t("Manual"), detail: t("The agent asks before it runs commands and writes files") },
    { mode: "auto", label: t("Auto"), detail: t("The agent acts without asking; open questions are answered with yes") },
  ];
  for (const item of items) if (item.mode === now) item.description = t("now");
  const picked = await vscode.window.showQuickPick(items, { placeHolder: t("How does the agent work?") });
  if (picked && picked.mode !== now) await update(ctx, threadId, { mode: picked.mode });
}

export async function model(ctx: Ctx, threadId: string): Promise<void> {
  const value = ctx.threads.get(threadId)?.model ?? "";
  const given = await vscode.window.showInputBox({ prompt: t("Name of the model, as its provider calls it"), value });
  if (given?.trim() && given.trim() !== value) await update(ctx, threadId, { model: given.trim() });
}

export async function remove(ctx: Ctx, threadId: string): Promise<void> {
  const thread = ctx.threads.get(threadId);
  const act = t("Delete");
  const archiveFirst = t("Archive, then delete");
  const answer = await vscode.window.showWarningMessage(
    t("Delete “{0}”?", title(ctx, threadId)),
    { modal: true, detail: thread ? lossOf(thread) : "" },
    act,
    archiveFirst,
  );
  if (answer === archiveFirst && !(await archive(ctx, threadId))) return;
  if (answer === act || answer === archiveFirst) learn(ctx, await ctx.bridge.request("thread/delete", { threadId }));
}

/** Whether a file was written. */
export async function archive(ctx: Ctx, threadId: string): Promise<boolean> {
  const slug = ctx.threads.get(threadId)?.slug ?? threadId;
  const file = await vscode.window.showSaveDialog({
    // Not into a checkout, where it would be a new file.
    defaultUri: vscode.Uri.file(path.join(homedir(), `${slug}.aloft`)),
    filters: { [t("Archives of agents")]: ["aloft"] },
    title: t("Archive {0}", title(ctx, threadId)),
  });
  if (!file) return false;
  // The dialog has asked whether an old file may go: it goes when the new one is whole.
  const beside = file.with({ path: `${file.path}.${randomUUID().slice(0, 8)}` });
  try {
    await busy(t("Archiving {0}", title(ctx, threadId)), () => ctx.bridge.request("thread/archive", { threadId, path: beside.fsPath }));
    await vscode.workspace.fs.rename(beside, file, { overwrite: true });
  } catch (error) {
    await vscode.workspace.fs.delete(beside).then(undefined, () => undefined);
    throw error;
  }
  void vscode.window.showInformationMessage(t("The agent is archived in {0}.", file.fsPath));
  return true;
}

export async function restore(ctx: Ctx): Promise<void> {
  const [file] = (await vscode.window.showOpenDialog({ title: t("Restore an archived agent"), openLabel: t("Restore") })) ?? [];
  if (!file) return;
  const { thread } = await busy(t("Restoring {0}", file.fsPath), () => ctx.bridge.request("thread/restore", { path: file.fsPath }));
  ctx.threads.learn(thread);
  ctx.openThread(thread.id);
}

export async function copyBranch(ctx: Ctx, threadId: string): Promise<void> {
  const thread = ctx.threads.get(threadId);
  if (thread) await vscode.env.clipboard.writeText(thread.branch);
}

export async function copyId(_: Ctx, threadId: string): Promise<void> {
  await vscode.env.clipboard.writeText(threadId);
}

export async function createPullRequest(ctx: Ctx, threadId: string): Promise<void> {
  const before = ctx.threads.get(threadId);
  const { text } = await busy(t("Creating a pull request of {0}", title(ctx, threadId)), () => ctx.bridge.request("thread/createPullRequest", { threadId }));
  // The last address is that of the pull request, or where a server without them has one opened.
  const address = text.match(/https?:\/\/\S+/g)?.at(-1);
  // A new one posts a notice. Of one that was there, and where there are none, nobody else tells.
  const notice = before?.pullRequest === undefined && address === text && settings().notices !== "off" && !before?.muted && !ctx.screens.seen(threadId);
  if (!notice) void tellAddress(title(ctx, threadId), text, address);
}

/** Tells the issue what the agent said and planned in its newest turn. */
export async function commentOnIssue(ctx: Ctx, threadId: string): Promise<void> {
  const name = title(ctx, threadId);
  const { url, posted } = await busy(t("Commenting on the issue of {0}", name), () => ctx.bridge.request("thread/commentOnIssue", { threadId }));
  void tellAddress(name, posted ? t("The issue was told what was done: {0}", url) : t("The issue was told of this turn before: {0}", url), url);
}

async function tellAddress(name: string, text: string, address: string | undefined): Promise<void> {
  const open = t("Open in the browser");
  const answer = await vscode.window.showInformationMessage(`${name}: ${plain(text, 400)}`, ...(address === undefined ? [] : [open]));
  if (answer === open && address !== undefined) await vscode.env.openExternal(vscode.Uri.parse(link(address), true));
}

export async function openPullRequest(ctx: Ctx, threadId: string): Promise<void> {
  const url = ctx.threads.get(threadId)?.pullRequest?.url;
  if (url !== undefined) await vscode.env.openExternal(vscode.Uri.parse(link(url), true));
}

async function update(ctx: Ctx, threadId: string, what: { title?: string; muted?: boolean; keep?: boolean; mode?: Mode; model?: string }) {
  learn(ctx, await ctx.bridge.request("thread/update", { threadId, ...what }));
}

/** The end of which turn; undefined when nobody chose. */
async function pickTurn(ctx: Ctx, threadId: string, placeHolder: string, first = false): Promise<number | undefined> {
  const { turns } = await ctx.bridge.request("thread/read", { threadId, limit: 1000 });
  const items = turns
    .filter(({ state }) => state !== "running")
    .map(({ number, endTime, state }) => ({
      number,
      label: t("Turn {0}", number),
      description: [state, endTime ? new Date(endTime).toLocaleString() : ""].filter(Boolean).join(" · "),
    }))
    .reverse();
  if (first) items.push({ number: 0, label: t("Before the first turn"), description: "" });
  return (await vscode.window.showQuickPick(items, { placeHolder }))?.number;
}

/** What a deletion takes along. */
function lossOf(thread: Thread): string {
  const lines = [t("Its files, its conversation and its snapshots go for ever.")];
  const { files, additions, deletions } = thread.diff;
  if (files > 0 && thread.pullRequest?.state !== "merged") {
    if (thread.pullRequest) lines.push(t("Pull request #{0} has its work as it was pushed last.", thread.pullRequest.number));
    else lines.push(t("It has work that is nowhere else: {0}, +{1} −{2} on branch {3}.", fileCount(files, t), additions, deletions, clean(thread.branch)));
  }
  if (thread.state === "running" || thread.state === "requiresAction") lines.push(t("It is {0}; its turn is stopped.", stateName(thread, t)));
  return lines.join("\n");
}

function learn(ctx: Ctx, result: ThreadResult): void {
  ctx.threads.learn(result.thread);
  told(result);
}

/** What was asked for waits for a cloud that cannot be reached. */
function told({ kept }: { kept?: boolean }): void {
  if (kept) void vscode.window.showInformationMessage(t("The cloud cannot be reached. This is kept and done as soon as it is back."));
}

export function title(ctx: Ctx, threadId: string): string {
  return plain(ctx.threads.get(threadId)?.title ?? threadId, 60);
}

/** Shows in the status bar that something takes its time. */
export async function busy<T>(what: string, run: () => Promise<T>): Promise<T> {
  return vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title: what }, run);
}
