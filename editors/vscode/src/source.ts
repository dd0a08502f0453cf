// Which repository an agent begins with: one that is open here, one of before, one of the connected forges, or another.

import path from "node:path";

import * as vscode from "vscode";

import { needsAccount } from "../webview/account.js";
import type { Source } from "../webview/create_messages.js";
import type { Ctx } from "./ctx.js";
import { asRequestError } from "./errors.js";
import { connectAgain, connectForge, hasRepositories } from "./forges.js";
import { folders } from "./git.js";
import type { ForgeAccount, ForgeRepository } from "./protocol.js";
import { search } from "./search.js";
import { clean, iconless } from "./text.js";

const t = vscode.l10n.t;

interface Choice extends vscode.QuickPickItem {
  readonly source?: Source;
  readonly more?: "folder" | "url" | "connect" | "again";
  /** The one that is connected again. */
  readonly account?: ForgeAccount;
}

export async function pickSource(ctx: Ctx, recent: readonly Source[]): Promise<Source | null> {
  const picked = await choose(ctx, recent);
  switch (picked?.more) {
    case "folder": {
      const [folder] = (await vscode.window.showOpenDialog({ canSelectFolders: true, canSelectFiles: false, openLabel: t("Choose") })) ?? [];
      return folder ? { path: folder.fsPath } : null;
    }
    case "url": {
      const given = await vscode.window.showInputBox({ prompt: t("Git URL, or OWNER/NAME at the forge"), placeHolder: "https://github.com/OWNER/NAME" });
      return given?.trim() ? { repository: given.trim() } : null;
    }
    case "connect":
      return (await (picked.account ? connectAgain(ctx, picked.account) : connectForge(ctx))) ? pickSource(ctx, recent) : null;
    case "again":
      return pickSource(ctx, recent);
    default:
      return picked?.source ?? null;
  }
}

/** Shows what is known at once, and what the forges have when they have told it. */
function choose(ctx: Ctx, recent: readonly Source[]): Promise<Choice | undefined> {
  return search<Choice>({
    placeHolder: t("Which repository does the agent work on?"),
    known: known(recent),
    others: [
      { label: `$(folder) ${t("Another folder…")}`, more: "folder" },
      { label: `$(link) ${t("URL or OWNER/NAME…")}`, more: "url" },
      { label: `$(plug) ${t("Connect an account at a forge…")}`, more: "connect" },
    ],
    look: async (query, token) => {
      try {
        const { repositories, problems = [] } = await ctx.bridge.request("repository/list", query === "" ? {} : { query }, token);
        return {
          found: repositories.map((repository) => choiceOf(repository, query !== "")),
          last: problems.map(({ account, problem }) => missingOf(problem, account)),
        };
      } catch (error) {
        const refused = asRequestError(error);
        if (refused.reason === "FORGE_ACCOUNT_MISSING") return { found: [] };
        // Only that of an only account fails as a whole.
        const accounts = (await ctx.bridge.request("forge/list", {}, token).catch(() => [])).filter(hasRepositories);
        return { found: [], last: [missingOf(refused, accounts.length === 1 ? accounts[0] : undefined)] };
      }
    },
  });
}

/** What is open here, and what was chosen before. */
async function known(recent: readonly Source[]): Promise<Choice[]> {
  const open = await folders();
  return [
    ...open.map((folder) => ({ label: `$(root-folder) ${iconless(path.basename(folder))}`, description: folder, source: { path: folder } })),
    ...recent
      .filter((source) => source.path === undefined || !open.includes(source.path))
      .map((source) => ({ label: `$(history) ${iconless(source.path ?? source.repository ?? "")}`, source })),
  ];
}

/** Why repositories are missing, as an entry by which their account is connected again where that helps, and asked again where not. */
function missingOf({ reason, message, hint }: { reason: string; message: string; hint?: string | undefined }, account: ForgeAccount | undefined): Choice {
  const label = account
    ? t("The repositories of {0} at {1} are missing", iconless(account.login), iconless(account.host))
    : t("The repositories of your accounts cannot be listed");
  const connects = needsAccount(reason);
  return {
    label: `$(warning) ${label}`,
    description: connects ? t("connect it again") : t("try again"),
    detail: iconless(hint ? `${message}. ${hint}` : message, 400),
    alwaysShow: true,
    more: connects ? "connect" : "again",
    ...(account ? { account } : {}),
  };
}

/** `searched`: the forge found it by these words, which may stand in it in another way. */
function choiceOf({ name, host, url, private: hidden, fork, archived }: ForgeRepository, searched: boolean): Choice {
  const facts = [host, hidden ? t("private") : "", fork ? t("fork") : "", archived ? t("archived") : ""];
  return { label: `$(repo) ${iconless(name)}`, description: facts.filter(Boolean).map((fact) => clean(fact)).join(" · "), source: { repository: url }, alwaysShow: searched };
}
