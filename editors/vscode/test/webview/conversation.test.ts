import { expect, test } from "vitest";

import { Conversation } from "../../webview/conversation.js";
import { answered, events, item, ran, said, thread, turn } from "./samples.js";

function begun(items = [said("i1", "go")], more = {}): Conversation {
  return new Conversation({ thread: thread(), turns: [turn(1)], items, hasMore: false, cursor: 10, ...more });
}

test("events are applied once, in order", () => {
  const conversation = begun();
  const grow = events(10, { type: "itemStarted", item: item("i2", { type: "agentMessage", text: "" }) }, { type: "itemAppended", itemId: "i2", field: "text", delta: "hel" });
  expect(conversation.apply(grow).added).toEqual(["i2"]);
  expect(conversation.apply(grow).changed.size).toBe(0);
  const more = events(12, { type: "itemAppended", itemId: "i2", field: "text", delta: "lo" });
  expect([...conversation.apply([...grow, ...more]).changed]).toEqual(["i2"]);
  expect(conversation.row("i2")).toMatchObject({ item: { text: "hello" } });
  expect(conversation.cursor).toBe(13);
});

test("what is completed replaces what was known", () => {
  const conversation = begun();
  conversation.apply(events(10, { type: "itemStarted", item: ran("c") }, { type: "itemAppended", itemId: "c", field: "output", delta: "lost" }));
  conversation.apply(events(12, { type: "itemCompleted", item: ran("c", { output: "whole\n", outputBytes: 6, state: "completed", exitCode: 0 }) }));
  expect(conversation.row("c")).toMatchObject({ item: { output: "whole\n", exitCode: 0 } });
});

test("output keeps its end and counts its bytes", () => {
  const conversation = begun();
  conversation.apply(events(10, { type: "itemStarted", item: ran("c") }));
  const line = `${"ü".repeat(99)}\n`;
  conversation.apply(events(11, ...Array.from({ length: 1000 }, (_, index) => ({ type: "itemAppended", itemId: "c", field: "output", delta: line, offset: index * 199 }))));
  const row = conversation.row("c");
  if (!row || !("item" in row) || row.item.type !== "commandExecution") throw new Error("no command");
  expect(row.item.outputBytes).toBe(199_000);
  expect(row.item.output.length).toBeLessThanOrEqual(32 * 1024);
  expect(row.item.output.startsWith("ü")).toBe(true);
  expect(row.item.truncated).toBe(true);
});

test("the end of a turn is a row, on pages too", () => {
  const conversation = begun();
  const change = conversation.apply(events(10, { type: "turnCompleted", turn: turn(1, { state: "completed" }) }));
  expect(change.added).toEqual(["turn:turn1"]);
  const whole = new Conversation({
    thread: thread(), cursor: 20, hasMore: true,
    turns: [turn(1, { state: "completed" }), turn(2, { state: "interrupted" })],
    items: [answered("b", "x"), said("c", "again", "turn2")],
  });
  expect(whole.rows).toEqual(["b", "turn:turn1", "c", "turn:turn2"]);
  // Older items of a turn whose end is known add no second one.
  expect(whole.prepend({ turns: [turn(1, { state: "completed" })], items: [said("a", "go")], hasMore: false })).toEqual(["a"]);
  expect(whole.rows).toEqual(["a", "b", "turn:turn1", "c", "turn:turn2"]);
});

test("a message that waits is no row until it is sent, and then stands in its turn", () => {
  const waits = said("w", "later", undefined, "queued");
  const conversation = begun([said("i1", "go"), { ...waits, state: "inProgress" }]);
  expect(conversation.rows).toEqual(["i1"]);
  conversation.apply(events(10, { type: "itemStarted", item: answered("i2", "x") }, { type: "itemStarted", item: said("w", "later", "turn2", "delivered") }));
  expect(conversation.rows).toEqual(["i1", "i2", "w"]);
  // Read anew it is where it was written.
  const again = begun([said("i1", "go"), said("w", "later", "turn2"), answered("i2", "x"), answered("i3", "y", "turn2")], {
    turns: [turn(1, { state: "completed" }), turn(2)],
  });
  expect(again.rows).toEqual(["i1", "i2", "turn:turn1", "w", "i3"]);
});

test("a message that was taken back is gone", () => {
  const conversation = begun();
  conversation.apply(events(10, { type: "itemStarted", item: { ...said("w", "later", undefined, "queued"), state: "inProgress" } }));
  const change = conversation.apply(events(11, { type: "itemCompleted", item: { ...said("w", "later", undefined, "queued"), state: "declined" } }));
  expect(conversation.rows).toEqual(["i1"]);
  expect(change.added).toEqual([]);
});

test("open questions and the newest plan are known", () => {
  const ask = (id: string, more = {}): ReturnType<typeof item> => item(id, { type: "permission", title: "Run make?", options: [], ...more });
  const conversation = begun();
  conversation.apply(events(10, { type: "itemStarted", item: ask("q1") }, { type: "itemStarted", item: item("p", { type: "plan", steps: [{ text: "look", state: "inProgress" }] }) }));
  expect(conversation.questions.map(({ id }) => id)).toEqual(["q1"]);
  expect(conversation.plan?.steps).toHaveLength(1);
  conversation.apply(events(12, { type: "itemCompleted", item: ask("q1", { state: "completed", answer: "allow" }) }));
  expect(conversation.questions).toEqual([]);
});

test("what a newer version says does no harm", () => {
  const conversation = begun();
  conversation.apply(events(10, { type: "somethingNew", what: 1 }, { type: "itemStarted", item: item("n", { type: "hologram" as never }) }));
  expect(conversation.rows).toContain("n");
  expect(conversation.cursor).toBe(12);
});

test("ten thousand items and as many events are no work", () => {
  const items = Array.from({ length: 10_000 }, (_, index) => answered(`i${index}`, `text ${index}`));
  const conversation = begun(items);
  conversation.apply(events(10, ...Array.from({ length: 10_000 }, (_, index) => ({ type: "itemAppended", itemId: `i${index % 100}`, field: "text", delta: "x" }))));
  expect(conversation.rows).toHaveLength(10_000);
  expect(conversation.row("i5")).toMatchObject({ item: { text: `text 5${"x".repeat(100)}` } });
});

test("the message a turn begins with is known from those that came later", () => {
  const conversation = begun([said("i1", "go"), answered("i2", "well"), said("i3", "no, there"), said("i4", "next", "turn2")]);
  expect(["i1", "i2", "i3", "i4", "none"].filter((key) => conversation.begins(key))).toEqual(["i1", "i4"]);
});
