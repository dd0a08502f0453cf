// The client against the real bridge: where it is found, how it dies and comes back, and what is said when it cannot.

import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, expect, test } from "vitest";

import { Bridge, type BridgeState } from "../../src/bridge.js";

const programs = process.env["ALOFT_TEST_PROGRAMS"] ?? fileURLToPath(new URL("../../../../target/debug", import.meta.url));
const ALOFT = path.join(programs, "aloft");

let root: string;
let bridge: Bridge;
let states: BridgeState[];
let lines: string[];

beforeEach(async () => {
  root = await mkdtemp("/var/tmp/av");
  await mkdir(path.join(root, "home"));
});
afterEach(async () => {
  await bridge.close();
  await rm(root, { recursive: true, force: true });
});

function open(setting: string, settings: Record<string, unknown> = {}, extension = path.join(root, "extension")): Bridge {
  states = [];
  lines = [];
  const say = (line: string) => void lines.push(line);
  const at = (below: string) => path.join(root, below);
  bridge = new Bridge({
    extension,
    version: "0",
    log: { info: say, warn: say, error: say } as never,
    setting: () => setting,
    settings: () => settings,
    environment: () => ({ HOME: at("home"), ALOFT_CONFIG_DIR: at("config"), ALOFT_DATA_DIR: at("data"), ALOFT_RUNTIME_DIR: at("run") }),
    folders: () => [],
  });
  bridge.onDidChangeState((state) => states.push(state));
  bridge.start();
  return bridge;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 50_000; !holds(); ) {
    if (Date.now() > end) throw new Error(`waited for ${what}; states ${JSON.stringify(states)}\n${lines.join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const stopped = () => until("the end", () => bridge.state.kind === "stopped");

async function script(name: string, text: string): Promise<string> {
  const file = path.join(root, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  await chmod(file, 0o755);
  return file;
}

test("a request waits for the bridge that starts, and errors carry reason and hint", async () => {
  open(ALOFT);
  expect(await bridge.request("outbox/list", {})).toEqual({ waiting: [], refused: [] });
  expect(bridge.version).toMatch(/^\d/);
  const refused = await bridge.ask("thread/list", { pageSize: "many" }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ name: "RequestError", code: -32602, reason: "INVALID_PARAMS" });
  expect(await bridge.ask("no/such", {}).catch((error: unknown) => error)).toMatchObject({ code: -32601 });
});

test("a bridge that was killed comes back and tells its listeners, those of before included", async () => {
  open(ALOFT);
  let starts = 0;
  bridge.onDidStart(() => starts++);
  await bridge.request("outbox/list", {});
  for (let death = 1; death <= 3; death++) {
    const before = bridge.pid!;
    process.kill(before, "SIGKILL");
    await until("another bridge", () => bridge.ready && bridge.pid !== before);
    expect(await bridge.request("outbox/list", {})).toBeDefined();
  }
  expect(starts).toBe(4);
  expect(states.map(({ kind }) => kind)).toContain("starting");
});

test("a request in flight when the bridge dies is refused, and may be made again", async () => {
  open(ALOFT);
  await bridge.request("outbox/list", {});
  process.kill(bridge.pid!, "SIGSTOP");
  const asked = bridge.request("outbox/list", {}).catch((error: unknown) => error);
  process.kill(bridge.pid!, "SIGKILL");
  expect(await asked).toMatchObject({ reason: "BRIDGE_GONE", retryable: true });
});

test("one that always dies is given up with its last words, until somebody wants another try", async () => {
  const program = await script("dies", "#!/bin/sh\necho 'no luck today' >&2\nexit 7\n");
  const begun = Date.now();
  open(program);
  const asked = bridge.request("outbox/list", {}).catch((error: unknown) => error);
  await stopped();
  // Each pause is twice the one before: 250 ms to 2 s.
  expect(Date.now() - begun).toBeGreaterThan(3_700);
  expect(bridge.state.message).toMatch(/5 times in a row.*exit code 7.*no luck today/);
  expect(await asked).toMatchObject({ reason: "BRIDGE_STOPPED" });
  expect(lines.filter((line) => line.startsWith("starting "))).toHaveLength(5);
  await rm(program);
  await symlink(ALOFT, program);
  await bridge.restart();
  expect(await bridge.request("outbox/list", {})).toBeDefined();
});

test("two restarts at once start one bridge", async () => {
  open(ALOFT);
  await bridge.request("outbox/list", {});
  const { pid } = bridge;
  await Promise.all([bridge.restart(), bridge.restart(), bridge.restart()]);
  await bridge.request("outbox/list", {});
  expect(bridge.pid).not.toBe(pid);
  expect(lines.filter((line) => line.startsWith("starting "))).toHaveLength(2);
});

test("the program comes from the setting, else from the extension, else from PATH", async () => {
  const extension = path.join(root, "extension");
  await script("extension/bin/aloft", `#!/bin/sh\nexec ${ALOFT} "$@"\n`);
  open("", {}, extension);
  await bridge.request("outbox/list", {});
  expect(bridge.program).toEqual({ path: path.join(extension, "bin/aloft"), from: "extension" });
  await bridge.close();
  open(ALOFT, {}, extension);
  await bridge.request("outbox/list", {});
  expect(bridge.program?.from).toBe("setting");
  await bridge.close();
  const before = process.env["PATH"];
  process.env["PATH"] = `relative:${programs}:${before ?? ""}`;
  open("", {}, path.join(root, "nothing"));
  await bridge.request("outbox/list", {});
  expect(bridge.program).toEqual({ path: ALOFT, from: "PATH" });
  process.env["PATH"] = before;
});

test.each([
  ["nothing is there", async () => "/nowhere/aloft", /does not exist: \/nowhere\/aloft/],
  ["the path is relative", async () => "bin/aloft", /no absolute path/],
  ["it may not be executed", async () => (await writeFile(path.join(root, "plain"), ""), path.join(root, "plain")), /may not be executed/],
  ["it is for another machine", () => script("foreign", "\u007fELF\u0002\u0001\u0001"), /is made for another kind of machine/],
  ["it is too old", () => script("old", answering({})), /too old for this extension/],
  ["it is too new", () => script("new", answering({ aloft: { protocolVersion: 9, version: "9.9" } })), /\(9\.9\) is too new for this extension/],
])("one message when %s", async (_, program, message) => {
  open(await program());
  await stopped();
  expect(bridge.state.message).toMatch(message);
  expect(bridge.state.hint).toBeTruthy();
  expect(states.filter(({ kind }) => kind === "stopped")).toHaveLength(1);
});

test("settings that the bridge refuses are named", async () => {
  open(ALOFT, { mode: "sometimes" });
  await stopped();
  expect(`${bridge.state.message} ${bridge.state.hint}`).toMatch(/mode/);
});

test("the end of the editor ends the bridge, also one that hangs", async () => {
  open(ALOFT);
  await bridge.request("outbox/list", {});
  const { pid } = bridge;
  await bridge.close();
  expect(() => process.kill(pid!, 0)).toThrow();
  open(ALOFT);
  await bridge.request("outbox/list", {});
  const deaf = bridge.pid!;
  process.kill(deaf, "SIGSTOP");
  await bridge.close();
  expect(() => process.kill(deaf, 0)).toThrow();
});

/** A bridge of another version, as far as its first answer. */
function answering(experimental: object): string {
  const answer = JSON.stringify({ jsonrpc: "2.0", id: 0, result: { capabilities: { experimental } } });
  return `#!/bin/sh\nprintf 'Content-Length: ${answer.length}\\r\\n\\r\\n%s' '${answer}'\ncat > /dev/null\n`;
}
