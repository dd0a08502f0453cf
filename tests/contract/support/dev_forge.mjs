// dev-forge, driven as a person and as its controls; every answer of its API is held to what GitHub publishes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";

import { ALOFT } from "../../jsonrpc/support/home.mjs";
import { Contract } from "./contract.mjs";
import { git, tip } from "./git.mjs";

const PROGRAM = path.join(path.dirname(ALOFT), "aloft-cloud");

export class DevForge {
  constructor(folder) {
    this.folder = folder;
    this.contract = new Contract("github");
    this.faults = [];
    this.logins = new Map();
  }

  async listen(test) {
    await mkdir(this.folder, { recursive: true });
    const words = ["dev-forge", "--listen", "127.0.0.1:0", "--root", this.folder];
    this.child = spawn(PROGRAM, words, { env: { PATH: process.env.PATH }, stdio: ["ignore", "pipe", "inherit"] });
    test.after(async () => {
      this.child.kill("SIGTERM");
      if (this.child.exitCode === null) await once(this.child, "exit");
    });
    const lines = createInterface({ input: this.child.stdout });
    const [line] = await once(lines, "line");
    this.url = line.replace(/^dev-forge: /, "");
    assert.match(this.url, /^http:\/\/127\.0\.0\.1:\d+$/, line);
    this.master = (await readFile(path.join(this.folder, ".dev-forge/token"), "utf8")).trim();
    return this;
  }

  /** Takes a repository in: it is there as soon as its folder is. */
  async add(home, name, source) {
    const to = this.#place(name);
    await mkdir(path.dirname(to), { recursive: true });
    await home.git(path.dirname(to), "clone", "-q", "--bare", source, to);
    await this.#allow(name);
  }

  async token(login, scopes) {
    const { token } = await this.control("POST", "users", { login, scopes });
    this.logins.set(login, token);
    for (const name of this.names ?? []) await this.#allow(name);
    return token;
  }

  revoke(token) {
    return this.control("POST", "tokens/revoke", { token });
  }

  git(name, ...words) {
    return git(this.#place(name), ...words);
  }

  tip(name, branch) {
    return tip(this.#place(name), branch);
  }

  /** Somebody may read a repository, and no more. */
  reads(name, login) {
    return this.control("PATCH", `repos/${name}`, { permissions: { [login]: "read" } });
  }

  /** The answer to the next wish for a copy is lost, and the copy takes some looks until it is there. */
  async forksBadly(name, copy) {
    await this.control("POST", "faults", { method: "POST", path: `/api/v3/repos/${name}/forks`, times: 1, cut: "after" });
    await this.control("POST", "faults", { method: "GET", path: `/api/v3/repos/${copy}/branches`, times: 3, status: 404 });
  }

  /** The answer to the next request to merge is lost. */
  async opensBadly(name) {
    await this.control("POST", "faults", { method: "POST", path: `/api/v3/repos/${name}/pulls`, times: 1, cut: "after" });
  }

  /** A repository gets another name. */
  async rename(name, to) {
    await this.control("PATCH", `repos/${name}`, { name: to.split("/").at(-1) });
  }

  async issue(name, { title, text, comments }) {
    const { number } = await this.ask("POST /repos/{owner}/{repo}/issues", name.split("/"), { body: { title, body: text } }, 201);
    if (comments.length > 100) return this.#crowd(name, number, comments);
    for (const comment of comments) {
      const to = [...name.split("/"), number];
      const asked = { body: { body: comment.text } };
      await this.ask("POST /repos/{owner}/{repo}/issues/{issue_number}/comments", to, asked, 201);
    }
  }

  /** The answer to the next comment is lost. */
  async commentsBadly(name, number) {
    await this.control("POST", "faults", { method: "POST", path: `/api/v3/repos/${name}/issues/${number}/comments`, times: 1, cut: "after" });
  }

  /** Somebody says something to an issue. */
  async tell(name, number, login, text) {
    const token = await this.token(login, ["repo"]);
    const operation = "POST /repos/{owner}/{repo}/issues/{issue_number}/comments";
    await this.ask(operation, [...name.split("/"), number], { token, body: { body: text } }, 201);
  }

  /** What was said to an issue, oldest first. */
  async said(name, number) {
    const operation = "GET /repos/{owner}/{repo}/issues/{issue_number}/comments";
    return (await this.ask(operation, [...name.split("/"), number])).map((one) => one.body);
  }

  /** Keeps a picture that a text shows; gives its address there. */
  async picture(_name, data) {
    const end = data.findLastIndex((byte) => byte !== 0) + 1;
    const head = data.subarray(0, end).toString("base64");
    const { path } = await this.control("POST", "pictures", { data: head, size: data.length });
    return this.url + path;
  }

  async pull(name, number) {
    const pull = await this.ask("GET /repos/{owner}/{repo}/pulls/{pull_number}", [...name.split("/"), number]);
    return { title: pull.title, body: pull.body, base: pull.base.ref, head: pull.head.ref, state: pull.state };
  }

  async knows(name, label, login) {
    await this.ask("POST /repos/{owner}/{repo}/labels", name.split("/"), { body: { name: label } }, 201);
    await this.token(login, ["repo"]);
  }

  async marks(name, number) {
    const pull = await this.ask("GET /repos/{owner}/{repo}/pulls/{pull_number}", [...name.split("/"), number]);
    return {
      labels: pull.labels.map((label) => label.name),
      reviewers: pull.requested_reviewers.map((one) => one.login),
    };
  }

  pulls(name) {
    return this.ask("GET /repos/{owner}/{repo}/pulls", name.split("/"), { query: { state: "all" } });
  }

  open(name, { head, base, title, body }) {
    const asked = { body: { head, base, title, body } };
    return this.ask("POST /repos/{owner}/{repo}/pulls", name.split("/"), asked, 201);
  }

  /** A draft cannot be merged; making it ready is none of the operations of REST. */
  ready(name, number) {
    return this.control("PATCH", `repos/${name}/pulls/${number}`, { draft: false });
  }

  /** A check of the newest commit of a branch fails and reports this. */
  async breaks(name, branch, text) {
    const headers = { authorization: `Bearer ${this.master}`, "content-type": "application/json" };
    const output = { title: text, summary: "" };
    const run = { name: "test", head_sha: await this.tip(name, branch), status: "completed", conclusion: "failure", output };
    const url = `${this.url}/api/v3/repos/${name}/check-runs`;
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(run) });
    assert.equal(answer.status, 201, await answer.text());
  }

  /** Somebody with a token says something to a pull request. */
  say(name, number, login, text) {
    const operation = "POST /repos/{owner}/{repo}/issues/{issue_number}/comments";
    const asked = { token: this.logins.get(login), body: { body: text } };
    return this.ask(operation, [...name.split("/"), number], asked, 201);
  }

  /** Somebody with a token says something to a line of a pull request. */
  async remark(name, number, login, text, path, line) {
    const { head } = await this.ask("GET /repos/{owner}/{repo}/pulls/{pull_number}", [...name.split("/"), number]);
    const headers = { authorization: `Bearer ${this.logins.get(login)}`, "content-type": "application/json" };
    const body = JSON.stringify({ body: text, path, line, side: "RIGHT", commit_id: head.sha });
    const url = `${this.url}/api/v3/repos/${name}/pulls/${number}/comments`;
    const answer = await fetch(url, { method: "POST", headers, body });
    assert.equal(answer.status, 201, await answer.text());
  }

  /** Does not allow to open a pull request, once. */
  denies(name) {
    const path = `/api/v3/repos/${name}/pulls`;
    return this.control("POST", "faults", { method: "POST", path, times: 1, status: 403 });
  }

  merge(name, number) {
    return this.ask("PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge", [...name.split("/"), number], { body: {} });
  }

  /** Asks its API for an operation that GitHub publishes, and holds the answer to that. */
  async ask(operation, values = [], { query = {}, body, token = this.master } = {}, status = 200) {
    const [method, template] = operation.split(" ");
    const left = [...values];
    const address = template.replace(/\{\w+\}/g, () => encodeURIComponent(left.shift()));
    const url = new URL(`${this.url}/api/v3${address}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const headers = { authorization: `Bearer ${token}`, accept: "application/vnd.github+json" };
    const answer = await fetch(url, { method, headers, redirect: "manual", body: body && JSON.stringify(body) });
    const text = await answer.text();
    assert.equal(answer.status, status, `${method} ${address}: ${text}`);
    const value = text ? JSON.parse(text) : undefined;
    this.faults.push(...this.contract.request(operation, url.searchParams, body));
    this.faults.push(...this.contract.answer(operation, status, value));
    return value;
  }

  /** Its controls, which only tests use. */
  async control(method, address, body) {
    const headers = { authorization: `Bearer ${this.master}`, "content-type": "application/json" };
    const answer = await fetch(`${this.url}/_dev/${address}`, { method, headers, body: JSON.stringify(body) });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} /_dev/${address}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : {};
  }

  /** Everybody with a token may write to every repository. */
  async #allow(name) {
    this.names = new Set([...(this.names ?? []), name]);
    const permissions = Object.fromEntries([...this.logins.keys()].map((login) => [login, "write"]));
    await this.control("PATCH", `repos/${name}`, { private: true, permissions });
  }

  /** Very many comments, as they are kept: each would be a call. */
  async #crowd(name, number, comments) {
    const file = path.join(this.#place(name), "dev-forge.json");
    const record = JSON.parse(await readFile(file, "utf8"));
    const issue = record.issues.find((one) => one.number === number);
    const said = ({ author, text }, at) => ({ id: at + 1, login: author, body: text, createdAt: issue.createdAt });
    Object.assign(issue, { comments: comments.map(said) });
    await writeFile(file, JSON.stringify({ ...record, last: comments.length }));
  }

  #place(name) {
    return path.join(this.folder, `${name}.git`);
  }
}
