// The files of a review, with marks for those that were viewed, and the comments that wait to be sent.

import { posix } from "node:path";

import * as vscode from "vscode";

import type { FileDiff } from "./protocol.js";
import { summary } from "./review_comments.js";
import type { Draft } from "./review_drafts.js";
import { clean, iconless } from "./text.js";

const t = vscode.l10n.t;

/** Files that are shown in one editor: each is two documents, and all are opened at once. */
export const PAGE = 300;

export type Node =
  | { kind: "page"; index: number; files: FileDiff[] }
  | { kind: "file"; file: FileDiff; threadId: string }
  | { kind: "comments" }
  | { kind: "comment"; draft: Draft };

/** What the tree shows. */
export interface Shown {
  threadId: string;
  files: FileDiff[];
  isViewed(file: FileDiff): boolean;
  comments(): Draft[];
  /** Files whose change was taken back in the sandbox since. */
  reverted: ReadonlySet<string>;
}

/** The pages of a long list. */
export function pages(files: readonly FileDiff[]): FileDiff[][] {
  return Array.from({ length: Math.ceil(files.length / PAGE) }, (_, index) => files.slice(index * PAGE, (index + 1) * PAGE));
}

export class ReviewTree implements vscode.TreeDataProvider<Node> {
  readonly #changed = new vscode.EventEmitter<Node | undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  #shown: Shown | undefined;

  set(shown: Shown | undefined): void {
    this.#shown = shown;
    this.#changed.fire(undefined);
  }

  refresh(): void {
    this.#changed.fire(undefined);
  }

  getChildren(node?: Node): Node[] {
    const shown = this.#shown;
    if (shown === undefined) return [];
    const file = (one: FileDiff): Node => ({ kind: "file", file: one, threadId: shown.threadId });
    if (node?.kind === "page") return node.files.map(file);
    if (node?.kind === "comments") return shown.comments().map((draft) => ({ kind: "comment", draft }));
    if (node) return [];
    const split = pages(shown.files);
    const files: Node[] = split.length > 1 ? split.map((part, index) => ({ kind: "page", index, files: part })) : shown.files.map(file);
    return shown.comments().length > 0 ? [{ kind: "comments" }, ...files] : files;
  }

  getTreeItem(node: Node): vscode.TreeItem {
    switch (node.kind) {
      case "page":
        return this.#page(node);
      case "file":
        return this.#file(node.file);
      case "comments": {
        const item = new vscode.TreeItem(t("Comments to send"), vscode.TreeItemCollapsibleState.Expanded);
        item.description = String(this.#shown?.comments().length ?? 0);
        item.iconPath = new vscode.ThemeIcon("comment-unresolved");
        item.contextValue = "comments";
        return item;
      }
      case "comment":
        return comment(node);
    }
  }

  #page(node: Extract<Node, { kind: "page" }>): vscode.TreeItem {
    const first = node.index * PAGE + 1;
    const item = new vscode.TreeItem(t("Files {0} to {1}", first, first + node.files.length - 1), vscode.TreeItemCollapsibleState.Collapsed);
    item.id = `page-${node.index}`;
    const viewed = node.files.filter((file) => this.#shown?.isViewed(file)).length;
    item.description = t("{0} viewed", viewed);
    item.contextValue = "page";
    item.iconPath = new vscode.ThemeIcon("files");
    item.command = { command: "aloft.review.openPage", title: t("Open these diffs"), arguments: [node] };
    return item;
  }

  #file(file: FileDiff): vscode.TreeItem {
    const name = posix.basename(file.path);
    const folder = posix.dirname(file.path);
    const item = new vscode.TreeItem(iconless(name));
    item.id = `file-${file.path}`;
    const viewed = this.#shown?.isViewed(file) ?? false;
    const reverted = this.#shown?.reverted.has(file.path) ?? false;
    const letter = { added: "A", modified: "M", deleted: "D", renamed: "R", typeChanged: "T" }[file.status] ?? "?";
    const size = file.binary ? t("binary") : `+${file.additions} −${file.deletions}`;
    item.description = [reverted ? t("reverted in the sandbox") : "", folder === "." ? "" : clean(folder), letter, size].filter(Boolean).join(" · ");
    item.tooltip = file.oldPath && file.oldPath !== file.path ? `${clean(file.oldPath)} → ${clean(file.path)}` : clean(file.path);
    item.resourceUri = vscode.Uri.from({ scheme: "aloft-review", path: `/${file.path}` });
    item.iconPath = vscode.ThemeIcon.File;
    item.checkboxState = {
      state: viewed ? vscode.TreeItemCheckboxState.Checked : vscode.TreeItemCheckboxState.Unchecked,
      tooltip: viewed ? t("Viewed") : t("Not viewed"),
      accessibilityInformation: { label: viewed ? t("{0} is viewed", name) : t("{0} is not viewed", name) },
    };
    item.accessibilityInformation = { label: t("{0}, {1}, {2} lines added, {3} removed", clean(file.path), file.status, file.additions, file.deletions) };
    item.contextValue = file.binary ? "file.binary" : "file";
    item.command = { command: "aloft.review.openFile", title: t("Open the diff"), arguments: [{ kind: "file", file, threadId: this.#shown?.threadId }] };
    return item;
  }
}

function comment(node: Extract<Node, { kind: "comment" }>): vscode.TreeItem {
  const { draft } = node;
  const item = new vscode.TreeItem(iconless(summary(draft)));
  item.id = `comment-${draft.id}`;
  item.description = `${clean(posix.basename(draft.path))}:${draft.start + 1}${draft.outdated ? ` · ${t("outdated")}` : ""}`;
  item.tooltip = draft.body;
  item.iconPath = new vscode.ThemeIcon(draft.outdated ? "warning" : "comment");
  item.contextValue = "comment";
  item.command = { command: "aloft.review.openComment", title: t("Show the comment"), arguments: [node] };
  return item;
}
