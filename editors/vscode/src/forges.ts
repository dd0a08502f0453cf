// Accounts at forges and trackers: which there are, and new ones by a code in a browser or by a token. The cloud keeps the tokens; here they only
// pass by.

import * as vscode from "vscode";

import { link } from "./check.js";
import type { Ctx } from "./ctx.js";
import { isReason, type RequestError } from "./errors.js";
import type { ForgeAccount, ForgeSignIn } from "./protocol.js";
import { clean, plain } from "./text.js";
import { busy } from "./verbs.js";

const t = vscode.l10n.t;

/** What is wrong with a token that was just given: it is asked for again. */
const NOT_A_TOKEN = ["FORGE_TOKEN_INVALID", "FORGE_TOKEN_REFUSED", "FORGE_SCOPE_MISSING"];
const CANCELLED = -32800;

interface Forge {
  readonly kind: string;
  readonly label: string;
  /** Where there is one for everybody. */
  readonly host?: string;
  /** Below which customers have hosts of their own. */
  readonly domain?: string;
  /** What an address of one looks like. */
  readonly example?: string;
  /** It keeps issues and no repositories, and knows no sign-in by a code. */
  readonly tracker?: true;
  readonly needs: () => string;
}

const FORGES: readonly Forge[] = [
  { kind: "github", label: "GitHub", host: "github.com", needs: () => t("the scope repo, or contents and pull requests to read and write and issues to read") },
  { kind: "gitlab", label: "GitLab", host: "gitlab.com", needs: () => t("the scope api") },
  { kind: "github", label: "GitHub Enterprise", needs: () => t("the scope repo, or contents and pull requests to read and write and issues to read") },
  { kind: "gitlab", label: t("A GitLab of your own"), needs: () => t("the scope api") },
  { kind: "forgejo", label: t("Forgejo or Gitea"), needs: () => t("read:user and write:repository, for issues read:issue") },
  { kind: "linear", label: "Linear", host: "linear.app", tracker: true, needs: () => t("to read issues and to write comments, as a personal API key may") },
  { kind: "jira", label: "Jira", domain: ".atlassian.net", example: "https://NAME.atlassian.net", tracker: true, needs: () => t("the form EMAIL:TOKEN in Atlassian's cloud; elsewhere it is a personal access token") },
];

/** Whether an account reaches repositories, and not only issues. */
export const hasRepositories = ({ kind }: { kind: string }): boolean => !FORGES.some((forge) => forge.kind === kind && forge.tracker);

/** The accounts, to forget one or to connect another. */
export async function manageForges(ctx: Ctx): Promise<void> {
  const another = async () => {
    const forge = await choose(FORGES, t("Connect an account at which forge or tracker?"));
    if (forge) await connect(ctx, forge);
  };
  const accounts = await ctx.bridge.request("forge/list", {});
  if (accounts.length === 0) return another();
  const items: (vscode.QuickPickItem & { account?: ForgeAccount })[] = [
    ...accounts.map((account) => ({ account, label: clean(account.host), description: clean(account.login) })),
    { label: `$(add) ${t("Connect another account…")}` },
  ];
  const picked = await vscode.window.showQuickPick(items, { placeHolder: t("Accounts at forges") });
  if (!picked) return;
  if (!picked.account) return another();
  const { host } = picked.account;
  const actions = { again: t("Connect it again"), forget: t("Forget the account") };
  const action = await vscode.window.showQuickPick(Object.values(actions), { placeHolder: clean(host) });
  if (action === actions.again) await connectAgain(ctx, picked.account);
  if (action !== actions.forget) return;
  await ctx.bridge.request("forge/disconnect", { forge: host });
  void vscode.window.showInformationMessage(t("The account at {0} is forgotten. Revoke its token there.", plain(host)));
}

/** Connects an account: one that reaches what is at this address, else any that reaches repositories, or issues if it is about one; undefined when nobody went on. */
export async function connectForge(ctx: Ctx, address?: string, issue = false): Promise<ForgeAccount | undefined> {
  const near = originOf(address);
  const known = FORGES.find(({ host, domain }) => near !== undefined && ((host !== undefined && near === addressOf(host)) || (domain !== undefined && near.endsWith(domain))));
  if (known) return connect(ctx, known, near);
  const forges = FORGES.filter(({ tracker, host }) => (issue || !tracker) && (near === undefined || host === undefined));
  const forge = await choose(forges, near === undefined ? t("Connect an account at which forge?") : t("What is {0}?", near), near);
  return forge && connect(ctx, forge, near);
}

/** Connects an account once more, at the same place. */
export async function connectAgain(ctx: Ctx, { kind, url }: ForgeAccount): Promise<ForgeAccount | undefined> {
  const forge = FORGES.find((one) => one.kind === kind);
  return forge && connect(ctx, forge, url);
}

async function choose(forges: readonly Forge[], placeHolder: string, near?: string): Promise<Forge | undefined> {
  const choices = forges.map((forge) => ({ forge, label: forge.label, description: forge.host ?? near ?? t("a server of your own") }));
  return (await vscode.window.showQuickPick(choices, { placeHolder }))?.forge;
}

const addressOf = (host: string) => `https://${host}`;

/** Connects an account at a forge or a tracker, at this address where there is more than one of its kind. */
async function connect(ctx: Ctx, forge: Forge, address?: string): Promise<ForgeAccount | undefined> {
  const own = forge.host !== undefined && (address === undefined || address === addressOf(forge.host));
  const url = own ? undefined : (address ?? (await askAddress(forge.example)));
  if (!own && url === undefined) return undefined;
  const at = { kind: forge.kind, ...(url === undefined ? {} : { url }) };
  const account = (forge.tracker ? undefined : await byCode(ctx, at)) ?? (await byToken(ctx, at, forge));
  if (account === undefined || account === "no") return undefined;
  void vscode.window.showInformationMessage(t("Connected to {0} as {1}.", plain(account.host), plain(account.login)));
  return account;
}

/** Connects an account for the repository of a thread, which then goes on. */
export async function connectFor(ctx: Ctx, threadId: string): Promise<void> {
  if (!(await connectForge(ctx, ctx.threads.get(threadId)?.repository.url))) return;
  const thread = ctx.threads.get(threadId);
  if (thread?.state === "failed") await vscode.commands.executeCommand(thread.lastTurn?.state === "failed" ? "aloft.retry" : "aloft.resume", threadId);
}

interface At {
  readonly kind: string;
  readonly url?: string;
}

/** By a code that a person confirms in a browser; undefined where a token is needed or wanted, `no` when nobody went on. */
async function byCode(ctx: Ctx, at: At): Promise<ForgeAccount | "no" | undefined> {
  let begun: ForgeSignIn;
  try {
    begun = await busy(t("Asking the forge for a code"), () => ctx.bridge.request("forge/signIn", at));
  } catch (error) {
    if (isReason(error, "FORGE_SIGN_IN_UNCONFIGURED")) return undefined;
    throw error;
  }
  const { host, userCode, verificationUrl, signInId } = begun;
  const [open, token] = [t("Copy the code and open the page"), t("Use a token instead")];
  const detail = t("Type it in at {0}, and confirm that Aloft may use your account.", clean(verificationUrl));
  const answer = await vscode.window.showInformationMessage(t("Your code for {0} is {1}", plain(host), plain(userCode)), { modal: true, detail }, open, token);
  if (answer === token) return undefined;
  if (answer !== open) return "no";
  await vscode.env.clipboard.writeText(userCode);
  // Whoever closes the question about the page can go there by hand.
  void vscode.env.openExternal(vscode.Uri.parse(link(verificationUrl), true));
  const title = t("Waiting until the code {0} is confirmed at {1}", plain(userCode), plain(host));
  try {
    return await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title, cancellable: true }, (_, cancelled) =>
      ctx.bridge.request("forge/awaitSignIn", { signInId }, cancelled));
  } catch (error) {
    if ((error as RequestError).code === CANCELLED) return "no";
    throw error;
  }
}

async function byToken(ctx: Ctx, at: At, forge: Forge): Promise<ForgeAccount | undefined> {
  for (let problem = ""; ; ) {
    const prompt = t("Token for {0}. It needs {1}. The cloud keeps it encrypted and shows it nowhere again.", at.url ?? forge.host ?? "", forge.needs());
    const token = await vscode.window.showInputBox({ prompt: problem || prompt, password: true, ignoreFocusOut: true });
    if (!token?.trim()) return undefined;
    try {
      return await busy(t("Trying the token"), () => ctx.bridge.request("forge/connect", { ...at, token: token.trim() }));
    } catch (error) {
      if (!NOT_A_TOKEN.some((reason) => isReason(error, reason))) throw error;
      problem = clean((error as RequestError).whole, 400);
    }
  }
}

async function askAddress(example = "https://git.example.com"): Promise<string | undefined> {
  const address = await vscode.window.showInputBox({
    prompt: t("Its address in a browser"),
    placeHolder: example,
    ignoreFocusOut: true,
    validateInput: (text) => (/^https?:\/\/[^/\s]+/i.test(text.trim()) ? undefined : t("An address begins with https://")),
  });
  return address?.trim();
}

/** Where a repository or an issue lies, as an address in a browser. */
export function originOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const [, ssh] = /^(?:ssh:\/\/)?(?:[^@/\s]+@)([^:/\s]+)(?::\d+)?[:/]/.exec(address) ?? [];
  if (ssh !== undefined) return `https://${ssh}`;
  try {
    const { protocol, origin } = new URL(address);
    return protocol === "https:" || protocol === "http:" ? origin : undefined;
  } catch {
    return undefined;
  }
}
