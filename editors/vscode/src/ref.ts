// Where an agent begins: a branch of a checkout here or of a repository elsewhere, or what a person names.

import * as vscode from "vscode";

import { needsAccount } from "../webview/account.js";
import type { Source } from "../webview/create_messages.js";
import type { Ctx } from "./ctx.js";
import { asRequestError } from "./errors.js";
import { connectForge } from "./forges.js";
import { branches } from "./git.js";
import { search } from "./search.js";
import { iconless } from "./text.js";

const t = vscode.l10n.t;

interface Choice extends vscode.QuickPickItem {
  readonly ref?: string;
  readonly more?: "other" | "connect" | "again";
}

/** Empty = where an agent begins when nothing is named; null when nobody chose. */
export async function pickRef(ctx: Ctx, source: Source): Promise<string | null> {
  const { path, repository } = source;
  const picked = await search<Choice>({
    placeHolder: t("Where does the agent begin?"),
    known: known(path),
    look: async (query, token) => {
      if (repository === undefined) return { found: [] };
      try {
        const { branches: found } = await ctx.bridge.request("branch/list", query === "" ? { repository } : { repository, query }, token);
        return { found: found.map(({ name, default: first }) => ({ ...branch(name, first ? t("default branch") : t("branch")), alwaysShow: query !== "" })) };
      } catch (error) {
        return { found: [], last: [missing(asRequestError(error))] };
      }
    },
    others: [{ label: t("Another branch, tag or commit…"), more: "other", alwaysShow: true }],
  });
  switch (picked?.more) {
    case "other":
      return (await vscode.window.showInputBox({ prompt: t("Branch, tag or commit") }))?.trim() ?? null;
    case "connect":
      return (await connectForge(ctx, repository)) ? pickRef(ctx, source) : null;
    case "again":
      return pickRef(ctx, source);
    default:
      return picked?.ref ?? null;
  }
}

/** Where it begins by itself, and the branches of a checkout. */
async function known(path: string | undefined): Promise<Choice[]> {
  if (path === undefined) return [{ label: t("the default branch"), ref: "" }];
  return [{ label: t("what is checked out"), ref: "" }, ...(await branches(path)).map((name) => branch(name, t("branch")))];
}

function branch(name: string, description: string): Choice {
  return { label: iconless(name), description, ref: name };
}

/** Why there are none. */
function missing({ reason, whole }: { reason: string; whole: string }): Choice {
  const connects = needsAccount(reason);
  return {
    label: `$(warning) ${t("The branches cannot be listed")}`,
    description: connects ? t("connect an account") : t("try again"),
    detail: iconless(whole, 400),
    alwaysShow: true,
    more: connects ? "connect" : "again",
  };
}
