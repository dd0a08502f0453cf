// Which files of a review a person has viewed. A file that changed since is not viewed any more.

import { createHash } from "node:crypto";

import type * as vscode from "vscode";

import type { FileDiff } from "./protocol.js";

const KEY = "aloft.review.viewed";
/** Threads whose marks are kept. */
const THREADS = 50;

type Marks = Record<string, Record<string, string>>;

export class ViewedMarks {
  constructor(private readonly store: vscode.Memento) {}

  isViewed(threadId: string, file: FileDiff): boolean {
    return this.#all()[threadId]?.[file.path] === digest(file);
  }

  async set(threadId: string, file: FileDiff, viewed: boolean): Promise<void> {
    const { [threadId]: mine = {}, ...others } = this.#all();
    const rest = Object.fromEntries(Object.entries(mine).filter(([path]) => path !== file.path));
    const kept = Object.fromEntries(Object.entries(others).slice(-THREADS + 1));
    await this.store.update(KEY, { ...kept, [threadId]: viewed ? { ...rest, [file.path]: digest(file) } : rest });
  }

  #all(): Marks {
    return this.store.get<Marks>(KEY, {});
  }
}

/** What a file's change is, so that another change is told apart. */
export function digest(file: FileDiff): string {
  const what = file.patch ?? [file.additions, file.deletions].join();
  return createHash("sha256").update([file.status, file.oldPath, file.oldMode, file.newMode, what].join("\0")).digest("base64url").slice(0, 22);
}
