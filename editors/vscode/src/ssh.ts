// Windows and terminals in a sandbox. The ssh is the system's, its config the bridge's to write.

import * as vscode from "vscode";

import { cloudWords, settings } from "./config.js";
import type { Ctx } from "./ctx.js";
import type { SshConnectResult } from "./protocol.js";
import { hostOfAuthority, resolverFor } from "./remote.js";
import { busy, title } from "./verbs.js";

const t = vscode.l10n.t;

/** Opens the sandbox of a thread as the folder of a window. A paused thread is resumed by it. */
export async function openSsh(ctx: Ctx, threadId: string, window?: "new" | "same"): Promise<void> {
  const ask = (setUp: boolean) => ctx.bridge.request("ssh/connect", { threadId, setUp });
  let at = await busy(t("Connecting to {0}", title(ctx, threadId)), () => ask(false));
  if (!hasResolver()) return offerResolver(ctx, threadId, at);
  if (!at.setUp) {
    const write = t("Add the lines");
    const answer = await vscode.window.showInformationMessage(
      t("Your ssh does not know the hosts of Aloft yet"),
      { modal: true, detail: `${t("These lines are put at the top of ~/.ssh/config; nothing else is touched:")}\n\n${at.lines}` },
      write,
    );
    if (answer !== write) return;
    at = await ask(true);
  }
  const fresh = (window ?? settings().sshWindow) === "new" || (vscode.workspace.workspaceFolders?.length ?? 0) > 0;
  ctx.log.info(`opening ${at.uri}`);
  await vscode.commands.executeCommand("vscode.openFolder", vscode.Uri.parse(at.uri, true), { forceNewWindow: fresh });
}

/** A shell in the sandbox. */
export async function openTerminal(ctx: Ctx, threadId: string): Promise<void> {
  const { program } = ctx.bridge;
  if (!program) return;
  vscode.window
    .createTerminal({
      name: title(ctx, threadId),
      shellPath: program.path,
      shellArgs: ["ssh", ...cloudWords(), threadId],
      iconPath: new vscode.ThemeIcon("remote"),
    })
    .show();
}

/** Somebody in this editor knows what `ssh-remote` is. */
function hasResolver(): boolean {
  return vscode.extensions.all.some(({ packageJSON }) =>
    ((packageJSON as { activationEvents?: string[] }).activationEvents ?? []).some((event) =>
      event === "onResolveRemoteAuthority:ssh-remote" || event === "onResolveRemoteAuthority"));
}

async function offerResolver(ctx: Ctx, threadId: string, at: SshConnectResult): Promise<void> {
  const id = resolverFor(vscode.env.appName);
  const install = t("Install {0}", id);
  const terminal = t("Open a terminal");
  const copy = t("Copy the ssh command");
  const answer = await vscode.window.showWarningMessage(
    t("To open a window in the sandbox, {0} needs an extension for SSH.", vscode.env.appName),
    install,
    terminal,
    copy,
  );
  if (answer === install) {
    await vscode.commands.executeCommand("workbench.extensions.installExtension", id);
    return openSsh(ctx, threadId);
  }
  if (answer === terminal) return openTerminal(ctx, threadId);
  if (answer === copy) await vscode.env.clipboard.writeText(`ssh ${at.setUp ? "" : `-F '${at.configFile}' `}${at.host}`);
}

/** In a window that is in a sandbox, shows the thread of that sandbox, once. */
export class OwnThread implements vscode.Disposable {
  readonly #ctx: Ctx;
  readonly #reveal: (threadId: string) => void;
  readonly #disposables: vscode.Disposable[];
  #shown: string | undefined;

  constructor(ctx: Ctx, reveal: (threadId: string) => void) {
    this.#ctx = ctx;
    this.#reveal = reveal;
    this.#disposables = [ctx.threads.onDidLoad(() => this.look()), vscode.workspace.onDidChangeWorkspaceFolders(() => this.look())];
  }

  /** The thread whose sandbox this window is in. */
  get threadId(): string | undefined {
    return this.#shown;
  }

  /** Finds it by the addresses of the window's folders. */
  look(folders = (vscode.workspace.workspaceFolders ?? []).map(({ uri }) => uri)): void {
    const hosts = folders.flatMap(({ scheme, authority }) => (scheme === "vscode-remote" ? (hostOfAuthority(authority) ?? []) : []));
    const thread = hosts.map((host) => this.#ctx.threads.named(host)).find((thread) => thread !== undefined);
    if (!thread || this.#shown === thread.id) return;
    this.#shown = thread.id;
    this.#ctx.log.info(`this window is in the sandbox of ${thread.slug}`);
    this.#ctx.openThread(thread.id, { beside: true, preserveFocus: true });
    this.#reveal(thread.id);
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }
}
