// Messages that a person wrote, kept for the arrow keys of all message boxes.

import type * as vscode from "vscode";

import type { Input } from "./protocol.js";

const KEY = "aloft.history";
const ENTRIES = 100;
/** Longer ones are not worth walking through. */
const LONGEST = 4000;

export class History {
  constructor(private readonly store: vscode.Memento) {}

  /** Oldest first. */
  all(): string[] {
    return this.store.get<string[]>(KEY, []);
  }

  async add(input: readonly Input[]): Promise<void> {
    const text = textOf(input);
    if (text.trim() === "" || text.length > LONGEST) return;
    await this.store.update(KEY, [...this.all().filter((one) => one !== text), text].slice(-ENTRIES));
  }
}

/** The words of a message, without what goes along. */
export function textOf(input: readonly Input[]): string {
  return input.filter((part) => part.type === "text").map((part) => part.text).join("\n");
}
