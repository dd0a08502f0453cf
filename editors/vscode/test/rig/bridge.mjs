// A client of its own, for what a test prepares.

import { spawn } from "node:child_process";

import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from "vscode-jsonrpc/node";

import { ALOFT } from "../../../../tests/jsonrpc/support/home.mjs";

/** Opens a bridge, does something with `request(method, params)`, and ends it. */
export async function withBridge(home, act) {
  const child = spawn(ALOFT, ["lsp"], { env: home.env, stdio: ["pipe", "pipe", "ignore"] });
  home.bridges.push(child);
  const connection = createMessageConnection(new StreamMessageReader(child.stdout), new StreamMessageWriter(child.stdin));
  connection.listen();
  try {
    await connection.sendRequest("initialize", { processId: null, rootUri: null, capabilities: {} });
    await connection.sendNotification("initialized", {});
    return await act((method, params) => connection.sendRequest(method, params));
  } finally {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    connection.dispose();
    child.kill();
    await ended;
  }
}
