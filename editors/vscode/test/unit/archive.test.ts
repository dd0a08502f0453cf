import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import type { Ctx } from "../../src/ctx.js";
import { archive } from "../../src/verbs.js";
import { thread } from "./samples.js";
import { Uri, window } from "./vscode.stub.js";

let folder: string;
let write: (file: string) => Promise<void>;
const ctx = {
  threads: { get: () => thread({}) },
  bridge: { request: (_: string, { path }: { path: string }) => write(path) },
} as unknown as Ctx;

beforeEach(async () => {
  folder = await mkdtemp("/var/tmp/av");
  await writeFile(path.join(folder, "kept.aloft"), "yesterday's");
  window["showSaveDialog"] = async () => Uri.file(path.join(folder, "kept.aloft"));
});
afterEach(() => rm(folder, { recursive: true }));

const kept = async () => [await readdir(folder), await readFile(path.join(folder, "kept.aloft"), "utf8")];

test("an archive takes the place of another one when it is whole", async () => {
  write = (file) => writeFile(file, "today's", { flag: "wx" });
  expect(await archive(ctx, "t")).toBe(true);
  expect(await kept()).toEqual([["kept.aloft"], "today's"]);
});

test("where none can be made, the one before is still there", async () => {
  write = async (file) => {
    await writeFile(file, "half");
    throw new Error("the disk is full");
  };
  await expect(archive(ctx, "t")).rejects.toThrow("the disk is full");
  expect(await kept()).toEqual([["kept.aloft"], "yesterday's"]);
});
