// The cards in order: who needs a person first, then by what happened last.

import { GROUPS, groupOf, matches, type Group } from "../src/groups.js";
import type { Card } from "./messages.js";

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
    for (const card of this.#cards.values()) if (matches(card.thread, query)) found.get(groupOf(card.thread))?.push(card);
    const groups = [...found].filter(([, cards]) => cards.length > 0);
    for (const [, cards] of groups) cards.sort((a, b) => (a.thread.createTime < b.thread.createTime ? 1 : -1));
    return groups;
  }
}
