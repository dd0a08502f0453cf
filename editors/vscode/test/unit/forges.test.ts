import { beforeEach, expect, test, vi } from "vitest";

import type { Ctx } from "../../src/ctx.js";
import { RequestError } from "../../src/errors.js";
import { connectForge, manageForges, originOf } from "../../src/forges.js";
import { env, window } from "./vscode.stub.js";

type Answer = (params: Record<string, unknown>) => unknown;

let asked: [string, unknown][];
let answers: Record<string, Answer>;
const ctx = {
  bridge: {
    request: async (method: string, params: Record<string, unknown>) => {
      asked.push([method, params]);
      return answers[method]!(params);
    },
  },
} as unknown as Ctx;
const account = { kind: "github", host: "github.com", login: "me", url: "https://github.com", scopes: [] };
const refuse = (reason: string, code = -32013): never => {
  throw new RequestError(`because of ${reason}`, code, reason);
};

beforeEach(() => {
  asked = [];
  answers = { "forge/signIn": () => refuse("FORGE_SIGN_IN_UNCONFIGURED"), "forge/connect": () => account };
  window["showQuickPick"] = vi.fn(async () => undefined);
});

test("where a repository lies", () => {
  expect(originOf("git@git.example.com:a/b.git")).toBe("https://git.example.com");
  expect(originOf("ssh://git@git.example.com:2222/a/b")).toBe("https://git.example.com");
  expect(originOf("http://127.0.0.1:7420/a/b.git")).toBe("http://127.0.0.1:7420");
  expect([originOf("/srv/git/a.git"), originOf("me/app"), originOf(undefined)]).toEqual([undefined, undefined, undefined]);
});

test("without an application a token is asked for, until one is good or nobody wants to", async () => {
  const asks: string[] = [];
  const given = ["short", " ghp_good "];
  window["showInputBox"] = async ({ prompt, password }: { prompt: string; password: boolean }) => (asks.push(`${prompt} ${password}`), given.shift());
  answers["forge/connect"] = ({ token }) => (token === "ghp_good" ? account : refuse("FORGE_SCOPE_MISSING"));
  expect(await connectForge(ctx, "https://github.com/me/app")).toEqual(account);
  expect(asks[0]).toMatch(/github\.com.*scope repo.*true$/);
  expect(asks[1]).toMatch(/^because of FORGE_SCOPE_MISSING true$/);
  expect(asked.at(-1)).toEqual(["forge/connect", { kind: "github", token: "ghp_good" }]);
  expect(window["showQuickPick"]).not.toHaveBeenCalled();
  expect(await connectForge(ctx, "https://github.com/me/app")).toBeUndefined();
});

test("of another host it is asked what it is, and the code's page opens only if it is an address", async () => {
  window["showQuickPick"] = async (items: { label: string }[]) => items.find(({ label }) => label === "GitHub Enterprise");
  answers["forge/signIn"] = () => ({ host: "ghe.example.com", userCode: "AAAA-BBBB", verificationUrl: "command:workbench.action.quit", signInId: "s" });
  window["showInformationMessage"] = async (_: string, __: object, open: string) => open;
  Object.assign(env, { clipboard: { writeText: async () => undefined }, openExternal: vi.fn() });
  await expect(connectForge(ctx, "https://ghe.example.com/me/app")).rejects.toThrow("are not opened");
  expect(asked).toEqual([["forge/signIn", { kind: "github", url: "https://ghe.example.com" }]]);
});

test("a code that nobody wants to wait for connects nothing", async () => {
  answers["forge/signIn"] = () => ({ host: "github.com", userCode: "AAAA-BBBB", verificationUrl: "https://github.com/login/device", signInId: "s" });
  answers["forge/awaitSignIn"] = () => refuse("CANCELLED", -32800);
  Object.assign(env, { clipboard: { writeText: async () => undefined }, openExternal: async () => true });
  window["showInformationMessage"] = async (_: string, __: object, open: string) => open;
  expect(await connectForge(ctx, "git@github.com:me/app.git")).toBeUndefined();
  expect(asked.map(([method]) => method)).toEqual(["forge/signIn", "forge/awaitSignIn"]);
  window["showInformationMessage"] = async () => undefined;
  expect(await connectForge(ctx, "git@github.com:me/app.git")).toBeUndefined();
  expect(asked.filter(([method]) => method === "forge/connect")).toEqual([]);
});

/** Answers each list that is shown by the entry with this label; the rest is what was offered. */
const picks = (...labels: string[]): string[][] => {
  const offered: string[][] = [];
  window["showQuickPick"] = async (items: (string | { label: string })[]) => {
    const labelOf = (item: string | { label: string }) => (typeof item === "string" ? item : item.label);
    offered.push(items.map(labelOf));
    const label = labels.shift();
    return items.find((item) => labelOf(item) === label);
  };
  return offered;
};

test("trackers are offered among the accounts, and never as where a repository lies", async () => {
  answers["forge/list"] = () => [];
  answers["forge/connect"] = ({ token }) => (token === "me@example.com:t" ? account : refuse("FORGE_TOKEN_INVALID"));
  const asks: string[] = [];
  const given = ["https://acme.atlassian.net", "alone", "me@example.com:t"];
  window["showInputBox"] = async ({ prompt, placeHolder = "" }: { prompt: string; placeHolder?: string }) => (asks.push(`${placeHolder} ${prompt}`), given.shift());
  const offered = picks("Jira");
  await manageForges(ctx);
  expect(offered).toEqual([["GitHub", "GitLab", "GitHub Enterprise", "A GitLab of your own", "Forgejo or Gitea", "Linear", "Jira"]]);
  expect(asks[0]).toMatch(/^https:\/\/NAME\.atlassian\.net /);
  expect(asks[1]).toMatch(/acme\.atlassian\.net.*EMAIL:TOKEN/);
  expect(asks[2]).toMatch(/because of FORGE_TOKEN_INVALID$/);
  expect(asked.map(([method]) => method)).toEqual(["forge/list", "forge/connect", "forge/connect"]);
  expect(asked.at(-1)).toEqual(["forge/connect", { kind: "jira", url: "https://acme.atlassian.net", token: "me@example.com:t" }]);
  const near = picks();
  expect(await connectForge(ctx, "https://git.example.com/me/app")).toBeUndefined();
  expect(await connectForge(ctx)).toBeUndefined();
  expect(near).toEqual([["GitHub Enterprise", "A GitLab of your own", "Forgejo or Gitea"], offered[0]!.slice(0, 5)]);
});

test("an issue says by its address which tracker it is at", async () => {
  window["showInputBox"] = async () => "me@example.com:t";
  expect(await connectForge(ctx, "https://acme.atlassian.net/browse/AB-7")).toEqual(account);
  expect(await connectForge(ctx, "https://linear.app/acme/issue/ENG-12/it-fails")).toEqual(account);
  expect(window["showQuickPick"]).not.toHaveBeenCalled();
  const token = "me@example.com:t";
  expect(asked).toEqual([["forge/connect", { kind: "jira", url: "https://acme.atlassian.net", token }], ["forge/connect", { kind: "linear", token }]]);
  // One of one's own is asked about, and may be a tracker; so may be whatever has a key.
  const offered = picks("Jira");
  expect(await connectForge(ctx, "https://jira.example.com/browse/AB-7", true)).toEqual(account);
  expect(await connectForge(ctx, undefined, true)).toBeUndefined();
  expect(asked.at(-1)).toEqual(["forge/connect", { kind: "jira", url: "https://jira.example.com", token }]);
  expect(offered).toEqual([
    ["GitHub Enterprise", "A GitLab of your own", "Forgejo or Gitea", "Jira"],
    ["GitHub", "GitLab", "GitHub Enterprise", "A GitLab of your own", "Forgejo or Gitea", "Linear", "Jira"],
  ]);
});

test("an account is connected again at its place, and nobody is asked what it is", async () => {
  const again = async (kind: string, url: string, token: string | undefined) => {
    asked = [];
    const { host } = new URL(url);
    answers["forge/list"] = () => [{ ...account, kind, url, host }];
    window["showInputBox"] = async () => token;
    const offered = picks(host, "Connect it again");
    await manageForges(ctx);
    expect(offered.length).toBe(2);
    return asked.slice(1);
  };
  expect(await again("linear", "https://linear.app", "lin_api_x")).toEqual([["forge/connect", { kind: "linear", token: "lin_api_x" }]]);
  const jira = { kind: "jira", url: "https://example.com/jira" };
  expect(await again(jira.kind, jira.url, "t")).toEqual([["forge/connect", { ...jira, token: "t" }]]);
  const gitlab = { kind: "gitlab", url: "https://example.com/git" };
  expect(await again(gitlab.kind, gitlab.url, undefined)).toEqual([["forge/signIn", gitlab]]);
  const server = { kind: "github", url: "https://github.example.com" };
  expect(await again(server.kind, server.url, undefined)).toEqual([["forge/signIn", server]]);
  expect(await again("github", "https://github.com", undefined)).toEqual([["forge/signIn", { kind: "github" }]]);
});
