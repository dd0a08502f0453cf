import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";

import * as vscode from "vscode";

import type { RequestError } from "../../src/errors.js";
import { agent, aloft, cli, folder, until } from "./support.js";

const call = (name: string, ...given: unknown[]) => vscode.commands.executeCommand(`aloft.${name}`, ...given);

suite("verbs", () => {
  test("a running agent is stopped, and its last turn tried again", async () => {
    const { ctx } = await aloft();
    const { id } = await agent("$ echo begun; until [ -e /tmp/go ]; do sleep 0.1; done", "--title", "Waits");
    await until("it to run", () => ctx.threads.get(id)?.state === "running");
    await call("stop", { threadId: id });
    await until("the stop", () => ctx.threads.get(id)?.lastTurn?.state === "interrupted");
    await call("retry", id);
    await until("another turn", () => ctx.threads.get(id)?.state === "running");
    await call("stop", id);
    await until("the stop", () => ctx.threads.get(id)?.state === "idle");
    await cli("delete", id, "--yes");
  });

  test("mute, keep, pause and resume, apply and check out", async () => {
    const { ctx } = await aloft();
    const { id, branch } = await agent("```write notes.txt\nhello\n```", "--title", "Writes");
    const thread = () => ctx.threads.get(id);
    await until("the end", () => thread()?.lastTurn?.state === "completed" && thread()?.diff.files === 1);
    await call("mute", id);
    assert.equal(thread()?.muted, true);
    await call("unmute", id);
    assert.equal(thread()?.muted, false);
    await call("keep", id);
    assert.equal(thread()?.keep, true);
    await call("pause", id);
    await until("the pause", () => thread()?.state === "paused");
    await call("resume", id);
    await until("it to be back", () => thread()?.state === "idle");
    await call("apply", id);
    assert.equal(await readFile(path.join(folder, "notes.txt"), "utf8"), "hello\n");
    await call("checkout", id);
    const head = await readFile(path.join(folder, ".git/refs/heads", branch), "utf8").catch(() => "");
    assert.match(head, /^[0-9a-f]{40}/);
    await call("copyBranch", id);
    await cli("delete", id, "--yes");
  });

  test("a thread that is gone is told about, not thrown", async () => {
    const { ctx } = await aloft();
    const fail = ctx.fail.bind(ctx);
    const told: string[] = [];
    Object.assign(ctx, { fail: (what: string, error: unknown) => void told.push(`${what}: ${(error as RequestError).reason}`) });
    await call("mute", "no-such-thread");
    Object.assign(ctx, { fail });
    assert.deepEqual(told, ["Mute an agent: THREAD_NOT_FOUND"]);
  });
});
