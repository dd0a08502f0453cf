// The form for a new agent as a page, with the extension's end of the line played here.

import { beforeEach, expect, test, vi } from "vitest";

import type { Form } from "../../webview/create_messages.js";

interface Asked {
  asks: string;
  id: number;
  params: { form: Form };
}

let asked: Asked[];
let create: () => unknown;

const hear = (data: unknown) => void window.dispatchEvent(new MessageEvent("message", { data }));
const form: Form = { prompt: "do it", attached: [], source: { path: "/home/me/shop" }, ref: "", branch: "", agent: "", model: "", mode: "manual", dirty: "ignore" };

beforeEach(async () => {
  asked = [];
  document.body.innerHTML = '<div id="app"></div>';
  vi.resetModules();
  vi.stubGlobal("acquireVsCodeApi", () => ({
    postMessage: (message: Asked) => {
      asked.push(structuredClone(message));
      const facts = { agents: [], uncommitted: 0, stale: [] };
      const answers: Record<string, unknown> = { ready: { form, facts, history: ["first", "second"] }, facts, changed: null };
      setTimeout(() => hear({ answers: message.id, ...(message.asks === "create" ? create() as object : { result: answers[message.asks] }) }));
    },
  }));
  await import("../../webview/create.js");
  await expect.poll(() => document.querySelector<HTMLTextAreaElement>("#prompt")?.value).toBe("do it");
});

const box = () => document.querySelector<HTMLTextAreaElement>("#prompt")!;
const press = (key: string, more: KeyboardEventInit = {}) => void box().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
const last = (asks: string) => asked.filter((one) => one.asks === asks).at(-1)!.params.form;

test("an agent that may have been created is asked for under the same id, which outlives a reload", async () => {
  create = () => ({ error: { message: "The bridge ended before it answered", reason: "BRIDGE_GONE", unsure: true } });
  press("Enter", { ctrlKey: true });
  await expect.poll(() => document.querySelector(".error")?.textContent).toContain("The bridge ended");
  const { requestId } = last("create");
  expect(requestId).toBeTruthy();
  expect(last("changed").requestId).toBe(requestId);
  create = () => ({ error: { message: "there is no agent", reason: "NO_AGENT", unsure: false } });
  press("Enter", { ctrlKey: true });
  await expect.poll(() => document.querySelector(".error")?.textContent).toContain("no agent");
  expect(last("create").requestId).toBe(requestId);
  expect(last("changed").requestId).toBeUndefined();
});

test("an earlier task that was changed is not thrown away by the arrows", () => {
  const type = (text: string) => {
    box().value = text;
    box().dispatchEvent(new Event("input"));
    box().setSelectionRange(0, 0);
  };
  press("ArrowUp");
  expect(box().value).toBe("second");
  type("second, but better");
  press("ArrowUp");
  press("ArrowUp");
  expect(box().value).toBe("first");
  press("ArrowDown");
  press("ArrowDown");
  expect(box().value).toBe("second, but better");
});
