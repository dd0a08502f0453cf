// Comments on lines of a review as native comment threads, collected until they are sent to the agent as one message.

import { randomUUID } from "node:crypto";

import * as vscode from "vscode";

import type { Ctx } from "./ctx.js";
import { type Documents, addressOf, sideOf, uriOf } from "./documents.js";
import { type Draft, Drafts } from "./review_drafts.js";
import { send } from "./send.js";
import { clean } from "./text.js";

const t = vscode.l10n.t;

class Remark implements vscode.Comment {
  mode = vscode.CommentMode.Preview;
  readonly author = { name: t("You") };
  readonly contextValue = "draft";
  readonly label = t("not sent");
  /** What it was before it was changed. */
  before: string;

  constructor(
    readonly id: string,
    public body: string,
  ) {
    this.before = body;
  }
}

export class ReviewComments implements vscode.Disposable {
  readonly #ctx: Ctx;
  readonly #documents: Documents;
  readonly #controller: vscode.CommentController;
  readonly #shown = new Map<string, vscode.CommentThread>();
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #drafts: Drafts;

  readonly onDidChange = this.#changed.event;

  constructor(ctx: Ctx, documents: Documents) {
    this.#ctx = ctx;
    this.#documents = documents;
    this.#drafts = new Drafts(ctx.extension.workspaceState, () => this.#changed.fire());
    this.#controller = vscode.comments.createCommentController("aloft.review", t("Review for the agent"));
    this.#controller.options = { prompt: t("Comment for the agent…"), placeHolder: t("What should be different here?") };
    this.#controller.commentingRangeProvider = {
      provideCommentingRanges: (document) => {
        const address = addressOf(document.uri);
        return address?.kind === "diff" ? [new vscode.Range(0, 0, Math.max(0, document.lineCount - 1), 0)] : [];
      },
    };
    const command = (name: string, run: (...given: never[]) => unknown): vscode.Disposable =>
      vscode.commands.registerCommand(`aloft.review.${name}`, async (...given: unknown[]) => {
        try {
          await run(...(given as never[]));
        } catch (error) {
          ctx.fail(t("Review"), error);
        }
      });
    ctx.extension.subscriptions.push(
      this,
      command("addComment", (reply: vscode.CommentReply) => this.#add(reply)),
      command("editComment", (remark: Remark) => this.#edit(remark)),
      command("saveComment", (remark: Remark) => this.#save(remark)),
      command("cancelComment", (remark: Remark) => this.#cancel(remark)),
      command("deleteComment", (given: Remark | { draft: Draft }) => this.#remove("draft" in given ? given.draft.id : given.id)),
      command("deleteThread", (thread: vscode.CommentThread) => this.#removeThread(thread)),
    );
    for (const draft of this.all()) this.#show(draft);
  }

  /** Comments that were not sent, of one thread or all. */
  all(threadId?: string): Draft[] {
    return this.#drafts.all(threadId);
  }

  /** All comments on a thread's changes, as one message. */
  async send(threadId: string): Promise<number> {
    const sent = await this.#drafts.send(threadId, (input, requestId) => send(this.#ctx.bridge, threadId, input, "guide", requestId));
    const left = new Set(this.all(threadId).map(({ id }) => id));
    for (const { id } of sent) if (!left.has(id)) this.#hide(id);
    return sent.length;
  }

  async discard(threadId: string): Promise<void> {
    const ids = this.all(threadId).map(({ id }) => id);
    for (const id of ids) this.#hide(id);
    await this.#drafts.remove(...ids);
  }

  /** Shows a comment at its lines. */
  async reveal(draft: Draft): Promise<void> {
    const uri = this.#uri(draft);
    await vscode.window.showTextDocument(uri, { selection: new vscode.Range(draft.start, 0, draft.start, 0), preview: true });
  }

  /** Finds the lines of the comments again after the files changed. */
  async anchor(threadId: string): Promise<void> {
    await this.#drafts.anchor(threadId, async ({ against, path, side }) => sideOf(await this.#documents.diff(threadId, against, path), side));
    for (const draft of this.all(threadId)) this.#show(draft);
  }

  dispose(): void {
    this.#controller.dispose();
  }

  async #add(reply: vscode.CommentReply): Promise<void> {
    const { thread, text } = reply;
    const address = addressOf(thread.uri);
    if (address?.kind !== "diff" || text.trim() === "") return;
    const document = await vscode.workspace.openTextDocument(thread.uri);
    const range = thread.range ?? new vscode.Range(0, 0, 0, 0);
    const last = Math.min(range.end.line, document.lineCount - 1);
    const lines = Array.from({ length: last - range.start.line + 1 }, (_, index) => document.lineAt(range.start.line + index).text);
    const { threadId, against, path, side } = address;
    const draft: Draft = { id: randomUUID(), threadId, against, path, side, start: range.start.line, end: last, text: lines.join("\n"), body: text };
    await this.#drafts.add(draft);
    // A second comment on the same lines is one of its own: the first thread keeps its own.
    thread.dispose();
    this.#show(draft);
  }

  #edit(remark: Remark): void {
    this.#set(remark, { mode: vscode.CommentMode.Editing });
  }

  async #save(remark: Remark): Promise<void> {
    if (remark.body.trim() === "") return this.#remove(remark.id);
    remark.before = remark.body;
    this.#set(remark, { mode: vscode.CommentMode.Preview });
    await this.#drafts.change(remark.id, { body: remark.body });
  }

  #cancel(remark: Remark): void {
    remark.body = remark.before;
    this.#set(remark, { mode: vscode.CommentMode.Preview });
  }

  async #remove(id: string): Promise<void> {
    this.#hide(id);
    await this.#drafts.remove(id);
  }

  async #removeThread(thread: vscode.CommentThread): Promise<void> {
    const [remark] = thread.comments;
    if (remark instanceof Remark) await this.#remove(remark.id);
    else thread.dispose();
  }

  #set(remark: Remark, { mode }: { mode: vscode.CommentMode }): void {
    remark.mode = mode;
    const thread = this.#shown.get(remark.id);
    if (thread) thread.comments = [remark];
  }

  #show(draft: Draft): void {
    const range = new vscode.Range(draft.start, 0, draft.end, 0);
    let thread = this.#shown.get(draft.id);
    if (thread) thread.range = range;
    else {
      thread = this.#controller.createCommentThread(this.#uri(draft), range, [new Remark(draft.id, draft.body)]);
      this.#shown.set(draft.id, thread);
    }
    thread.canReply = false;
    thread.contextValue = "draft";
    thread.collapsibleState = vscode.CommentThreadCollapsibleState.Expanded;
    thread.label = draft.outdated ? t("Outdated: these lines are not there any more") : t("For the agent");
  }

  #hide(id: string): void {
    this.#shown.get(id)?.dispose();
    this.#shown.delete(id);
  }

  #uri({ threadId, against, path, side }: Draft): vscode.Uri {
    return uriOf(path, { kind: "diff", threadId, against, path, side });
  }
}

/** A comment in one line. */
export function summary(draft: Draft): string {
  return clean(draft.body, 80);
}
