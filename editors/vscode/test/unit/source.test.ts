import { beforeEach, expect, test, vi } from "vitest";

import type { Ctx } from "../../src/ctx.js";
import { RequestError } from "../../src/errors.js";
import { pickSource } from "../../src/source.js";
import { short } from "../../webview/create_messages.js";
import { stubPicker, type Picker } from "./picker.js";
import { Uri, window } from "./vscode.stub.js";

let picker: Picker;
let list: ReturnType<typeof vi.fn<(params: { query?: string }) => Promise<unknown>>>;
let asked: [string, unknown][];
/** What else is asked on the way. */
const answers: Record<string, () => unknown> = {
  "forge/list": () => [{ kind: "github", host: "github.com", login: "me", url: "https://github.com", scopes: [] }],
  "forge/signIn": () => Promise.reject(new RequestError("no application", -32013, "FORGE_SIGN_IN_UNCONFIGURED")),
};
const request = async (method: string, params: { query?: string }) => {
  asked.push([method, params]);
  return method === "repository/list" ? list(params) : answers[method]!();
};
const ctx = { bridge: { request } } as unknown as Ctx;

beforeEach(() => {
  asked = [];
  window["createQuickPick"] = () => (picker = stubPicker());
});

const repository = (host: string, name: string, more = {}) => ({ host, name, url: `https://${host}/${name}.git`, private: false, fork: false, archived: false, defaultBranch: "main", ...more });

test("what is known can be picked before the forges have answered", async () => {
  list = vi.fn(() => new Promise(() => undefined));
  const picked = pickSource(ctx, [{ repository: "https://github.com/me/app" }]);
  await expect.poll(() => picker.items.map(({ label }) => label)).toContain("$(history) https://github.com/me/app");
  expect([picker.shown, picker.busy]).toEqual([true, true]);
  picker.accept("me/app");
  expect(await picked).toEqual({ repository: "https://github.com/me/app" });
});

test("of two repositories of one name the one that was picked is meant", async () => {
  list = vi.fn(async () => ({ repositories: [repository("github.com", "me/app"), repository("gitlab.com", "me/app", { private: true })] }));
  const picked = pickSource(ctx, []);
  await expect.poll(() => picker.items.filter(({ label }) => label === "$(repo) me/app").map(({ description }) => description)).toEqual(["github.com", "gitlab.com · private"]);
  picker.items = picker.items.filter(({ description }) => description !== "github.com");
  picker.accept("me/app");
  expect(await picked).toEqual({ repository: "https://gitlab.com/me/app.git" });
  expect(short({ repository: "https://gitlab.com/group/sub/app.git" })).toBe("gitlab.com/group/sub/app");
});

test("what is typed is looked for at the forges, and an answer to other words is not shown", async () => {
  const answers: Record<string, (found: unknown) => void> = {};
  list = vi.fn(({ query = "" }) => new Promise((resolve) => (answers[query] = resolve)));
  const picked = pickSource(ctx, []);
  picker.type("o");
  picker.type("old");
  await expect.poll(() => list.mock.lastCall?.[0]).toEqual({ query: "old" });
  answers["old"]!({ repositories: [repository("github.com", "me/old")] });
  answers[""]!({ repositories: [repository("github.com", "me/new")] });
  await expect.poll(() => picker.items.filter(({ label }) => label.startsWith("$(repo)"))).toMatchObject([{ label: "$(repo) me/old", alwaysShow: true }]);
  expect(list).toHaveBeenCalledTimes(2);
  picker.accept("me/old");
  await picked;
});

test("each account that cannot be asked is the last thing in the list, and says why; picked, it is connected or asked again", async () => {
  const account = (host: string) => ({ kind: "gitlab", host, login: "me", url: `https://${host}`, scopes: [] });
  const refused = { reason: "FORGE_TOKEN_REFUSED", message: "list the repositories: git.a.test does not accept the token", hint: "connect it again", retryable: false };
  const down = { reason: "FORGE_UNREACHABLE", message: "list the repositories: git.b.test cannot be reached", retryable: true };
  list = vi.fn(async () => ({
    repositories: [repository("github.com", "me/app")],
    problems: [{ account: account("git.a.test"), problem: refused }, { account: account("git.b.test"), problem: down }],
  }));
  const picked = pickSource(ctx, []);
  await expect.poll(() => picker.items.slice(-2)).toMatchObject([
    { label: "$(warning) The repositories of me at git.a.test are missing", description: "connect it again", detail: `${refused.message}. ${refused.hint}`, alwaysShow: true },
    { label: "$(warning) The repositories of me at git.b.test are missing", description: "try again", detail: down.message, alwaysShow: true },
  ]);
  expect(picker.items.map(({ label }) => label)).toContain("$(repo) me/app");
  picker.accept("git.b.test");
  await expect.poll(() => [list.mock.calls.length, picker.items.length]).toEqual([2, 6]);
  window["showInputBox"] = vi.fn(async () => undefined);
  picker.accept("git.a.test");
  expect(await picked).toBeNull();
  expect(asked.at(-1)).toEqual(["forge/signIn", { kind: "gitlab", url: "https://git.a.test" }]);
});

test("a list that cannot be read says why; without any account one can be connected", async () => {
  list = vi.fn(async () => Promise.reject(new RequestError("the forge did not answer", -32014, "FORGE_UNREACHABLE")));
  void pickSource(ctx, []);
  await expect.poll(() => picker.items.at(-1)).toMatchObject({ label: "$(warning) The repositories of me at github.com are missing", detail: "the forge did not answer" });
  list = vi.fn(async () => Promise.reject(new RequestError("none is connected", -32013, "FORGE_ACCOUNT_MISSING")));
  void pickSource(ctx, []);
  await expect.poll(() => [list.mock.calls.length, picker.busy]).toEqual([1, false]);
  expect(picker.items.map(({ label }) => label)).toEqual(["$(folder) Another folder…", "$(link) URL or OWNER/NAME…", "$(plug) Connect an account at a forge…"]);
});

test("an account at a tracker is none whose repositories are missing", async () => {
  const accounts = answers["forge/list"]!;
  answers["forge/list"] = () => [...(accounts() as object[]), { kind: "linear", host: "linear.app", login: "me", url: "https://linear.app", scopes: [] }];
  list = vi.fn(async () => Promise.reject(new RequestError("the forge did not answer", -32014, "FORGE_UNREACHABLE")));
  void pickSource(ctx, []);
  await expect.poll(() => picker.items.at(-1)).toMatchObject({ label: "$(warning) The repositories of me at github.com are missing" });
  answers["forge/list"] = accounts;
});

test("any folder of this machine can be named, and any address", async () => {
  list = vi.fn(async () => ({ repositories: [] }));
  window["showOpenDialog"] = async ({ canSelectFolders }: { canSelectFolders: boolean }) => (canSelectFolders ? [Uri.file("/srv/other")] : undefined);
  const folder = pickSource(ctx, []);
  picker.accept("Another folder");
  expect(await folder).toEqual({ path: "/srv/other" });
  const given = [" git@git.example.com:me/app.git ", undefined];
  window["showInputBox"] = async () => given.shift();
  for (const source of [{ repository: "git@git.example.com:me/app.git" }, null]) {
    const named = pickSource(ctx, []);
    picker.accept("URL or OWNER/NAME");
    expect(await named).toEqual(source);
  }
});
