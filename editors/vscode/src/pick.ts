// Chooses a thread, where a command was called without one.

import * as vscode from "vscode";

import { description, lookOf } from "./groups.js";
import type { Thread } from "./protocol.js";
import { iconless } from "./text.js";
import type { Threads } from "./threads.js";
import { stateName } from "./words.js";

interface ThreadItem extends vscode.QuickPickItem {
  readonly thread: Thread;
}

export async function pickThread(
  threads: Threads,
  placeHolder: string,
  fits: (thread: Thread) => boolean = () => true,
): Promise<string | undefined> {
  const items: ThreadItem[] = threads.all().filter(fits).map((thread) => ({
    thread,
    label: `$(${lookOf(thread).icon}) ${iconless(thread.title)}`,
    description: stateName(thread),
    detail: iconless(description(thread)),
  }));
  if (items.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t("There is no agent for which this is possible."));
    return undefined;
  }
  const picked = await vscode.window.showQuickPick(items, { placeHolder, matchOnDescription: true, matchOnDetail: true });
  return picked?.thread.id;
}
