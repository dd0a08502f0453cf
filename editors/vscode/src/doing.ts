// What running agents do now: the step of the plan, or else the newest action, for the cards of the dashboard.

import type * as vscode from "vscode";

import type { Follows, Opened } from "./follows.js";
import type { Event, Item, PlanStep, Thread } from "./protocol.js";
import { clean } from "./text.js";

/** Agents that are followed at once: more than these nobody watches. */
const MOST = 24;
/** Items that are looked at for a beginning. */
const ITEMS = 50;

export interface Now {
  doing?: string | undefined;
  plan?: PlanStep[] | undefined;
  question?: string | undefined;
}

interface Watched {
  open: Map<string, Item>;
  plan?: PlanStep[] | undefined;
  shown: string;
  opened?: Opened;
  gone: boolean;
}

export class Doing implements vscode.Disposable {
  readonly #follows: Follows;
  readonly #changed: (threadId: string) => void;
  readonly #watched = new Map<string, Watched>();

  constructor(follows: Follows, changed: (threadId: string) => void) {
    this.#follows = follows;
    this.#changed = changed;
  }

  /** Follows those of these that work, and no others. */
  watch(threads: readonly Thread[]): void {
    const working = threads.filter(({ state }) => state === "running" || state === "requiresAction").slice(0, MOST);
    const ids = new Set(working.map(({ id }) => id));
    for (const id of [...this.#watched.keys()]) if (!ids.has(id)) this.#leave(id);
    for (const id of ids) if (!this.#watched.has(id)) void this.#enter(id);
  }

  of(threadId: string): Now {
    const watched = this.#watched.get(threadId);
    return watched ? now(watched.open.values(), watched.plan) : {};
  }

  dispose(): void {
    for (const id of [...this.#watched.keys()]) this.#leave(id);
  }

  async #enter(id: string): Promise<void> {
    const watched: Watched = { open: new Map(), shown: "", gone: false };
    this.#watched.set(id, watched);
    try {
      const opened = await this.#follows.open(id, { event: (event) => this.#hear(id, watched, event), lost: () => this.#leave(id) }, ITEMS);
      if (watched.gone) {
        opened.dispose();
        return;
      }
      watched.opened = opened;
      for (const item of opened.page.items) take(watched, item);
      this.#tell(id, watched);
    } catch {
      // Its card shows the state all the same.
      if (this.#watched.get(id) === watched) this.#watched.delete(id);
    }
  }

  #leave(id: string): void {
    const watched = this.#watched.get(id);
    if (watched === undefined) return;
    watched.gone = true;
    watched.opened?.dispose();
    this.#watched.delete(id);
  }

  #hear(id: string, watched: Watched, event: Event): void {
    if (watched.gone) return;
    if (event.type === "itemStarted" || event.type === "itemCompleted") take(watched, event.item);
    else if (event.type === "turnStarted") watched.plan = undefined;
    else return;
    this.#tell(id, watched);
  }

  #tell(id: string, watched: Watched): void {
    const shown = JSON.stringify(now(watched.open.values(), watched.plan));
    if (shown === watched.shown) return;
    watched.shown = shown;
    this.#changed(id);
  }
}

function take(watched: Watched, item: Item): void {
  if (item.type === "plan") watched.plan = item.steps;
  if (item.state === "inProgress") watched.open.set(item.id, item);
  else watched.open.delete(item.id);
}

/** What these open items come to. */
export function now(items: Iterable<Item>, plan: PlanStep[] | undefined): Now {
  let doing: string | undefined;
  let question: string | undefined;
  for (const item of items) {
    if (item.type === "commandExecution") doing = `$ ${clean(item.command, 120)}`;
    else if (item.type === "toolCall") doing = clean(item.title, 120);
    else if (item.type === "fileChange") doing = item.changes.map(({ path }) => clean(path, 80)).join(", ").slice(0, 120);
    else if (item.type === "permission" && item.answer === undefined) question = clean(item.title, 160);
  }
  return { doing, plan, question };
}
