import { beforeEach, expect, test, vi } from "vitest";

import { RequestError } from "../../src/errors.js";
import type { Input } from "../../src/protocol.js";
import { type Draft, Drafts } from "../../src/review_drafts.js";
import { memento } from "./vscode.stub.js";

const draft = (id: string, more: Partial<Draft> = {}): Draft => ({ id, threadId: "t", against: "base", path: "a.ts", side: "after", start: 1, end: 1, text: "two", body: `body of ${id}`, ...more });
const gone = new RequestError("The bridge ended before it answered", -32014, "BRIDGE_GONE");

let store: ReturnType<typeof memento>;
let drafts: Drafts;
let send: ReturnType<typeof vi.fn<(input: Input[], requestId: string) => Promise<unknown>>>;

beforeEach(async () => {
  store = memento();
  drafts = new Drafts(store);
  send = vi.fn(async () => undefined);
  await drafts.add(draft("one"));
});

test("a comment that is changed while its lines are looked for keeps its new words", async () => {
  await drafts.anchor("t", async () => {
    await drafts.change("one", { body: "other words" });
    return "new\none\ntwo\n";
  });
  expect(drafts.all()).toEqual([draft("one", { body: "other words", start: 2, end: 2, outdated: false })]);
});

test("what cannot be read now is not called outdated; what is gone is", async () => {
  await drafts.anchor("t", () => Promise.reject(gone));
  expect(drafts.all()).toEqual([draft("one")]);
  await drafts.anchor("t", () => Promise.reject(new RequestError("no such file", -32012, "FILE_NOT_FOUND")));
  expect(drafts.all()).toEqual([draft("one", { outdated: true })]);
});

test("comments without an answer are sent again as the same message, whatever moved since", async () => {
  send.mockRejectedValueOnce(gone);
  await expect(drafts.send("t", send)).rejects.toThrow(gone.message);
  await drafts.anchor("t", async () => "new\none\ntwo\n");
  // Also after a reload of the window.
  expect(await new Drafts(store).send("t", send)).toHaveLength(1);
  expect(send.mock.calls[1]).toEqual(send.mock.calls[0]);
  expect(drafts.all()).toEqual([]);
  await drafts.add(draft("one"));
  await drafts.send("t", send);
  expect(send.mock.calls[2]?.[1]).not.toBe(send.mock.calls[0]?.[1]);
});

test("other comments, another thread, and what was refused are other messages", async () => {
  await drafts.add(draft("other", { threadId: "u" }));
  send.mockRejectedValueOnce(gone);
  await expect(drafts.send("t", send)).rejects.toThrow();
  await drafts.send("u", send);
  await drafts.change("one", { body: "other words" });
  send.mockRejectedValueOnce(new RequestError("the thread is gone", -32012, "THREAD_NOT_FOUND"));
  await expect(drafts.send("t", send)).rejects.toThrow();
  await drafts.send("t", send);
  expect(new Set(send.mock.calls.map(([, requestId]) => requestId)).size).toBe(4);
});

test("a comment that is changed while it is sent is not sent yet", async () => {
  await drafts.add(draft("two"));
  send.mockImplementation(() => drafts.change("two", { body: "and more" }));
  await drafts.send("t", send);
  expect(drafts.all().map(({ id, body }) => [id, body])).toEqual([["two", "and more"]]);
});
