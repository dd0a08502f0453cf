// The line itself: hello and goodbye, frames, what stands on standard output.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { after, before, test } from "node:test";
import { CancellationTokenSource } from "vscode-jsonrpc/node";

import { Editor } from "./support/editor.mjs";
import { ALOFT, Home, RELEASED, refused } from "./support/home.mjs";

let home;
before(async () => (home = await Home.create()));
after(() => home.close());

function frame(message, header = "Content-Length") {
  const body = typeof message === "string" ? message : JSON.stringify({ jsonrpc: "2.0", ...message });
  return `${header}: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const HELLO = { id: 1, method: "initialize", params: { processId: null, rootUri: null, capabilities: {} } };

/** A bridge whose bytes are written and read by hand; ends it after so many answers and gives everything it wrote. */
async function talk(pieces, { hello, answers }) {
  const editor = new Editor(home);
  editor.connection.dispose();
  const chunks = [];
  editor.bridge.stdout.removeAllListeners("data").on("data", (chunk) => chunks.push(chunk));
  const closed = once(editor.bridge, "close");
  // The end of input ends the bridge at once: everything is to be answered before.
  const answered = async (count) => {
    while (Buffer.concat(chunks).toString().split('"id":').length <= count) {
      await once(editor.bridge.stdout, "data");
    }
  };
  if (hello) {
    editor.bridge.stdin.write(frame(HELLO));
    await answered(1);
  }
  for (const piece of pieces) editor.bridge.stdin.write(piece);
  await answered(answers);
  editor.bridge.stdin.end();
  await closed;
  return parse(Buffer.concat(chunks));
}

/** Reads frames strictly: any byte outside of one is an error. */
function parse(bytes) {
  const messages = [];
  while (bytes.length > 0) {
    const end = bytes.indexOf("\r\n\r\n");
    const header = bytes.subarray(0, Math.max(end, 0)).toString();
    assert.match(header, /^Content-Length: \d+$/);
    const length = Number(header.split(": ")[1]);
    messages.push(JSON.parse(bytes.subarray(end + 4, end + 4 + length)));
    bytes = bytes.subarray(end + 4 + length);
  }
  return messages;
}

test("initialize is answered before any network, and starts no cloud", async (t) => {
  const alone = await Home.create(t);
  // An address at which nobody answers.
  alone.env.ALOFT_CLOUD = "https://192.0.2.1:9";
  const editor = new Editor(alone);
  const { capabilities, serverInfo } = await editor.initialize();
  assert.equal(capabilities.experimental.aloft.protocolVersion, 1);
  assert.match(capabilities.experimental.aloft.version, /^\d+\.\d+\.\d+/);
  assert.equal(serverInfo.name, "aloft");
  await editor.close();
  delete alone.env.ALOFT_CLOUD;
  await (await Editor.open(alone)).close();
  await assert.rejects(stat(alone.path("data/cloud")), { code: "ENOENT" });
});

test("how long initialize takes and what it needs is told", async (t) => {
  const program = existsSync(RELEASED) ? RELEASED : ALOFT;
  const [times, sizes] = [[], []];
  for (let run = 0; run < 15; run += 1) {
    const began = performance.now();
    const editor = new Editor(home, program);
    await editor.initialize();
    times.push(performance.now() - began);
    const status = await readFile(`/proc/${editor.bridge.pid}/status`, "utf8");
    sizes.push(Number(/VmRSS:\s*(\d+)/.exec(status)[1]) / 1024);
    await editor.close();
  }
  const middle = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1].toFixed(1);
  const build = program === RELEASED ? "release" : "debug";
  t.diagnostic(`${build} build: initialize p50 ${middle(times)} ms, ${middle(sizes)} MiB resident`);
});

test("a request before initialize is refused", async () => {
  const messages = await talk([frame({ id: 7, method: "thread/list", params: {} })], { answers: 1 });
  assert.equal(messages[0].error.code, -32002);
});

test("parameters may be absent, an object, or the one entry of a list", async () => {
  const editor = await Editor.open(home);
  const empty = await editor.request("thread/list", {});
  assert.deepEqual(empty.threads, []);
  assert.deepEqual(await editor.connection.sendRequest("thread/list"), empty);
  // What this client makes of an `undefined`, and of several.
  assert.deepEqual(await editor.connection.sendRequest("thread/list", undefined), empty);
  assert.deepEqual(await editor.connection.sendRequest("thread/list", null), empty);
  await assert.rejects(editor.connection.sendRequest("thread/list", 1, 2), { code: -32602 });
  await editor.close();
});

test("an unknown method is refused, an unknown notification ignored", async () => {
  const editor = await Editor.open(home);
  await assert.rejects(editor.request("thread/explode", {}), { code: -32601 });
  await editor.connection.sendNotification("$/whatever", { a: 1 });
  await editor.connection.sendNotification("aloft/unknown", {});
  assert.deepEqual((await editor.request("thread/list")).threads, []);
  await editor.close();
});

test("exit ends it, with the code that the protocol has", async () => {
  for (const [shutdown, expected] of [[true, 0], [false, 1]]) {
    const editor = await Editor.open(home);
    await editor.followFeed();
    if (shutdown) await editor.request("shutdown");
    await editor.connection.sendNotification("exit");
    const [code] = await editor.ended;
    assert.equal(code, expected);
    editor.connection.dispose();
  }
});

test("exit ends it also while a request waits for a cloud that does not answer", async (t) => {
  const alone = await Home.create(t);
  alone.env.ALOFT_CLOUD = "https://192.0.2.1:9";
  const editor = await Editor.open(alone);
  editor.request("thread/list", {}).catch(() => {});
  const began = performance.now();
  await editor.connection.sendNotification("exit");
  await editor.ended;
  // Far sooner than the request gives up, which is after 30 s.
  assert.ok(performance.now() - began < 20_000, `${performance.now() - began} ms`);
  editor.connection.dispose();
});

test("the end of input ends it", async () => {
  const editor = await Editor.open(home);
  await editor.followFeed();
  editor.bridge.stdin.end();
  await editor.ended;
  editor.connection.dispose();
});

test("broken frames cost one error each, and what follows is answered", async () => {
  const list = (id) => frame({ id, method: "agent/list" }, "content-length");
  const messages = await talk([
    frame("{oops"), list(2),
    frame("[1, 2]"), list(3),
    "Content-Length: zwölf\r\n\r\n", list(4),
    "Nonsense: 1\r\n\r\n", list(5),
    frame({ id: 6, method: 12 }), list(7),
    frame({ id: 8, method: "thread/read", params: "words" }),
    list(9),
  ], { hello: true, answers: 13 });
  const answers = messages.filter((message) => message.method === undefined);
  const good = answers.filter((answer) => answer.result !== undefined).map((answer) => answer.id);
  assert.deepEqual(good.sort(), [1, 2, 3, 4, 5, 7, 9]);
  const codes = answers.filter((answer) => answer.error).map((answer) => answer.error.code);
  assert.deepEqual(codes.sort(), [-32600, -32600, -32602, -32700, -32700, -32700].sort());
});

test("a frame may come in any pieces", async () => {
  const bytes = Buffer.from(frame(HELLO) + frame({ id: 2, method: "shutdown" }));
  const messages = await talk([...bytes].map((byte) => Buffer.from([byte])), { answers: 2 });
  assert.deepEqual(messages.map((message) => message.id), [1, 2]);
});

test("a request that was taken back is answered as cancelled", async (t) => {
  const alone = await Home.create(t);
  alone.env.ALOFT_CLOUD = "https://192.0.2.1:9";
  const editor = await Editor.open(alone);
  const source = new CancellationTokenSource();
  const waiting = editor.request("thread/list", {}, source.token);
  source.cancel();
  await assert.rejects(waiting, { code: -32800 });
  // Taking back what was answered long ago harms nothing.
  await editor.connection.sendNotification("$/cancelRequest", { id: 0 });
  await editor.close();
});

test("a cloud that is not there is an error that says so", async (t) => {
  const alone = await Home.create(t);
  alone.env.ALOFT_CLOUD = "http://127.0.0.1:9";
  const editor = await Editor.open(alone);
  const error = await refused(editor.request("thread/list", {}), -32014, "CLOUD_UNREACHABLE");
  assert.equal(error.data.retryable, true);
  await editor.hears("offline", (heard) => heard.method === "connection/didChange" && heard.state === "offline");
  await editor.close();
});

test("the editor's own options count, and a wrong one is named", async () => {
  const editor = new Editor(home);
  const wrong = editor.initialize({ initializationOptions: { mode: "sometimes" } });
  await assert.rejects(wrong, (error) => error.code === -32602 && error.message.includes("mode"));
  await editor.kill();
});
