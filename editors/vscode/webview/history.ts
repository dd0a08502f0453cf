// Earlier messages, walked through with the arrow keys as in a shell: what was being written comes back at the end.

export class History {
  #at: number | undefined;
  #draft = "";

  constructor(private entries: readonly string[] = []) {}

  /** Oldest first. */
  reset(entries: readonly string[]): void {
    this.entries = entries;
    this.#at = undefined;
  }

  add(entry: string): void {
    this.entries = [...this.entries.filter((one) => one !== entry), entry];
    this.#at = undefined;
  }

  /** The one before; undefined where there is none. */
  back(current: string): string | undefined {
    const at = (this.#at ?? this.entries.length) - 1;
    if (at < 0) return undefined;
    if (this.#at === undefined) this.#draft = current;
    this.#at = at;
    return this.entries[at];
  }

  /** The one after, at last the draft; undefined where nothing was walked through. */
  forward(): string | undefined {
    if (this.#at === undefined) return undefined;
    const at = this.#at + 1;
    if (at >= this.entries.length) {
      this.#at = undefined;
      return this.#draft;
    }
    this.#at = at;
    return this.entries[at];
  }

  /** Something was typed: the walk is over. */
  typed(): void {
    this.#at = undefined;
  }
}
