// Links from outside, `vscode://aloft.aloft/thread/ID` and the like with the scheme of the editor at hand.

import * as vscode from "vscode";

import type { Ctx } from "./ctx.js";
import { clean } from "./text.js";

const t = vscode.l10n.t;

export type Link = { readonly to: "thread"; readonly name: string } | { readonly to: "new" | "dashboard" };

/** What a link means. It may come from anybody, so it opens things and does nothing. */
export function parse(path: string): Link | undefined {
  const [first, second, ...more] = path.split("/").filter((part) => part !== "");
  if (more.length > 0) return undefined;
  if (first === "thread" && second && /^[\w-]{1,100}$/.test(second)) return { to: "thread", name: second };
  if ((first === "new" || first === "dashboard") && second === undefined) return { to: first };
  return undefined;
}

export class Links implements vscode.UriHandler {
  constructor(readonly ctx: Ctx) {}

  async handleUri(uri: vscode.Uri): Promise<void> {
    const link = parse(uri.path);
    if (!link) {
      void vscode.window.showWarningMessage(t("Aloft knows no link such as {0}", clean(uri.path, 80)));
    } else if (link.to === "thread") {
      await this.#thread(link.name);
    } else {
      await vscode.commands.executeCommand(link.to === "new" ? "aloft.create" : "aloft.dashboard");
    }
  }

  /** It may be newer than the list here, and may have come before the list was read. */
  async #thread(name: string): Promise<void> {
    try {
      const { thread } = await this.ctx.bridge.request("thread/read", { threadId: name, limit: 1 });
      this.ctx.threads.learn(thread);
      this.ctx.openThread(thread.id);
    } catch (error) {
      this.ctx.fail(t("Open the link to {0}", clean(name, 80)), error);
    }
  }
}
