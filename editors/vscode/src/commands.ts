// The commands: what a person can do with a thread, and what concerns Aloft as a whole. Each is asked of the bridge, which decides.

import * as vscode from "vscode";

import { needsAccount } from "../webview/account.js";
import type { Ctx } from "./ctx.js";
import { connectFor, manageForges } from "./forges.js";
import { collectLogs } from "./logs.js";
import { manageKeys } from "./keys.js";
import { applyChanges, checkOut } from "./local.js";
import { pickThread, threadOf, type Given } from "./pick.js";
import { forwardPort, listPorts } from "./ports.js";
import type { Thread } from "./protocol.js";
import { openSsh, openTerminal } from "./ssh.js";
import { clean } from "./text.js";
import type { ThreadsView } from "./threads_view.js";
import * as verbs from "./verbs.js";

interface Verb {
  /** For the question which thread, and for errors. */
  readonly what: () => string;
  /** Threads for which it is possible. */
  readonly fits?: (thread: Thread) => boolean;
  /** Of the panel that one is in it makes no sense. */
  readonly another?: boolean;
  /** Where an account may be missing for it, where that is not its repository. */
  readonly place?: (thread: Thread) => string | undefined;
  readonly run: (ctx: Ctx, threadId: string, turn?: number) => Promise<unknown>;
}

const t = vscode.l10n.t;
const runs = ({ state }: Thread) => state === "running" || state === "requiresAction" || state === "starting";
const changed = ({ diff }: Thread) => diff.files > 0;

const VERBS: Readonly<Record<string, Verb>> = {
  openThread: { what: () => t("Open an agent"), another: true, run: async (ctx, id) => ctx.openThread(id) },
  stop: { what: () => t("Stop an agent"), fits: runs, run: verbs.stop },
  finish: { what: () => t("Let an agent finish up"), fits: runs, run: verbs.finish },
  pause: { what: () => t("Pause an agent"), fits: ({ state }) => state === "idle", run: verbs.pause },
  resume: { what: () => t("Resume an agent"), fits: ({ state }) => state === "paused" || state === "failed", run: verbs.resume },
  retry: { what: () => t("Try the last turn again"), fits: (thread) => !runs(thread) && thread.lastTurn !== undefined, run: verbs.retry },
  fork: { what: () => t("Fork an agent"), run: verbs.fork },
  rewind: { what: () => t("Rewind an agent"), fits: ({ lastTurn }) => lastTurn !== undefined, run: verbs.rewind },
  rename: { what: () => t("Rename an agent"), run: verbs.rename },
  mute: { what: () => t("Mute an agent"), fits: ({ muted }) => !muted, run: verbs.mute },
  unmute: { what: () => t("Unmute an agent"), fits: ({ muted }) => muted, run: verbs.unmute },
  keep: { what: () => t("Keep an agent"), fits: ({ keep }) => !keep, run: verbs.keep },
  unkeep: { what: () => t("Keep an agent no longer"), fits: ({ keep }) => keep, run: verbs.unkeep },
  mode: { what: () => t("Change an agent's mode"), run: verbs.mode },
  model: { what: () => t("Change an agent's model"), run: verbs.model },
  delete: { what: () => t("Delete an agent"), run: verbs.remove },
  archive: { what: () => t("Archive an agent"), run: verbs.archive },
  copyBranch: { what: () => t("Copy a branch's name"), run: verbs.copyBranch },
  copyId: { what: () => t("Copy an agent's id"), run: verbs.copyId },
  createPullRequest: { what: () => t("Create a pull request"), fits: changed, run: verbs.createPullRequest },
  commentOnIssue: { what: () => t("Comment on an issue"), fits: ({ issue }) => issue !== undefined, place: ({ issue }) => issue?.url, run: verbs.commentOnIssue },
  connect: { what: () => t("Connect an account"), fits: ({ error }) => needsAccount(error?.reason), run: connectFor },
  openPullRequest: { what: () => t("Open a pull request"), fits: ({ pullRequest }) => pullRequest !== undefined, run: verbs.openPullRequest },
  apply: { what: () => t("Apply changes"), fits: changed, run: (ctx, id) => applyChanges(ctx, id) },
  checkout: { what: () => t("Check out a branch"), run: checkOut },
  review: { what: () => t("Review changes"), fits: changed, run: (ctx, id) => ctx.review(id) },
  ssh: { what: () => t("SSH to agent"), run: (ctx, id) => openSsh(ctx, id) },
  sshNewWindow: { what: () => t("SSH to agent"), run: (ctx, id) => openSsh(ctx, id, "new") },
  terminal: { what: () => t("Open a terminal"), run: openTerminal },
  ports: { what: () => t("List ports"), run: listPorts },
  forwardPort: { what: () => t("Forward a port"), run: forwardPort },
};

export function registerCommands(ctx: Ctx, view: ThreadsView): void {
  const add = (name: string, run: (...given: never[]) => unknown) =>
    ctx.extension.subscriptions.push(
      vscode.commands.registerCommand(`aloft.${name}`, async (...given: unknown[]) => run(...(given as never[]))),
    );

  for (const [name, { what, fits, another, place, run }] of Object.entries(VERBS)) {
    add(name, async (given: Given, turn?: unknown) => {
      const threadId = another && given === undefined ? await pickThread(ctx.threads, what(), fits) : await threadOf(ctx, given, what(), fits);
      if (threadId === undefined) return;
      const attempt = async (): Promise<unknown> => {
        try {
          return await run(ctx, threadId, typeof turn === "number" ? turn : undefined);
        } catch (error) {
          const thread = ctx.threads.get(threadId);
          return ctx.fail(thread ? `${what()}: ${clean(thread.title, 60)}` : what(), error, { place: place && thread ? place(thread) : thread?.repository.url, issue: place !== undefined, again: attempt });
        }
      };
      return attempt();
    });
  }

  const whole = (name: string, what: () => string, run: () => unknown) =>
    add(name, async () => {
      try {
        return await run();
      } catch (error) {
        ctx.fail(what(), error);
      }
    });
  whole("restart", () => t("Restart the bridge"), () => ctx.bridge.restart());
  whole("refresh", () => t("Read the list of agents"), () => ctx.threads.load());
  whole("showLog", () => t("Show the log"), () => ctx.log.show());
  whole("showThreads", () => t("Show agents"), () => vscode.commands.executeCommand("aloft.threads.focus"));
  whole("dashboard", () => t("Open the dashboard"), () => ctx.openDashboard());
  whole("restore", () => t("Restore an archived agent"), () => verbs.restore(ctx));
  whole("keys", () => t("Model keys"), () => manageKeys(ctx));
  whole("forges", () => t("Accounts at forges"), () => manageForges(ctx));
  whole("collectLogs", () => t("Collect logs"), () => collectLogs(ctx));
  whole("openSettings", () => t("Open the settings"), () =>
    vscode.commands.executeCommand("workbench.action.openSettings", "@ext:aloft.aloft"));
  whole("filter", () => t("Filter agents"), () => filter(view));
  whole("clearFilter", () => t("Clear the filter"), () => void (view.filter = ""));
  whole("find", () => t("Go to an agent"), async () => {
    const threadId = await pickThread(ctx.threads, t("Go to an agent: title, branch, repository or state"));
    if (threadId !== undefined) ctx.openThread(threadId);
  });
}

/** Filters as one types; Escape brings back what was there before. */
async function filter(view: ThreadsView): Promise<void> {
  const before = view.filter;
  const input = vscode.window.createInputBox();
  input.placeholder = t("Words in title, branch or repository");
  input.value = before;
  input.onDidChangeValue((value) => (view.filter = value));
  const accepted = await new Promise<boolean>((resolve) => {
    input.onDidAccept(() => resolve(true));
    input.onDidHide(() => resolve(false));
    input.show();
  });
  if (!accepted) view.filter = before;
  input.dispose();
}
