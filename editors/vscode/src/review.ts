// The review of a thread: its diff in one editor, its files in a view of their own, comments to the agent, and the way of single
// changes into the local checkout or out of the sandbox.

import * as vscode from "vscode";

import type { Ctx } from "./ctx.js";
import { type Documents, addressOf, uriOf } from "./documents.js";
import { isReason } from "./errors.js";
import { threadOf, type Given } from "./pick.js";
import type { Against, FileDiff } from "./protocol.js";
import { ReviewComments } from "./review_comments.js";
import type { Draft } from "./review_drafts.js";
import { ViewedMarks } from "./review_marks.js";
import { type Target, hunkOfCursor, pickHunks, revert, take } from "./review_take.js";
import { type Node, PAGE, ReviewTree, pages } from "./review_tree.js";
import { openInSandbox } from "./sandbox_file.js";
import type { SandboxFiles } from "./sandbox_files.js";
import { clean } from "./text.js";

const t = vscode.l10n.t;
/** Changes of a thread that come quickly after each other are read once. */
const SETTLE_MS = 300;
const OPEN = "aloft.review.open";

interface Current {
  threadId: string;
  against: Against;
  files: FileDiff[];
  page: number;
  reverted: Set<string>;
}

type Place = Node | vscode.Uri | undefined;

export class Review {
  readonly #ctx: Ctx;
  readonly #documents: Documents;
  readonly #files: SandboxFiles;
  readonly #marks: ViewedMarks;
  readonly #comments: ReviewComments;
  readonly #tree = new ReviewTree();
  readonly #view: vscode.TreeView<Node>;
  #current: Current | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(ctx: Ctx, documents: Documents, files: SandboxFiles) {
    this.#ctx = ctx;
    this.#documents = documents;
    this.#files = files;
    this.#marks = new ViewedMarks(ctx.extension.workspaceState);
    this.#comments = new ReviewComments(ctx, documents);
    this.#view = vscode.window.createTreeView("aloft.review", { treeDataProvider: this.#tree, manageCheckboxStateManually: true, showCollapseAll: false });
    const command = (name: string, what: () => string, run: (...given: never[]) => unknown): vscode.Disposable =>
      vscode.commands.registerCommand(`aloft.${name}`, async (...given: unknown[]) => {
        try {
          return await run(...(given as never[]));
        } catch (error) {
          ctx.fail(what(), error);
          return undefined;
        }
      });
    const review = (): string => t("Review changes");
    ctx.extension.subscriptions.push(
      this.#view,
      this.#comments.onDidChange(() => {
        this.#showComments();
        this.#tree.refresh();
      }),
      this.#view.onDidChangeCheckboxState((change) => void this.#check(change)),
      ctx.threads.onDidChange(({ id, thread, before }) => {
        if (id !== this.#current?.threadId) return;
        if (thread === undefined) void this.close();
        else if (before?.lastTurn?.state !== thread.lastTurn?.state || JSON.stringify(before?.diff) !== JSON.stringify(thread.diff)) this.#later();
      }),
      command("reviewMergeBase", review, (given: Given) => this.#of(given, "mergeBase")),
      command("reviewUncommitted", review, (given: Given) => this.#of(given, "uncommitted")),
      command("reviewTurn", review, (given: Given, turn?: number) => this.#ofTurn(given, turn)),
      command("review.refresh", review, () => this.refresh()),
      command("review.close", review, () => this.close()),
      command("review.openAll", review, () => this.#openPage(this.#current?.page ?? 0)),
      command("review.openPage", review, (node: Node) => (node.kind === "page" ? this.#openPage(node.index) : undefined)),
      command("review.openFile", review, (node: Node) => this.#openFile(node)),
      command("review.openComment", review, (node: Node) => (node.kind === "comment" ? this.#comments.reveal(node.draft) : undefined)),
      command("review.conversation", review, () => this.#current && ctx.openThread(this.#current.threadId)),
      command("review.apply", review, () => this.#current && vscode.commands.executeCommand("aloft.apply", this.#current.threadId)),
      command("review.send", () => t("Send the comments"), () => this.#send()),
      command("review.discard", () => t("Discard the comments"), () => this.#discard()),
      command("review.takeFile", () => t("Take a file"), (place: Place) => this.#take(place, "file")),
      command("review.takeHunk", () => t("Take a change"), (place: Place) => this.#take(place, "hunk")),
      command("review.revertFile", () => t("Revert a file"), (place: Place) => this.#revert(place, "file")),
      command("review.revertHunk", () => t("Revert a change"), (place: Place) => this.#revert(place, "hunk")),
      command("review.openInSandbox", () => t("Open a file in the sandbox"), (place: Place) => this.#openInSandbox(place)),
    );
    void vscode.commands.executeCommand("setContext", OPEN, false);
  }

  /** What is under review; the tests look at it. */
  get current(): { threadId: string; against: Against; files: readonly FileDiff[]; comments: readonly Draft[] } | undefined {
    return this.#current && { ...this.#current, comments: this.#comments.all(this.#current.threadId) };
  }

  async open(threadId: string, against: Against = "base"): Promise<void> {
    const read = (): Promise<FileDiff[]> => this.#read(threadId, against);
    const files = await vscode.window.withProgress({ location: { viewId: "aloft.threads" } }, read);
    if (files.length === 0) {
      void vscode.window.showInformationMessage(t("There is nothing to review: {0}.", clean(this.#nothing(threadId, against), 200)));
      return;
    }
    this.#documents.refresh(threadId);
    this.#current = { threadId, against, files, page: 0, reverted: new Set() };
    this.#show();
    await vscode.commands.executeCommand("setContext", OPEN, true);
    await this.#openPage(0);
    await this.#comments.anchor(threadId);
  }

  /** Reads the diff anew; editors that are open follow. */
  async refresh(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    const files = await this.#read(current.threadId, current.against);
    if (this.#current !== current) return;
    current.files = files;
    current.reverted.clear();
    current.page = Math.min(current.page, Math.max(0, pages(files).length - 1));
    this.#documents.refresh(current.threadId);
    this.#show();
    await this.#comments.anchor(current.threadId);
  }

  async close(): Promise<void> {
    this.#current = undefined;
    this.#tree.set(undefined);
    await vscode.commands.executeCommand("setContext", OPEN, false);
  }

  async #read(threadId: string, against: Against): Promise<FileDiff[]> {
    try {
      const { files } = await this.#ctx.bridge.request("thread/diff", { threadId, against });
      this.#documents.know(threadId, against, files);
      return files;
    } catch (error) {
      // Nothing was saved yet, so nothing is changed yet.
      if (isReason(error, "NOT_SAVED")) return [];
      throw error;
    }
  }

  #nothing(threadId: string, against: Against): string {
    const title = this.#ctx.threads.get(threadId)?.title ?? threadId;
    if (against === "mergeBase") return t("everything in “{0}” is in the base branch now", title);
    if (against === "uncommitted") return t("everything in “{0}” is committed", title);
    if (typeof against === "object") return t("turn {0} of “{1}” changed no file", against.turn, title);
    return t("“{0}” has changed no file yet", title);
  }

  async #of(given: Given, against: Against): Promise<void> {
    const threadId = await this.#id(given);
    if (threadId !== undefined) await this.open(threadId, against);
  }

  async #ofTurn(given: Given, turn?: number): Promise<void> {
    const threadId = await this.#id(given);
    if (threadId === undefined) return;
    if (turn !== undefined) return this.open(threadId, { turn });
    const { turns } = await this.#ctx.bridge.request("thread/read", { threadId, limit: 1000 });
    const items = turns
      .filter((one) => one.commit !== undefined)
      .reverse()
      .map((one) => ({ label: t("Turn {0}", one.number), description: one.state, turn: one.number }));
    const picked = await vscode.window.showQuickPick(items, { placeHolder: t("The changes of which turn?") });
    if (picked) await this.open(threadId, { turn: picked.turn });
  }

  /** The thread meant: a row, that of the panel one is in, the one under review, or one that a person picks. */
  async #id(given: Given): Promise<string | undefined> {
    const current = this.#ctx.activeThread() === undefined ? this.#current?.threadId : undefined;
    return threadOf(this.#ctx, given ?? current, t("Review changes"), ({ diff }) => diff.files > 0);
  }

  // ---- showing

  #title(): string {
    const current = this.#current;
    if (current === undefined) return "";
    const { against } = current;
    const title = clean(this.#ctx.threads.get(current.threadId)?.title ?? "", 60);
    const what = typeof against === "object" ? t("turn {0}", against.turn) : { base: t("all changes"), mergeBase: t("against the base branch now"), uncommitted: t("not committed") }[against];
    return `${title}: ${what}`;
  }

  #show(): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#view.description = this.#title();
    this.#tree.set({
      threadId: current.threadId,
      files: current.files,
      reverted: current.reverted,
      isViewed: (file) => this.#marks.isViewed(current.threadId, file),
      comments: () => this.#comments.all(current.threadId),
    });
    this.#message();
    this.#showComments();
  }

  #message(): void {
    const current = this.#current;
    if (current === undefined) return;
    const viewed = current.files.filter((file) => this.#marks.isViewed(current.threadId, file)).length;
    this.#view.message = current.files.length === 0 ? t("Nothing is changed any more.") : t("{0} of {1} files viewed", viewed, current.files.length);
  }

  #showComments(): void {
    const count = this.#current ? this.#comments.all(this.#current.threadId).length : 0;
    this.#view.badge = count > 0 ? { value: count, tooltip: count === 1 ? t("1 comment is not sent yet") : t("{0} comments are not sent yet", count) } : undefined;
    void vscode.commands.executeCommand("setContext", "aloft.review.comments", count > 0);
  }

  async #openPage(index: number): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    const files = pages(current.files)[index];
    if (files === undefined) return;
    current.page = index;
    const first = index * PAGE + 1;
    const part = current.files.length > PAGE ? t(" ({0} to {1} of {2})", first, first + files.length - 1, current.files.length) : "";
    if (part !== "" && index === 0) {
      void vscode.window.showInformationMessage(t("{0} of {1} files shown; the view “Review” has the rest.", PAGE, current.files.length));
    }
    const resources = files.map((file) => {
      const { before, after } = this.#sides(file);
      return [after ?? before, before, after];
    });
    await vscode.commands.executeCommand("vscode.changes", `${this.#title()}${part}`, resources);
  }

  async #openFile(node: Node): Promise<void> {
    if (node.kind !== "file" || this.#current === undefined) return;
    const { file } = node;
    const address = { kind: "diff", threadId: this.#current.threadId, against: this.#current.against, path: file.path } as const;
    const before = uriOf(file.oldPath ?? file.path, { ...address, side: "before" });
    const after = uriOf(file.path, { ...address, side: "after" });
    await vscode.commands.executeCommand("vscode.diff", before, after, `${clean(file.path.split("/").at(-1) ?? "", 60)} (${this.#title()})`, { preview: true });
  }

  #sides(file: FileDiff): { before?: vscode.Uri; after?: vscode.Uri } {
    const current = this.#current;
    if (current === undefined) return {};
    const address = { kind: "diff", threadId: current.threadId, against: current.against, path: file.path } as const;
    return {
      ...(file.status === "added" ? {} : { before: uriOf(file.oldPath ?? file.path, { ...address, side: "before" }) }),
      ...(file.status === "deleted" ? {} : { after: uriOf(file.path, { ...address, side: "after" }) }),
    };
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh().catch((error: unknown) => this.#ctx.log.warn(`review: ${String(error)}`)), SETTLE_MS);
  }

  async #check(change: vscode.TreeCheckboxChangeEvent<Node>): Promise<void> {
    for (const [node, state] of change.items) {
      if (node.kind === "file") await this.#marks.set(node.threadId, node.file, state === vscode.TreeItemCheckboxState.Checked);
    }
    this.#tree.refresh();
    this.#message();
  }

  // ---- acting

  async #send(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    const sent = await this.#comments.send(current.threadId);
    if (sent === 0) {
      void vscode.window.showInformationMessage(t("There is no comment to send: click beside a line to write one."));
      return;
    }
    const open = t("Show the conversation");
    void vscode.window
      .showInformationMessage(sent === 1 ? t("The comment was sent to the agent.") : t("{0} comments were sent to the agent.", sent), open)
      .then((answer) => answer === open && this.#ctx.openThread(current.threadId));
  }

  async #discard(): Promise<void> {
    const current = this.#current;
    const count = current ? this.#comments.all(current.threadId).length : 0;
    if (current === undefined || count === 0) return;
    const act = t("Discard");
    const question = count === 1 ? t("Discard the comment that was not sent?") : t("Discard {0} comments that were not sent?", count);
    if ((await vscode.window.showWarningMessage(question, { modal: true }, act)) === act) {
      await this.#comments.discard(current.threadId);
    }
  }

  /** The file meant: a row of the view, or the editor that is active. */
  #target(place: Place): Target & { line?: number } {
    if (place && "kind" in place && place.kind === "file" && this.#current) return { threadId: this.#current.threadId, against: this.#current.against, path: place.file.path };
    const editor = vscode.window.activeTextEditor;
    const uri = place instanceof vscode.Uri ? place : editor?.document.uri;
    const address = uri && addressOf(uri);
    if (address?.kind !== "diff") throw new Error(t("This is no file of a review: open its diff first"));
    const here = editor && editor.document.uri.toString() === uri?.toString() && address.side === "after" ? { line: editor.selection.active.line } : {};
    return { threadId: address.threadId, against: address.against, path: address.path, ...here };
  }

  async #hunks(target: Target & { line?: number }, title: string): Promise<number[] | undefined> {
    return target.line === undefined ? pickHunks(this.#documents, target, title) : hunkOfCursor(this.#documents, target, target.line);
  }

  async #take(place: Place, what: "file" | "hunk"): Promise<void> {
    const target = this.#target(place);
    if (what === "file") {
      await take(this.#ctx, this.#documents, target);
      return;
    }
    const hunks = await this.#hunks(target, t("Take into the local checkout"));
    if (hunks) await take(this.#ctx, this.#documents, target, hunks);
  }

  async #revert(place: Place, what: "file" | "hunk"): Promise<void> {
    const target = this.#target(place);
    const hunks = what === "hunk" ? await this.#hunks(target, t("Take back in the sandbox")) : undefined;
    if (what === "hunk" && hunks === undefined) return;
    if (!(await revert(this.#ctx, this.#documents, target, hunks))) return;
    this.#files.refresh(target.threadId);
    // The recorded diff follows with the next turn.
    if (this.#current?.threadId === target.threadId) this.#current.reverted.add(target.path);
    this.#tree.refresh();
  }

  async #openInSandbox(place: Place): Promise<void> {
    const { threadId, path, line } = this.#target(place);
    await openInSandbox(this.#ctx, threadId, path, line);
  }
}
