import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import path from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { Claims } from "../../src/claims.js";
import type { Ctx } from "../../src/ctx.js";
import { Notices } from "../../src/notices.js";
import type { Notice } from "../../src/protocol.js";
import { thread } from "./samples.js";
import { EventEmitter, Uri, window } from "./vscode.stub.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp("/var/tmp/av");
});
afterEach(() => rm(folder, { recursive: true }));

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

test("a failure that only an account does away with has Connect", async () => {
  const actions: string[][] = [];
  window["showErrorMessage"] = async (_: string, ...labels: string[]) => void actions.push(labels);
  let post: (told: { notice: Notice }) => void = () => undefined;
  const reasons: Record<string, string> = { one: "FORGE_ACCOUNT_MISSING", two: "REPOSITORY_UNREACHABLE" };
  const ctx = {
    extension: { globalStorageUri: Uri.file(folder) },
    log: { info: () => undefined },
    bridge: {
      onNotification: (method: string, hear: typeof post) => {
        if (method === "notice/didPost") post = hear;
        return { dispose: () => undefined };
      },
      onDidStart: new EventEmitter<void>().event,
      request: async () => ({}),
    },
    threads: { onDidLoad: new EventEmitter<void>().event, get: (id: string) => thread({ id, error: { message: "", reason: reasons[id]! } }) },
    screens: { seen: () => false, onDidShow: new EventEmitter<string>().event },
  } as unknown as Ctx;
  const notices = new Notices(ctx);
  for (const id of ["one", "two"]) {
    post({ notice: { id, threadId: id, kind: "failed", title: "failed", body: "", read: false, time: "2026-01-01T00:00:00.000Z" } as unknown as Notice });
    await expect.poll(() => actions.length).toBe(id === "one" ? 1 : 2);
  }
  expect(actions).toEqual([["Open", "Connect…"], ["Open", "Retry"]]);
  notices.dispose();
});

test("a claim is taken once, also where a file that another window tidied away cannot be looked at", async () => {
  await mkdir(path.join(folder, "claims"));
  await symlink("nowhere", path.join(folder, "claims/gone"));
  const [one, two] = [new Claims(path.join(folder, "claims")), new Claims(path.join(folder, "claims"))];
  expect([await one.take("n1"), await two.take("n1"), await one.take("n1")]).toEqual([true, false, false]);
});
