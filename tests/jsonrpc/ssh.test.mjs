// Ways into a sandbox: what an editor opens, and ports that come here.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { access, readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { Editor } from "./support/editor.mjs";
import { Home, refused } from "./support/home.mjs";
import { until } from "./support/until.mjs";

const run = promisify(execFile);

let home, editor, thread;
before(async () => {
  home = await Home.create();
  editor = await Editor.open(home);
  ({ thread } = await editor.done(await home.repository("reached"), "$ echo made > made.txt"));
});
after(async () => {
  await editor?.close().finally(() => home.close());
});

test("ssh/connect says where an editor goes, and touches the config of ssh only when it may", async () => {
  const answer = await editor.request("ssh/connect", { threadId: thread.slug });
  assert.equal(answer.host, `${thread.slug}.aloft`);
  assert.equal(answer.uri, `vscode-remote://ssh-remote+${answer.host}/workspace`);
  assert.equal(answer.workspacePath, "/workspace");
  assert.equal(answer.setUp, false);
  const config = home.path("home/.ssh/config");
  await assert.rejects(access(config));
  const cat = ["-F", answer.configFile, answer.host, "cat", "made.txt", "/workspace/made.txt"];
  const { stdout } = await run("ssh", cat, { env: home.env }).catch((error) => error);
  assert.match(stdout, /made\n$/);
  const again = await editor.request("ssh/connect", { threadId: thread.id, setUp: true });
  assert.equal(again.setUp, true);
  assert.equal(await readFile(config, "utf8"), answer.lines);
  await refused(editor.request("ssh/connect", { threadId: "nobody" }), -32012, "THREAD_NOT_FOUND");
});

test("the names of hosts follow the threads while an editor runs", async () => {
  await editor.request("ssh/connect", { threadId: thread.id });
  const other = await editor.done(await home.repository("other"), "$ true");
  const known = async () => await readFile(home.path("data/ssh/config"), "utf8");
  await until("the new host", async () => (await known()).includes(`Host ${other.thread.slug}.aloft\n`));
  await editor.request("thread/delete", { threadId: other.thread.id });
  await until("its end", async () => !(await known()).includes(other.thread.id));
});

test("a port of the sandbox comes here and goes again", async () => {
  const page = "import http.server as s; s.HTTPServer(('127.0.0.1', 8124), s.SimpleHTTPRequestHandler).serve_forever()";
  const server = ["-F", home.path("data/ssh/config"), `${thread.slug}.aloft`];
  await run("ssh", [...server, `cd /workspace; nohup python3 -c "${page}" >/dev/null 2>&1 </dev/null &`], { env: home.env });
  await until("the port", async () => {
    const { ports } = await editor.request("port/list", { threadId: thread.id });
    return ports.some(({ port }) => port === 8124);
  });
  const params = { threadId: thread.id, port: 8124, local: 0 };
  const { address, local } = await editor.request("port/forward", params);
  assert.deepEqual(await editor.request("port/forward", params), { threadId: thread.id, port: 8124, local, address });
  const answer = await fetch(`http://${address}/made.txt`);
  assert.equal(await answer.text(), "made\n");
  await editor.request("port/unforward", { threadId: thread.id, port: 8124 });
  await assert.rejects(fetch(`http://${address}/made.txt`));
  await refused(editor.request("port/forward", { threadId: thread.id, port: 0 }), -32602, "INVALID_PARAMS");
});
