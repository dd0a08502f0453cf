import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import path from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { Claims } from "../../src/claims.js";
import type { Ctx } from "../../src/ctx.js";
import { Notices } from "../../src/notices.js";
import type { Notice, Thread } from "../../src/protocol.js";
import { thread } from "./samples.js";
import { commands, EventEmitter, Uri, window, workspace } from "./vscode.stub.js";

let folder: string;
const disposables: Notices[] = [];

beforeEach(async () => {
  folder = await mkdtemp("/var/tmp/av");
});
afterEach(async () => {
  for (const one of disposables.splice(0)) one.dispose();
  await rm(folder, { recursive: true });
});

test("what was posted while the bridge was dead is told when there is another, once", async () => {
  const notice = (id: string): Notice => ({ id, threadId: id, kind: "completed", title: `${id} is done`, body: "", read: false, time: "2026-01-01T00:00:00.000Z" }) as unknown as Notice;
  const [started, loaded] = [new EventEmitter<void>(), new EventEmitter<void>()];
  let unread: Notice[] = [];
  const shown: string[] = [];
  window["showInformationMessage"] = async (text: string) => void shown.push(text);
  const ctx = {
    extension: { globalStorageUri: Uri.file(folder) },
    log: { info: () => undefined, warn: () => undefined },
    bridge: {
      onNotification: () => ({ dispose: () => undefined }),
      onDidStart: started.event,
      request: async (method: string) => (method === "notice/list" ? { notices: [...unread] } : {}),
    },
    threads: { loaded: true, onDidLoad: loaded.event, get: () => undefined },
    screens: { seen: () => false, onDidShow: new EventEmitter<string>().event },
  } as unknown as Ctx;
  const notices = new Notices(ctx);
  const start = () => (started.fire(), loaded.fire());
  start();
  unread = [notice("one")];
  // The list is read anew while the bridge is the same.
  loaded.fire();
  start();
  await expect.poll(() => shown).toEqual(["one is done"]);
  unread = [notice("two"), notice("one")];
  start();
  await expect.poll(() => shown).toEqual(["one is done", "two is done"]);
  notices.dispose();
});

type Post = (kind: Notice["kind"], id: string) => void;

/** Notices of threads that are like these, on screen or not. */
function posting(threads: Record<string, Partial<Thread>>, seen: (id: string) => boolean = () => false): { post: Post; asked: [string, unknown][] } {
  let hear: (told: { notice: Notice }) => void = () => undefined;
  const asked: [string, unknown][] = [];
  const ctx = {
    extension: { globalStorageUri: Uri.file(folder) },
    log: { info: () => undefined },
    bridge: {
      onNotification: (method: string, handler: typeof hear) => {
        if (method === "notice/didPost") hear = handler;
        return { dispose: () => undefined };
      },
      onDidStart: new EventEmitter<void>().event,
      request: async (method: string, params: unknown) => (asked.push([method, params]), {}),
    },
    threads: { onDidLoad: new EventEmitter<void>().event, get: (id: string) => thread({ id, ...threads[id] }) },
    screens: { seen, onDidShow: new EventEmitter<string>().event },
  } as unknown as Ctx;
  disposables.push(new Notices(ctx));
  const post: Post = (kind, id) => hear({ notice: { id, threadId: id, kind, title: id, body: kind, read: false, time: "2026-01-01T00:00:00.000Z" } as unknown as Notice });
  return { post, asked };
}

test.each<[Notice["kind"], Partial<Thread>, string, string[], string, string]>([
  ["completed", {}, "Information", ["Open", "Mute"], "Mute", "aloft.mute"],
  ["completed", { diff: { files: 1, additions: 1, deletions: 0 } }, "Information", ["Open", "Review", "Mute"], "Review", "aloft.review"],
  ["needsAttention", {}, "Warning", ["Answer", "Stop"], "Answer", "aloft.openThread"],
  ["failed", { error: { message: "", reason: "REPOSITORY_UNREACHABLE" } }, "Error", ["Open", "Retry"], "Retry", "aloft.retry"],
  ["failed", { error: { message: "", reason: "FORGE_ACCOUNT_MISSING" } }, "Error", ["Open", "Connect…"], "Connect…", "aloft.connect"],
  ["pullRequest", {}, "Information", ["Open pull request", "Open"], "Open pull request", "aloft.openPullRequest"],
  ["expiring", {}, "Information", ["Keep", "Open"], "Keep", "aloft.keep"],
])("a toast of the kind %s, of a thread with %o", async (kind, how, level, actions, press, command) => {
  const shown: unknown[] = [];
  for (const name of ["Information", "Warning", "Error"]) {
    window[`show${name}Message`] = async (text: string, ...labels: string[]) => (shown.push([name, text, labels]), press);
  }
  const called: unknown[] = [];
  commands.executeCommand = async (...words) => void called.push(words);
  const { post, asked } = posting({ one: how });
  post(kind, "one");
  await expect.poll(() => called).toEqual([[command, "one"]]);
  expect(shown).toEqual([[level, `one: ${kind}`, actions]]);
  expect(asked).toEqual([["notice/read", { noticeIds: ["one"] }]]);
});

test("no toast of what is on screen, which is read, nor of a muted agent that is done, nor where a person wants none", async () => {
  const shown: string[] = [];
  for (const name of ["Information", "Warning", "Error"]) window[`show${name}Message`] = async (text: string) => void shown.push(text);
  const { post, asked } = posting({ quiet: { muted: true } }, (id) => id === "seen");
  post("completed", "seen");
  expect(asked).toEqual([["notice/read", { noticeIds: ["seen"] }]]);
  post("completed", "quiet");
  const levels = workspace.getConfiguration;
  const wants = (level: string): void => void (workspace.getConfiguration = () => ({ get: (name: string, other: unknown) => (name === "notices" ? level : other) }));
  wants("off");
  post("failed", "off");
  wants("needsAttention");
  post("completed", "less");
  post("failed", "shown");
  await expect.poll(() => shown).toEqual(["shown: failed"]);
  workspace.getConfiguration = levels;
});

test("a claim is taken once, also where a file that another window tidied away cannot be looked at", async () => {
  await mkdir(path.join(folder, "claims"));
  await symlink("nowhere", path.join(folder, "claims/gone"));
  const [one, two] = [new Claims(path.join(folder, "claims")), new Claims(path.join(folder, "claims"))];
  expect([await one.take("n1"), await two.take("n1"), await one.take("n1")]).toEqual([true, false, false]);
});
