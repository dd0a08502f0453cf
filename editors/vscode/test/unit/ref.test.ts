import { beforeEach, expect, test, vi } from "vitest";

import type { Ctx } from "../../src/ctx.js";
import { RequestError } from "../../src/errors.js";
import { pickRef } from "../../src/ref.js";
import { stubPicker, type Picker } from "./picker.js";
import { window } from "./vscode.stub.js";

let picker: Picker;
let list: ReturnType<typeof vi.fn<(method: string, params: object) => Promise<unknown>>>;
const ctx = { bridge: { request: (method: string, params: object) => list(method, params) } } as unknown as Ctx;
const repository = "https://github.com/me/app";

beforeEach(() => {
  window["createQuickPick"] = () => (picker = stubPicker());
});

test("the branches of a repository elsewhere are offered, and looked for by what is typed", async () => {
  list = vi.fn(async (_, params) => ({ branches: "query" in params ? [{ name: "old/1" }] : [{ name: "main", default: true }, { name: "next" }] }));
  const picked = pickRef(ctx, { repository });
  await expect.poll(() => picker.items.map(({ label, description }) => [label, description])).toEqual([
    ["the default branch", undefined], ["main", "default branch"], ["next", "branch"], ["Another branch, tag or commit…", undefined],
  ]);
  picker.type("old");
  await expect.poll(() => picker.items).toContainEqual(expect.objectContaining({ label: "old/1", alwaysShow: true }));
  expect(list.mock.calls).toEqual([["branch/list", { repository }], ["branch/list", { repository, query: "old" }]]);
  picker.accept("old/1");
  expect(await picked).toBe("old/1");
});

test("where they cannot be listed it says why, and any can be named all the same", async () => {
  list = vi.fn(async () => Promise.reject(new RequestError("github.com cannot be reached", -32014, "FORGE_UNREACHABLE")));
  window["showInputBox"] = async () => " v1.2 ";
  const picked = pickRef(ctx, { repository });
  await expect.poll(() => picker.items.at(-1)).toMatchObject({ label: "$(warning) The branches cannot be listed", description: "try again", detail: "github.com cannot be reached" });
  picker.accept("Another branch");
  expect(await picked).toBe("v1.2");
});

test("of a checkout nobody is asked, and nothing named is what is checked out", async () => {
  list = vi.fn();
  const picked = pickRef(ctx, { path: "/home/me/app" });
  await expect.poll(() => picker.items.map(({ label }) => label)).toEqual(["what is checked out", "Another branch, tag or commit…"]);
  picker.accept("what is checked out");
  expect([await picked, list.mock.calls]).toEqual(["", []]);
});
