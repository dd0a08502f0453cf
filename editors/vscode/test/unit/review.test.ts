import { describe, expect, test } from "vitest";

import { now } from "../../src/doing.js";
import { locate } from "../../src/review_anchor.js";
import { ViewedMarks, digest } from "../../src/review_marks.js";
import type { FileDiff, Item } from "../../src/protocol.js";
import { slim } from "../../src/slim.js";

describe("where a comment stands after the file changed", () => {
  const anchor = { start: 1, end: 2, text: "b\nc" };
  test("at its place, moved, or nowhere", () => {
    expect(locate(anchor, "a\nb\nc\nd")).toEqual({ start: 1, end: 2 });
    expect(locate(anchor, "new\na\r\nb\r\nc\r\nd")).toEqual({ start: 2, end: 3 });
    expect(locate(anchor, "b\nc")).toEqual({ start: 0, end: 1 });
    expect(locate(anchor, "a\nb\nC")).toBeUndefined();
    expect(locate(anchor, "")).toBeUndefined();
    // Of two places the nearer.
    expect(locate({ start: 5, end: 5, text: "x" }, "x\n1\n2\n3\n4\n5\nx")).toEqual({ start: 6, end: 6 });
    expect(locate({ start: 9, end: 9, text: "" }, "a\n\nb")).toBeUndefined();
  });
});

describe("viewed files", () => {
  const store = new Map<string, unknown>();
  const memento = { get: (key: string, other: unknown) => store.get(key) ?? other, update: async (key: string, value: unknown) => void store.set(key, structuredClone(value)), keys: () => [...store.keys()] };
  const file: FileDiff = { path: "a", status: "modified", additions: 1, deletions: 0, binary: false, patch: "@@ one" };
  test("stay viewed until they change", async () => {
    const marks = new ViewedMarks(memento as never);
    expect(marks.isViewed("t", file)).toBe(false);
    await marks.set("t", file, true);
    expect(marks.isViewed("t", file)).toBe(true);
    expect(marks.isViewed("other", file)).toBe(false);
    expect(marks.isViewed("t", { ...file, patch: "@@ two" })).toBe(false);
    expect(new ViewedMarks(memento as never).isViewed("t", file)).toBe(true);
    await marks.set("t", file, false);
    expect(marks.isViewed("t", file)).toBe(false);
    for (let i = 0; i < 60; i++) await marks.set(`t${i}`, file, true);
    expect(marks.isViewed("t5", file)).toBe(false);
    expect(marks.isViewed("t59", file)).toBe(true);
    expect(digest(file)).not.toBe(digest({ ...file, newMode: "100755" }));
  });
});

const item = (more: Record<string, unknown>): Item => ({ id: "i", startTime: "2026-01-31T10:00:00.000Z", state: "inProgress", ...more }) as unknown as Item;

test("large things are left out of what the panel is given", () => {
  const command = slim(item({ type: "commandExecution", output: "x".repeat(60_000), outputBytes: 60_000, truncated: false }));
  expect(command).toMatchObject({ truncated: true, outputBytes: 60_000 });
  expect(JSON.stringify(command).length).toBeLessThan(10_000);
  const tool = slim(item({ type: "toolCall", title: "t", kind: "other", arguments: { a: 1 }, result: "y".repeat(9000) }));
  expect(tool).toMatchObject({ slim: true, title: "t" });
  expect(tool).not.toHaveProperty("result");
  expect(slim(item({ type: "toolCall", title: "t", kind: "other", result: "short" }))).toHaveProperty("result", "short");
  const change = slim(item({ type: "fileChange", author: "agent", changes: [{ path: "a", status: "added", additions: 1, deletions: 0, binary: false, patch: "p", newText: "n" }] }));
  expect(JSON.stringify(change)).not.toMatch(/patch|newText/);
});

test("what an agent does now is its newest open action, and its open question", () => {
  expect(now([item({ type: "agentMessage", text: "hi" })], undefined)).toEqual({ doing: undefined, plan: undefined, question: undefined });
  const open = [item({ type: "toolCall", title: "Read a" }), item({ type: "commandExecution", command: "make\nall" }), item({ type: "permission", title: "Run make?", options: [] })];
  expect(now(open, [])).toMatchObject({ doing: "$ make all", question: "Run make?" });
});
