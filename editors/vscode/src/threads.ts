// What is known of the threads: the bridge's list, kept true by what it tells. It is asked once for each bridge, never polled.

import * as vscode from "vscode";

import type { Bridge } from "./bridge.js";
import type { Thread } from "./protocol.js";

export interface ThreadChange {
  readonly id: string;
  /** Absent when it is gone. */
  readonly thread?: Thread;
  /** As it was known before. */
  readonly before?: Thread;
}

const PAGE = 1000;

export class Threads implements vscode.Disposable {
  readonly #bridge: Bridge;
  readonly #log: vscode.LogOutputChannel;
  readonly #threads = new Map<string, Thread>();
  readonly #changed = new vscode.EventEmitter<ThreadChange>();
  readonly #loadedNow = new vscode.EventEmitter<void>();
  readonly #disposables: vscode.Disposable[];
  /** The number of the feed that all is known up to. */
  #feed = 0;
  #generation = 0;
  /** Those that are gone: an answer that comes late brings none of them back. */
  readonly #deleted = new Set<string>();

  readonly onDidChange = this.#changed.event;
  /** The whole list was read, the first time or anew. */
  readonly onDidLoad = this.#loadedNow.event;
  /** The list is there. */
  loaded = false;
  /** Why it is not. */
  problem: unknown;

  constructor(bridge: Bridge, log: vscode.LogOutputChannel) {
    this.#bridge = bridge;
    this.#log = log;
    this.#disposables = [
      bridge.onDidStart(() => void this.load()),
      bridge.onNotification("thread/didChange", ({ feed, thread }) => {
        // Those of a subscribed thread come as its events too, without a number of the feed.
        if (feed !== undefined) this.#apply(feed, thread.id, thread);
      }),
      bridge.onNotification("thread/didDelete", ({ feed, threadId }) => this.#apply(feed, threadId)),
      bridge.onDidChangeState(({ kind }) => {
        if (kind === "connected" && !this.loaded && this.problem !== undefined) void this.load();
      }),
    ];
  }

  get(id: string): Thread | undefined {
    return this.#threads.get(id);
  }

  /** The newest first. */
  all(): Thread[] {
    return [...this.#threads.values()].sort((a, b) => (a.createTime < b.createTime ? 1 : -1));
  }

  /** By what a host of ssh is called by: slug or id. */
  named(name: string): Thread | undefined {
    return this.#threads.get(name) ?? [...this.#threads.values()].find((thread) => thread.slug === name);
  }

  /** Takes in a thread that came as an answer, which no notification may have told of yet. */
  learn(thread: Thread): void {
    const before = this.#threads.get(thread.id);
    if (this.#deleted.has(thread.id) || (before && before.updateTime >= thread.updateTime)) return;
    this.#threads.set(thread.id, thread);
    this.#changed.fire({ id: thread.id, thread, ...(before ? { before } : {}) });
  }

  /** Reads the whole list and follows it from there. */
  async load(): Promise<void> {
    const generation = ++this.#generation;
    // One that is learnt of meanwhile may be newer than the list.
    const before = new Map(this.#threads);
    try {
      const threads: Thread[] = [];
      let feed: number | undefined;
      let pageToken: string | undefined;
      do {
        const page = await this.#bridge.request("thread/list", { pageSize: PAGE, ...(pageToken ? { pageToken } : {}) });
        // What changes while further pages are read comes after the number of the first.
        feed ??= page.feed;
        threads.push(...page.threads);
        pageToken = page.nextPageToken;
      } while (pageToken);
      if (generation !== this.#generation) return;
      this.#threads.clear();
      for (const thread of threads) this.#put(thread);
      this.#feed = feed;
      this.loaded = true;
      this.problem = undefined;
      this.#loadedNow.fire();
      // Those that went while nobody told.
      for (const [id, known] of before) if (!this.#threads.has(id)) this.#changed.fire({ id, before: known });
      await this.#bridge.request("thread/subscribe", { after: feed });
    } catch (error) {
      if (generation !== this.#generation) return;
      this.problem = error;
      this.#log.warn(`the list of threads: ${error instanceof Error ? error.message : String(error)}`);
      this.#loadedNow.fire();
    }
  }

  /** Those of another cloud are nobody's business here. */
  forget(): void {
    this.#generation++;
    this.#threads.clear();
    // What a bridge that is about to end still tells is of no use.
    this.#feed = Number.POSITIVE_INFINITY;
    this.loaded = false;
    this.problem = undefined;
    this.#loadedNow.fire();
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }

  #apply(feed: number, id: string, thread?: Thread): void {
    if (feed <= this.#feed) return;
    this.#feed = feed;
    const before = this.#threads.get(id);
    if (thread) this.#put(thread);
    else {
      this.#threads.delete(id);
      this.#deleted.add(id);
    }
    this.#changed.fire({ id, ...(thread ? { thread } : {}), ...(before ? { before } : {}) });
  }

  #put(thread: Thread): void {
    this.#threads.set(thread.id, thread);
    // It may be back from an archive.
    this.#deleted.delete(thread.id);
  }
}
