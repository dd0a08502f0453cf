import { beforeEach, expect, test } from "vitest";

import type { Bridge, BridgeState } from "../../src/bridge.js";
import type { Thread } from "../../src/protocol.js";
import { Status } from "../../src/status.js";
import type { Threads } from "../../src/threads.js";
import { thread } from "./samples.js";
import { commands, EventEmitter, window } from "./vscode.stub.js";

let item: { text: string; tooltip: string; command: string };
let contexts: Record<string, unknown>;

beforeEach(() => {
  contexts = {};
  window["createStatusBarItem"] = () => (item = { text: "", tooltip: "", command: "", show: () => undefined, dispose: () => undefined } as never);
  commands.executeCommand = async (_, name, value) => void (contexts[String(name)] = value);
});

function draw(state: BridgeState, all: Partial<Thread>[] = [], loaded = true): typeof item {
  const none = new EventEmitter<never>().event;
  new Status({ state, onDidChangeState: none } as unknown as Bridge, { loaded, all: () => all.map(thread), onDidChange: none, onDidLoad: none } as unknown as Threads);
  return item;
}

test.each<[BridgeState, boolean, string, RegExp, string]>([
  [{ kind: "starting" }, false, "$(sync~spin) Aloft", /The bridge starts/, "starting"],
  [{ kind: "connecting" }, false, "$(sync~spin) Aloft", /cloud is being reached/, "connecting"],
  [{ kind: "connecting" }, true, "$(cloud) Aloft", /Agents of Aloft/, "connected"],
  [{ kind: "offline", message: "no route" }, true, "$(cloud) Aloft $(debug-disconnect)", /cannot be reached; what is shown was last seen: no route/, "offline"],
  [{ kind: "unauthenticated" }, true, "$(lock) Aloft", /Not signed in/, "unauthenticated"],
  [{ kind: "stopped", message: "no program" }, false, "$(error) Aloft", /does not run: no program/, "stopped"],
])("a bridge that is %o, its list read: %s", (state, loaded, text, tooltip, context) => {
  expect(draw(state, [], loaded)).toMatchObject({ text, tooltip: expect.stringMatching(tooltip) as string, command: state.kind === "stopped" ? "aloft.showLog" : "aloft.showThreads" });
  expect(contexts).toEqual({ "aloft.state": context, "aloft.loaded": loaded });
});

test("it counts those that need somebody and those that run", () => {
  const connected: BridgeState = { kind: "connected" };
  expect(draw(connected, [{ state: "running" }, { state: "running" }, { state: "idle" }]).text).toBe("$(sync~spin) 2 running");
  expect(draw(connected, [{ state: "requiresAction" }, { state: "running" }]).text).toBe("$(bell-dot) 1 needs you, 1 running");
  expect(draw(connected, [{ state: "requiresAction" }, { state: "requiresAction" }]).text).toBe("$(bell-dot) 2 need you");
});
