// The thread panel's page under load, in a real browser: ten thousand items, and a thousand events a second. The extension's end of
// the line is played here; how the page is fed for real is shown by panel.test.mjs.

import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launchBrowser } from "../rig/vscode.mjs";

const dist = new URL("../../dist/webview/", import.meta.url);
const bench = fileURLToPath(new URL("../../../../target/bench/", import.meta.url));
const ITEMS = 10_000;
const LIMIT = 60_000;

let browser, page;
const figures = {};

before(async () => {
  browser = await launchBrowser();
  page = await (await browser.newContext({ viewport: { width: 900, height: 800 } })).newPage();
  await page.setContent('<!DOCTYPE html><html lang="en"><body><div id="app"></div></body></html>');
  await page.addStyleTag({ content: await readFile(new URL("thread.css", dist), "utf8") });
  await page.evaluate((count) => {
    const time = "2026-01-31T10:00:00.000Z";
    const text = (index) => `Item ${index}: **some** words with \`code\` and a [link](https://example.test/${index}).\n\n- one\n- two\n`;
    const item = (index) =>
      index % 3 === 0
        ? { id: `i${index}`, type: "commandExecution", command: `make ${index}`, cwd: "/workspace", output: "\u001b[32mok\u001b[0m\n".repeat(5), outputBytes: 60, truncated: false, exitCode: 0, state: "completed", startTime: time, endTime: time, turnId: "t1" }
        : { id: `i${index}`, type: "agentMessage", text: text(index), state: "completed", startTime: time, endTime: time, turnId: "t1" };
    const thread = {
      id: "t", slug: "load", title: "Load", agent: "shell", baseRef: "main", branch: "aloft/load", environment: "base", createTime: time, updateTime: time,
      diff: { files: 0, additions: 0, deletions: 0 }, keep: false, mode: "auto", muted: false, owner: "local", queued: 0, repository: { name: "sample" },
      state: "running", usage: { inputTokens: 0, outputTokens: 0, seconds: 0 }, workspacePath: "/workspace",
    };
    const turns = [{ id: "t1", number: 1, startTime: time, state: "running", threadId: "t" }];
    const page = (end) => Array.from({ length: Math.min(200, end) }, (_, index) => item(end - Math.min(200, end) + index));
    const answers = {
      ready: () => ({ thread, turns, items: page(count), hasMore: true, cursor: 1, queue: [], kept: [], history: [], attached: [] }),
      older: ({ before }) => {
        const end = Number(before.slice(1));
        return { turns: [], items: page(end), hasMore: end > 200 };
      },
    };
    const hear = (data) => window.dispatchEvent(new MessageEvent("message", { data }));
    globalThis.acquireVsCodeApi = () => ({
      getState: () => undefined,
      setState: () => undefined,
      postMessage: ({ asks, id, params }) => setTimeout(() => hear({ answers: id, result: structuredClone(answers[asks]?.(params) ?? null) })),
    });
    globalThis.tell = (tells, value) => hear({ tells, value });
    /** Milliseconds between frames while something goes on. */
    globalThis.frames = async (work) => {
      const gaps = [];
      let last = performance.now();
      let on = true;
      const tick = (now) => {
        gaps.push(now - last);
        last = now;
        if (on) requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
      await work();
      on = false;
      gaps.sort((a, b) => a - b);
      return { frames: gaps.length, median: Math.round(gaps[gaps.length >> 1]), p95: Math.round(gaps[Math.floor(gaps.length * 0.95)]), worst: Math.round(gaps.at(-1)) };
    };
  }, ITEMS);
  await page.addScriptTag({ content: await readFile(new URL("thread.js", dist), "utf8") });
  await page.locator("article[data-key]").first().waitFor({ timeout: LIMIT });
});

after(async () => {
  await browser?.close();
  await mkdir(bench, { recursive: true });
  await writeFile(`${bench}vscode-panel.json`, `${JSON.stringify(figures, null, 2)}\n`);
});

test("ten thousand items are read page by page, and few of them are drawn", async () => {
  figures.scroll = await page.evaluate(async (count) => {
    const log = document.querySelector(".log");
    const done = () => document.querySelector(".older").hidden;
    return globalThis.frames(async () => {
      while (!done()) {
        log.scrollTop = Math.max(0, log.scrollTop - 2000);
        await new Promise(requestAnimationFrame);
      }
      while (!document.querySelector("article[data-key=i0]")) {
        log.scrollTop = 0;
        await new Promise(requestAnimationFrame);
      }
      return count;
    });
  }, ITEMS);
  const drawn = await page.locator("article").count();
  figures.drawn = drawn;
  assert.ok(drawn < 1000, `${drawn} rows are drawn at once`);
  await page.evaluate(() => (document.querySelector(".log").scrollTop = document.querySelector(".log").scrollHeight));
  await page.locator(`article[data-key=i${ITEMS - 1}]`).waitFor({ timeout: LIMIT });
});

test("what a reader looks at stays where it is while others arrive", async () => {
  const place = () =>
    page.evaluate(() => {
      const log = document.querySelector(".log").getBoundingClientRect();
      const row = [...document.querySelectorAll("article")].find((one) => one.getBoundingClientRect().bottom > log.top);
      return { key: row.dataset.key, top: Math.round(row.getBoundingClientRect().top) };
    });
  await page.evaluate(() => (document.querySelector(".log").scrollTop -= 3000));
  await page.locator(".to-end").waitFor({ timeout: LIMIT });
  const seen = await place();
  await page.evaluate(() => {
    const time = "2026-01-31T10:00:00.000Z";
    globalThis.tell("events", [{ threadId: "t", time, cursor: 2, type: "itemStarted", item: { id: "new", type: "agentMessage", text: "new\n".repeat(50), state: "completed", startTime: time } }]);
  });
  // The list is drawn with the next frame.
  await page.evaluate(() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go))));
  assert.deepEqual(await place(), seen);
  await page.locator(".to-end").click();
  await page.locator("article[data-key=new]").waitFor({ timeout: LIMIT });
});

test("a thousand events a second are drawn as they come", async () => {
  figures.stream = await page.evaluate(() => {
    const time = "2026-01-31T10:00:00.000Z";
    const event = (cursor, more) => ({ threadId: "t", time, cursor, ...more });
    globalThis.tell("events", [
      event(3, { type: "itemStarted", item: { id: "say", type: "agentMessage", text: "", state: "inProgress", startTime: time, turnId: "t1" } }),
      event(4, { type: "itemStarted", item: { id: "run", type: "commandExecution", command: "make", cwd: "/", output: "", outputBytes: 0, truncated: false, state: "inProgress", startTime: time, turnId: "t1" } }),
    ]);
    let cursor = 5;
    return globalThis.frames(async () => {
      const end = performance.now() + 5000;
      let owed = 0;
      let last = performance.now();
      while (performance.now() < end) {
        owed += performance.now() - last;
        last = performance.now();
        const events = [];
        for (; owed >= 1; owed--) {
          const at = cursor++;
          events.push(event(at, at % 2 === 0 ? { type: "itemAppended", itemId: "say", field: "text", delta: `word ${at}${at % 40 === 0 ? "\n\n" : " "}` } : { type: "itemAppended", itemId: "run", field: "output", delta: `\u001b[3${at % 8}mline ${at}\u001b[0m\n` }));
        }
        if (events.length > 0) globalThis.tell("events", events);
        await new Promise((go) => setTimeout(go, 16));
      }
      await new Promise(requestAnimationFrame);
      globalThis.lastCursor = cursor - 1;
    });
  });
  const last = await page.evaluate(() => globalThis.lastCursor);
  assert.ok(last > 1000, `only ${last} events were told`);
  await page.locator("article[data-key=run] .output").filter({ hasText: `line ${last % 2 === 1 ? last : last - 1}` }).waitFor({ timeout: LIMIT });
  assert.equal(await page.evaluate(() => document.querySelector(".log").scrollTop + document.querySelector(".log").clientHeight >= document.querySelector(".log").scrollHeight - 50), true);
});
