import { expect, test } from "vitest";

import { contextOf, description, groupOf, matches } from "../../src/groups.js";
import type { Thread } from "../../src/protocol.js";
import { stateName } from "../../src/words.js";
import { thread } from "./samples.js";

test.each([
  ["requiresAction", undefined, "needsYou"],
  ["starting", undefined, "running"],
  ["running", undefined, "running"],
  ["deleting", undefined, "running"],
  ["idle", "completed", "ready"],
  ["idle", "interrupted", "ready"],
  ["idle", "failed", "failed"],
  ["paused", "failed", "paused"],
  ["failed", undefined, "failed"],
  ["of a newer bridge", undefined, "ready"],
])("%s with a last turn %s is shown under %s", (state, last, group) => {
  expect(groupOf(thread({ state: state as never, ...(last ? { lastTurn: { number: 1, state: last as never } } : {}) }))).toBe(group);
});

test.each<[Partial<Thread>, string]>([
  [{ state: "starting", queuePosition: 3 }, "queued (3)"],
  [{ state: "starting" }, "starting"],
  [{ state: "running" }, "running"],
  [{ state: "requiresAction" }, "needs you"],
  [{ state: "paused" }, "paused"],
  [{ state: "idle" }, "ready"],
  [{ state: "idle", lastTurn: { number: 1, state: "completed" } }, "done"],
  [{ state: "idle", lastTurn: { number: 1, state: "interrupted" } }, "stopped"],
  [{ state: "idle", lastTurn: { number: 1, state: "failed" } }, "failed"],
  [{ state: "failed" }, "failed"],
  [{ state: "deleting" }, "being deleted"],
])("%o is said to be %s", (how, words) => {
  expect(stateName(thread(how), (sentence, ...values) => sentence.replace("{0}", String(values[0])))).toBe(words);
});

test("the description is repository, branch and age; while it starts the step comes first", () => {
  const now = Date.parse("2026-01-02T05:00:00Z");
  expect(description(thread({ updateTime: "2026-01-02T02:00:00Z" }), now)).toBe("shop · aloft/fix-login · 3h");
  expect(description(thread({ state: "starting", step: "cloning", updateTime: "2026-01-02T05:00:00Z" }), now)).toBe("cloning · shop · aloft/fix-login · now");
});

test("menus learn what can be done with a thread", () => {
  const context = contextOf(thread({ state: "running", muted: true, diff: { files: 2, additions: 1, deletions: 0 } }));
  for (const word of ["thread", "running", "stoppable", "muted", "unkept", "changed"]) expect(context).toContain(`;${word};`);
  for (const word of ["pausable", "resumable", "retryable", "heard", "unchanged"]) expect(context).not.toContain(`;${word};`);
  expect(contextOf(thread({ state: "idle", lastTurn: { number: 1, state: "interrupted" } }))).toContain(";retryable;");
  expect(contextOf(thread({ state: "failed", error: { reason: "FORGE_ACCOUNT_MISSING", message: "opens to an account only", retryable: false } }))).toContain(";accountless;");
  expect(context).not.toContain(";accountless;");
  expect(contextOf(thread({ issue: { key: "12", url: "https://forge.test/12" } }))).toContain(";issue;");
  expect(context).not.toContain(";issue;");
});

test("a filter takes threads that have all its words somewhere", () => {
  expect(matches(thread({}), "login SHOP")).toBe(true);
  expect(matches(thread({}), "login market")).toBe(false);
});
