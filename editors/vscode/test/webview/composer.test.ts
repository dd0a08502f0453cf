import { beforeEach, expect, test, vi } from "vitest";

import { RequestError } from "../../src/errors.js";
import type { Input } from "../../src/protocol.js";
import { Composer } from "../../webview/composer.js";
import type { Draft } from "../../webview/messages.js";
import { Refused } from "../../webview/link.js";

type Send = (input: Input[], how: string, requestId: string) => Promise<unknown>;

let draft: Draft | undefined;
let send: ReturnType<typeof vi.fn<Send>>;
let edit: ReturnType<typeof vi.fn<Send>>;
let create: ReturnType<typeof vi.fn<(input: Input[]) => Promise<boolean>>>;

beforeEach(() => {
  draft = undefined;
  send = vi.fn<Send>(async () => undefined);
  edit = vi.fn<Send>(async () => undefined);
  create = vi.fn(async () => true);
});

function open(stored?: Draft): { composer: Composer; box: HTMLTextAreaElement; button: (name: string) => HTMLButtonElement; press: (key: string, more?: KeyboardEventInit) => void; type: (text: string) => void } {
  const composer = new Composer({ send, edit: edit as never, create, changed: (now) => (draft = structuredClone(now)) });
  composer.restore(stored);
  document.body.replaceChildren(composer.element);
  const box = composer.element.querySelector("textarea")!;
  return {
    composer, box,
    button: (name) => [...composer.element.querySelectorAll("button")].find((one) => one.textContent === name && !one.hidden)!,
    press: (key, more = {}) => void box.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more })),
    type: (text) => {
      box.value = text;
      box.dispatchEvent(new Event("input"));
      box.setSelectionRange(text.length, text.length);
    },
  };
}

test("a message is sent with Enter, and the box is empty then", async () => {
  const { box, press, type } = open();
  type("hello");
  expect(draft?.text).toBe("hello");
  press("Enter", { shiftKey: true });
  expect(send).not.toHaveBeenCalled();
  press("Enter");
  await expect.poll(() => box.value).toBe("");
  expect(send).toHaveBeenCalledExactlyOnceWith([{ type: "text", text: "hello" }], "guide", expect.stringMatching(/./));
  expect(draft).toEqual({ text: "", attached: [] });
});

test("what comes into the box while a message is on its way stays there", async () => {
  let arrive = (): void => undefined;
  send.mockImplementation(() => new Promise<void>((resolve) => (arrive = resolve)));
  const { composer, box, button, press, type } = open();
  const picture: Input = { type: "image", mimeType: "image/png", data: "" };
  type("first");
  press("Enter");
  composer.attach([picture]);
  arrive();
  await expect.poll(() => draft).toEqual({ text: "", attached: [picture] });
  type("second");
  press("Enter");
  composer.edit("i1", [{ type: "text", text: "waits" }]);
  arrive();
  await expect.poll(() => button("Save")?.disabled).toBe(false);
  expect(box.value).toBe("waits");
});

test("while a turn runs the other choice is after it", async () => {
  const { composer, button, press, type } = open();
  expect(button("After this turn")).toBeUndefined();
  composer.set(true);
  type("a");
  expect(button("Guide").disabled).toBe(false);
  button("After this turn").click();
  await expect.poll(() => send.mock.lastCall?.[1]).toBe("queue");
  type("b");
  press("Enter", { altKey: true });
  await expect.poll(() => send.mock.calls.length).toBe(2);
  expect(send.mock.lastCall?.[1]).toBe("queue");
});

test("a message that was refused stays in the box; one without an answer is sent again under its id", async () => {
  const { box, composer, press, type } = open();
  send.mockRejectedValueOnce(new Refused("the thread is gone", "THREAD_NOT_FOUND", "create another"));
  type("keep me");
  press("Enter");
  await expect.poll(() => composer.element.querySelector("[role=alert]")?.textContent).toBe("the thread is gone · create another");
  expect(box.value).toBe("keep me");
  expect(draft?.requestId).toBeUndefined();
  // As the extension answers where the bridge died meanwhile.
  const { message, reason, hint, unsure } = new RequestError("The bridge ended before it answered", -32014, "BRIDGE_GONE", "Try again", true);
  send.mockRejectedValueOnce(new Refused(message, reason, hint, unsure));
  press("Enter");
  await expect.poll(() => send.mock.calls.length).toBe(2);
  await expect.poll(() => box.readOnly).toBe(false);
  // The same message in another way would be another request.
  composer.set(true);
  press("Enter", { altKey: true });
  await expect.poll(() => send.mock.calls.length).toBe(3);
  expect(send.mock.calls[2]).toEqual(send.mock.calls[1]);
  expect(send.mock.calls[1]?.[2]).not.toBe(send.mock.calls[0]?.[2]);
});

test("a refusal is known by its code", () => {
  const unsure = (code: number) => new RequestError("", code, "ANY").unsure;
  expect([-32601, -32602, -32010, -32011, -32012, -32013, -32015].filter(unsure)).toEqual([]);
  expect([-32603, -32800, -32014].filter(unsure)).toHaveLength(3);
});

test("what is put aside to change a waiting message comes back, with what was attached", async () => {
  const picture: Input = { type: "image", mimeType: "image/png", data: "" };
  const { composer, box, button, press, type } = open();
  const aside = async (end: () => void) => {
    await expect.poll(() => box.readOnly).toBe(false);
    type("half a th");
    if (draft?.attached.length === 0) composer.attach([picture]);
    composer.edit("q1", [{ type: "text", text: "waits" }]);
    composer.edit("q2", [{ type: "text", text: "waits too" }]);
    end();
    await expect.poll(() => draft).toEqual({ text: "half a th", attached: [picture] });
    expect(box.value).toBe("half a th");
  };
  await aside(() => press("Escape"));
  await aside(() => button("Save").click());
  expect(edit).toHaveBeenCalledTimes(1);
  // A reload in the middle, after which the other message waits no longer.
  composer.edit("q3", [{ type: "text", text: "sent" }]);
  const again = open(draft);
  again.composer.gone(new Set());
  again.button("Cancel").click();
  expect(again.box.value).toBe("half a th");
});

test("what was on its way while a waiting message is changed does not come back", async () => {
  let arrive = (): void => undefined;
  send.mockImplementation(() => new Promise<void>((resolve) => (arrive = resolve)));
  const { composer, box, press, type } = open();
  type("sent");
  press("Enter");
  composer.edit("q1", [{ type: "text", text: "waits" }]);
  arrive();
  await expect.poll(() => draft?.aside).toBeUndefined();
  press("Escape");
  expect(box.value).toBe("");
});

test("nothing can be written before it is known what was not sent last", () => {
  const composer = new Composer({ send, edit: edit as never, create, changed: (now) => (draft = structuredClone(now)) });
  const box = composer.element.querySelector("textarea")!;
  expect(box.readOnly).toBe(true);
  composer.restore({ text: "half a th", attached: [] });
  expect([box.readOnly, box.value]).toEqual([false, "half a th"]);
});

test("two quick presses send once", async () => {
  const { press, type } = open();
  type("once");
  press("Enter");
  press("Enter");
  await expect.poll(() => draft?.text).toBe("");
  expect(send).toHaveBeenCalledTimes(1);
});

test("unsent text is there after a reload", () => {
  const { box, composer } = open({ text: "half a th", attached: [{ type: "file", path: "src/a.ts" }] });
  expect(box.value).toBe("half a th");
  expect(composer.element.querySelector(".chip")?.textContent).toContain("src/a.ts");
});

test("earlier messages come with the arrows, and what was being written comes back", () => {
  const { composer, box, press, type } = open();
  composer.history.reset(["first", "second"]);
  type("draft");
  press("ArrowUp");
  expect(box.value).toBe("second");
  press("ArrowUp");
  press("ArrowUp");
  expect(box.value).toBe("first");
  press("ArrowDown");
  press("ArrowDown");
  expect(box.value).toBe("draft");
  press("ArrowDown");
  expect(box.value).toBe("draft");
  // Within several lines the arrows move the cursor.
  type("two\nlines");
  press("ArrowUp");
  expect(box.value).toBe("two\nlines");
});

test("a waiting message is changed in the box, and cancelled with Escape", async () => {
  const { composer, box, button, press, type } = open();
  composer.edit("q1", [{ type: "text", text: "later" }]);
  expect(box.value).toBe("later");
  type("later, please");
  button("Save").click();
  await expect.poll(() => edit.mock.lastCall?.[0]).toBe("q1");
  expect(send).not.toHaveBeenCalled();
  composer.edit("q2", [{ type: "text", text: "x" }]);
  press("Escape");
  expect(box.value).toBe("");
  // One that was sent meanwhile: the words are a new message.
  composer.edit("q3", [{ type: "text", text: "still mine" }]);
  composer.gone(new Set());
  expect(box.value).toBe("still mine");
  expect(draft?.editing).toBeUndefined();
});

test("attachments go with the message and can be taken off", async () => {
  const { composer, press } = open();
  const selection: Input = { type: "selection", path: "a.ts", text: "let a", range: { start: { line: 1, character: 0 }, end: { line: 3, character: 0 } }, commit: "0123456789" };
  composer.attach([selection, { type: "file", path: "b.ts" }]);
  expect(composer.element.querySelector(".chip")?.textContent).toContain("a.ts:2-3 @ 01234567");
  composer.element.querySelectorAll<HTMLButtonElement>(".chip button")[1]?.click();
  press("Enter");
  await expect.poll(() => send.mock.lastCall?.[0]).toEqual([selection]);
});

test("what is of another commit than the one the agent began at is marked", () => {
  const { composer } = open();
  composer.attach([{ type: "file", path: "a.ts", commit: "0123456789" }, { type: "file", path: "b.ts", commit: "9876543210" }, { type: "file", path: "c.ts" }]);
  const chips = () => [...composer.element.querySelectorAll(".chip")].map(({ textContent, className }) => `${className}: ${textContent}`);
  expect(chips()).toEqual(["chip: a.ts @ 01234567×", "chip: b.ts @ 98765432×", "chip: c.ts×"]);
  composer.set(false, undefined, "0123456789");
  expect(chips()).toEqual(["chip: a.ts @ 01234567×", "chip stale: b.ts @ 98765432 (another commit)×", "chip: c.ts×"]);
});

test("nothing is sent to a thread that is gone", () => {
  const { composer, button, press, type } = open();
  composer.set(false, "This thread was deleted.");
  type("hello?");
  press("Enter");
  expect(send).not.toHaveBeenCalled();
  expect(button("Send").disabled).toBe(true);
});

test("a message for a Remote Agent goes into the form for a new one, and none is sent", async () => {
  const { composer, box, button, press, type } = open();
  const to = composer.element.querySelector("select")!;
  const choose = (value: string): void => {
    to.value = value;
    to.dispatchEvent(new Event("change"));
  };
  composer.set(true, undefined, "base");
  choose("new");
  expect([button("Create agent…").disabled, button("After this turn")]).toEqual([true, undefined]);
  const file: Input = { type: "file", path: "a.ts", commit: "other" };
  composer.attach([file]);
  expect(composer.element.querySelector(".chip.stale")).toBeNull();
  type("do that too");
  create.mockResolvedValueOnce(false);
  press("Enter");
  await expect.poll(() => box.readOnly).toBe(false);
  expect(box.value).toBe("do that too");
  button("Create agent…").click();
  await expect.poll(() => box.value).toBe("");
  const handed = [[{ type: "text", text: "do that too" }, file]];
  expect(create.mock.calls).toEqual([handed, handed]);
  expect([send.mock.calls, to.value, draft]).toEqual([[], "this", { text: "", attached: [] }]);
  // What was meant for one that is gone is not lost with it.
  composer.set(false, "This thread was deleted.");
  type("half a thought");
  expect(button("Send").disabled).toBe(true);
  choose("new");
  button("Create agent…").click();
  await expect.poll(() => create.mock.calls.at(-1)).toEqual([[{ type: "text", text: "half a thought" }]]);
  // A waiting message that is changed stays this agent's.
  composer.edit("q1", [{ type: "text", text: "waits" }]);
  expect([button("Save").disabled, to.hidden]).toEqual([true, true]);
});
