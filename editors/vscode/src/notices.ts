// Toasts when an agent is done, needs you or failed: only where it is not on screen already, in one window, several at once as one.

import * as vscode from "vscode";

import { needsAccount } from "../webview/account.js";
import { Claims } from "./claims.js";
import { settings } from "./config.js";
import type { Ctx } from "./ctx.js";
import type { Notice } from "./protocol.js";
import { plain } from "./text.js";

const t = vscode.l10n.t;

/** Notices within this are told together: VS Code shows three toasts at most, and none that follows too soon. */
const DIGEST_MS = 500;
/** A window without the focus leaves the one with it this much time to be first. */
const COURTESY_MS = 300;

interface Action {
  readonly label: string;
  readonly command: string;
}

export class Notices implements vscode.Disposable {
  readonly #ctx: Ctx;
  readonly #claims: Claims;
  readonly #disposables: vscode.Disposable[];
  /** Those that nobody has read, by id. */
  readonly #unread = new Map<string, Notice>();
  #gathered: Notice[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Those that were posted while this bridge was not there were asked for. */
  #told = false;

  constructor(ctx: Ctx) {
    this.#ctx = ctx;
    this.#claims = new Claims(vscode.Uri.joinPath(ctx.extension.globalStorageUri, "notices").fsPath);
    this.#disposables = [
      ctx.bridge.onNotification("notice/didPost", ({ notice }) => void this.#take(notice)),
      ctx.bridge.onNotification("notice/didRead", ({ noticeId }) => this.#unread.delete(noticeId)),
      ctx.bridge.onDidStart(() => (this.#told = false)),
      ctx.threads.onDidLoad(() => void this.#waiting()),
      ctx.screens.onDidShow((threadId) => this.#see(threadId)),
      vscode.window.onDidChangeWindowState(({ focused }) => {
        if (focused) for (const { threadId } of [...this.#unread.values()]) if (ctx.screens.seen(threadId)) this.#see(threadId);
      }),
      new vscode.Disposable(() => clearTimeout(this.#timer)),
    ];
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }

  /** Those that were posted while no bridge was there, once after the start of each. */
  async #waiting(): Promise<void> {
    if (this.#told || !this.#ctx.threads.loaded) return;
    this.#told = true;
    try {
      const { notices } = await this.#ctx.bridge.request("notice/list", { unread: true });
      for (const notice of notices.reverse()) await this.#take(notice);
    } catch (error) {
      this.#told = false;
      this.#ctx.log.warn(`notices: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #take(notice: Notice): Promise<void> {
    if (notice.read || this.#unread.has(notice.id)) return;
    this.#unread.set(notice.id, notice);
    if (this.#ctx.screens.seen(notice.threadId)) {
      void this.#claims.take(notice.id);
      return this.#read([notice]);
    }
    if (!vscode.window.state.focused) await new Promise((resolve) => setTimeout(resolve, COURTESY_MS));
    // Read meanwhile, in another window for one.
    if (!this.#unread.has(notice.id)) return;
    if (!wanted(notice, this.#ctx.threads.get(notice.threadId)?.muted ?? false)) return;
    if (!(await this.#claims.take(notice.id))) return;
    this.#gathered.push(notice);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#show(this.#gathered.splice(0));
    }, DIGEST_MS);
  }

  async #show(notices: Notice[]): Promise<void> {
    // A question that was answered, or a thread that came on screen, while notices were gathered.
    const open = notices.filter(({ id, threadId }) => this.#unread.has(id) && !this.#ctx.screens.seen(threadId));
    // Of several of one thread, the newest says how it stands.
    const newest = open.at(-1);
    if (!newest) return;
    if (open.some(({ threadId }) => threadId !== newest.threadId)) return this.#digest(open);
    const actions = this.#actions(newest);
    const show = newest.kind === "failed" ? vscode.window.showErrorMessage : newest.kind === "needsAttention" ? vscode.window.showWarningMessage : vscode.window.showInformationMessage;
    this.#ctx.log.info(`notice ${newest.kind} of ${newest.threadId}`);
    const answer = await show(wording(newest), ...actions.map(({ label }) => label));
    // Closed or answered, it has been seen; one that merely vanished is open still.
    this.#read(open);
    const action = actions.find(({ label }) => label === answer);
    if (action) await vscode.commands.executeCommand(action.command, newest.threadId);
  }

  async #digest(notices: Notice[]): Promise<void> {
    const count = (kind: Notice["kind"]) => new Set(notices.filter((notice) => notice.kind === kind).map(({ threadId }) => threadId)).size;
    const [need, done, failed] = [count("needsAttention"), count("completed"), count("failed")];
    const others = notices.length - notices.filter(({ kind }) => ["needsAttention", "completed", "failed"].includes(kind)).length;
    const parts = [
      need > 0 ? (need === 1 ? t("one agent needs you") : t("{0} agents need you", need)) : "",
      failed > 0 ? (failed === 1 ? t("one agent failed") : t("{0} agents failed", failed)) : "",
      done > 0 ? (done === 1 ? t("one agent is done") : t("{0} agents are done", done)) : "",
      others > 0 ? t("{0} other notices", others) : "",
    ].filter((part) => part !== "");
    const show = t("Show agents");
    this.#ctx.log.info(`${notices.length} notices in one`);
    const answer = await (need > 0 ? vscode.window.showWarningMessage : vscode.window.showInformationMessage)(`Aloft: ${parts.join(", ")}`, show);
    this.#read(notices);
    if (answer === show) await vscode.commands.executeCommand("aloft.showThreads");
  }

  #actions({ kind, threadId }: Notice): Action[] {
    const open = { label: kind === "needsAttention" ? t("Answer") : t("Open"), command: "aloft.openThread" };
    const thread = this.#ctx.threads.get(threadId);
    switch (kind) {
      case "completed":
        return [open, ...(thread && thread.diff.files > 0 ? [{ label: t("Review"), command: "aloft.review" }] : []), { label: t("Mute"), command: "aloft.mute" }];
      case "needsAttention":
        return [open, { label: t("Stop"), command: "aloft.stop" }];
      case "failed":
        return [open, needsAccount(thread?.error?.reason) ? { label: t("Connect…"), command: "aloft.connect" } : { label: t("Retry"), command: "aloft.retry" }];
      case "pullRequest":
        return [{ label: t("Open pull request"), command: "aloft.openPullRequest" }, open];
      case "expiring":
        return [{ label: t("Keep"), command: "aloft.keep" }, open];
      default:
        return [open];
    }
  }

  #see(threadId: string): void {
    if (vscode.window.state.focused) this.#read([...this.#unread.values()].filter((notice) => notice.threadId === threadId));
  }

  #read(notices: Notice[]): void {
    const noticeIds = notices.map(({ id }) => id).filter((id) => this.#unread.delete(id));
    if (noticeIds.length === 0) return;
    this.#ctx.bridge.request("notice/read", { noticeIds }).catch((error: unknown) => {
      this.#ctx.log.warn(`notice/read: ${error instanceof Error ? error.message : String(error)}`);
    });
  }
}

function wanted({ kind }: Notice, muted: boolean): boolean {
  const level = settings().notices;
  // The cloud posts nothing of a muted thread, but for questions where its owner wants them all the same.
  if (level === "off" || (muted && kind !== "needsAttention")) return false;
  return level === "all" || kind !== "completed";
}

function wording({ title, body }: Notice): string {
  return body ? `${plain(title)}: ${plain(body, 300)}` : plain(title);
}
