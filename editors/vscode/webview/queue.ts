// Messages that wait: for the end of the turn, or for the cloud to be back.

import type { Item, Kept } from "../src/protocol.js";
import { visible } from "./escapes.js";
import { fill, h, show } from "./dom.js";
import { t } from "./l10n.js";

export interface QueueWishes {
  move(itemId: string, position: number): void;
  remove(itemId: string): void;
  edit(item: Extract<Item, { type: "userMessage" }>): void;
  takeBack(requestId: string): void;
}

export class Queue {
  readonly element: HTMLElement;
  readonly #list: HTMLOListElement;
  readonly #kept: HTMLUListElement;
  readonly #wishes: QueueWishes;
  items: Item[] = [];

  constructor(wishes: QueueWishes) {
    this.#wishes = wishes;
    this.#list = h("ol", {});
    this.#kept = h("ul", {});
    this.element = h("section", { class: "queue", "aria-label": t("Waiting messages") }, this.#list, this.#kept);
    show(this.element, false);
  }

  set(items: Item[], kept: readonly Kept[]): void {
    this.items = items;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["at"] : undefined;
    fill(this.#list, items.map((item, index) => (item.type === "userMessage" ? this.#row(item, index) : undefined)));
    fill(this.#kept, kept.map((one) => this.#keptRow(one)));
    show(this.element, items.length + kept.length > 0);
    if (focused) [...this.element.querySelectorAll<HTMLElement>("[data-at]")].find((one) => one.dataset["at"] === focused)?.focus();
  }

  #row(item: Extract<Item, { type: "userMessage" }>, index: number): HTMLElement {
    const text = words(item);
    const button = (name: string, sign: string, label: string, act: () => void, disabled = false): HTMLElement =>
      h("button", { type: "button", class: "icon", title: label, "aria-label": `${label}: ${text.slice(0, 60)}`, "data-at": `${name}-${item.id}`, onclick: act, disabled }, sign);
    return h(
      "li",
      { "data-item": item.id },
      h("span", { class: "text" }, text),
      h(
        "span",
        { class: "buttons" },
        button("up", "↑", t("Move up"), () => this.#wishes.move(item.id, index - 1), index === 0),
        button("down", "↓", t("Move down"), () => this.#wishes.move(item.id, index + 1), index === this.items.length - 1),
        button("edit", "✎", t("Edit"), () => this.#wishes.edit(item)),
        button("drop", "×", t("Drop"), () => this.#wishes.remove(item.id)),
      ),
    );
  }

  #keptRow(kept: Kept): HTMLElement {
    const text = visible(kept.text ?? kept.method);
    const state = kept.error ? t("refused: {0}", visible(kept.error.message)) : t("waits for the cloud");
    return h(
      "li",
      { class: kept.error ? "refused" : "kept" },
      h("span", { class: "text" }, text, h("span", { class: "muted" }, ` — ${state}`)),
      h("button", { type: "button", class: "icon", "aria-label": t("Take back: {0}", text.slice(0, 60)), title: t("Take back"), onclick: () => this.#wishes.takeBack(kept.requestId) }, "×"),
    );
  }
}

function words(item: Extract<Item, { type: "userMessage" }>): string {
  const texts = item.input.map((part) => (part.type === "text" ? part.text : part.type === "image" ? t("[picture]") : `[${part.path}]`));
  return visible(texts.join(" "));
}
