import { beforeEach, expect, test } from "vitest";

import type { Ctx } from "../../src/ctx.js";
import { manageKeys } from "../../src/keys.js";
import { commands, window } from "./vscode.stub.js";

let keys: { provider: string; suffix: string; source: string }[];
let contexts: unknown[];

const answers: Record<string, (params: never) => unknown> = {
  "key/list": () => keys,
  "key/set": ({ provider }: { provider: string }) => keys.push({ provider, suffix: "1234", source: "stored" }),
  "key/delete": () => (keys = []),
  "key/test": () => ({ ok: true, detail: "" }),
  "agent/list": () => [{ name: "aloft", usable: keys.length > 0 }, { name: "shell", usable: true }],
};
const ctx = { bridge: { request: async (method: string, params: never) => answers[method]!(params) } } as unknown as Ctx;

beforeEach(() => {
  keys = [];
  contexts = [];
  commands.executeCommand = async (...words: unknown[]) => void contexts.push(words);
});

test("with a key set, an agent that thinks is known to be there, and without it that none is", async () => {
  const given = ["sk-1234", ""];
  window["showInputBox"] = async () => given.shift();
  window["showQuickPick"] = async (items: { provider: string }[]) => items[0];
  await manageKeys(ctx);
  expect(contexts).toEqual([["setContext", "aloft.noAgent", false]]);
  const picks = [(items: unknown[]) => items[0], (items: unknown[]) => items[2]];
  window["showQuickPick"] = async (items: unknown[]) => picks.shift()!(items);
  await manageKeys(ctx);
  expect(contexts.at(-1)).toEqual(["setContext", "aloft.noAgent", true]);
});
