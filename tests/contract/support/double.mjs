// What the doubles of forges have in common: people with tokens, bare repositories that git reaches over HTTP, requests to
// merge, and an API of which every answer is held to what the forge publishes.

import { randomBytes } from "node:crypto";
import { mkdir, rename } from "node:fs/promises";
import path from "node:path";

import { Contract } from "./contract.mjs";
import { git, merge, serve, tip } from "./git.mjs";
import { listen } from "./listen.mjs";

/** An answer that is no success. */
export class Refusal extends Error {
  constructor(status, body, headers = {}) {
    super(JSON.stringify(body));
    Object.assign(this, { status, body, headers });
  }
}

export class Double {
  /** Of a contract with a folder for its repositories; `base` is where its API begins. */
  constructor(forge, base, folder) {
    this.contract = new Contract(forge);
    this.base = base;
    this.folder = folder;
    /** What each token opens: {login, scopes}. */
    this.tokens = new Map();
    /** By name: {private, archived, pulls: [{number, title, body, head, base, state}]}. */
    this.repositories = new Map();
    /** By path: what a picture holds. */
    this.pictures = new Map();
    /** Calls of which the next answer is lost. */
    this.losing = [];
    /** What was asked: method and path. */
    this.asked = [];
    /** Where an answer or a request was none that the forge publishes. */
    this.faults = [];
    this.routes = [];
  }

  async listen(test) {
    if (this.folder) await mkdir(this.folder, { recursive: true });
    const answer = (request, response) => this.#serve(request, response);
    this.url = await listen(test, answer, (error) => this.faults.push(error.stack));
    return this;
  }

  /** Takes a repository in. */
  async add(home, name, source, more = {}) {
    const to = this.#place(name);
    await mkdir(path.dirname(to), { recursive: true });
    await home.git(path.dirname(to), "clone", "-q", "--bare", source, to);
    this.repositories.set(name, { name, id: this.repositories.size + 1, private: true, pulls: [], issues: [], ...more });
  }

  /** A token of a person, which may do this. */
  token(login, scopes) {
    const token = `canary-${randomBytes(12).toString("hex")}`;
    this.tokens.set(token, { login, scopes });
    return token;
  }

  /** It opens nothing any more. */
  revoke(token) {
    this.tokens.delete(token);
  }

  git(name, ...words) {
    return git(this.#place(name), ...words);
  }

  tip(name, branch) {
    return tip(this.#place(name), branch);
  }

  /** Presses the button. */
  async merge(name, number) {
    const pull = this.pull(name, number);
    pull.commit = await merge(this.#place(name), pull.base, pull.head);
    pull.state = "merged";
  }

  repository(name) {
    return this.repositories.get(name) ?? this.missing();
  }

  pull(name, number) {
    return this.repository(name).pulls.find((pull) => pull.number === Number(number)) ?? this.missing();
  }

  /** Somebody may read a repository, and no more. */
  reads(name, login) {
    this.repository(name).reader = login;
  }

  /** Whether the person of a token may push to a repository. */
  mayPush(name, login) {
    return this.repository(name).reader !== login;
  }

  /** Copies of a repository; of somebody, if so asked. */
  copies(name, login = "") {
    return [...this.repositories.values()].filter((one) => one.parent === name && one.name.startsWith(login));
  }

  /** Makes somebody's own copy of a repository. */
  async copy(name, login) {
    const to = `${login}/${name.split("/").at(-1)}`;
    await mkdir(path.dirname(this.#place(to)), { recursive: true });
    await git(this.#place(name), "clone", "-q", "--bare", this.#place(name), this.#place(to));
    const id = this.repositories.size + 1;
    const more = { pulls: [], issues: [], parent: name, looks: this.slow ?? 0 };
    this.repositories.set(to, { name: to, id, private: true, ...more });
    return this.repository(to);
  }

  /** The answer to the next wish for a copy is lost, and the copy takes some looks until it is there. */
  forksBadly() {
    this.slow = 3;
    this.losing.push(/^POST .*\/forks?$/);
  }

  /** The answer to the next request to merge is lost. */
  opensBadly() {
    this.losing.push(/^POST .*\/(pulls|merge_requests)$/);
  }

  /** Says nothing to calls of these paths from now on; gives the answer that the first of them waits for. */
  holds(paths) {
    return new Promise((met) => (this.silent = { paths, met }));
  }

  /** The answer to the next comment is lost. */
  commentsBadly() {
    this.losing.push(/^POST .*\/(comments|notes|comment)$/);
  }

  /** Whether a repository is still being made; each look brings it nearer. */
  isUnborn(name) {
    const repository = this.repository(name);
    if (!repository.looks) return false;
    repository.looks -= 1;
    return true;
  }

  async rename(name, to) {
    await rename(this.#place(name), this.#place(to));
    this.repositories.set(to, { ...this.repository(name), name: to });
    this.repositories.delete(name);
  }

  /** Opens an issue. */
  issue(name, issue) {
    this.repository(name).issues.push(issue);
  }

  /** A check of the newest commit of a branch fails and reports this. */
  async breaks(name, branch, text) {
    this.repository(name).failing = { commit: await this.tip(name, branch), text };
  }

  /** What a check of a commit reports where it fails. */
  failing(name, commit) {
    const { failing } = this.repository(name);
    return failing?.commit === commit ? failing.text : undefined;
  }

  /** Somebody says something to a request. */
  say(name, number, author, text) {
    this.pull(name, number).notes.push({ author, text });
  }

  /** Somebody says something to a line of a request. */
  remark(name, number, author, text, path, line) {
    (this.pull(name, number).lines ??= []).push({ author, text, path, line });
  }

  /** A repository gets a label, and the forge a person who may review. */
  knows(name, label, login) {
    const repository = this.repository(name);
    (repository.labels ??= []).push(label);
    (this.reviewers ??= []).push(login);
  }

  /** Labels and reviewers of a request. */
  marks(name, number) {
    const { labels = [], reviewers = [] } = this.pull(name, number);
    return { labels, reviewers };
  }

  /** Somebody says something to an issue. */
  tell(name, number, author, text) {
    this.issueOf(name, number).comments.push({ author, text });
  }

  /** What was said to an issue, oldest first. */
  said(name, number) {
    return this.issueOf(name, number).comments.map((one) => one.text);
  }

  issueOf(name, number) {
    return this.repository(name).issues.find((one) => one.number === Number(number)) ?? this.missing();
  }

  pulls(name) {
    return this.repository(name).pulls;
  }

  /** Takes a request to merge in; the numbers of a repository begin at 1. */
  open(name, pull) {
    const { pulls } = this.repository(name);
    pulls.push({ state: "open", number: pulls.length + 1, notes: [], ...pull });
    return pulls.at(-1);
  }

  missing() {
    throw new Refusal(404, { message: "404 Not Found" });
  }

  /** Answers `operation` as the forge publishes it, by what `handle` gives: a body, or a status with a body. */
  route(operation, handle) {
    const [method, template] = operation.split(" ");
    this.routes.push({ operation, method, parts: template.split("/"), handle });
  }

  #place(name) {
    return path.join(this.folder, `${name}.git`);
  }

  async #serve(request, response) {
    const url = new URL(request.url, this.url);
    const match = /^\/(.+)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/.exec(decodeURIComponent(url.pathname));
    if (match) return this.#git(request, response, match[1], url);
    const picture = request.method === "GET" && this.pictures.get(url.pathname);
    if (picture) return this.#picture(request, response, picture);
    if (this.silent?.paths.test(url.pathname)) return this.silent.met(response);
    let answer;
    try {
      answer = await this.#api(request, url);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      answer = error;
    }
    const lost = this.losing.findIndex((calls) => calls.test(`${request.method} ${url.pathname}`));
    if (lost >= 0) {
      this.losing.splice(lost, 1);
      return response.destroy();
    }
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
    response.end(JSON.stringify(answer.body));
  }

  #picture(request, response, data) {
    this.asked.push(`GET ${request.url}`);
    const known = this.tokens.has(this.secret(request.headers));
    response.writeHead(known ? 200 : 404, { "content-type": "application/octet-stream" });
    response.end(known ? data : undefined);
  }

  #git(request, response, name, url) {
    const basic = Buffer.from(request.headers.authorization?.split(" ")[1] ?? "", "base64").toString();
    const token = this.tokens.get(basic.slice(basic.indexOf(":") + 1));
    const repository = this.repositories.get(name);
    if (!token || !repository) {
      response.writeHead(token ? 404 : 401, { "www-authenticate": 'Basic realm="git"' });
      return response.end();
    }
    this.asked.push(`git ${url.pathname}`);
    if (`${url.pathname}${url.search}`.includes("receive-pack") && !this.mayPush(name, token.login)) {
      response.writeHead(403);
      return response.end();
    }
    const query = url.search.slice(1);
    serve(request, response, { root: this.folder, path: decodeURIComponent(url.pathname), query, who: token.login });
  }

  async #api(request, url) {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const text = Buffer.concat(pieces).toString();
    const body = text ? JSON.parse(text) : undefined;
    const raw = url.pathname.startsWith(this.base) ? url.pathname.slice(this.base.length) : "";
    const parts = raw.split("/");
    const fits = (route) =>
      route.method === request.method &&
      route.parts.length === parts.length &&
      route.parts.every((part, at) => part === parts[at] || (part.startsWith("{") && parts[at] !== ""));
    const route = this.routes.find(fits);
    this.asked.push(`${request.method} ${raw}`);
    if (!route) this.missing();
    const secret = this.secret(request.headers);
    const token = this.tokens.get(secret);
    if (!token) throw new Refusal(401, { message: "401 Unauthorized" });
    const values = parts.filter((_, at) => route.parts[at].startsWith("{")).map(decodeURIComponent);
    this.faults.push(...this.contract.request(route.operation, url.searchParams, body));
    const given = await route.handle({ values, query: url.searchParams, body, token });
    const answer = given?.answer ? given : { answer: given };
    const status = request.method === "POST" ? 201 : 200;
    this.faults.push(...this.contract.answer(route.operation, status, answer.answer));
    return { status, body: answer.answer, headers: answer.headers };
  }

  /** A page of a list, with the headers by which the next one is found. */
  page(list, query, sizes, path) {
    const size = Number(query.get(sizes) ?? 20);
    const at = Number(query.get("page") ?? 1);
    const answer = list.slice((at - 1) * size, at * size);
    const next = new URLSearchParams(query);
    next.set("page", String(at + 1));
    const link = `<${this.url}${this.base}${path}?${next}>; rel="next"`;
    return { answer, headers: at * size < list.length ? { link } : {} };
  }
}

/** Refuses fields that the forge would not know. */
export function only(body, ...names) {
  const unknown = Object.keys(body).filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Refusal(400, { error: `${unknown.join(", ")} is invalid` });
}
