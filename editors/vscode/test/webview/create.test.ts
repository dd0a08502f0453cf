// The form for a new agent as a page, with the extension's end of the line played here.

import { beforeEach, expect, test, vi } from "vitest";

import type { Form } from "../../webview/create_messages.js";

interface Asked {
  asks: string;
  id: number;
  params: { form: Form; attached?: Form["attached"] };
}

let asked: Asked[];
let create: () => unknown;
let agents: { name: string; usable: boolean }[];

const hear = (data: unknown) => void window.dispatchEvent(new MessageEvent("message", { data }));
const picture = { type: "image" as const, mimeType: "image/png", data: "aGVsbG8=" };
const form: Form = { prompt: "do it", attached: [], source: { path: "/home/me/shop" }, ref: "", branch: "", agent: "", model: "", mode: "manual", dirty: "ignore" };

beforeEach(async () => {
  asked = [];
  agents = [{ name: "claude", usable: true }, { name: "shell", usable: true }];
  document.body.innerHTML = '<div id="app"></div>';
  vi.resetModules();
  vi.stubGlobal("acquireVsCodeApi", () => ({
    postMessage: (message: Asked) => {
      asked.push(structuredClone(message));
      const facts = { agents, uncommitted: 0, stale: [] };
      const answers: Record<string, unknown> = { ready: { form, facts, history: ["first", "second"] }, facts, changed: null, keys: null };
      setTimeout(() => hear({ answers: message.id, ...(message.asks === "create" ? create() as object : { result: answers[message.asks] }) }));
    },
  }));
  await import("../../webview/create.js");
  await expect.poll(() => document.querySelector<HTMLTextAreaElement>("#prompt")?.value).toBe("do it");
});

const box = () => document.querySelector<HTMLTextAreaElement>("#prompt")!;
const press = (key: string, more: KeyboardEventInit = {}) => void box().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
const type = (text: string) => {
  box().value = text;
  box().dispatchEvent(new Event("input"));
};
const last = (asks: string) => asked.filter((one) => one.asks === asks).at(-1)!.params.form;

test("with an issue no words are needed, and an address among the words is no issue", async () => {
  const submit = () => document.querySelector<HTMLButtonElement>("button[type=submit]")!;
  const issue = document.querySelector<HTMLInputElement>("#issue")!;
  const name = (text: string) => {
    issue.value = text;
    issue.dispatchEvent(new Event("input"));
  };
  create = () => ({ error: { message: "an account is missing", hint: "connect one", reason: "FORGE_ACCOUNT_MISSING", unsure: false } });
  type("https://forge.test/me/app/issues/12");
  press("Enter", { ctrlKey: true });
  await expect.poll(() => document.querySelector(".error")?.textContent).toBe("an account is missing · connect one");
  expect(last("create")).not.toHaveProperty("issue");
  type(" ");
  expect(submit().disabled).toBe(true);
  name(" ");
  expect([submit().disabled, box().placeholder]).toEqual([true, "What shall the agent do?"]);
  name("#12");
  expect([submit().disabled, box().placeholder]).toEqual([false, "What the issue says, and your own words if you like"]);
  expect(last("changed").issue).toBe("#12");
  press("Enter", { ctrlKey: true });
  await expect.poll(() => asked.filter(({ asks }) => asks === "create").length).toBe(2);
  expect(last("create").issue).toBe("#12");
  const connect = [...document.querySelectorAll("button")].find((one) => one.textContent === "Connect…")!;
  await expect.poll(() => connect.hidden).toBe(false);
  connect.click();
  await expect.poll(() => asked.at(-1)).toMatchObject({ asks: "connect", params: { source: form.source, issue: "#12" } });
  // One that another window's form began, or that was kept, stands there again.
  hear({ tells: "form", value: { ...form, issue: "ENG-12" } });
  expect(issue.value).toBe("ENG-12");
  hear({ tells: "form", value: form });
  expect(issue.value).toBe("");
});

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
  press("ArrowUp");
  expect(box().value).toBe("second");
  type("second, but better");
  box().setSelectionRange(0, 0);
  press("ArrowUp");
  press("ArrowUp");
  expect(box().value).toBe("first");
  press("ArrowDown");
  press("ArrowDown");
  expect(box().value).toBe("second, but better");
});

test("pictures are told when one comes or goes, and not with each key", async () => {
  const told = () => asked.filter(({ asks }) => asks === "changed").map(({ params: { form, attached } }) => [form.prompt, "attached" in form, attached]);
  hear({ tells: "form", value: { ...form, attached: [picture] } });
  type("do it n");
  type("do it now");
  document.querySelector<HTMLButtonElement>(".chip button")!.click();
  type("do it now!");
  expect(told()).toEqual([["do it n", false, undefined], ["do it now", false, undefined], ["do it now", false, []], ["do it now!", false, undefined]]);
  const file = new File([Uint8Array.from(atob(picture.data), (byte) => byte.charCodeAt(0))], "a.png", { type: picture.mimeType });
  const event = Object.assign(new Event("paste", { cancelable: true }), { clipboardData: { files: [file] } });
  box().dispatchEvent(event);
  await expect.poll(() => told().at(-1)).toEqual(["do it now!", false, [picture]]);
  type("and that");
  expect(told().at(-1)).toEqual(["and that", false, undefined]);
  create = () => ({ result: null });
  press("Enter", { ctrlKey: true });
  expect(last("create")).toMatchObject({ prompt: "and that", attached: [picture] });
});

test("once keys were managed it is asked which agents can be used now", async () => {
  create = () => ({ error: { message: "no agent is usable", reason: "NO_AGENT", unsure: false } });
  press("Enter", { ctrlKey: true });
  const keys = () => [...document.querySelectorAll("button")].find((one) => one.textContent === "Model keys…" && !one.hidden);
  await expect.poll(keys).toBeTruthy();
  const before = asked.filter(({ asks }) => asks === "facts").length;
  keys()!.click();
  await expect.poll(() => asked.filter(({ asks }) => asks === "facts").length).toBe(before + 1);
});

test("two quick presses create one agent", async () => {
  create = () => ({ result: null });
  press("Enter", { ctrlKey: true });
  press("Enter", { ctrlKey: true });
  document.querySelector<HTMLButtonElement>("button[type=submit]")!.click();
  expect(document.querySelector("[role=status]")?.textContent).toBe("The agent is being created…");
  await expect.poll(() => document.querySelector("[role=status]")?.textContent).toBe("");
  expect(asked.filter(({ asks }) => asks === "create")).toHaveLength(1);
});

test("on the first day it says that no agent thinks yet, and where a key is set", async () => {
  const hint = () => document.querySelector<HTMLElement>(".hint")!;
  const keys = () => [...document.querySelectorAll<HTMLElement>("button")].find((one) => one.textContent === "Model keys…")!;
  expect([hint().hidden, keys().hidden]).toEqual([true, true]);
  agents = [{ name: "claude", usable: false }, { name: "shell", usable: true }];
  hear({ tells: "changed", value: null });
  await expect.poll(() => hint().textContent).toMatch(/^No agent that thinks can be used yet: set a model key/);
  expect(keys().hidden).toBe(false);
  const agent = document.querySelector<HTMLSelectElement>("#agent")!;
  agent.value = "shell";
  agent.dispatchEvent(new Event("change"));
  expect([hint().textContent, keys().hidden]).toEqual([expect.stringMatching(/runs what the task says literally/), true]);
  agents = [{ name: "claude", usable: true }, { name: "shell", usable: true }];
  agent.value = "";
  agent.dispatchEvent(new Event("change"));
  expect(keys().hidden).toBe(false);
  keys().click();
  await expect.poll(() => keys().hidden).toBe(true);
});
