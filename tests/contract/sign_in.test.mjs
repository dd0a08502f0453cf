// An editor signs a person in at a forge by a code.

import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import test from "node:test";

import { DevForge } from "./support/dev_forge.mjs";
import { Editor } from "../jsonrpc/support/editor.mjs";
import { Home, refused } from "../jsonrpc/support/home.mjs";

test("an editor shows a code, and has the account once it was confirmed", async (t) => {
  const home = await Home.create(t);
  const forge = await new DevForge(home.path("forge")).listen(t);
  const host = new URL(forge.url).host;
  await appendFile(home.path("config/config.toml"), `[serve.forges."${host}"]\nclientId = "app"\n`);
  const editor = await Editor.open(home);

  const elsewhere = { kind: "github", url: "http://127.0.0.1:1" };
  await refused(editor.request("forge/signIn", elsewhere), -32013, "FORGE_SIGN_IN_UNCONFIGURED");
  const begun = await editor.request("forge/signIn", { kind: "github", url: forge.url });
  assert.equal(begun.host, host);
  assert.match(begun.userCode, /^\w{4}-\w{4}$/);
  assert.equal(begun.verificationUrl, `${forge.url}/login/device`);
  assert.ok(Date.parse(begun.expireTime) > Date.now());
  const waiting = editor.request("forge/awaitSignIn", { signInId: begun.signInId });
  await forge.control("POST", "device", { userCode: begun.userCode, do: "authorize" });
  const account = await waiting;
  assert.deepEqual([account.login, account.host, account.scopes], ["dev", host, ["repo"]]);
  assert.deepEqual(await editor.request("forge/list", {}), [account]);
  // Its outcome can be heard again, but not by a made-up name.
  assert.deepEqual(await editor.request("forge/awaitSignIn", { signInId: begun.signInId }), account);
  await refused(editor.request("forge/awaitSignIn", { signInId: "nothing" }), -32012, "FORGE_SIGN_IN_UNKNOWN");
  await editor.close();
});
