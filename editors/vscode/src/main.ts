// The extension: what it is made of, put together. Nothing here waits for the bridge.

import * as vscode from "vscode";

import { needsAccount, needsKey } from "../webview/account.js";
import { Bridge } from "./bridge.js";
import { registerCommands } from "./commands.js";
import * as config from "./config.js";
import { CreateForm } from "./create.js";
import type { Ctx, Mend } from "./ctx.js";
import { Dashboard } from "./dashboard.js";
import { Documents } from "./documents.js";
import { asRequestError } from "./errors.js";
import { Follows } from "./follows.js";
import { connectForge } from "./forges.js";
import { followAgents } from "./keys.js";
import { Notices } from "./notices.js";
import { followBridge } from "./ports.js";
import { Review } from "./review.js";
import { SandboxFiles } from "./sandbox_files.js";
import { Screens } from "./screens.js";
import { OwnThread } from "./ssh.js";
import { Status } from "./status.js";
import { clean, plain } from "./text.js";
import { ThreadPanels } from "./thread_panel.js";
import { Threads } from "./threads.js";
import { ThreadsView } from "./threads_view.js";
import { Links } from "./uri.js";

const t = vscode.l10n.t;

/** What `activate` gives to whoever asks for this extension; the tests do. */
export interface Api {
  readonly ctx: Ctx;
  readonly view: ThreadsView;
  readonly status: Status;
  readonly own: OwnThread;
  readonly panels: ThreadPanels;
  readonly review: Review;
  /** Milliseconds: how long `activate` took, and from its beginning to the first list. */
  readonly laps: { activate: number; list?: number };
}

let bridge: Bridge | undefined;

export function activate(extension: vscode.ExtensionContext): Api {
  const begun = performance.now();
  const log = vscode.window.createOutputChannel("Aloft", { log: true });
  bridge = new Bridge({
    extension: extension.extensionPath,
    version: (extension.extension.packageJSON as { version: string }).version,
    log,
    setting: () => config.settings().path,
    settings: config.options,
    environment: config.environment,
    folders: () => (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file").map(({ uri, name }) => ({ uri: uri.toString(), name })),
  });
  const threads = new Threads(bridge, log);
  const screens = new Screens();
  const view = new ThreadsView(threads);
  const ctx: Ctx = {
    extension,
    log,
    bridge,
    threads,
    screens,
    openThread: (threadId, options) => void panels.open(threadId, options),
    openDashboard: () => dashboard.open(),
    review: (threadId, against) => review.open(threadId, against),
    activeThread: () => panels.active?.threadId,
    fail: (what, error, mend) => void fail(ctx, what, error, mend),
  };
  const follows = new Follows(bridge);
  const documents = new Documents(bridge);
  const files = new SandboxFiles(ctx);
  const panels = new ThreadPanels(ctx, follows);
  const dashboard = new Dashboard(ctx, follows);
  const review = new Review(ctx, documents, files);
  const status = new Status(bridge, threads);
  const own = new OwnThread(ctx, (threadId) => void view.reveal(threadId));
  const laps: Api["laps"] = { activate: 0 };
  const first = threads.onDidLoad(() => {
    if (!threads.loaded) return;
    laps.list = performance.now() - begun;
    log.info(`${threads.all().length} threads, ${Math.round(laps.list)} ms after the start`);
    first.dispose();
  });
  extension.subscriptions.push(
    log, bridge, threads, follows, documents, files, view, status, own, first,
    new CreateForm(ctx),
    new Notices(ctx),
    followBridge(ctx),
    vscode.window.registerUriHandler(new Links(ctx)),
    bridge.onDidStart(() => void followAgents(ctx)),
    bridge.onDidChangeState(({ kind, message, hint }) => {
      if (kind === "stopped") void stopped(message ?? "", hint ?? "");
    }),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("aloft.cloud")) threads.forget();
      if (config.OF_THE_BRIDGE.some((name) => change.affectsConfiguration(name))) void ctx.bridge.restart();
    }),
  );
  registerCommands(ctx, view);
  bridge.start();
  laps.activate = performance.now() - begun;
  return { ctx, view, status, own, panels, review, laps };
}

export async function deactivate(): Promise<void> {
  await bridge?.close();
}

async function fail(ctx: Ctx, what: string, error: unknown, mend?: Mend): Promise<void> {
  const { log } = ctx;
  const problem = asRequestError(error);
  log.error(`${what}: ${problem.reason}: ${problem.whole}${error instanceof Error && problem.reason === "INTERNAL" ? `\n${error.stack}` : ""}`);
  const show = t("Show log");
  const [keys, connect] = [t("Model keys"), t("Connect…")];
  const ways = needsKey(problem.reason) ? [keys] : needsAccount(problem.reason) ? [connect] : [];
  const answer = await vscode.window.showErrorMessage(`${plain(what)}: ${plain(problem.whole, 600)}`, ...ways, show);
  if (answer === show) log.show();
  if (answer === keys) await vscode.commands.executeCommand("aloft.keys");
  if (answer !== connect) return;
  try {
    if (await connectForge(ctx, mend?.place, mend?.issue)) await mend?.again();
  } catch (refused) {
    await fail(ctx, t("Connect an account"), refused, mend);
  }
}

async function stopped(message: string, hint: string): Promise<void> {
  const [again, log, set] = [t("Restart"), t("Show log"), t("Settings")];
  const answer = await vscode.window.showErrorMessage(`Aloft: ${clean(message, 400)}. ${clean(hint)}.`, again, set, log);
  if (answer === again) await vscode.commands.executeCommand("aloft.restart");
  if (answer === set) await vscode.commands.executeCommand("aloft.openSettings");
  if (answer === log) await vscode.commands.executeCommand("aloft.showLog");
}
