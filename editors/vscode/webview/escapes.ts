// What of a terminal's output is text: sequences that would do something are dropped, characters that would reorder text are made
// visible.

import { MARKS } from "../src/marks.js";

// CSI; OSC and the other strings up to their end or that of the line, so that nothing more is hidden by one that never ends; two-character escapes; 8-bit forms.
export const ESCAPE =
  /(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c|$|(?=[\x1b\n]))|\x1b[ -/]*[0-~]|\x1b/g;
export const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]/g;

/** Text in which nothing is hidden and nothing reorders its neighbours. */
export function visible(text: string): string {
  return text.replace(MARKS, (hidden) => `⟨U+${(hidden.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** Text without any escape, for a place that has no colours. */
export function plain(text: string): string {
  return lines(text.replace(ESCAPE, "")).replace(CONTROL, "");
}

/** Carriage returns and backspaces as a terminal takes them, roughly: the last word of a line counts. */
export function lines(text: string): string {
  if (!/[\r\b]/.test(text)) return text;
  return text
    .replace(/\r+\n/g, "\n")
    .split("\n")
    .map((line) => {
      // A bare return at the end has written nothing over yet.
      const kept = line.split("\r").findLast((part) => part !== "") ?? "";
      if (!kept.includes("\b")) return kept;
      const letters: string[] = [];
      for (const letter of kept) {
        if (letter === "\b") letters.pop();
        else letters.push(letter);
      }
      return letters.join("");
    })
    .join("\n");
}
