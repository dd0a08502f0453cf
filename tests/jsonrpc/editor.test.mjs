// An editor with no plugin: everything by the language server protocol's own messages, typed by its own package.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { after, before, test } from "node:test";
import {
  DidOpenTextDocumentNotification,
  ExecuteCommandRequest,
  ExitNotification,
  InitializeRequest,
  InitializedNotification,
  ShutdownRequest,
  StreamMessageReader,
  StreamMessageWriter,
  WorkDoneProgress,
  createProtocolConnection,
} from "vscode-languageserver-protocol/node";

import { ALOFT, Home } from "./support/home.mjs";

let home, folder;
before(async () => {
  home = await Home.create();
  folder = await home.repository();
});
after(() => home.close());

/** What a large editor says of itself. */
const CAPABILITIES = {
  workspace: {
    applyEdit: true,
    workspaceEdit: { documentChanges: true, resourceOperations: ["create", "rename", "delete"] },
    didChangeConfiguration: { dynamicRegistration: true },
    didChangeWatchedFiles: { dynamicRegistration: true },
    symbol: { dynamicRegistration: true },
    executeCommand: { dynamicRegistration: true },
    workspaceFolders: true,
    configuration: true,
  },
  textDocument: {
    synchronization: { dynamicRegistration: true, willSave: true, didSave: true },
    publishDiagnostics: { relatedInformation: true, versionSupport: true },
    codeAction: { codeActionLiteralSupport: { codeActionKind: { valueSet: ["", "quickfix", "refactor"] } } },
  },
  window: { workDoneProgress: true, showMessage: { messageActionItem: {} }, showDocument: { support: true } },
  general: { positionEncodings: ["utf-16"], staleRequestSupport: { cancel: true, retryOnContentModified: [] } },
  experimental: { anything: [1, 2, { three: null }] },
};

test("an editor with no plugin creates, guides and stops a thread by commands", async () => {
  const server = spawn(ALOFT, ["lsp"], { env: home.env, stdio: ["pipe", "pipe", "inherit"] });
  home.bridges.push(server);
  const ended = once(server, "exit");
  const connection = createProtocolConnection(
    new StreamMessageReader(server.stdout),
    new StreamMessageWriter(server.stdin),
  );
  const progress = [];
  connection.onProgress(WorkDoneProgress.type, "upload-1", (value) => progress.push(value.kind));
  connection.listen();

  const uri = pathToFileURL(folder).href;
  const { capabilities } = await connection.sendRequest(InitializeRequest.type, {
    processId: process.pid,
    clientInfo: { name: "an editor", version: "1.0" },
    locale: "en",
    rootPath: folder,
    rootUri: uri,
    capabilities: CAPABILITIES,
    initializationOptions: { agent: "shell", mode: "auto" },
    trace: "off",
    workspaceFolders: [{ uri, name: "repository" }],
  });
  assert.equal(capabilities.experimental.aloft.protocolVersion, 1);
  const commands = capabilities.executeCommandProvider.commands;
  for (const command of ["aloft.new", "aloft.send", "aloft.stop"]) assert.ok(commands.includes(command));
  await connection.sendNotification(InitializedNotification.type, {});
  // A server is told of documents it never asked for.
  const text = await readFile(`${folder}/README.md`, "utf8");
  const textDocument = { uri: `${uri}/README.md`, languageId: "markdown", version: 1, text };
  await connection.sendNotification(DidOpenTextDocumentNotification.type, { textDocument });

  const run = (command, argument) =>
    connection.sendRequest(ExecuteCommandRequest.type, { command, arguments: [argument] });
  const say = (words) => [{ type: "text", text: words }];
  // The open folder, the agent and the mode come from what initialize said.
  const heard = [];
  connection.onUnhandledNotification((notification) => heard.push(notification));
  const hears = async (test) => {
    while (!heard.some(({ method, params }) => test(method, params))) await setImmediate();
  };
  const { thread } = await run("aloft.new", { input: say("$ echo begun; sleep 600"), workDoneToken: "upload-1" });
  assert.equal(thread.repository.path, folder);
  assert.deepEqual([thread.agent, thread.mode], ["shell", "auto"]);
  assert.deepEqual([progress[0], progress.at(-1)], ["begin", "end"]);
  await connection.sendRequest("thread/subscribe", { threadId: thread.id, after: 0 });
  // A message guides the turn that runs, and begins one where none does.
  const prints = (words) => hears((method, params) => method === "item/didAppend" && params.delta.includes(words));
  const ends = (number, state) =>
    hears((method, { turn }) => method === "turn/didComplete" && turn.number === number && turn.state === state);
  await prints("begun");
  await run("aloft.send", { threadId: thread.id, input: say("$ echo guided; sleep 600") });
  await ends(1, "interrupted");
  await prints("guided");
  await run("aloft.stop", { threadId: thread.id });
  await ends(2, "interrupted");
  const { turn } = await run("aloft.send", { threadId: thread.id, input: say("$ echo done") });
  assert.equal(turn.number, 3);
  await ends(3, "completed");

  await assert.rejects(run("aloft.explode", {}), (error) => error.code === -32602 && /aloft\.explode/.test(error.message));
  await assert.rejects(run("aloft.stop", {}), (error) => error.code === -32602 && /threadId/.test(error.message));
  await connection.sendRequest(ShutdownRequest.type);
  await connection.sendNotification(ExitNotification.type);
  assert.deepEqual(await ended, [0, null]);
  connection.dispose();
});
