// Words for people: what agents and repositories wrote made safe for one line, and ages.

import { MARKS } from "./marks.js";

// Escape sequences of terminals, and control characters.
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\^_])/g;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** One line of text that cannot pretend to be something else. */
export function clean(text: string, limit = 200): string {
  const line = text.replace(ESCAPES, "").replace(/\s+/g, " ").replace(CONTROLS, "").replace(MARKS, "").trim();
  return line.length <= limit ? line : `${line.slice(0, limit - 1).trimEnd()}…`;
}

/** For messages of VS Code, which make links, also to commands, of `[label](address)`. */
export function plain(text: string, limit?: number): string {
  return clean(text, limit).replace(/\](?=\()/g, "] ");
}

/** For labels in which `$(name)` is an icon. */
export function iconless(text: string, limit?: number): string {
  return clean(text, limit).replace(/\$(?=\()/g, "\\$");
}

const UNITS: readonly [string, number][] = [["d", 86_400], ["h", 3_600], ["m", 60]];

/** How long ago, short: `now`, `5m`, `3h`, `12d`. */
export function age(time: string, now = Date.now()): string {
  const seconds = (now - Date.parse(time)) / 1000;
  const unit = UNITS.find(([, size]) => seconds >= size);
  return unit ? `${Math.floor(seconds / unit[1])}${unit[0]}` : "now";
}
