// A thread as the bridge tells it, with what a test wants to be different.

import type { Thread } from "../../src/protocol.js";

export function thread(different: Partial<Thread>): Thread {
  return {
    id: "01hx", slug: "fix-login-k3v9", owner: "local", title: "Fix the login", agent: "shell", repository: { name: "shop" },
    baseRef: "main", branch: "aloft/fix-login", environment: "", mode: "manual", muted: false, keep: false, state: "idle",
    queued: 0, diff: { files: 0, additions: 0, deletions: 0 }, usage: { inputTokens: 0, outputTokens: 0, seconds: 0 },
    createTime: "2026-01-02T01:00:00.000Z", updateTime: "2026-01-02T02:00:00.000Z", workspacePath: "/workspace",
    ...different,
  };
}
