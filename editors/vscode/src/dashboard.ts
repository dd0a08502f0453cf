// The dashboard: all agents as cards. It keeps nothing; what running agents do is followed while it is on screen.

import * as vscode from "vscode";

import type { Card, DashboardAsks, DashboardTold, Verb } from "../webview/messages.js";
import { link, oneOf, string } from "./check.js";
import type { Ctx } from "./ctx.js";
import { Doing } from "./doing.js";
import type { Follows } from "./follows.js";
import { runVerb } from "./thread_panel.js";
import { page, roots } from "./webview.js";
import { serve, tell } from "./webview_host.js";

const t = vscode.l10n.t;
const PANEL = "aloft.dashboard";
const BATCH_MS = 50;
const VERBS = ["stop", "pause", "resume", "retry", "delete", "mute", "unmute", "ssh", "review", "createPullRequest", "open", "ports", "connect", "create", "more"] as const satisfies readonly Verb[];

export class Dashboard {
  readonly #ctx: Ctx;
  readonly #doing: Doing;
  #panel: vscode.WebviewPanel | undefined;
  /** The page is there and hears. */
  #live = false;
  #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(ctx: Ctx, follows: Follows) {
    this.#ctx = ctx;
    this.#doing = new Doing(follows, (id) => this.#note(id));
    ctx.extension.subscriptions.push(
      this.#doing,
      vscode.window.registerWebviewPanelSerializer(PANEL, {
        deserializeWebviewPanel: async (panel) => {
          if (this.#panel) panel.dispose();
          else this.#take(panel);
        },
      }),
      ctx.threads.onDidChange(({ id }) => this.#note(id)),
      ctx.threads.onDidLoad(() => {
        for (const { id } of ctx.threads.all()) this.#note(id);
        this.#note("");
      }),
      ctx.bridge.onDidChangeState(() => this.#tellTrouble()),
    );
  }

  open(): void {
    if (this.#panel) this.#panel.reveal();
    else this.#take(vscode.window.createWebviewPanel(PANEL, t("Agents"), vscode.ViewColumn.Active, {}));
  }

  #take(panel: vscode.WebviewPanel): void {
    this.#panel = panel;
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: roots(this.#ctx.extension) };
    panel.title = t("Agents");
    const served = serve<DashboardAsks>(
      webview,
      {
        ready: async () => {
          this.#live = true;
          this.#changed.clear();
          this.#doing.watch(this.#ctx.threads.all());
          return {
            cards: this.#ctx.threads.all().map((thread) => this.#card(thread.id)).filter((card) => card !== undefined),
            loaded: this.#ctx.threads.loaded,
            trouble: this.#trouble(),
          };
        },
        verb: async ({ verb, threadId }) => {
          await runVerb(this.#ctx, oneOf(verb, VERBS, "verb"), threadId === undefined ? undefined : string(threadId, "threadId"));
          return null;
        },
        openUrl: async ({ url }) => (await vscode.env.openExternal(vscode.Uri.parse(link(url), true)), null),
      },
      this.#ctx.log,
    );
    panel.onDidChangeViewState(() => {
      // A hidden page is gone: it asks anew when it appears.
      if (!panel.visible) this.#hide();
    });
    panel.onDidDispose(() => {
      served.dispose();
      this.#hide();
      this.#panel = undefined;
    });
    webview.html = page(webview, this.#ctx.extension, "dashboard", t("Agents"));
  }

  #hide(): void {
    this.#live = false;
    this.#doing.watch([]);
  }

  #card(id: string): Card | undefined {
    const thread = this.#ctx.threads.get(id);
    return thread && { thread, ...this.#doing.of(id) };
  }

  #note(id: string): void {
    if (!this.#live) return;
    this.#changed.add(id);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#tellChanged();
    }, BATCH_MS);
  }

  #tellChanged(): void {
    const { threads } = this.#ctx;
    const ids = [...this.#changed].filter((id) => id !== "");
    this.#changed.clear();
    if (!this.#live || !this.#panel) return;
    this.#doing.watch(threads.all());
    const cards = ids.map((id) => this.#card(id));
    tell<DashboardTold, "cards">(this.#panel.webview, "cards", {
      changed: cards.filter((card) => card !== undefined),
      gone: ids.filter((_, index) => cards[index] === undefined),
      loaded: threads.loaded,
    });
  }

  #trouble(): { message: string; hint?: string } | undefined {
    const { kind, message, hint } = this.#ctx.bridge.state;
    if (kind !== "stopped" && kind !== "offline" && kind !== "unauthenticated") return undefined;
    return { message: message ?? t("The cloud cannot be reached."), ...(hint ? { hint } : {}) };
  }

  #tellTrouble(): void {
    if (this.#live && this.#panel) tell<DashboardTold, "trouble">(this.#panel.webview, "trouble", this.#trouble() ?? null);
  }
}
