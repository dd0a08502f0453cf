// Numbers and states in words.

import type { Thread, Turn, Usage } from "../src/protocol.js";
import { fileCount, stateName } from "../src/words.js";
import { t } from "./l10n.js";

export function bytes(size: number): string {
  if (size < 1000) return t("{0} bytes", size);
  const units = ["kB", "MB", "GB", "TB"];
  let value = size;
  let unit = "";
  for (const next of units) {
    if (value < 1000) break;
    value /= 1000;
    unit = next;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

export function duration(from: string, to: string | undefined, now = Date.now()): string {
  const seconds = Math.max(0, ((to === undefined ? now : Date.parse(to)) - Date.parse(from)) / 1000);
  return seconds < 10 ? t("{0} s", seconds.toFixed(1)) : span(seconds);
}

function span(seconds: number): string {
  if (seconds < 60) return t("{0} s", Math.round(seconds));
  if (seconds < 3600) return t("{0} min", Math.floor(seconds / 60));
  if (seconds < 86_400) return t("{0} h", Math.floor(seconds / 3600));
  return t("{0} d", Math.floor(seconds / 86_400));
}

export function age(time: string, now = Date.now()): string {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000);
  return seconds < 45 ? t("just now") : t("{0} ago", span(Math.max(60, seconds)));
}

/** The state of a thread as people say it. */
export function state(thread: Thread): string {
  const name = stateName(thread, t);
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** A kind of state, for its colour and sign. */
export function tone(thread: Thread): "busy" | "attention" | "done" | "quiet" | "bad" {
  switch (thread.state) {
    case "starting":
    case "running":
      return "busy";
    case "requiresAction":
      return "attention";
    case "failed":
      return "bad";
    case "idle":
      if (thread.lastTurn?.state === "failed") return "bad";
      return thread.lastTurn?.state === "completed" ? "done" : "quiet";
    default:
      return "quiet";
  }
}

/** Whether a turn can be stopped or guided. */
export function works(thread: Thread): boolean {
  return thread.state === "running" || thread.state === "requiresAction";
}

export function usage(used: Usage): string {
  const parts: string[] = [];
  const tokens = used.inputTokens + used.outputTokens;
  if (tokens > 0) parts.push(t("{0} tokens", count(tokens)));
  if (used.cost) parts.push(money(used.cost.amount, used.cost.currency));
  if (used.seconds >= 1) parts.push(span(used.seconds));
  return parts.join(" · ");
}

function count(number: number): string {
  if (number < 1000) return String(number);
  return number < 1_000_000 ? `${(number / 1000).toFixed(1)} k` : `${(number / 1_000_000).toFixed(1)} M`;
}

function money(amount: number, currency: string): string {
  try {
    return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(amount);
  } catch {
    return `${amount.toFixed(2)} ${currency}`;
  }
}

export function turnEnd(turn: Turn): string {
  const took = duration(turn.startTime, turn.endTime);
  switch (turn.state) {
    case "completed":
      return t("Turn {0} completed in {1}", turn.number, took);
    case "interrupted":
      return turn.stoppedBy && turn.stoppedBy !== "local" ? t("Turn {0} stopped by {1} after {2}", turn.number, turn.stoppedBy, took) : t("Turn {0} stopped after {1}", turn.number, took);
    case "failed":
      return t("Turn {0} failed after {1}", turn.number, took);
    default:
      return t("Turn {0}", turn.number);
  }
}

export function files(count: number): string {
  return fileCount(count, t);
}

/** Files and lines, for people who hear them. */
export function diffLabel(diff: Thread["diff"]): string {
  return t("{0} changed, {1} lines added, {2} removed", files(diff.files), diff.additions, diff.deletions);
}
