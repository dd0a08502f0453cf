// The settings, and what of them the bridge is given.

import * as vscode from "vscode";

export type NoticeLevel = "all" | "needsAttention" | "off";

export interface Settings {
  readonly path: string;
  readonly cloud: string;
  readonly agent: string;
  readonly model: string;
  readonly mode: string;
  readonly log: string;
  readonly notices: NoticeLevel;
  readonly sshWindow: "new" | "same";
}

export function settings(): Settings {
  const at = vscode.workspace.getConfiguration("aloft");
  return {
    path: at.get("path", "").trim(),
    cloud: at.get("cloud", "").trim(),
    agent: at.get("agent", "").trim(),
    model: at.get("model", "").trim(),
    mode: at.get("mode", ""),
    log: at.get("log", "").trim(),
    notices: at.get<NoticeLevel>("notices", "all"),
    sshWindow: at.get<"new" | "same">("ssh.window", "new"),
  };
}

/** Settings that the bridge learns at its start. */
export const OF_THE_BRIDGE = ["aloft.path", "aloft.cloud", "aloft.agent", "aloft.model", "aloft.mode", "aloft.log", "http.proxy"];

/** `initializationOptions`: what `config.toml` may hold; what is not set is left to it. */
export function options(): Record<string, unknown> {
  const { cloud, agent, model, mode, log } = settings();
  return Object.fromEntries(Object.entries({ cloud, agent, model, mode, log }).filter(([, value]) => value !== ""));
}

/** Words of a command line for the cloud of this window. */
export function cloudWords(): string[] {
  const { cloud } = settings();
  return cloud ? ["--cloud", cloud] : [];
}

/** Variables of the bridge: the editor's proxy, where the environment names none. */
export function environment(of: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const proxy = vscode.workspace.getConfiguration("http").get("proxy", "").trim();
  if (!proxy) return {};
  const named = (name: string) => of[name] !== undefined || of[name.toLowerCase()] !== undefined;
  return Object.fromEntries(["HTTP_PROXY", "HTTPS_PROXY"].filter((name) => !named(name)).map((name) => [name, proxy]));
}
