// Single threads that somebody looks at: one subscription for each, however many look, continued when the bridge is another.

import * as vscode from "vscode";

import type { Bridge } from "./bridge.js";
import type { Event, ThreadReadResult } from "./protocol.js";

export interface Listener {
  /** The next event, in order, each once. */
  event(event: Event): void;
  /** It cannot be followed on; read it anew to go on. */
  lost(error: unknown): void;
}

interface Followed {
  readonly listeners: Set<Listener>;
  /** The newest event that was told; absent before there is a subscription. */
  cursor?: number;
  /** After which it was followed. */
  from?: number;
  /** The subscription asked for now or last. */
  asked: Promise<void>;
}

export interface Opened extends vscode.Disposable {
  /** As it was when it was read; every event after it is told. */
  readonly page: ThreadReadResult;
}

/** How often a page that is older than what is followed is read again. */
const AGAIN = 3;
const EVENTS = ["turn/didStart", "turn/didComplete", "item/didStart", "item/didAppend", "item/didComplete", "thread/didChangeDiff", "thread/didChange"] as const;

export class Follows implements vscode.Disposable {
  readonly #bridge: Bridge;
  readonly #followed = new Map<string, Followed>();
  readonly #disposables: vscode.Disposable[];

  constructor(bridge: Bridge) {
    this.#bridge = bridge;
    this.#disposables = [
      bridge.onDidStart(() => {
        for (const [id, followed] of this.#followed) {
          if (followed.cursor !== undefined) followed.asked = this.#subscribe(id, followed);
        }
      }),
      ...EVENTS.map((method) =>
        bridge.onNotification(method, (params: unknown) => {
          // Those of the list have a number of the feed instead.
          if (typeof params === "object" && params !== null && "cursor" in params) this.#hear(params as Event);
        }),
      ),
    ];
  }

  /** Reads a thread, by its id, and follows it from there. Events are told after the caller has the page. */
  async open(threadId: string, listener: Listener, limit: number): Promise<Opened> {
    const waiting: Event[] = [];
    let from: number | undefined;
    const early: Listener = {
      event: (event) => {
        if (from === undefined) waiting.push(event);
        else if (event.cursor > from) listener.event(event);
      },
      lost: (error) => listener.lost(error),
    };
    let followed = this.#followed.get(threadId);
    if (followed === undefined) this.#followed.set(threadId, (followed = { listeners: new Set(), asked: Promise.resolve() }));
    followed.listeners.add(early);
    const told = followed.cursor;
    try {
      let page = await this.#bridge.request("thread/read", { threadId, limit });
      // What came between such a page and what is followed is told to nobody any more.
      for (let again = 0; again < AGAIN && page.cursor < (told ?? followed.from ?? 0); again++) {
        page = await this.#bridge.request("thread/read", { threadId, limit });
      }
      if (followed.cursor === undefined) {
        followed.cursor = followed.from = page.cursor;
        followed.asked = this.#subscribe(threadId, followed);
      }
      setImmediate(() => {
        from = page.cursor;
        for (const event of waiting) if (event.cursor > from) listener.event(event);
      });
      return { page, dispose: () => this.#leave(threadId, early) };
    } catch (error) {
      this.#leave(threadId, early);
      throw error;
    }
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }

  #hear(event: Event): void {
    const followed = this.#followed.get(event.threadId);
    if (followed?.cursor === undefined || event.cursor <= followed.cursor) return;
    followed.cursor = event.cursor;
    for (const listener of [...followed.listeners]) listener.event(event);
  }

  async #subscribe(threadId: string, followed: Followed): Promise<void> {
    try {
      await this.#bridge.request("thread/subscribe", { threadId, after: followed.cursor ?? 0 });
    } catch (error) {
      // Another bridge is asked again.
      if ((error as { reason?: string }).reason === "BRIDGE_GONE" || this.#followed.get(threadId) !== followed) return;
      this.#followed.delete(threadId);
      for (const listener of [...followed.listeners]) listener.lost(error);
    }
  }

  #leave(threadId: string, listener: Listener): void {
    const followed = this.#followed.get(threadId);
    if (!followed?.listeners.delete(listener) || followed.listeners.size > 0) return;
    this.#followed.delete(threadId);
    if (followed.cursor === undefined) return;
    void followed.asked
      .then(() => (this.#followed.has(threadId) || !this.#bridge.ready ? undefined : this.#bridge.request("thread/unsubscribe", { threadId })))
      .catch(() => undefined);
  }
}
