// Names of groups and states, and counts, in the language of the editor, for lists and pages, which each translate in their own way.

import type { Group } from "./groups.js";
import type { Thread } from "./protocol.js";

type Translate = (sentence: string, ...values: (string | number)[]) => string;

export function groupName(group: Group, t: Translate): string {
  switch (group) {
    case "needsYou":
      return t("Needs you");
    case "running":
      return t("Running");
    case "ready":
      return t("Ready");
    case "paused":
      return t("Paused");
    case "failed":
      return t("Failed");
  }
}

export function stateName(thread: Thread, t: Translate): string {
  switch (thread.state) {
    case "requiresAction":
      return t("needs you");
    case "starting":
      return thread.queuePosition ? t("queued ({0})", thread.queuePosition) : t("starting");
    case "running":
      return t("running");
    case "paused":
      return t("paused");
    case "failed":
      return t("failed");
    case "deleting":
      return t("being deleted");
    case "idle":
      if (thread.lastTurn?.state === "failed") return t("failed");
      if (thread.lastTurn?.state === "interrupted") return t("stopped");
      return thread.lastTurn ? t("done") : t("ready");
    // A newer bridge may know more.
    default:
      return thread.state;
  }
}

export function fileCount(count: number, t: Translate): string {
  return count === 1 ? t("1 file") : t("{0} files", count);
}
