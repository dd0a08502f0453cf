// Chooses a thread, where a command was called without one.

import * as vscode from "vscode";

import type { Ctx } from "./ctx.js";
import { description, lookOf } from "./groups.js";
import type { Thread } from "./protocol.js";
import { iconless } from "./text.js";
import type { Threads } from "./threads.js";
import { stateName } from "./words.js";

interface ThreadItem extends vscode.QuickPickItem {
  readonly thread: Thread;
}

/** What a command may be called with: a thread's id, something of a thread, what an editor's title gives, or nothing. */
export type Given = string | { readonly threadId?: string } | vscode.Uri | undefined;

/** The thread meant: the one given, that of the panel a person is in, else one that is picked. */
export async function threadOf(ctx: Ctx, given: Given, placeHolder: string, fits: (thread: Thread) => boolean = () => true): Promise<string | undefined> {
  if (typeof given === "string") return given;
  if (given && "threadId" in given && given.threadId !== undefined) return given.threadId;
  const active = ctx.activeThread();
  const thread = active === undefined ? undefined : ctx.threads.get(active);
  // A button of the panel's title is about that panel's thread and no other.
  if (active !== undefined && (given !== undefined || (thread && fits(thread)))) return active;
  return pickThread(ctx.threads, placeHolder, fits);
}

export async function pickThread(
  threads: Threads,
  placeHolder: string,
  fits: (thread: Thread) => boolean = () => true,
): Promise<string | undefined> {
  const items: ThreadItem[] = threads.all().filter(fits).map((thread) => ({
    thread,
    label: `$(${lookOf(thread).icon}) ${iconless(thread.title)}`,
    description: stateName(thread, vscode.l10n.t),
    detail: iconless(description(thread)),
  }));
  if (items.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t("There is no agent for which this is possible."));
    return undefined;
  }
  const picked = await vscode.window.showQuickPick(items, { placeHolder, matchOnDescription: true, matchOnDetail: true });
  return picked?.thread.id;
}
