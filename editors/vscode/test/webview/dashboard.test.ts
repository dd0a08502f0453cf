import { beforeEach, expect, test, vi } from "vitest";

import { Cards } from "../../webview/dashboard_state.js";
import type { Card } from "../../webview/messages.js";
import { thread } from "./samples.js";

const card = (id: string, more: Parameters<typeof thread>[0] = {}, rest: Partial<Card> = {}): Card => ({ thread: thread({ id, slug: id, title: id, ...more }), ...rest });

test("who needs a person comes first, within a group the newest", () => {
  const cards = new Cards();
  cards.reset([
    card("a", { state: "idle", createTime: "2026-01-01T00:00:00.000Z" }), card("b", { state: "running" }), card("c", { state: "requiresAction" }),
    card("d", { state: "idle", createTime: "2026-01-02T00:00:00.000Z" }), card("e", { state: "idle", lastTurn: { number: 1, state: "failed" } }), card("f", { state: "paused" }),
  ]);
  expect(cards.groups("").map(([group, found]) => [group, found.map((one) => one.thread.id)])).toEqual([
    ["needsYou", ["c"]], ["running", ["b"]], ["ready", ["d", "a"]], ["paused", ["f"]], ["failed", ["e"]],
  ]);
  cards.change([card("b", { state: "idle", createTime: "2026-01-03T00:00:00.000Z" })], ["a"]);
  expect(cards.groups("").map(([group]) => group)).toEqual(["needsYou", "ready", "paused", "failed"]);
  expect(cards.groups("C").map(([, found]) => found.length)).toEqual([1]);
  // What is older than what is known is no news.
  cards.change([card("b", { state: "running", updateTime: "2020-01-01T00:00:00.000Z" })], []);
  expect(cards.groups("").map(([group]) => group)).not.toContain("running");
  // One that is being deleted is where the list of agents has it.
  cards.reset([card("g", { state: "deleting", branch: "aloft/other" }), card("h", { state: "idle", title: "Login" })]);
  expect(cards.groups("").map(([group]) => group)).toEqual(["running", "ready"]);
  expect(cards.groups("LOGIN sample").map(([, found]) => found.map((one) => one.thread.id))).toEqual([["h"]]);
});

let asked: { asks: string; id: number; params: Record<string, unknown> }[];

beforeEach(() => {
  asked = [];
  document.body.innerHTML = '<div id="app"></div>';
  vi.resetModules();
});

async function open(cards: Card[]): Promise<HTMLElement> {
  vi.stubGlobal("acquireVsCodeApi", () => ({
    getState: () => undefined,
    setState: () => undefined,
    postMessage: (message: (typeof asked)[number]) => {
      asked.push(message);
      if (message.asks === "ready") setTimeout(() => window.dispatchEvent(new MessageEvent("message", { data: { answers: message.id, result: { cards, loaded: true } } })));
    },
  }));
  await import("../../webview/dashboard.js");
  await expect.poll(() => document.querySelector<HTMLElement>(".empty")?.hidden || !document.body.textContent.includes("Reading")).toBe(true);
  return document.getElementById("app")!;
}

test("a card says how its agent stands and offers what is possible", async () => {
  const app = await open(
    [card("run", { state: "running", diff: { files: 1, additions: 2, deletions: 1 }, usage: { inputTokens: 1500, outputTokens: 500, seconds: 65 } }, { doing: "$ make <b>", plan: [{ text: "look", state: "completed" }, { text: "write", state: "inProgress" }] })],
  );
  const text = app.querySelector(".card")!.textContent;
  for (const part of ["run", "Running", "$ make <b>", "write", "1 file", "+2", "2.0 k tokens", "1 min"]) expect(text).toContain(part);
  const buttons = [...app.querySelectorAll<HTMLButtonElement>(".card > .buttons button")].filter((one) => !one.hidden);
  expect(buttons.map((one) => one.dataset["verb"])).toEqual(["open", "stop", "review", "ssh", "ports", "createPullRequest", "mute", "delete"]);
  expect(buttons.map((one) => one.getAttribute("aria-label")).every((name) => name?.endsWith(": run"))).toBe(true);
  buttons[1]!.click();
  expect(asked.at(-1)).toMatchObject({ asks: "verb", params: { verb: "stop", threadId: "run" } });
});

test("a change keeps the focus where it is, and moves the card to its group", async () => {
  const app = await open([card("a"), card("b")]);
  const button = app.querySelector<HTMLButtonElement>("[data-thread=a] [data-verb=open]")!;
  button.focus();
  const changed = [card("a", { state: "requiresAction" }, { question: "Run make?" })];
  window.dispatchEvent(new MessageEvent("message", { data: { tells: "cards", value: { changed, gone: ["b"], loaded: true } } }));
  await expect.poll(() => app.querySelector(".group.needsYou .card .doing")?.textContent).toBe("Run make?");
  expect(app.querySelectorAll(".card")).toHaveLength(1);
  expect(app.querySelector("[role=status]")?.textContent).toBe("1 agent needs you");
  expect(app.querySelector("[data-thread=a] [data-verb=open]")).toBe(button);
});

test("none says what to do", async () => {
  const app = await open([]);
  expect(app.querySelector(".empty")?.textContent).toContain("No agents yet");
  [...app.querySelectorAll("button")].find((one) => one.textContent === "Create agent")!.click();
  expect(asked.at(-1)).toMatchObject({ asks: "verb", params: { verb: "create" } });
});
