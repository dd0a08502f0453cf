// Which repository an agent begins with: one that is open here, one of before, one of the connected forges, or another.

import path from "node:path";

import * as vscode from "vscode";

import { needsAccount } from "../webview/account.js";
import type { Source } from "../webview/create_messages.js";
import type { Ctx } from "./ctx.js";
import { asRequestError } from "./errors.js";
import { connectForge } from "./forges.js";
import { folders } from "./git.js";
import type { ForgeAccount, ForgeRepository } from "./protocol.js";
import { clean, iconless } from "./text.js";

const t = vscode.l10n.t;
/** A forge is asked when nobody has typed for this long. */
const SETTLE_MS = 200;

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
      return (await connectForge(ctx, picked.account?.url, picked.account?.kind)) ? pickSource(ctx, recent) : null;
    case "again":
      return pickSource(ctx, recent);
    default:
      return picked?.source ?? null;
  }
}

/** Shows what is known at once, and what the forges have when they have told it. */
function choose(ctx: Ctx, recent: readonly Source[]): Promise<Choice | undefined> {
  const picker = vscode.window.createQuickPick<Choice>();
  picker.placeholder = t("Which repository does the agent work on?");
  picker.matchOnDescription = true;
  picker.keepScrollPosition = true;
  let here: Choice[] = [];
  let before: Choice[] = [];
  let found: Choice[] = [];
  let missing: Choice[] = [];
  const others: Choice[] = [
    { label: `$(folder) ${t("Another folder…")}`, more: "folder" },
    { label: `$(link) ${t("URL or OWNER/NAME…")}`, more: "url" },
    { label: `$(plug) ${t("Connect an account at a forge…")}`, more: "connect" },
  ];
  const draw = (): void => {
    const [active] = picker.activeItems;
    picker.items = [...here, ...before, ...found, ...others, ...missing];
    // Who has moved to an entry stays there.
    const again = picker.items.find((item) => item === active);
    if (again) picker.activeItems = [again];
  };
  let timer: NodeJS.Timeout | undefined;
  let asking: vscode.CancellationTokenSource | undefined;
  const look = async (query: string): Promise<void> => {
    asking?.cancel();
    const mine = (asking = new vscode.CancellationTokenSource());
    picker.busy = true;
    try {
      const { repositories, problems = [] } = await ctx.bridge.request("repository/list", query === "" ? {} : { query }, mine.token);
      if (asking !== mine) return;
      found = repositories.map((repository) => choiceOf(repository, query !== ""));
      missing = problems.map(({ account, problem }) => missingOf(problem, account));
    } catch (error) {
      const refused = asRequestError(error);
      // Only that of an only account fails as a whole.
      const accounts = await ctx.bridge.request("forge/list", {}, mine.token).catch(() => []);
      if (asking !== mine) return;
      found = [];
      missing = refused.reason === "FORGE_ACCOUNT_MISSING" ? [] : [missingOf(refused, accounts.length === 1 ? accounts[0] : undefined)];
    }
    picker.busy = false;
    draw();
  };
  draw();
  picker.show();
  void look("");
  void folders().then((open) => {
    here = open.map((folder) => ({ label: `$(root-folder) ${iconless(path.basename(folder))}`, description: folder, source: { path: folder } }));
    before = recent
      .filter((source) => source.path === undefined || !open.includes(source.path))
      .map((source) => ({ label: `$(history) ${iconless(source.path ?? source.repository ?? "")}`, source }));
    draw();
  });
  return new Promise((resolve) => {
    picker.onDidChangeValue((value) => {
      clearTimeout(timer);
      timer = setTimeout(() => void look(value.trim()), SETTLE_MS);
    });
    picker.onDidAccept(() => {
      const [picked] = picker.selectedItems;
      if (picked && !picked.source && !picked.more) return;
      resolve(picked);
      picker.hide();
    });
    picker.onDidHide(() => {
      clearTimeout(timer);
      asking?.cancel();
      asking = undefined;
      picker.dispose();
      resolve(undefined);
    });
  });
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
