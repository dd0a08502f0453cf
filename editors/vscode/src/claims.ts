// Several windows hear of the same notice; one of them shows it. Whoever makes the file with its name first, has it.

import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import path from "node:path";

const KEPT_MS = 7 * 24 * 3600 * 1000;

export class Claims {
  readonly #folder: string;
  readonly #ready: Promise<unknown>;

  constructor(folder: string) {
    this.#folder = folder;
    this.#ready = mkdir(folder, { recursive: true }).then(() => this.#tidy());
    this.#ready.catch(() => undefined);
  }

  /** Whether it is this window's to show. Where no file can be made, all windows show it: better twice than never. */
  async take(name: string): Promise<boolean> {
    try {
      await this.#ready;
      const file = await open(path.join(this.#folder, name.replace(/[^\w-]/g, "_")), "wx");
      await file.close();
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== "EEXIST";
    }
  }

  async #tidy(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const file = path.join(this.#folder, name);
      // Another window tidies too, and what it took away is gone.
      const found = await stat(file).catch(() => undefined);
      if (found && Date.now() - found.mtimeMs > KEPT_MS) await rm(file, { force: true }).catch(() => undefined);
    }
  }
}
