// What commands ask the bridge, and where a person is led when it refuses.

import { expect, test } from "vitest";

import { registerCommands } from "../../src/commands.js";
import type { Ctx, Mend } from "../../src/ctx.js";
import { RequestError } from "../../src/errors.js";
import type { ThreadsView } from "../../src/threads_view.js";
import { thread } from "./samples.js";
import { commands, window } from "./vscode.stub.js";

const known = thread({ repository: { name: "shop", url: "https://forge.test/me/shop.git" }, issue: { key: "ENG-12", url: "https://linear.app/acme/issue/ENG-12" } });

/** The commands, with a bridge that answers this. */
function register(request: (method: string, params: unknown) => unknown) {
  const found = new Map<string, (...given: unknown[]) => Promise<unknown>>();
  Object.assign(commands, { registerCommand: (name: string, run: never) => found.set(name, run) });
  const failed: [string, Mend | undefined][] = [];
  const ctx = {
    extension: { subscriptions: [] },
    bridge: { request: async (method: string, params: unknown) => request(method, params) },
    threads: { get: () => known },
    fail: (what: string, _: unknown, mend?: Mend) => void failed.push([what, mend]),
  } as unknown as Ctx;
  registerCommands(ctx, {} as ThreadsView);
  return { failed, call: (name: string) => found.get(`aloft.${name}`)!(known.id) };
}

test("an account that is missing is one for the issue where that is commented on, else for the repository", async () => {
  const { call, failed } = register((method) => {
    throw new RequestError(method, -32013, "FORGE_ACCOUNT_MISSING");
  });
  await call("commentOnIssue");
  await call("createPullRequest");
  expect(failed.map(([what, mend]) => [what, mend?.place])).toEqual([
    ["Comment on an issue: Fix the login", "https://linear.app/acme/issue/ENG-12"],
    ["Create a pull request: Fix the login", "https://forge.test/me/shop.git"],
  ]);
});

test("a comment is told with its address, and that it was there before", async () => {
  const url = "https://linear.app/acme/issue/ENG-12#comment-1";
  const told: string[] = [];
  window["showInformationMessage"] = async (words: string, ...buttons: string[]) => void told.push(words, ...buttons);
  const answers = [true, false];
  const { call, failed } = register((method, params) => {
    expect([method, params]).toEqual(["thread/commentOnIssue", { threadId: known.id }]);
    return { url, posted: answers.shift() };
  });
  await call("commentOnIssue");
  await call("commentOnIssue");
  expect(failed).toEqual([]);
  expect(told).toEqual([
    `Fix the login: The issue was told what was done: ${url}`, "Open in the browser",
    `Fix the login: The issue was told of this turn before: ${url}`, "Open in the browser",
  ]);
});
