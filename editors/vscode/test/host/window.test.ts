import assert from "node:assert/strict";

import * as vscode from "vscode";

import { agent, aloft, cli, until } from "./support.js";

suite("window", () => {
  test("a window in a sandbox shows that sandbox's own thread", async () => {
    const { ctx, own } = await aloft();
    const thread = await agent("$ true", "--title", "Mine");
    await until("the end", () => ctx.threads.get(thread.id)?.lastTurn?.state === "completed");
    const { uri } = await ctx.bridge.request("ssh/connect", { threadId: thread.id });
    assert.match(uri, /^vscode-remote:\/\/ssh-remote\+[\w-]+\.aloft\/workspace$/);
    // The window of these tests is a remote one itself: to its extensions every remote folder is one of this machine. So it is told.
    own.look([vscode.Uri.file("/elsewhere"), vscode.Uri.parse(uri)]);
    assert.equal(own.threadId, thread.id);
    await until("its panel", () => ctx.screens.shows(thread.id));
    await cli("delete", thread.id, "--yes");
  });
});
