// An editor with one `aloft lsp` of its own, spoken to with vscode-jsonrpc.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { StreamMessageReader, StreamMessageWriter, createMessageConnection } from "vscode-jsonrpc/node";

import { ALOFT } from "./home.mjs";
import { LIMIT } from "./until.mjs";

export class Editor {
  #waiters = new Set();

  constructor(home, program = ALOFT) {
    this.bridge = spawn(program, ["lsp"], { env: home.env, cwd: home.path("home"), stdio: "pipe" });
    home.bridges.push(this.bridge);
    this.ended = once(this.bridge, "exit");
    this.heard = [];
    this.stderr = "";
    this.bridge.stderr.setEncoding("utf8").on("data", (text) => (this.stderr += text));
    this.bridge.stdin.on("error", () => {});
    const reader = new StreamMessageReader(this.bridge.stdout);
    // Its timer for a frame that is not whole runs on for ever when the bridge was killed in the middle of one.
    reader.partialMessageTimeout = 0;
    this.connection = createMessageConnection(reader, new StreamMessageWriter(this.bridge.stdin));
    this.faults = [];
    this.connection.onError(([error]) => this.faults.push(error));
    this.connection.onNotification((method, params) => this.#hear({ method, ...params }));
    this.connection.listen();
  }

  /** An editor that has said hello. */
  static async open(home, params = {}) {
    const editor = new Editor(home);
    await editor.initialize(params);
    return editor;
  }

  async initialize(params = {}) {
    const result = await this.request("initialize", {
      processId: process.pid,
      rootUri: null,
      capabilities: {},
      ...params,
    });
    await this.connection.sendNotification("initialized", {});
    return result;
  }

  request(method, ...params) {
    return this.connection.sendRequest(method, ...params);
  }

  /** Creates a thread of the `shell` agent and follows it from its first event. */
  async shell(folder, text, more = {}) {
    const params = { path: folder, agent: "shell", mode: "auto", input: say(text), ...more };
    const { thread } = await this.request("thread/create", params);
    await this.follow(thread.id);
    return thread;
  }

  /** Creates a thread and waits for the end of its first turn. */
  async done(folder, text, more = {}) {
    const thread = await this.shell(folder, text, more);
    return { thread, turn: (await this.turnEnd(thread.id)).turn };
  }

  follow(threadId, after = 0) {
    return this.request("thread/subscribe", { threadId, after });
  }

  /** Follows the list of threads and the notices. */
  async followFeed() {
    const { feed } = await this.request("thread/list", {});
    await this.request("thread/subscribe", { after: feed });
  }

  /** The first notification that was or will be heard for which `test` holds. */
  async hears(what, test) {
    const found = this.heard.find(test);
    if (found) return found;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        const last = JSON.stringify(this.heard.slice(-5), null, 1);
        reject(new Error(`waited ${LIMIT / 1000} s for ${what}; heard last ${last}\n${this.stderr}`));
      }, LIMIT);
      const waiter = (notification) => {
        if (!test(notification)) return;
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve(notification);
      };
      this.#waiters.add(waiter);
    });
  }

  /** The end of a turn of a thread: the first, or that of this number. */
  turnEnd(threadId, number = 1) {
    return this.hears(
      `the end of turn ${number}`,
      (heard) => heard.method === "turn/didComplete" && heard.threadId === threadId && heard.turn.number === number,
    );
  }

  /** The next open question of a thread after a cursor. */
  question(threadId, after = 0) {
    return this.hears(
      "a question",
      (heard) =>
        heard.method === "item/didStart" &&
        heard.threadId === threadId &&
        heard.cursor > after &&
        heard.item.type === "permission",
    );
  }

  /** Waits until a command of the thread has printed this. */
  prints(threadId, text) {
    return this.hears(
      `the output ${text}`,
      (heard) => heard.threadId === threadId && heard.method === "item/didAppend" && heard.delta.includes(text),
    );
  }

  /** Waits until the thread is in this state. */
  async state(threadId, state) {
    await this.hears(
      `the thread to be ${state}`,
      (heard) => heard.method === "thread/didChange" && heard.thread.id === threadId && heard.thread.state === state,
    );
  }

  /** Events of a thread, in the order in which they were heard. */
  events(threadId) {
    return this.heard
      .filter((heard) => heard.threadId === threadId && heard.cursor !== undefined)
      .map(({ method: _, ...event }) => event);
  }

  /** Ends it as an editor does. */
  async close() {
    await this.request("shutdown");
    await this.connection.sendNotification("exit");
    const [code] = await this.ended;
    this.connection.dispose();
    assert.equal(code, 0, this.stderr);
    assert.deepEqual(this.faults, [], "something else than frames on standard output");
  }

  /** Ends it as a crash does. */
  async kill() {
    this.bridge.kill("SIGKILL");
    await this.ended;
    this.connection.dispose();
  }

  #hear(notification) {
    this.heard.push(notification);
    for (const waiter of [...this.#waiters]) waiter(notification);
  }
}

/** A message of words. */
export function say(text) {
  return [{ type: "text", text }];
}

/** The texts of a page of items, for a short comparison. */
export function messages(items) {
  return items.filter((item) => item.type === "userMessage").map((item) => item.input[0].text);
}
