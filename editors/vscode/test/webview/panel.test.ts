// The whole thread panel as a page, with the extension's end of the line played here.

import { beforeEach, expect, test, vi } from "vitest";

import type { Opening, Shown } from "../../webview/messages.js";
import { answered, events, item, ran, said, thread, turn } from "./samples.js";

interface Asked {
  asks: string;
  id: number;
  params: Record<string, unknown>;
}

let asked: Asked[];
let stored: Record<string, unknown> | undefined;
let answers: Record<string, (params: Record<string, unknown>) => unknown>;
let listeners: [string, EventListener][];

function hear(data: unknown): void {
  window.dispatchEvent(new MessageEvent("message", { data }));
}

const tell = (tells: string, value: unknown): void => hear({ tells, value });

function opening(items: Shown[], more: Partial<Opening> = {}): Opening {
  return { thread: thread(), turns: [turn(1)], items, hasMore: false, cursor: 10, queue: [], kept: [], history: [], attached: [], ...more };
}

async function load(words?: Record<string, string>): Promise<void> {
  document.body.innerHTML = '<div id="app"></div>';
  if (words) document.getElementById("app")!.dataset["words"] = JSON.stringify(words);
  vi.resetModules();
  const add = window.addEventListener.bind(window);
  vi.spyOn(window, "addEventListener").mockImplementation((name: string, listener: unknown) => {
    listeners.push([name, listener as EventListener]);
    add(name, listener as EventListener);
  });
  await import("../../webview/thread.js");
}

async function open(page: Opening): Promise<HTMLElement> {
  answers["ready"] = () => page;
  await load();
  await expect.poll(() => document.querySelector("header h1")?.textContent).toBe(page.thread.title);
  return document.getElementById("app")!;
}

const frame = (): Promise<void> => new Promise((go) => requestAnimationFrame(() => setTimeout(go)));

beforeEach(() => {
  for (const [name, listener] of listeners ?? []) window.removeEventListener(name, listener);
  vi.restoreAllMocks();
  listeners = [];
  asked = [];
  stored = undefined;
  answers = {};
  vi.stubGlobal("acquireVsCodeApi", () => ({
    getState: () => stored,
    setState: (state: Record<string, unknown>) => (stored = structuredClone(state)),
    postMessage: (message: Asked) => {
      asked.push(message);
      const answer = answers[message.asks];
      setTimeout(() => {
        try {
          hear({ answers: message.id, result: answer?.(message.params) ?? null });
        } catch (error) {
          const { message: words, ...rest } = error as Error;
          hear({ answers: message.id, error: { message: words, ...rest } });
        }
      });
    },
  }));
  Element.prototype.scrollIntoView = () => undefined;
});

const all: Shown[] = [
  said("u", "go <b>"),
  answered("a", "I **did** it"),
  item("r", { type: "reasoning", text: "hmm", state: "completed" }),
  item("p", { type: "plan", steps: [{ text: "look", state: "completed" }, { text: "write", state: "inProgress" }] }),
  ran("c", { output: "\x1b[32mok\x1b[0m\n", outputBytes: 12, state: "completed", exitCode: 2 }),
  item("f", { type: "fileChange", author: "agent", state: "completed", changes: [{ path: "src/a.ts", status: "modified", additions: 3, deletions: 1, binary: false }] }),
  item("t", { type: "toolCall", title: "Search", kind: "search", server: "linear", tool: "find", state: "completed", slim: true }),
  item("n", { type: "notice", level: "warning", text: "careful", state: "completed" }),
];

test("each kind of item is shown, and what was done expands", async () => {
  const app = await open(opening(all));
  answers["item"] = () => item("t", { type: "toolCall", title: "Search", kind: "search", arguments: { q: "x" }, result: "<found>", state: "completed" });
  answers["output"] = () => ({ data: Buffer.from("whole \x1b[31moutput\x1b[0m\n").toString("base64"), nextOffset: 24, totalBytes: 24 });
  expect(app.querySelectorAll("article")).toHaveLength(all.length);
  expect(app.querySelector(".userMessage .text")?.textContent).toBe("go <b>");
  expect(app.querySelector(".agentMessage strong")?.textContent).toBe("did");
  expect(app.querySelector(".commandExecution summary .state")?.textContent).toMatch(/^exit code 2/);
  expect(app.querySelector(".commandExecution pre.output .ansi-front-2")?.textContent).toBe("ok");
  const expand = (kind: string): void => {
    const details = app.querySelector<HTMLDetailsElement>(`.${kind} details`)!;
    details.open = true;
    details.dispatchEvent(new Event("toggle"));
  };
  expand("commandExecution");
  await expect.poll(() => app.querySelector(".output.whole")?.textContent).toBe("whole output\n");
  expand("toolCall");
  await expect.poll(() => app.querySelector(".toolCall .tool")?.textContent).toContain('"q": "x"');
  expect(app.querySelector(".toolCall .tool")?.textContent).toContain("<found>");
  expand("reasoning");
  expect(app.querySelector(".reasoning .markdown")?.textContent).toBe("hmm");
  app.querySelector<HTMLButtonElement>(".fileChange button.file")!.click();
  expect(asked.at(-1)).toMatchObject({ asks: "openDiff", params: { itemId: "f", index: 0 } });
  expect(stored?.["expanded"]).toEqual(["c", "t", "r"]);
});

test("events are drawn once a frame, and untouched rows stay the same elements", async () => {
  const app = await open(opening([said("u", "go"), item("a", { type: "agentMessage", text: "" })]));
  const first = app.querySelector(".userMessage");
  const changed = vi.fn();
  new MutationObserver(changed).observe(app.querySelector(".agentMessage")!, { childList: true, subtree: true, characterData: true });
  for (let i = 0; i < 1000; i++) tell("events", events(10 + i, { type: "itemAppended", itemId: "a", field: "text", delta: `w${i} ` }));
  await frame();
  await expect.poll(() => app.querySelector(".agentMessage")?.textContent).toContain("w999");
  expect(changed.mock.calls.length).toBeLessThan(20);
  expect(app.querySelector(".userMessage")).toBe(first);
});

test("a question is answered with its buttons, and announced", async () => {
  const app = await open(opening([said("u", "go")]));
  const options = [{ id: "yes", label: "Allow", kind: "allowOnce" }, { id: "no", label: "Deny", kind: "rejectOnce" }];
  const ask = item("q", { type: "permission", title: "Run `make`?", detail: "make \x1b[31mall", options });
  tell("events", events(10, { type: "itemStarted", item: ask }, { type: "threadChanged", thread: thread({ state: "requiresAction" }) }));
  await expect.poll(() => app.querySelectorAll(".ask button").length).toBe(2);
  expect(app.querySelector("[role=status].sr-only")?.textContent).toBe("The agent asks: Run `make`?");
  expect(app.querySelector(".ask pre")?.textContent).toBe("make all");
  app.querySelector<HTMLButtonElement>(".ask [data-option=yes]")!.click();
  expect(asked.at(-1)).toMatchObject({ asks: "answer", params: { itemId: "q", optionId: "yes" } });
  expect(app.querySelector<HTMLButtonElement>(".ask [data-option=no]")!.disabled).toBe(true);
  tell("events", events(12, { type: "itemCompleted", item: { ...ask, state: "completed", answer: "yes" } }, { type: "threadChanged", thread: thread() }));
  await expect.poll(() => app.querySelector<HTMLElement>(".asks")?.hidden).toBe(true);
  expect(app.querySelector(".permission summary")?.textContent).toBe("Answered “Allow”: Run `make`?");
});

test("an answer that was given elsewhere says so, and the buttons come back", async () => {
  const ask = item("q", { type: "permission", title: "Run?", options: [{ id: "yes", label: "Allow", kind: "allowOnce" }] });
  const app = await open(opening([ask], { thread: thread({ state: "requiresAction" }) }));
  answers["answer"] = () => {
    throw Object.assign(new Error("the question was answered"), { reason: "ALREADY_ANSWERED", hint: "with deny" });
  };
  app.querySelector<HTMLButtonElement>(".ask button")!.click();
  await expect.poll(() => app.querySelector(".banner")?.textContent).toContain("the question was answered · with deny");
  expect(app.querySelector<HTMLButtonElement>(".ask button")!.disabled).toBe(false);
});

test("the head says how it stands and offers what is possible", async () => {
  const app = await open(opening(all));
  const buttons = (): (string | undefined)[] => [...app.querySelectorAll<HTMLElement>("header [data-verb]")].filter((one) => !one.hidden).map((one) => one.dataset["verb"]);
  expect(buttons()).toEqual(["stop", "finish", "ssh", "mode"]);
  app.querySelector<HTMLButtonElement>("[data-verb=stop]")!.click();
  expect(asked.at(-1)).toMatchObject({ asks: "verb", params: { verb: "stop" } });
  const done = thread({ state: "idle", lastTurn: { number: 1, state: "completed" }, diff: { files: 2, additions: 5, deletions: 1 }, pullRequest: { number: 7, state: "open", url: "https://forge.test/7" } });
  tell("events", events(10, { type: "turnCompleted", turn: turn(1, { state: "completed", commit: "abc", endTime: "2026-01-31T10:00:05.000Z" }) }, { type: "threadChanged", thread: done }));
  await expect.poll(buttons).toEqual(["review", "apply", "ssh", "createPullRequest", "mode"]);
  expect(app.querySelector("header .facts")?.textContent).toContain("Pull request #7 (open)");
  expect(app.querySelector("header .facts")?.textContent).not.toContain("Issue");
  expect(app.querySelector(".turn-end")?.textContent).toContain("Turn 1 completed in 5.0 s");
  [...app.querySelectorAll<HTMLButtonElement>(".turn-end button")][0]!.click();
  expect(asked.at(-1)).toMatchObject({ asks: "verb", params: { verb: "review", turn: 1 } });
});

test("an agent that began with an issue leads to it, beside its pull request", async () => {
  const pullRequest = { number: 7, state: "open" as const, url: "https://forge.test/7" };
  const app = await open(opening([], { thread: thread({ state: "idle", issue: { key: "ENG-12", url: "https://linear.test/ENG-12" }, pullRequest }) }));
  const links = [...app.querySelectorAll<HTMLElement>("header .facts a")];
  expect(links.map((link) => link.textContent)).toEqual(["Issue ENG-12", "Pull request #7 (open)"]);
  for (const link of links) link.click();
  expect(asked.filter(({ asks }) => asks === "openUrl").map(({ params }) => params["url"])).toEqual(["https://linear.test/ENG-12", pullRequest.url]);
});

test("an agent that starts says how far it is, and can be stopped", async () => {
  const app = await open(opening([], { thread: thread({ state: "starting", step: "cloning" }), turns: [] }));
  expect(app.querySelector("header .badge")?.textContent).toBe("Starting: cloning");
  expect([...app.querySelectorAll<HTMLElement>("header [data-verb]")].filter((one) => !one.hidden).map((one) => one.dataset["verb"])).toEqual(["stop", "mode"]);
});

test("a message for a new agent is handed to its form", async () => {
  const app = await open(opening([said("u", "go")]));
  answers["create"] = () => true;
  await expect.poll(() => app.querySelector("textarea")!.readOnly).toBe(false);
  const to = app.querySelector("select")!;
  to.value = "new";
  to.dispatchEvent(new Event("change"));
  const box = app.querySelector("textarea")!;
  box.value = "another thing";
  box.dispatchEvent(new Event("input"));
  app.querySelector<HTMLButtonElement>(".send")!.click();
  await expect.poll(() => box.value).toBe("");
  expect(asked.filter(({ asks }) => asks === "create").map(({ params }) => params)).toEqual([{ input: [{ type: "text", text: "another thing" }] }]);
});

test("all words are those of the editor's language, from the first on", async () => {
  answers["ready"] = () => opening([said("u", "go")]);
  await load({ "After this turn": "Danach", Stop: "Anhalten", running: "läuft" });
  expect(document.querySelector(".later")?.textContent).toBe("Danach");
  await expect.poll(() => document.querySelector("header .badge")?.textContent).toBe("Läuft");
  expect(document.querySelector("[data-verb=stop]")?.textContent).toBe("Anhalten");
});

test("an agent whose repository opens only to an account has a way to connect one", async () => {
  const failed = (reason: string) => thread({ state: "failed", error: { message: "none is connected", reason } });
  const app = await open(opening(all, { thread: failed("FORGE_ACCOUNT_MISSING") }));
  const connect = app.querySelector<HTMLButtonElement>("[data-verb=connect]")!;
  expect(connect.hidden).toBe(false);
  connect.click();
  expect(asked.at(-1)).toMatchObject({ asks: "verb", params: { verb: "connect" } });
  tell("events", events(10, { type: "threadChanged", thread: failed("REPOSITORY_UNREACHABLE") }));
  await expect.poll(() => connect.hidden).toBe(true);
});

test("what was attached while there was no page is in the message box when there is one", async () => {
  const app = await open(opening([], { attached: [{ type: "file", path: "src/late.ts" }] }));
  expect(app.textContent).toContain("late.ts");
  const told = () => asked.filter(({ asks }) => asks === "draft").map(({ params }) => params["attached"]);
  expect(told()).toEqual([[{ type: "file", path: "src/late.ts" }]]);
  // Pictures are large: what goes along is told when it changes, not with each letter.
  app.querySelector("textarea")!.dispatchEvent(new Event("input"));
  app.querySelector<HTMLButtonElement>(".chip button")!.click();
  expect(told()).toEqual([[{ type: "file", path: "src/late.ts" }], undefined, []]);
});

test("what was not sent is kept outside of the page, and comes back with it", async () => {
  answers["unsent"] = () => ({ text: "half a th", attached: [] });
  const app = await open(opening([said("u", "go")]));
  const box = app.querySelector("textarea")!;
  await expect.poll(() => box.value).toBe("half a th");
  box.value = "half a thought";
  box.dispatchEvent(new Event("input"));
  expect(asked.at(-1)).toMatchObject({ asks: "draft", params: { draft: { text: "half a thought" } } });
  // Read anew, the page does not take back what was written since.
  tell("again", null);
  await frame();
  expect(box.value).toBe("half a thought");
});

test("what was not sent is there while the cloud does not answer yet", async () => {
  answers["unsent"] = () => ({ text: "half a th", attached: [] });
  answers["ready"] = () => {
    throw new Error("the cloud cannot be reached");
  };
  await load();
  await expect.poll(() => document.querySelector("textarea")?.value).toBe("half a th");
  expect(document.querySelector("textarea")!.readOnly).toBe(false);
});

test("a page that cannot be read anew shows what it showed", async () => {
  const app = await open(opening([said("u", "go"), answered("a", "done")], { hasMore: true }));
  answers["ready"] = () => {
    throw new Error("the cloud cannot be reached");
  };
  tell("again", null);
  await expect.poll(() => app.querySelector(".banner")?.textContent).toContain("the cloud cannot be reached");
  answers["older"] = () => ({ turns: [], items: [said("older", "earlier")], hasMore: false });
  app.querySelector<HTMLButtonElement>(".older")!.click();
  await expect.poll(() => app.querySelector("[data-key=older] .text")?.textContent).toBe("earlier");
});

test("waiting messages that cannot be read still wait", async () => {
  const wait: Shown = { ...said("w1", "one", undefined, "queued"), state: "inProgress" };
  const app = await open(opening([said("u", "go")], { queue: [wait] }));
  app.querySelector<HTMLButtonElement>("[data-at=edit-w1]")!.click();
  answers["ready"] = () => opening([said("u", "go")], { queue: undefined });
  tell("again", null);
  await expect.poll(() => asked.filter(({ asks }) => asks === "ready").length).toBe(2);
  await frame();
  expect(app.querySelector<HTMLElement>(".queue")!.hidden).toBe(false);
  app.querySelector<HTMLButtonElement>(".send")!.click();
  expect(asked.at(-1)).toMatchObject({ asks: "queueEdit", params: { itemId: "w1" } });
});

test("waiting messages are moved, changed and dropped", async () => {
  const wait = (id: string, text: string): Shown => ({ ...said(id, text, undefined, "queued"), state: "inProgress" });
  const app = await open(opening([said("u", "go")], { queue: [wait("w1", "one"), wait("w2", "two")] }));
  const press = (id: string, name: string): void => app.querySelector<HTMLButtonElement>(`[data-at=${name}-${id}]`)!.click();
  expect(app.querySelector<HTMLButtonElement>("[data-at=up-w1]")!.disabled).toBe(true);
  press("w2", "up");
  expect(asked.at(-1)).toMatchObject({ asks: "queueMove", params: { itemId: "w2", position: 0 } });
  press("w1", "drop");
  expect(asked.at(-1)).toMatchObject({ asks: "queueRemove", params: { itemId: "w1" } });
  press("w2", "edit");
  expect(app.querySelector("textarea")!.value).toBe("two");
  tell("queue", []);
  expect(app.querySelector<HTMLElement>(".queue")!.hidden).toBe(true);
  expect(app.querySelector("textarea")!.value).toBe("two");
});

test("a thread deleted elsewhere says so and keeps what was written", async () => {
  answers["unsent"] = () => ({ text: "half", attached: [] });
  const app = await open(opening([said("u", "go")]));
  tell("gone", { message: "This thread was deleted." });
  expect(app.querySelector(".banner")?.textContent).toBe("This thread was deleted.");
  expect(app.querySelector("textarea")!.value).toBe("half");
  expect(app.querySelector<HTMLButtonElement>(".send")!.disabled).toBe(true);
});

test("what is told while the page is read is not lost and not doubled", async () => {
  const app = await open(opening([said("u", "go")]));
  answers["ready"] = () => {
    tell("events", events(10, { type: "itemStarted", item: answered("x", "old") }, { type: "itemStarted", item: answered("y", "new") }));
    return opening([said("u", "go"), answered("x", "old")], { cursor: 11 });
  };
  tell("again", null);
  await expect.poll(() => app.querySelectorAll(".agentMessage").length).toBe(2);
  expect([...app.querySelectorAll("article")].map((row) => row.getAttribute("data-key"))).toEqual(["u", "x", "y"]);
});

test("hostile texts do nothing", async () => {
  const evil = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\u202e';
  const hostile: Shown[] = [
    said("u", evil),
    answered("a", `${evil}\n\n[x](javascript:window.hacked=1)`),
    ran("c", { command: evil, output: `${evil}\x1b]52;c;x\x07`, cwd: evil, outputBytes: 9 }),
    item("f", { type: "fileChange", author: "agent", changes: [{ path: evil, status: "added", additions: 1, deletions: 0, binary: false }] }),
    item("t", { type: "toolCall", title: evil, kind: "other", arguments: evil, result: { evil } }),
    item("q", { type: "permission", title: evil, detail: evil, options: [{ id: evil, label: evil, kind: "allowOnce" }] }),
    item("n", { type: "notice", level: "error", text: evil, error: { message: evil, reason: "X", hint: evil } }),
    item("p", { type: "plan", steps: [{ text: evil, state: "pending" }] }),
    item("z", { type: "unheard" as never, state: "completed" }),
  ];
  const evilThread = thread({ title: evil, branch: evil, agent: evil, repository: { name: evil }, error: { message: evil, reason: "X" } });
  answers["ready"] = () => opening(hostile, { thread: evilThread, queue: [said("w", evil, undefined, "queued")] });
  await load();
  await expect.poll(() => document.querySelectorAll("article").length).toBe(hostile.length);
  for (const details of document.querySelectorAll("details")) {
    details.open = true;
    details.dispatchEvent(new Event("toggle"));
  }
  await frame();
  expect(document.querySelectorAll("img, script, iframe, a[href^='javascript']")).toHaveLength(0);
  expect(document.body.textContent).not.toContain("\u202e");
  expect("hacked" in window).toBe(false);
});

test("ten thousand items are read page by page", async () => {
  const page = (from: number): Shown[] => Array.from({ length: 200 }, (_, index) => answered(`i${from + index}`, `text ${from + index}`));
  const app = await open(opening(page(9800), { hasMore: true }));
  let from = 9800;
  answers["older"] = ({ before }) => {
    expect(before).toBe(`i${from}`);
    from -= 200;
    return { turns: [], items: page(from), hasMore: from > 0 };
  };
  const older = app.querySelector<HTMLButtonElement>(".older")!;
  for (let i = 0; i < 5; i++) {
    const before = from;
    older.click();
    await expect.poll(() => from).toBe(before - 200);
    await expect.poll(() => app.querySelector(".log")!.hasAttribute("aria-busy")).toBe(false);
  }
  const rows = [...app.querySelectorAll("article")].map((row) => row.getAttribute("data-key"));
  expect(rows).toEqual(Array.from({ length: 1200 }, (_, index) => `i${8800 + index}`));
});
