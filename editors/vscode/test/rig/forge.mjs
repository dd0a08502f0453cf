// A forge of this machine with one private repository, which editors sign in to by a code.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";

import { ALOFT } from "../../../../tests/jsonrpc/support/home.mjs";

const PROGRAM = path.join(path.dirname(ALOFT), "aloft-cloud");

export class Forge {
  /** Starts it, with `source` as `dev/tool`. */
  static async start(home, source, name = "forge") {
    const forge = new Forge();
    const root = home.path(name);
    await mkdir(path.join(root, "dev"), { recursive: true });
    await home.git(root, "clone", "-q", "--bare", source, path.join(root, "dev/tool.git"));
    forge.child = spawn(PROGRAM, ["dev-forge", "--listen", "127.0.0.1:0", "--root", root], { env: { PATH: process.env.PATH }, stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(createInterface({ input: forge.child.stdout }), "line");
    forge.url = line.replace(/^dev-forge: /, "");
    forge.host = new URL(forge.url).host;
    // Opens its controls, and is the first of its user's tokens.
    forge.token = (await readFile(path.join(root, ".dev-forge/token"), "utf8")).trim();
    forge.newest = forge.token;
    return forge;
  }

  /** The cloud, which must not run yet, knows an application there and looks at pull requests often. */
  async known(home) {
    await appendFile(home.path("config/config.toml"), `pullRequestSeconds = 1\n\n[serve.forges."${this.host}"]\nclientId = "app"\n`);
  }

  /** Takes its user's newest token away. */
  revoke() {
    return this.#call("POST", "/_dev/tokens/revoke", { token: this.newest });
  }

  /** Confirms or denies a code, as its person does in a browser. */
  device(userCode, what) {
    return this.#call("POST", "/_dev/device", { userCode, do: what });
  }

  /** Gives its user another token. */
  async grant() {
    this.newest = (await this.#call("POST", "/_dev/users", { login: "dev" })).token;
    return this.newest;
  }

  /** Somebody tells it of something. */
  async issue(title, body) {
    return (await this.#call("POST", "/api/v3/repos/dev/tool/issues", { title, body })).html_url;
  }

  merge(number) {
    return this.#call("PUT", `/api/v3/repos/dev/tool/pulls/${number}/merge`, {});
  }

  pull(number) {
    return this.#call("GET", `/api/v3/repos/dev/tool/pulls/${number}`);
  }

  /** What was said to an issue, oldest first. */
  async said(number) {
    return (await this.#call("GET", `/api/v3/repos/dev/tool/issues/${number}/comments`)).map(({ body }) => body);
  }

  async close() {
    this.child.kill("SIGTERM");
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, "exit");
  }

  async #call(method, address, body) {
    const token = address.startsWith("/_dev/") ? this.token : this.newest;
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const answer = await fetch(this.url + address, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${address}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : {};
  }
}
