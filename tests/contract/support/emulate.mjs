// GitHub as somebody else reads what it publishes: `emulate` answers its API, below the address a server of one's own has, and
// git itself answers git. The two know nothing of each other: a branch that is pushed is not seen by the API.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer, request as send } from "node:http";
import path from "node:path";

import { createEmulator } from "emulate";

import { git, serve } from "./git.mjs";

const API = "/api/v3";

export class Emulate {
  /** With the tokens of people, and repositories of them. */
  constructor(folder, tokens, repositories) {
    this.folder = folder;
    this.tokens = tokens;
    this.repositories = repositories;
  }

  async listen(test) {
    this.server = createServer((request, response) => this.#serve(request, response));
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    const logins = new Set(Object.values(this.tokens).map(({ login }) => login));
    const repos = this.repositories.map((name) => {
      const [owner, repo] = name.split("/");
      return { owner, name: repo, auto_init: true, default_branch: "main", private: true };
    });
    const users = [...logins].map((login) => ({ login, email: `${login}@example.com` }));
    const seed = { tokens: this.tokens, github: { users, repos } };
    // A port that nobody has, until it is taken.
    const free = createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    const { port } = free.address();
    await new Promise((resolve) => free.close(resolve));
    this.behind = await createEmulator({ service: "github", port, seed, baseUrl: this.url });
    this.port = port;
    test.after(async () => {
      this.server.closeAllConnections();
      this.server.close();
      await this.behind.close();
    });
    return this;
  }

  /** Gives git what a repository is to hold. */
  async add(home, name, source) {
    const to = path.join(this.folder, `${name}.git`);
    await mkdir(path.dirname(to), { recursive: true });
    await home.git(path.dirname(to), "clone", "-q", "--bare", source, to);
  }

  git(name, ...words) {
    return git(path.join(this.folder, `${name}.git`), ...words);
  }

  /** Asks the API; gives status and body. */
  async ask(method, address, body, token = Object.keys(this.tokens)[0]) {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const answer = await fetch(`${this.url}${API}${address}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, body: text ? JSON.parse(text) : undefined };
  }

  /** Asks the API; it must do it. */
  async does(method, address, body) {
    const answer = await this.ask(method, address, body);
    assert.ok(answer.status < 300, `${method} ${address}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  #serve(request, response) {
    const url = new URL(request.url, this.url);
    if (url.pathname.startsWith(`${API}/`)) {
      const { method, headers } = request;
      const asked = send({ host: "127.0.0.1", port: this.port, path: request.url.slice(API.length), method, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      asked.on("error", () => response.destroy());
      request.pipe(asked);
      return;
    }
    const basic = Buffer.from(request.headers.authorization?.split(" ")[1] ?? "", "base64").toString();
    const token = this.tokens[basic.slice(basic.indexOf(":") + 1)];
    if (!token) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' });
      response.end();
      return;
    }
    const query = url.search.slice(1);
    serve(request, response, { root: this.folder, path: decodeURIComponent(url.pathname), query, who: token.login });
  }
}
