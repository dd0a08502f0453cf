// Threads, turns and items for the tests of the pages.

import type { Event, Thread, Turn } from "../../src/protocol.js";
import type { Shown } from "../../webview/messages.js";

const TIME = "2026-01-31T10:00:00.000Z";

export function thread(more: Partial<Thread> = {}): Thread {
  return {
    id: "t1", slug: "fix-login", title: "Fix login", agent: "shell", baseRef: "main", branch: "aloft/fix-login", environment: "base",
    createTime: TIME, updateTime: TIME, diff: { files: 0, additions: 0, deletions: 0 }, keep: false, mode: "manual", muted: false, owner: "local",
    queued: 0, repository: { name: "sample", path: "/home/me/sample" }, state: "running", usage: { inputTokens: 0, outputTokens: 0, seconds: 0 },
    workspacePath: "/workspace", ...more,
  };
}

export function turn(number: number, more: Partial<Turn> = {}): Turn {
  return { id: `turn${number}`, number, startTime: TIME, state: "running", threadId: "t1", ...more };
}

export function item(id: string, more: { type: Shown["type"] } & Record<string, unknown>, turnId = "turn1"): Shown {
  return { id, startTime: TIME, state: "inProgress", turnId, ...more } as unknown as Shown;
}

export const said = (id: string, text: string, turnId = "turn1", delivery = "used"): Shown =>
  item(id, { type: "userMessage", input: [{ type: "text", text }], delivery, state: "completed" }, turnId);

export const answered = (id: string, text: string, turnId = "turn1"): Shown => item(id, { type: "agentMessage", text, state: "completed" }, turnId);

export const ran = (id: string, more: Record<string, unknown> = {}): Shown =>
  item(id, { type: "commandExecution", command: "make", cwd: "/workspace", output: "", outputBytes: 0, truncated: false, ...more });

type Body = Event extends infer E ? (E extends Event ? Omit<E, "cursor" | "threadId" | "time"> : never) : never;

/** Events with rising cursors. */
export function events(after: number, ...bodies: Record<string, unknown>[]): Event[] {
  return bodies.map((body, index) => ({ threadId: "t1", time: TIME, cursor: after + index + 1, ...(body as Body) }));
}
