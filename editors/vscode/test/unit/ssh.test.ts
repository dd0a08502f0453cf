// What the editor is asked for when a sandbox is to be opened. That the address leads there is shown by the tests of SSH.

import { beforeEach, expect, test, vi } from "vitest";

import type { Ctx } from "../../src/ctx.js";
import { openSsh } from "../../src/ssh.js";
import { thread } from "./samples.js";
import { commands, env, extensions, window, workspace } from "./vscode.stub.js";

const URI = "vscode-remote://ssh-remote+fix-login-k3v9.aloft/workspace";

let setUp: boolean;
let asked: unknown[];
let called: unknown[][];
const ctx = {
  log: { info: () => undefined },
  threads: { get: () => thread({}) },
  bridge: {
    request: async (method: string, params: { threadId: string; setUp: boolean }) => {
      asked.push([method, params]);
      setUp ||= params.setUp;
      return { uri: URI, host: "fix-login-k3v9.aloft", lines: "Include ~/.aloft/ssh", configFile: "/home/me/.aloft/ssh", setUp };
    },
  },
} as unknown as Ctx;
const resolver = { packageJSON: { activationEvents: ["onResolveRemoteAuthority:ssh-remote"] } };
const opened = () => called.filter(([name]) => name === "vscode.openFolder").map(([, uri, how]) => [(uri as { path: string }).path, how]);

beforeEach(() => {
  [setUp, asked, called] = [true, [], []];
  extensions.all = [resolver];
  env.appName = "Visual Studio Code";
  workspace.workspaceFolders = undefined;
  workspace.getConfiguration = () => ({ get: (_: string, other: unknown) => other });
  commands.executeCommand = async (...words) => void called.push(words);
});

test.each([
  ["new", false, true],
  ["new", true, true],
  ["same", false, false],
  ["same", true, true],
])("with the setting %s, a folder open: %s, the address of the sandbox opens in a new window: %s", async (setting, folder, fresh) => {
  workspace.getConfiguration = () => ({ get: (name: string, other: unknown) => (name === "ssh.window" ? setting : other) });
  if (folder) workspace.workspaceFolders = [{}];
  await openSsh(ctx, "t");
  expect(opened()).toEqual([[URI, { forceNewWindow: fresh }]]);
  await openSsh(ctx, "t", "new");
  expect(opened().at(-1)).toEqual([URI, { forceNewWindow: true }]);
});

test("the config of ssh is touched once somebody has read what is written, and said yes", async () => {
  setUp = false;
  const dialogs: unknown[] = [];
  const answers = [undefined, "Add the lines"];
  window["showInformationMessage"] = async (_: string, how: object) => (dialogs.push(how), answers.shift());
  await openSsh(ctx, "t");
  expect([asked, opened()]).toEqual([[["ssh/connect", { threadId: "t", setUp: false }]], []]);
  expect(dialogs).toEqual([{ modal: true, detail: expect.stringContaining("Include ~/.aloft/ssh") as string }]);
  await openSsh(ctx, "t");
  expect(asked.at(-1)).toEqual(["ssh/connect", { threadId: "t", setUp: true }]);
  expect(opened()).toEqual([[URI, { forceNewWindow: true }]]);
});

test.each([
  ["Cursor", "anysphere.remote-ssh"],
  ["VSCodium", "jeanp413.open-remote-ssh"],
])("where %s can open no host of SSH, %s is installed if somebody wants it, and then it opens", async (editor, id) => {
  extensions.all = [];
  env.appName = editor;
  window["showWarningMessage"] = vi.fn(async (_: string, install: string) => install);
  commands.executeCommand = async (...words) => {
    called.push(words);
    extensions.all = [resolver];
  };
  await openSsh(ctx, "t");
  expect(window["showWarningMessage"]).toHaveBeenCalledWith(expect.stringContaining(editor), `Install ${id}`, "Open a terminal", "Copy the ssh command");
  expect(called[0]).toEqual(["workbench.extensions.installExtension", id]);
  expect(opened()).toEqual([[URI, { forceNewWindow: true }]]);
});

test("without any it can be done by hand", async () => {
  extensions.all = [];
  setUp = false;
  const copied: string[] = [];
  Object.assign(env, { clipboard: { writeText: async (text: string) => void copied.push(text) } });
  window["showWarningMessage"] = async (...words: string[]) => words.at(-1);
  await openSsh(ctx, "t");
  expect([copied, called]).toEqual([["ssh -F '/home/me/.aloft/ssh' fix-login-k3v9.aloft"], []]);
});
