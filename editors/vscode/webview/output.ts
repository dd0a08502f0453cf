// The whole output of a command, page by page: the end first, what is before it on demand.

import { render } from "./ansi.js";
import { fill, h, say, show } from "./dom.js";
import { t } from "./l10n.js";
import { bytes } from "./words.js";

/** Bytes of a page. */
const PAGE = 64 * 1024;
/** Pages that are shown; an editor shows more. */
const PAGES = 16;

export interface Source {
  read(offset: number, limit: number): Promise<{ data: string; nextOffset: number; totalBytes: number }>;
  open(): void;
}

export class Output {
  readonly element: HTMLElement;
  readonly #earlier: HTMLButtonElement;
  readonly #state: HTMLElement;
  readonly #pages: HTMLElement;
  readonly #source: Source;
  /** Where what is shown begins. */
  #from: number;
  /** Bytes of a character that begins on the page before. */
  #rest = new Uint8Array();
  #shown = 0;

  constructor(source: Source, totalBytes: number) {
    this.#source = source;
    this.#from = totalBytes;
    this.#earlier = h("button", { type: "button", class: "small", onclick: () => void this.earlier() }, t("Show earlier output"));
    const open = h("button", { type: "button", class: "small", onclick: () => source.open() }, t("Open whole output in an editor"));
    this.#state = h("span", { class: "muted", role: "status" });
    this.#pages = h("pre", { class: "output whole", tabindex: 0, "aria-label": t("Output") });
    this.element = h("div", { class: "whole-output" }, h("div", { class: "buttons" }, this.#earlier, open, this.#state), this.#pages);
    void this.earlier();
  }

  /** Reads the page before what is shown. */
  async earlier(): Promise<void> {
    if (this.#from === 0 && this.#shown > 0) return;
    const offset = Math.max(0, this.#from - PAGE);
    this.#earlier.disabled = true;
    say(this.#state, t("Reading…"));
    try {
      const read: Uint8Array[] = [];
      let at = offset;
      let total = this.#from;
      while (at < this.#from) {
        const page = await this.#source.read(at, this.#from - at);
        const data = decode(page.data);
        total = page.totalBytes;
        if (data.length === 0) break;
        read.push(data);
        at = page.nextOffset;
      }
      const { text, rest } = join(read, this.#rest, offset === 0);
      this.#rest = rest;
      this.#from = offset;
      this.#shown++;
      const page = h("span", { class: "page" });
      fill(page, [render(text)]);
      this.#pages.prepend(page);
      // What was printed last is looked at first.
      if (this.#shown === 1) this.#pages.scrollTop = this.#pages.scrollHeight;
      say(this.#state, offset === 0 ? bytes(total) : t("{0} before this", bytes(offset)));
      show(this.#earlier, offset > 0 && this.#shown < PAGES);
    } catch (error) {
      say(this.#state, error instanceof Error ? error.message : String(error));
    } finally {
      this.#earlier.disabled = false;
    }
  }
}

function decode(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** The text of these bytes and of what is left of the page after; what begins before them is left for the page before. */
export function join(parts: Uint8Array[], after: Uint8Array, first: boolean): { text: string; rest: Uint8Array<ArrayBuffer> } {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(size + after.length);
  let at = 0;
  for (const part of [...parts, after]) {
    whole.set(part, at);
    at += part.length;
  }
  let begin = 0;
  while (!first && begin < Math.min(3, whole.length) && ((whole[begin] ?? 0) & 0xc0) === 0x80) begin++;
  return { text: new TextDecoder().decode(whole.subarray(begin)), rest: whole.slice(0, begin) };
}
