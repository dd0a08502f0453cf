// Panels that show a thread each. A panel keeps nothing: it reads what it shows from the bridge whenever it appears, and follows it
// from there.

import * as vscode from "vscode";

import type { Source } from "../webview/create_messages.js";
import type { Draft, How, Opening, ThreadAsks, ThreadTold, Verb } from "../webview/messages.js";
import { selectionOf } from "./attach.js";
import { inputs, link, oneOf, string, whole } from "./check.js";
import type { Ctx, OpenOptions } from "./ctx.js";
import type { Opening as NewAgent } from "./create.js";
import { asRequestError } from "./errors.js";
import type { Follows, Opened } from "./follows.js";
import { History, textOf } from "./history.js";
import { openItem, showDetail, showOutput } from "./items.js";
import type { Event, Input, Item, Kept } from "./protocol.js";
import { pickThread } from "./pick.js";
import { send } from "./send.js";
import { slim, slimEvent } from "./slim.js";
import { clean } from "./text.js";
import { openInSandbox } from "./sandbox_file.js";
import { serve, tell } from "./webview_host.js";
import { page, roots } from "./webview.js";

const t = vscode.l10n.t;

export const PANEL = "aloft.thread";
/** Where the unsent words of a thread are kept, before its id. */
const DRAFT = "aloft.draft.";
/** Items of a page. */
const PAGE = 200;
/** Events are handed on together, as often as a screen is drawn. */
const BATCH_MS = 16;
const VERBS = [
  "stop", "finish", "pause", "resume", "retry", "delete", "mute", "unmute", "apply", "ssh", "review", "createPullRequest", "open", "mode", "ports", "connect",
  "fork", "rewind", "more",
] as const satisfies readonly Verb[];

export class ThreadPanels {
  readonly #ctx: Ctx;
  readonly #follows: Follows;
  readonly #history: History;
  readonly #panels = new Map<string, ThreadPanel>();

  constructor(ctx: Ctx, follows: Follows) {
    this.#ctx = ctx;
    this.#follows = follows;
    this.#history = new History(ctx.extension.globalState);
    ctx.extension.subscriptions.push(
      vscode.window.registerWebviewPanelSerializer(PANEL, {
        deserializeWebviewPanel: async (panel, state: unknown) => {
          const id = typeof state === "object" && state !== null && "threadId" in state ? state.threadId : undefined;
          if (typeof id === "string" && !this.#panels.has(id)) this.#take(id, panel);
          else panel.dispose();
        },
      }),
      vscode.commands.registerCommand("aloft.attachSelection", () => this.#attachSelection().catch((error: unknown) => ctx.fail(t("Add to a message"), error))),
      ctx.threads.onDidChange(({ id }) => id === this.active?.threadId && this.#offer()),
      ctx.threads.onDidLoad(() => this.#offer()),
      ctx.screens.add({ shows: (threadId) => this.#panels.get(threadId)?.visible ?? false }),
    );
  }

  /** The one that a person is in. */
  get active(): ThreadPanel | undefined {
    return [...this.#panels.values()].find(({ panel }) => panel.active);
  }

  /** Shows the conversation of a thread. */
  open(threadId: string, options: OpenOptions = {}): ThreadPanel {
    const id = this.#ctx.threads.named(threadId)?.id ?? threadId;
    const preserveFocus = options.preserveFocus ?? false;
    const known = this.#panels.get(id);
    if (known) {
      known.panel.reveal(undefined, preserveFocus);
      if (!preserveFocus) known.focus();
      return known;
    }
    const viewColumn = options.beside ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active;
    const panel = vscode.window.createWebviewPanel(PANEL, "Aloft", { viewColumn, preserveFocus }, {});
    return this.#take(id, panel);
  }

  /** Puts something into the message box of a thread. */
  attach(threadId: string, parts: Input[]): void {
    this.open(threadId).attach(parts);
  }

  /** What is selected goes into the message box of the one panel that can be seen, or of a thread that a person picks. */
  async #attachSelection(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (!editor) return;
    const part = await selectionOf(editor.document, editor.selection);
    const [first, ...more] = [...this.#panels.values()].filter(({ visible }) => visible);
    const threadId = first && more.length === 0 ? first.threadId : await pickThread(this.#ctx.threads, t("Add the selection to the message to which agent?"));
    if (threadId !== undefined) this.attach(threadId, [part]);
  }

  #take(threadId: string, panel: vscode.WebviewPanel): ThreadPanel {
    const taken = new ThreadPanel(this.#ctx, this.#follows, this.#history, threadId, panel);
    this.#panels.set(threadId, taken);
    panel.onDidChangeViewState(() => this.#offer());
    panel.onDidDispose(() => {
      this.#panels.delete(threadId);
      this.#offer();
    });
    this.#offer();
    return taken;
  }

  /** What the title bar can do with the thread of the panel that a person is in. */
  #offer(): void {
    const { active } = this;
    const thread = active && this.#ctx.threads.get(active.threadId);
    void vscode.commands.executeCommand("setContext", "aloft.panel.changed", (thread?.diff.files ?? 0) > 0);
    void vscode.commands.executeCommand("setContext", "aloft.panel.pullRequest", thread?.pullRequest !== undefined);
  }
}

export class ThreadPanel {
  readonly #ctx: Ctx;
  readonly #follows: Follows;
  readonly #history: History;
  readonly #disposables: vscode.Disposable[] = [];
  #opened: Opened | undefined;
  #events: Event[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Each time the page begins anew. */
  #generation = 0;
  #queued = -1;
  /** The page could not be read last. */
  #failed = false;
  #waiting: Input[] = [];

  constructor(
    ctx: Ctx,
    follows: Follows,
    history: History,
    readonly threadId: string,
    readonly panel: vscode.WebviewPanel,
  ) {
    this.#ctx = ctx;
    this.#follows = follows;
    this.#history = history;
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: roots(ctx.extension) };
    // Newer editors take a themed icon here; the types are those of the oldest.
    panel.iconPath = new vscode.ThemeIcon("comment-discussion") as never;
    this.#disposables.push(
      serve<ThreadAsks>(webview, this.#handlers(), ctx.log),
      panel.onDidChangeViewState(() => this.#seen()),
      panel.onDidDispose(() => this.#close()),
      ctx.threads.onDidChange(({ id, thread }) => {
        if (id !== threadId) return;
        if (thread) this.#title(thread.title);
        else tell<ThreadTold, "gone">(webview, "gone", { message: t("This thread was deleted.") });
      }),
      ctx.bridge.onDidStart(() => {
        if (this.#failed && panel.visible) tell<ThreadTold, "again">(webview, "again", null);
      }),
      ctx.bridge.onDidChangeState(() => tell<ThreadTold, "trouble">(webview, "trouble", this.#trouble() ?? null)),
      ctx.bridge.onNotification("outbox/didDeliver", ({ kept }) => void (kept.threadId === threadId && this.#tellKept())),
      ctx.bridge.onNotification("outbox/didRefuse", ({ kept }) => void (kept.threadId === threadId && this.#tellKept())),
    );
    this.#title(ctx.threads.get(threadId)?.title ?? "Aloft");
    webview.html = page(webview, ctx.extension, "thread", "Aloft");
    this.#seen();
  }

  get visible(): boolean {
    return this.panel.visible;
  }

  focus(): void {
    tell<ThreadTold, "focus">(this.panel.webview, "focus", null);
  }

  attach(parts: Input[]): void {
    // A page that is not there yet takes it when it is.
    if (this.#opened && this.visible) tell<ThreadTold, "attach">(this.panel.webview, "attach", parts);
    else this.#waiting.push(...parts);
  }

  #title(title: string): void {
    const shown = clean(title, 60) || "Aloft";
    if (this.panel.title !== shown) this.panel.title = shown;
  }

  #seen(): void {
    if (this.panel.visible) this.#ctx.screens.shown(this.threadId);
    // A hidden page is gone: it asks anew when it appears.
    else this.#release();
  }

  #release(): void {
    this.#generation++;
    this.#opened?.dispose();
    this.#opened = undefined;
    this.#events = [];
  }

  #close(): void {
    this.#release();
    clearTimeout(this.#timer);
    for (const disposable of this.#disposables) disposable.dispose();
  }

  #trouble(): { message: string; hint?: string } | undefined {
    const { kind, message, hint } = this.#ctx.bridge.state;
    if (kind === "stopped") return { message: message ?? t("Aloft does not run."), ...(hint ? { hint } : {}) };
    if (kind === "offline") return { message: message ?? t("The cloud cannot be reached. What you send is delivered later.") };
    if (kind === "unauthenticated") return { message: message ?? t("You are not signed in."), hint: t("Run `aloft login URL` in a terminal.") };
    return undefined;
  }

  async #open(): Promise<Opening> {
    this.#release();
    const generation = this.#generation;
    const opened = await this.#follows.open(
      this.threadId,
      {
        event: (event) => generation === this.#generation && this.#hear(event),
        lost: (error) => generation === this.#generation && this.#lost(error),
      },
      PAGE,
    );
    if (generation !== this.#generation) {
      opened.dispose();
      throw new Error("the panel was closed meanwhile");
    }
    this.#opened = opened;
    const { thread, turns, items, hasMore, cursor, lastSeen } = opened.page;
    this.#title(thread.title);
    this.#queued = thread.queued;
    const [queue, kept] = await Promise.all([this.#queue(), this.#keptOnes()]);
    return {
      thread, turns, hasMore, cursor, lastSeen, queue, kept,
      items: items.map(slim),
      history: this.#history.all(),
      attached: this.#waiting.splice(0),
      trouble: this.#trouble(),
    };
  }

  #hear(event: Event): void {
    this.#events.push(slimEvent(event));
    if (event.type === "threadChanged" && event.thread.queued !== this.#queued) {
      this.#queued = event.thread.queued;
      void this.#tellQueue();
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const events = this.#events;
      this.#events = [];
      if (events.length > 0) tell<ThreadTold, "events">(this.panel.webview, "events", events);
    }, BATCH_MS);
  }

  #lost(error: unknown): void {
    const { reason, message } = asRequestError(error);
    if (reason === "THREAD_NOT_FOUND") tell<ThreadTold, "gone">(this.panel.webview, "gone", { message: t("This thread was deleted.") });
    else {
      this.#ctx.log.warn(`the thread ${this.threadId} is read anew: ${message}`);
      tell<ThreadTold, "again">(this.panel.webview, "again", null);
    }
  }

  /** Undefined where it cannot be read: that says nothing of what waits. */
  async #queue(): Promise<Item[] | undefined> {
    try {
      return (await this.#ctx.bridge.request("queue/list", { threadId: this.threadId })).items;
    } catch {
      return undefined;
    }
  }

  async #keptOnes(): Promise<Kept[]> {
    try {
      const { waiting, refused } = await this.#ctx.bridge.request("outbox/list", {});
      return [...refused, ...waiting].filter((kept) => kept.threadId === this.threadId);
    } catch {
      return [];
    }
  }

  async #tellQueue(items?: Item[]): Promise<null> {
    const waiting = items ?? (await this.#queue());
    if (waiting) tell<ThreadTold, "queue">(this.panel.webview, "queue", waiting);
    return null;
  }

  async #tellKept(): Promise<void> {
    tell<ThreadTold, "kept">(this.panel.webview, "kept", await this.#keptOnes());
  }

  async #told(result: { kept?: boolean }): Promise<{ kept: boolean }> {
    if (result.kept) await this.#tellKept();
    return { kept: result.kept ?? false };
  }

  #unsent(): Draft | undefined {
    return this.#ctx.extension.workspaceState.get<Draft>(DRAFT + this.threadId);
  }

  #handlers(): { [K in keyof ThreadAsks]: (params: ThreadAsks[K]["params"]) => Promise<ThreadAsks[K]["result"]> } {
    const { threadId } = this;
    const { bridge } = this.#ctx;
    return {
      ready: async () => {
        try {
          const opening = await this.#open();
          this.#failed = false;
          return opening;
        } catch (error) {
          this.#failed = true;
          throw error;
        }
      },
      older: async ({ before }) => {
        const { turns, items, hasMore } = await bridge.request("thread/read", { threadId, before: string(before, "before"), limit: PAGE });
        return { turns, hasMore, items: items.map(slim) };
      },
      item: async ({ itemId }) => (await bridge.request("item/read", { threadId, itemId: string(itemId, "itemId") })).item,
      output: ({ itemId, offset, limit }) =>
        bridge.request("item/output", { threadId, itemId: string(itemId, "itemId"), offset: whole(offset, "offset"), limit: whole(limit, "limit") }),
      openOutput: async ({ itemId }) => (await showOutput(threadId, string(itemId, "itemId")), null),
      openDetail: async ({ itemId, part }) =>
        (await showDetail(threadId, string(itemId, "itemId"), oneOf(part, ["arguments", "result"], "part")), null),
      openDiff: async ({ itemId, index }) => (await openItem(this.#ctx, threadId, string(itemId, "itemId"), whole(index, "index")), null),
      openUrl: async ({ url }) => (await vscode.env.openExternal(vscode.Uri.parse(link(url), true)), null),
      openFile: async ({ path, line }) => (await openInSandbox(this.#ctx, threadId, string(path, "path"), line), null),
      unsent: async () => this.#unsent() ?? null,
      draft: async ({ draft, attached = this.#unsent()?.attached ?? [] }) => {
        const empty = draft.text === "" && attached.length === 0 && !draft.aside;
        await this.#ctx.extension.workspaceState.update(DRAFT + threadId, empty ? undefined : { ...draft, attached });
        return null;
      },
      send: async ({ input, how, requestId }) => {
        const parts = inputs(input);
        const result = await send(bridge, threadId, parts, oneOf<How>(how, ["guide", "queue"], "how"), string(requestId, "requestId"));
        await this.#history.add(parts);
        if (how === "queue") await this.#tellQueue();
        return this.#told(result);
      },
      create: async ({ input }) => this.#create(inputs(input)),
      answer: async ({ itemId, optionId }) =>
        this.#told(await bridge.request("permission/answer", { threadId, itemId: string(itemId, "itemId"), optionId: string(optionId, "optionId") })),
      queueMove: async ({ itemId, position }) =>
        this.#tellQueue((await bridge.request("queue/move", { threadId, itemId: string(itemId, "itemId"), position: whole(position, "position") })).items),
      queueRemove: async ({ itemId }) => this.#tellQueue((await bridge.request("queue/remove", { threadId, itemId: string(itemId, "itemId") })).items),
      queueEdit: async ({ itemId, input, requestId }) => this.#edit(string(itemId, "itemId"), inputs(input), string(requestId, "requestId")),
      keptRemove: async ({ requestId }) => (await bridge.request("outbox/remove", { requestId: string(requestId, "requestId") }), await this.#tellKept(), null),
      verb: async ({ verb, turn }) => {
        await runVerb(this.#ctx, oneOf(verb, VERBS, "verb"), threadId, turn === undefined ? undefined : whole(turn, "turn"));
        return null;
      },
    };
  }

  /** A message that is for a new agent: its form begins with it, and with the repository of this one. */
  async #create(input: Input[]): Promise<boolean> {
    // One that is gone is known to its page still.
    const { path, url } = (this.#opened?.page.thread ?? this.#ctx.threads.get(this.threadId))?.repository ?? {};
    const source: Source | undefined = path !== undefined ? { path } : url !== undefined ? { repository: url } : undefined;
    const opening: NewAgent = { prompt: textOf(input), attach: input.filter(({ type }) => type !== "text"), ...(source ? { source } : {}) };
    const taken = (await vscode.commands.executeCommand<boolean | undefined>("aloft.create", opening)) ?? false;
    // The form stands before the page, which is gone by that and clears nothing any more.
    if (taken) await this.#ctx.extension.workspaceState.update(DRAFT + this.threadId, this.#unsent()?.aside);
    return taken;
  }

  /** Other words in the place of a waiting message. Taken away first: a message must never be sent twice. */
  async #edit(itemId: string, input: Input[], requestId: string): Promise<null> {
    const { bridge } = this.#ctx;
    const { threadId } = this;
    const { items } = await bridge.request("queue/list", { threadId });
    const position = items.findIndex((item) => item.id === itemId);
    if (position !== -1) await bridge.request("queue/remove", { threadId, itemId });
    const { item } = await send(bridge, threadId, input, "queue", requestId);
    await this.#history.add(input);
    if (item && position !== -1 && position < items.length - 1) await bridge.request("queue/move", { threadId, itemId: item.id, position });
    return this.#tellQueue();
  }
}

/** What a button of a panel or card does. */
export async function runVerb(ctx: Ctx, verb: Verb, threadId: string | undefined, turn?: number): Promise<void> {
  switch (verb) {
    case "open":
      if (threadId) ctx.openThread(threadId);
      break;
    case "review":
      if (threadId) await ctx.review(threadId, turn === undefined ? undefined : { turn });
      break;
    case "more":
      if (threadId) await more(ctx, threadId);
      break;
    default:
      await vscode.commands.executeCommand(`aloft.${verb}`, ...(threadId === undefined ? [] : [threadId]), ...(turn === undefined ? [] : [turn]));
  }
}

async function more(ctx: Ctx, threadId: string): Promise<void> {
  const thread = ctx.threads.get(threadId);
  const all: [string, string, boolean?][] = [
    [t("Review against the base branch as it is now"), "aloft.reviewMergeBase"],
    [t("Review what is not committed"), "aloft.reviewUncommitted"],
    [t("Check out its branch"), "aloft.checkout"],
    [t("Comment on its issue"), "aloft.commentOnIssue", thread?.issue !== undefined],
    [t("Pause"), "aloft.pause", thread?.state === "idle"],
    [thread?.muted ? t("Unmute") : t("Mute"), thread?.muted ? "aloft.unmute" : "aloft.mute"],
    [t("Rename"), "aloft.rename"],
    [t("Change the model"), "aloft.model"],
    [t("Ports"), "aloft.ports"],
    [t("Open a terminal in the sandbox"), "aloft.terminal"],
    [t("Copy the name of the branch"), "aloft.copyBranch"],
    [t("Archive"), "aloft.archive"],
    [t("Delete"), "aloft.delete"],
  ];
  const picks = all.filter(([, , fits]) => fits !== false).map(([label, command]) => ({ label, command }));
  const picked = await vscode.window.showQuickPick(picks, { placeHolder: clean(thread?.title ?? "", 80) });
  if (picked) await vscode.commands.executeCommand(picked.command, threadId);
}
