// Names of groups and states in the language of the editor.

import * as vscode from "vscode";

import type { Group } from "./groups.js";
import type { Thread } from "./protocol.js";

export function groupName(group: Group): string {
  switch (group) {
    case "needsYou":
      return vscode.l10n.t("Needs you");
    case "running":
      return vscode.l10n.t("Running");
    case "ready":
      return vscode.l10n.t("Ready");
    case "paused":
      return vscode.l10n.t("Paused");
    case "failed":
      return vscode.l10n.t("Failed");
  }
}

export function stateName(thread: Thread): string {
  switch (thread.state) {
    case "requiresAction":
      return vscode.l10n.t("needs you");
    case "starting":
      return vscode.l10n.t("starting");
    case "running":
      return vscode.l10n.t("running");
    case "paused":
      return vscode.l10n.t("paused");
    case "failed":
      return vscode.l10n.t("failed");
    case "deleting":
      return vscode.l10n.t("being deleted");
    case "idle":
      if (thread.lastTurn?.state === "failed") return vscode.l10n.t("failed");
      if (thread.lastTurn?.state === "interrupted") return vscode.l10n.t("stopped");
      return thread.lastTurn ? vscode.l10n.t("done") : vscode.l10n.t("ready");
    // A newer bridge may know more.
    default:
      return thread.state;
  }
}
