// Model keys: set by an editor, never said again.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { Editor } from "./support/editor.mjs";
import { Home, refused } from "./support/home.mjs";

const VALUE = "sk-ant-test-0123456789abcdefghij-SECRET-WXYZ";

let home;
before(async () => {
  home = await Home.create();
  home.env.ALOFT_LOG = "debug";
});
after(() => home.close());

test("a key is never said again: not in answers, errors, logs or files", async () => {
  const editor = await Editor.open(home);
  const said = [];
  const set = { provider: "anthropic", value: VALUE, baseUrl: "http://127.0.0.1:9" };
  const key = await editor.request("key/set", set);
  assert.deepEqual({ ...key, baseUrl: undefined }, { provider: "anthropic", source: "stored", suffix: "WXYZ", baseUrl: undefined });
  said.push(key, await editor.request("key/list"), await editor.request("key/test", { provider: "anthropic" }));
  said.push(await editor.request("agent/list"));
  const wrong = [
    [{ ...set, provider: "nobody" }, "PROVIDER_UNKNOWN"],
    [{ ...set, baseUrl: "nonsense" }, "ADDRESS_INVALID"],
    [{ ...set, value: `${VALUE}\nsecond line` }, "KEY_INVALID"],
    [{ ...set, provider: 3 }, "INVALID_PARAMS"],
    [{ ...set, provider: undefined, value: { nested: VALUE } }, "INVALID_PARAMS"],
  ];
  for (const [params, reason] of wrong) {
    const error = await refused(editor.request("key/set", params), -32602, reason);
    said.push(error.message, error.data);
  }
  const words = JSON.stringify([said, editor.heard]) + editor.stderr;
  assert.ok(!words.includes("0123456789abcdefghij"), words);
  for (const folder of ["data", "run", "config"].map((name) => home.path(name))) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const bytes = await readFile(path.join(entry.parentPath ?? entry.path, entry.name));
      assert.ok(!bytes.includes("0123456789abcdefghij"), entry.name);
    }
  }
  assert.deepEqual(await editor.request("key/delete", { provider: "anthropic" }), {});
  assert.deepEqual(await editor.request("key/list"), []);
  await refused(editor.request("key/test", { provider: "anthropic" }), -32012, "NO_MODEL_KEY");
  await editor.close();
});
