// What is known of one thread: pure state, fed with pages and events. It says which rows changed; it draws nothing.

import type { Event, Thread, Turn } from "../src/protocol.js";
import type { Shown } from "./messages.js";

/** Output that is kept of a command; the rest is read when it is asked for. */
const OUTPUT = 32 * 1024;

/** One line of the list: an item, or the end of a turn. */
export type Row = { key: string } & ({ item: Shown } | { turn: Turn });

interface Page {
  turns: Turn[];
  items: Shown[];
  hasMore: boolean;
}

/** What became different. */
export interface Change {
  /** Rows that look different now. */
  changed: Set<string>;
  /** Rows that are new at the end. */
  added: string[];
  /** Rows that are gone. */
  removed: string[];
}

const encoder = new TextEncoder();

export class Conversation {
  thread: Thread;
  hasMore = false;
  cursor = 0;
  /** Keys of rows, oldest first. */
  rows: string[] = [];
  #items = new Map<string, Shown>();
  #turns = new Map<string, Turn>();
  #known = new Set<string>();

  constructor(opening: Page & { thread: Thread; cursor: number }) {
    this.thread = opening.thread;
    this.cursor = opening.cursor;
    this.hasMore = opening.hasMore;
    this.rows = this.#place(opening);
  }

  /** Takes older items; gives their rows. */
  prepend(page: Page): string[] {
    this.hasMore = page.hasMore;
    const rows = this.#place(page);
    this.rows = [...rows, ...this.rows];
    return rows;
  }

  row(key: string): Row | undefined {
    if (key.startsWith("turn:")) {
      const turn = this.#turns.get(key.slice(5));
      return turn && { key, turn };
    }
    const item = this.#items.get(key);
    return item && { key, item };
  }

  /** The number of the turn of an item. */
  turn(id: string | undefined): Turn | undefined {
    return id === undefined ? undefined : this.#turns.get(id);
  }

  /** Whether a message is what its turn began with. */
  begins(key: string): boolean {
    const turnId = this.#items.get(key)?.turnId;
    return turnId !== undefined && this.rows.find((row) => this.#items.get(row)?.turnId === turnId) === key;
  }

  /** The turn that runs. */
  get running(): Turn | undefined {
    return [...this.#turns.values()].findLast((turn) => turn.state === "running");
  }

  /** Questions without an answer, oldest first. */
  get questions(): Extract<Shown, { type: "permission" }>[] {
    const open = [...this.#items.values()].filter((item) => item.type === "permission" && item.state === "inProgress" && item.answer === undefined);
    return open as Extract<Shown, { type: "permission" }>[];
  }

  /** The newest plan of the newest turn that has one. */
  get plan(): Extract<Shown, { type: "plan" }> | undefined {
    for (let i = this.rows.length - 1; i >= 0; i--) {
      const item = this.#items.get(this.rows[i] ?? "");
      if (item?.type === "plan") return item;
    }
    return undefined;
  }

  /** Puts a whole item in the place of a slim one. */
  replace(item: Shown): void {
    if (this.#items.has(item.id)) this.#items.set(item.id, item);
  }

  apply(events: readonly Event[]): Change {
    const change: Change = { changed: new Set(), added: [], removed: [] };
    for (const event of events) {
      if (event.cursor <= this.cursor) continue;
      this.cursor = event.cursor;
      this.#apply(event, change);
    }
    if (change.removed.length > 0) {
      const gone = new Set(change.removed);
      this.rows = this.rows.filter((key) => !gone.has(key));
      change.added = change.added.filter((key) => !gone.has(key));
    }
    return change;
  }

  #apply(event: Event, change: Change): void {
    switch (event.type) {
      case "threadChanged":
        this.thread = event.thread;
        break;
      case "diffChanged":
        this.thread = { ...this.thread, diff: event.diff };
        break;
      case "turnStarted":
        this.#turns.set(event.turn.id, event.turn);
        break;
      case "turnCompleted": {
        this.#turns.set(event.turn.id, event.turn);
        this.#append(`turn:${event.turn.id}`, change);
        break;
      }
      case "itemStarted":
      case "itemCompleted":
        this.#put(event.item, change);
        break;
      case "itemAppended":
        this.#grow(event.itemId, event.field, event.delta, event.offset, change);
        break;
      default:
        // Of a newer version.
        break;
    }
  }

  #put(item: Shown, change: Change): void {
    this.#items.set(item.id, item);
    // What is asked about looks different while it is asked.
    if (item.type === "permission" && item.itemId !== undefined && this.#known.has(item.itemId)) change.changed.add(item.itemId);
    if (waits(item)) {
      // What waits stands in the list of what waits, and what was taken back nowhere.
      if (this.#known.delete(item.id)) change.removed.push(item.id);
      return;
    }
    this.#append(item.id, change);
  }

  #append(key: string, change: Change): void {
    if (this.#known.has(key)) {
      change.changed.add(key);
      return;
    }
    this.#known.add(key);
    this.rows.push(key);
    change.added.push(key);
  }

  #grow(id: string, field: string, delta: string, offset: number | undefined, change: Change): void {
    const item = this.#items.get(id);
    if (item === undefined) return;
    if (field === "text" && (item.type === "agentMessage" || item.type === "reasoning")) {
      this.#items.set(id, { ...item, text: item.text + delta });
    } else if (field === "output" && item.type === "commandExecution") {
      const whole = item.output + delta;
      const outputBytes = (offset ?? item.outputBytes) + encoder.encode(delta).length;
      const cut = whole.length > OUTPUT;
      this.#items.set(id, { ...item, output: cut ? tail(whole) : whole, outputBytes, truncated: item.truncated || cut });
    } else return;
    change.changed.add(id);
  }

  /** Rows of a page, with the ends of turns whose last item is on it. */
  #place(page: Page): string[] {
    for (const turn of page.turns) {
      const known = this.#turns.get(turn.id);
      if (known === undefined || known.state === "running") this.#turns.set(turn.id, turn);
    }
    const items = inTurns(page.items);
    const last = new Map<string, string>();
    for (const item of items) if (item.turnId !== undefined) last.set(item.turnId, item.id);
    const rows: string[] = [];
    for (const item of items) {
      if (!this.#known.has(item.id) && !waits(item)) {
        this.#known.add(item.id);
        rows.push(item.id);
      }
      if (!this.#items.has(item.id)) this.#items.set(item.id, item);
      const turn = item.turnId === undefined ? undefined : this.#turns.get(item.turnId);
      const end = turn && `turn:${turn.id}`;
      if (end && turn.state !== "running" && last.get(turn.id) === item.id && !this.#known.has(end)) {
        this.#known.add(end);
        rows.push(end);
      }
    }
    return rows;
  }
}

/** A message that waits for the end of the turn, or that was taken back before it was sent. */
function waits(item: Shown): boolean {
  return item.type === "userMessage" && item.delivery === "queued";
}

/** A message that waited is stored where it was written, within another turn: here it stands where its own begins. */
function inTurns(items: readonly Shown[]): Shown[] {
  const first = new Map<string, string>();
  for (const item of items) {
    if (item.type !== "userMessage" && item.turnId !== undefined && !first.has(item.turnId)) first.set(item.turnId, item.id);
  }
  const waited = new Map<string, Shown[]>();
  const rest: Shown[] = [];
  let turn: string | undefined;
  const begun = new Set<string>();
  for (const item of items) {
    const own = item.turnId;
    if (item.type === "userMessage" && own !== undefined && turn !== undefined && own !== turn && !begun.has(own) && first.has(own)) {
      waited.set(own, [...(waited.get(own) ?? []), item]);
      continue;
    }
    if (own !== undefined) {
      if (!begun.has(own) && waited.has(own)) rest.push(...(waited.get(own) ?? []));
      begun.add(own);
      turn = own;
    }
    rest.push(item);
  }
  return rest;
}

function tail(text: string): string {
  const cut = text.slice(-OUTPUT);
  const line = cut.indexOf("\n");
  return line === -1 || line > 4096 ? cut.replace(/^[\udc00-\udfff]/, "") : cut.slice(line + 1);
}
