// How a thread is shown, in the list and on the dashboard: its group, icon, words, and what may be done with it.

import { needsAccount } from "../webview/account.js";
import { age, clean } from "./text.js";
import type { Thread } from "./protocol.js";

export type Group = "needsYou" | "running" | "ready" | "paused" | "failed";

/** In the order in which they are shown. */
export const GROUPS: readonly Group[] = ["needsYou", "running", "ready", "paused", "failed"];

export function groupOf(thread: Thread): Group {
  switch (thread.state) {
    case "requiresAction":
      return "needsYou";
    case "starting":
    case "running":
    case "deleting":
      return "running";
    case "paused":
      return "paused";
    case "failed":
      return "failed";
    default:
      return thread.lastTurn?.state === "failed" ? "failed" : "ready";
  }
}

export interface Look {
  readonly icon: string;
  readonly colour?: string;
}

const LOOKS: Readonly<Record<Group, Look>> = {
  needsYou: { icon: "bell-dot", colour: "charts.yellow" },
  running: { icon: "sync~spin", colour: "charts.blue" },
  ready: { icon: "pass", colour: "charts.green" },
  paused: { icon: "debug-pause" },
  failed: { icon: "error", colour: "charts.red" },
};

export function lookOf(thread: Thread): Look {
  if (thread.state === "deleting") return { icon: "trash" };
  if (thread.state === "idle" && thread.lastTurn?.state === "interrupted") return { icon: "circle-slash" };
  return LOOKS[groupOf(thread)];
}

/** Repository, branch and age, as far as they are of use. */
export function description(thread: Thread, now?: number): string {
  const parts = [thread.repository.name, thread.branch, age(thread.updateTime, now)];
  if (thread.state === "starting" && thread.step) parts.unshift(thread.step);
  return parts.map((part) => clean(part, 60)).join(" · ");
}

/** What may be done with a thread, for the `when` of menus: words between semicolons. */
export function contextOf(thread: Thread): string {
  const words = ["thread", groupOf(thread), thread.state];
  if (thread.state === "running" || thread.state === "requiresAction" || thread.state === "starting") words.push("stoppable");
  if (thread.state === "paused" || thread.state === "failed") words.push("resumable");
  if (thread.state === "idle") words.push("pausable");
  const last = thread.lastTurn?.state;
  if ((last === "failed" || last === "interrupted") && thread.state !== "running") words.push("retryable");
  words.push(thread.muted ? "muted" : "heard", thread.keep ? "kept" : "unkept", thread.diff.files > 0 ? "changed" : "unchanged");
  if (thread.issue) words.push("issue");
  if (thread.pullRequest) words.push("pullRequest");
  if (needsAccount(thread.error?.reason)) words.push("accountless");
  return `;${words.join(";")};`;
}

/** All words of the query are in what it is about, or in how it stands. */
export function matches(thread: Thread, query: string): boolean {
  const text = [thread.title, thread.slug, thread.branch, thread.repository.name, thread.agent, thread.state].join("\n").toLowerCase();
  return query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
