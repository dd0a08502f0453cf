// What listens in a sandbox, brought to this machine.

import * as vscode from "vscode";

import type { Ctx } from "./ctx.js";
import { iconless } from "./text.js";
import { busy, title } from "./verbs.js";

const t = vscode.l10n.t;

/** What was brought here, by thread and port. */
const forwarded = new Map<string, string>();

export async function listPorts(ctx: Ctx, threadId: string): Promise<void> {
  const { ports } = await busy(t("Looking for ports of {0}", title(ctx, threadId)), () => ctx.bridge.request("port/list", { threadId }));
  if (ports.length === 0) {
    void vscode.window.showInformationMessage(t("Nothing listens in the sandbox of {0}.", title(ctx, threadId)));
    return;
  }
  const items = ports.map(({ port, process }) => ({
    port,
    label: String(port),
    description: iconless(process ?? ""),
    detail: forwarded.has(`${threadId}/${port}`) ? t("here as {0}", forwarded.get(`${threadId}/${port}`)!) : "",
  }));
  const picked = await vscode.window.showQuickPick(items, { placeHolder: t("Bring which port here?"), matchOnDescription: true });
  if (picked) await forward(ctx, threadId, picked.port);
}

export async function forwardPort(ctx: Ctx, threadId: string): Promise<void> {
  const given = await vscode.window.showInputBox({
    prompt: t("Port in the sandbox"),
    validateInput: (text) => (portOf(text) ? undefined : t("A port is a number from 1 to 65535.")),
  });
  const port = given === undefined ? undefined : portOf(given);
  if (port) await forward(ctx, threadId, port);
}

async function forward(ctx: Ctx, threadId: string, port: number): Promise<void> {
  const key = `${threadId}/${port}`;
  const address = forwarded.get(key) ?? (await ctx.bridge.request("port/forward", { threadId, port })).address;
  forwarded.set(key, address);
  const open = t("Open in browser");
  const copy = t("Copy address");
  const end = t("Stop forwarding");
  const answer = await vscode.window.showInformationMessage(
    t("Port {0} of {1} is here as {2}.", port, title(ctx, threadId), address),
    open,
    copy,
    end,
  );
  if (answer === open) await vscode.env.openExternal(vscode.Uri.parse(`http://${address}`));
  if (answer === copy) await vscode.env.clipboard.writeText(address);
  if (answer === end) {
    forwarded.delete(key);
    await ctx.bridge.request("port/unforward", { threadId, port });
  }
}

/** Forwards end with the bridge that held them. */
export function followBridge(ctx: Ctx): vscode.Disposable {
  return ctx.bridge.onDidStart(() => forwarded.clear());
}

function portOf(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text.trim()) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}
