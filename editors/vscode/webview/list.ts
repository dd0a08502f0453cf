// A long list of which only what is near the screen is drawn. Rows stand in blocks; a block far away is an empty box of the height
// it had. What the reader looks at stays where it is, and who is at the end stays at the end.

import { h } from "./dom.js";

/** Rows of a block. */
const BLOCK = 30;
/** A row's height before it was seen. */
const GUESS = 64;
/** How far from the screen blocks are drawn. */
const NEAR = "1200px 0px";
/** As near as this is at the end. */
const END = 48;

/** Draws one row. */
export interface RowView {
  element: HTMLElement;
  /** It became different. */
  update(): void;
}

interface Block {
  element: HTMLElement;
  keys: string[];
  /** Absent while it is far away. */
  rows?: Map<string, RowView> | undefined;
  height?: number | undefined;
}

export class List {
  readonly element: HTMLElement;
  readonly #draw: (key: string) => RowView | undefined;
  #blocks: Block[] = [];
  #of = new Map<string, Block>();
  readonly #at = new WeakMap<Element, Block>();
  #observer: IntersectionObserver | undefined;
  #atEnd = true;

  constructor(element: HTMLElement, draw: (key: string) => RowView | undefined) {
    this.element = element;
    this.#draw = draw;
    element.addEventListener("scroll", () => (this.#atEnd = this.#isAtEnd()), { passive: true });
    if (typeof IntersectionObserver === "undefined") return;
    this.#observer = new IntersectionObserver(
      (entries) => {
        this.keep(() => {
          for (const entry of entries) {
            const block = this.#at.get(entry.target);
            if (block === undefined) continue;
            if (entry.isIntersecting) this.#open(block);
            else this.#close(block, entry.boundingClientRect.height);
          }
        });
      },
      { root: element, rootMargin: NEAR },
    );
  }

  get atEnd(): boolean {
    return this.#atEnd;
  }

  /** Rows that are drawn now. */
  get drawn(): number {
    return this.#blocks.reduce((sum, block) => sum + (block.rows?.size ?? 0), 0);
  }

  reset(keys: readonly string[]): void {
    for (const block of this.#blocks) this.#observer?.unobserve(block.element);
    this.#blocks = [];
    this.#of.clear();
    this.element.querySelectorAll(":scope > .block").forEach((block) => block.remove());
    this.#atEnd = true;
    this.append(keys);
  }

  append(keys: readonly string[]): void {
    this.keep(() => {
      for (const key of keys) {
        let block = this.#blocks.at(-1);
        if (block === undefined || block.keys.length >= BLOCK) {
          block = this.#block();
          this.#blocks.push(block);
          this.element.append(block.element);
          this.#observer?.observe(block.element);
        }
        block.keys.push(key);
        this.#of.set(key, block);
        if (block.rows) this.#add(block, key);
      }
      // Those at the end are wanted at once; the observer opens what else is near, and closes what is far.
      if (!this.#observer) for (const block of this.#blocks) this.#open(block);
      else if (this.#atEnd) for (const block of this.#blocks.slice(-2)) this.#open(block);
      for (const block of this.#blocks) this.#hold(block);
    });
  }

  prepend(keys: readonly string[]): void {
    this.keep(() => {
      const first = this.element.querySelector(":scope > .block");
      const blocks: Block[] = [];
      for (let end = keys.length; end > 0; end -= BLOCK) {
        const block = this.#block();
        block.keys = keys.slice(Math.max(0, end - BLOCK), end);
        for (const key of block.keys) this.#of.set(key, block);
        blocks.unshift(block);
      }
      for (const block of blocks) {
        this.element.insertBefore(block.element, first);
        this.#hold(block);
        if (!this.#observer) this.#open(block);
      }
      this.#blocks = [...blocks, ...this.#blocks];
      // The nearest is looked at next.
      const near = blocks.at(-1);
      if (near) this.#open(near);
      for (const block of blocks) this.#observer?.observe(block.element);
    });
  }

  update(keys: Iterable<string>): void {
    this.keep(() => {
      for (const key of keys) this.#of.get(key)?.rows?.get(key)?.update();
    });
  }

  remove(keys: Iterable<string>): void {
    this.keep(() => {
      for (const key of keys) {
        const block = this.#of.get(key);
        if (block === undefined) continue;
        this.#of.delete(key);
        block.keys = block.keys.filter((one) => one !== key);
        block.rows?.get(key)?.element.remove();
        block.rows?.delete(key);
        this.#hold(block);
      }
    });
  }

  /** Changes the list without moving what the reader looks at. */
  keep(change: () => void): void {
    const atEnd = this.#atEnd;
    const anchor = atEnd ? undefined : this.#anchor();
    const before = anchor?.getBoundingClientRect().top ?? 0;
    change();
    if (atEnd) this.toEnd();
    else if (anchor?.isConnected) this.element.scrollTop += anchor.getBoundingClientRect().top - before;
  }

  toEnd(): void {
    this.element.scrollTop = this.element.scrollHeight;
    this.#atEnd = true;
  }

  /** Brings a row onto the screen; false where it is not known. */
  reveal(key: string): boolean {
    const block = this.#of.get(key);
    if (block === undefined) return false;
    this.#atEnd = false;
    this.#open(block);
    const row = block.rows?.get(key)?.element;
    row?.scrollIntoView({ block: "start" });
    return row !== undefined;
  }

  /** The row at the top of the screen. */
  top(): string | undefined {
    const element = this.#anchor();
    return element?.dataset["key"];
  }

  /** Moves the focus from a row to the one before or after. */
  step(from: HTMLElement, by: 1 | -1): void {
    const rows = [...this.element.querySelectorAll<HTMLElement>(".row")];
    const next = rows[rows.indexOf(from) + by];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  #block(): Block {
    const block: Block = { element: h("div", { class: "block", role: "presentation" }), keys: [] };
    this.#at.set(block.element, block);
    return block;
  }

  #open(block: Block): void {
    if (block.rows) return;
    block.rows = new Map();
    block.element.style.height = "";
    for (const key of block.keys) this.#add(block, key);
  }

  /** The height comes from the observer: asking for it here would lay the page out once for each block. */
  #close(block: Block, height: number): void {
    if (!block.rows || !this.#observer) return;
    // Who works in it keeps it.
    if (block.element.contains(document.activeElement)) return;
    block.height = height;
    block.rows = undefined;
    block.element.replaceChildren();
    this.#hold(block);
  }

  #hold(block: Block): void {
    if (!block.rows) block.element.style.height = `${block.height ?? block.keys.length * GUESS}px`;
  }

  #add(block: Block, key: string): void {
    const row = this.#draw(key);
    if (row === undefined) return;
    row.element.dataset["key"] = key;
    block.rows?.set(key, row);
    block.element.append(row.element);
  }

  #isAtEnd(): boolean {
    const { scrollTop, clientHeight, scrollHeight } = this.element;
    return scrollTop + clientHeight >= scrollHeight - END;
  }

  /** The first row, or else block, that reaches into the screen. */
  #anchor(): HTMLElement | undefined {
    const top = this.element.getBoundingClientRect().top;
    for (const block of this.#blocks) {
      if (block.element.getBoundingClientRect().bottom <= top) continue;
      for (const row of block.rows?.values() ?? []) {
        if (row.element.getBoundingClientRect().bottom > top) return row.element;
      }
      return block.element;
    }
    return undefined;
  }
}
