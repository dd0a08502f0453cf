import assert from "node:assert/strict";

import * as vscode from "vscode";

import { agent, aloft, cli, until } from "./support.js";

suite("window", () => {
  test("a window in a sandbox shows that sandbox's own thread", async () => {
    const { ctx, own } = await aloft();
    const thread = await agent("$ true", "--title", "Mine");
    await until("the end", () => ctx.threads.get(thread.id)?.lastTurn?.state === "completed");
    const { uri } = await cli<{ uri: string }>("show", thread.id).then(() => ctx.bridge.request("ssh/connect", { threadId: thread.id }));
    assert.match(uri, /^vscode-remote:\/\/ssh-remote\+[\w-]+\.aloft\/workspace$/);
    // What Remote-SSH makes of that address is the folder of the window; the rest is for its tests.
    const count = vscode.workspace.workspaceFolders?.length ?? 0;
    assert.ok(vscode.workspace.updateWorkspaceFolders(count, 0, { uri: vscode.Uri.parse(uri) }));
    await until("its own thread", () => own.threadId === thread.id);
    vscode.workspace.updateWorkspaceFolders(count, 1);
    await cli("delete", thread.id, "--yes");
  });
});
