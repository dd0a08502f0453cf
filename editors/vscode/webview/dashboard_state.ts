// The cards in order: who needs a person first, then by what happened last.

import type { Thread } from "../src/protocol.js";
import type { Card } from "./messages.js";

export type Group = "attention" | "running" | "ready" | "paused" | "failed";

export const GROUPS: readonly Group[] = ["attention", "running", "ready", "paused", "failed"];

export function groupOf(thread: Thread): Group {
  switch (thread.state) {
    case "requiresAction":
      return "attention";
    case "starting":
    case "running":
      return "running";
    case "failed":
      return "failed";
    case "paused":
      return "paused";
    default:
      return thread.lastTurn?.state === "failed" ? "failed" : "ready";
  }
}

/** Whether all words are in what the card is about. */
export function matches({ thread }: Card, query: string): boolean {
  const text = [thread.title, thread.slug, thread.branch, thread.repository.name, thread.agent, thread.state].join(" ").toLowerCase();
  return query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

export class Cards {
  readonly #cards = new Map<string, Card>();

  reset(cards: readonly Card[]): void {
    this.#cards.clear();
    this.change(cards, []);
  }

  change(changed: readonly Card[], gone: readonly string[]): void {
    for (const card of changed) {
      const known = this.#cards.get(card.thread.id);
      if (known && known.thread.updateTime > card.thread.updateTime) continue;
      this.#cards.set(card.thread.id, card);
    }
    for (const id of gone) this.#cards.delete(id);
  }

  get size(): number {
    return this.#cards.size;
  }

  /** Those that match, by group, the newest first. */
  groups(query: string): [Group, Card[]][] {
    const found = new Map<Group, Card[]>(GROUPS.map((group) => [group, []]));
    for (const card of this.#cards.values()) if (matches(card, query)) found.get(groupOf(card.thread))?.push(card);
    const groups = [...found].filter(([, cards]) => cards.length > 0);
    for (const [, cards] of groups) cards.sort((a, b) => (a.thread.createTime < b.thread.createTime ? 1 : -1));
    return groups;
  }
}
