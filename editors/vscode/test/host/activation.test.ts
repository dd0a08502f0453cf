import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import * as vscode from "vscode";

import { aloft, folder, until } from "./support.js";

suite("activation", () => {
  test("the list comes by itself, with all agents there are", async () => {
    const { ctx } = await aloft();
    await until("the list", () => ctx.threads.loaded);
    assert.equal(ctx.threads.all().length, 100);
    assert.equal(ctx.bridge.program?.from, "setting");
    assert.equal(ctx.threads.all()[0]?.repository.path, folder);
  });

  test("every command of the manifest is there", async () => {
    await aloft();
    const there = new Set(await vscode.commands.getCommands(true));
    const { contributes } = vscode.extensions.getExtension("aloft.aloft")!.packageJSON as { contributes: { commands: { command: string }[] } };
    assert.deepEqual(contributes.commands.map(({ command }) => command).filter((command) => !there.has(command)), []);
  });

  test("the times are written down", async () => {
    const { laps, ctx } = await aloft();
    await until("the list", () => laps.list);
    globalThis.gc?.();
    const { heapUsed } = process.memoryUsage();
    const figures = {
      activateMs: laps.activate, listMs: laps.list, threads: ctx.threads.all().length,
      goals: { activateMs: 50, listMs: 300 }, extensionHostHeapBytes: heapUsed, bridgeRssBytes: rss(ctx.bridge.pid!),
      bundleBytes: readFileSync(vscode.extensions.getExtension("aloft.aloft")!.extensionPath + "/dist/main.cjs").length,
    };
    const file = path.join(process.env["ALOFT_TEST_BENCH"]!, "vscode.json");
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(figures, null, 1)}\n`);
    console.log(JSON.stringify(figures));
    assert.ok(readdirSync(path.dirname(file)).includes("vscode.json"));
  });
});

function rss(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}
