// The threads in the side bar: a native tree, in groups, filtered by what a person typed.

import * as vscode from "vscode";

import { contextOf, description, groupOf, GROUPS, lookOf, matches, type Group } from "./groups.js";
import type { Thread } from "./protocol.js";
import { clean } from "./text.js";
import type { Threads } from "./threads.js";
import { fileCount, groupName, stateName } from "./words.js";

export const VIEW = "aloft.threads";

/** A row: a group, or a thread by its id. Rows stay the same objects, so that the tree keeps what is open and selected. */
export type Row = { readonly group: Group } | { readonly threadId: string };

const AGES_MS = 60_000;
/** Several changes within this are drawn at once. */
const DRAW_MS = 50;

export class ThreadsView implements vscode.TreeDataProvider<Row>, vscode.Disposable {
  readonly #threads: Threads;
  readonly #changed = new vscode.EventEmitter<Row | undefined>();
  readonly #groups = new Map(GROUPS.map((group) => [group, { group }]));
  readonly #rows = new Map<string, Row>();
  readonly #disposables: vscode.Disposable[] = [];
  #view: vscode.TreeView<Row> | undefined;
  #filter = "";
  #drawing: NodeJS.Timeout | undefined;
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(threads: Threads) {
    this.#threads = threads;
    const view = vscode.window.createTreeView<Row>(VIEW, { treeDataProvider: this, showCollapseAll: true });
    this.#view = view;
    const ages = setInterval(() => view.visible && this.#changed.fire(undefined), AGES_MS);
    this.#disposables.push(
      view,
      threads.onDidChange(() => this.#draw()),
      threads.onDidLoad(() => this.#draw()),
      new vscode.Disposable(() => (clearInterval(ages), clearTimeout(this.#drawing))),
    );
    this.filter = "";
  }

  get view(): vscode.TreeView<Row> | undefined {
    return this.#view;
  }

  get filter(): string {
    return this.#filter;
  }

  set filter(query: string) {
    this.#filter = query.trim();
    void vscode.commands.executeCommand("setContext", "aloft.filtered", this.#filter !== "");
    this.#draw();
  }

  /** Selects a thread's row, where the view can be seen. */
  async reveal(threadId: string, focus = false): Promise<void> {
    if (!this.#threads.get(threadId) || !this.#view || (!this.#view.visible && !focus)) return;
    await this.#view.reveal(this.#row(threadId), { select: true, focus });
  }

  getChildren(row?: Row): Row[] {
    if (!row) return GROUPS.filter((group) => this.#of(group).length > 0).map((group) => this.#groups.get(group)!);
    return "group" in row ? this.#of(row.group).map((thread) => this.#row(thread.id)) : [];
  }

  getParent(row: Row): Row | undefined {
    if ("group" in row) return undefined;
    const thread = this.#threads.get(row.threadId);
    return thread && this.#groups.get(groupOf(thread));
  }

  getTreeItem(row: Row): vscode.TreeItem {
    return "group" in row ? this.#group(row.group) : this.#thread(row.threadId);
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }

  #group(group: Group): vscode.TreeItem {
    const open = group === "paused" ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.Expanded;
    const name = groupName(group, vscode.l10n.t);
    const item = new vscode.TreeItem(name, this.#filter ? vscode.TreeItemCollapsibleState.Expanded : open);
    const count = this.#of(group).length;
    item.id = `${group}${this.#filter ? "/filtered" : ""}`;
    item.description = String(count);
    item.contextValue = ";group;";
    item.accessibilityInformation = { label: count === 1 ? vscode.l10n.t("{0}, 1 agent", name) : vscode.l10n.t("{0}, {1} agents", name, count) };
    return item;
  }

  #thread(id: string): vscode.TreeItem {
    const thread = this.#threads.get(id);
    if (!thread) return new vscode.TreeItem(id);
    const title = clean(thread.title);
    const item = new vscode.TreeItem(title);
    const { icon, colour } = lookOf(thread);
    item.id = id;
    // The bell itself is there only while the pointer is, and the end of a long line is cut off.
    item.description = [thread.muted ? vscode.l10n.t("muted") : "", description(thread)].filter(Boolean).join(" · ");
    item.iconPath = new vscode.ThemeIcon(icon, colour ? new vscode.ThemeColor(colour) : undefined);
    item.contextValue = contextOf(thread);
    item.tooltip = tooltip(thread);
    item.command = { command: "aloft.openThread", title: vscode.l10n.t("Open"), arguments: [id] };
    item.accessibilityInformation = { label: `${title}, ${stateName(thread, vscode.l10n.t)}, ${item.description}` };
    return item;
  }

  #of(group: Group): Thread[] {
    return this.#threads
      .all()
      .filter((thread) => groupOf(thread) === group && (!this.#filter || matches(thread, this.#filter)));
  }

  #row(threadId: string): Row {
    let row = this.#rows.get(threadId);
    if (!row) this.#rows.set(threadId, (row = { threadId }));
    return row;
  }

  #draw(): void {
    this.#drawing ??= setTimeout(() => {
      this.#drawing = undefined;
      for (const id of [...this.#rows.keys()]) if (!this.#threads.get(id)) this.#rows.delete(id);
      this.#changed.fire(undefined);
      this.#decorate();
    }, DRAW_MS);
  }

  /** The number at the icon, and what is said above the list. */
  #decorate(): void {
    if (!this.#view) return;
    const waiting = this.#threads.all().filter((thread) => groupOf(thread) === "needsYou").length;
    this.#view.badge = waiting > 0 ? { value: waiting, tooltip: waiting === 1 ? vscode.l10n.t("1 agent needs you") : vscode.l10n.t("{0} agents need you", waiting) } : undefined;
    const shown = GROUPS.reduce((sum, group) => sum + this.#of(group).length, 0);
    this.#view.description = this.#filter ? vscode.l10n.t("“{0}”", this.#filter) : "";
    const none = this.#filter !== "" && shown === 0;
    this.#view.message = none ? vscode.l10n.t("No agent has “{0}” in its title, branch or repository.", this.#filter) : "";
  }
}

function tooltip(thread: Thread): string {
  const { files, additions, deletions } = thread.diff;
  const lines = [
    clean(thread.title),
    `${stateName(thread, vscode.l10n.t)} · ${clean(thread.agent)} · ${thread.mode}`,
    `${clean(thread.repository.name)} · ${clean(thread.branch)}`,
    files > 0 ? `${fileCount(files, vscode.l10n.t)}, +${additions} −${deletions}` : vscode.l10n.t("no changes"),
  ];
  if (thread.error) lines.push(clean(thread.error.message, 400), clean(thread.error.hint ?? "", 400));
  return lines.filter((line) => line !== "").join("\n");
}
