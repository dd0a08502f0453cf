// Model keys: which there are, and new ones. The cloud keeps them; here they only pass by.

import * as vscode from "vscode";

import { thinks } from "../webview/account.js";
import type { Ctx } from "./ctx.js";
import { plain } from "./text.js";
import { busy } from "./verbs.js";

const t = vscode.l10n.t;
const PROVIDERS = [
  { provider: "anthropic", label: "Anthropic" },
  { provider: "openai", label: "OpenAI" },
] as const;

export async function manageKeys(ctx: Ctx): Promise<void> {
  await chooseKey(ctx);
  await followAgents(ctx);
}

async function chooseKey(ctx: Ctx): Promise<void> {
  const keys = await ctx.bridge.request("key/list", {});
  const picked = await vscode.window.showQuickPick(
    PROVIDERS.map(({ provider, label }) => {
      const key = keys.find((key) => key.provider === provider);
      return { provider, label, ...(key ? { key } : {}), description: key ? `…${key.suffix} · ${key.source}` : t("no key yet") };
    }),
    { placeHolder: t("Key of which provider of models?") },
  );
  if (!picked) return;
  const address = picked.key?.baseUrl ?? "";
  if (!picked.key) return setKey(ctx, picked.provider, picked.label, address);
  const actions = { set: t("Set another key"), test: t("Test the key"), remove: t("Remove the key") };
  const action = await vscode.window.showQuickPick(Object.values(actions), { placeHolder: picked.label });
  if (action === actions.set) await setKey(ctx, picked.provider, picked.label, address);
  if (action === actions.test) await testKey(ctx, picked.provider, picked.label);
  if (action === actions.remove) await ctx.bridge.request("key/delete", { provider: picked.provider });
}

/** `address`: of the key that was there before. */
async function setKey(ctx: Ctx, provider: string, label: string, address: string): Promise<void> {
  const value = await vscode.window.showInputBox({
    prompt: t("Key of {0}. It is kept encrypted by the cloud and shown nowhere again.", label),
    password: true,
    ignoreFocusOut: true,
  });
  if (!value?.trim()) return;
  const baseUrl = await vscode.window.showInputBox({
    prompt: t("Address of the API, for a gateway of your own. Empty: that of {0}.", label),
    value: address,
    ignoreFocusOut: true,
  });
  if (baseUrl === undefined) return;
  await ctx.bridge.request("key/set", { provider, value: value.trim(), ...(baseUrl.trim() ? { baseUrl: baseUrl.trim() } : {}) });
  await testKey(ctx, provider, label);
}

async function testKey(ctx: Ctx, provider: string, label: string): Promise<void> {
  const { ok, detail } = await busy(t("Testing the key of {0}", label), () => ctx.bridge.request("key/test", { provider }));
  if (ok) void vscode.window.showInformationMessage(t("The key of {0} works.", label));
  else void vscode.window.showWarningMessage(t("The key of {0} is kept, but does not work: {1}", label, plain(detail, 400)));
}

/** Agents that can be used, and whether one of them thinks with a model. */
export async function followAgents(ctx: Ctx): Promise<void> {
  try {
    const agents = await ctx.bridge.request("agent/list", {});
    await vscode.commands.executeCommand("setContext", "aloft.noAgent", !thinks(agents));
  } catch (error) {
    ctx.log.warn(`the list of agents: ${error instanceof Error ? error.message : String(error)}`);
  }
}
