// Forgejo, as far as its drivers go: what it publishes of itself, and what its users report of it.

import { randomUUID } from "node:crypto";

import { Double, Refusal, only } from "./double.mjs";

export class Forgejo extends Double {
  constructor(folder) {
    super("forgejo", "/api/v1", folder);
    this.route("GET /user", ({ token }) => {
      this.#needs(token, "read:user");
      const values = { login: token.login, full_name: "", email: `${token.login}@example.com` };
      return this.contract.least("OfUser", values);
    });
    this.route("GET /user/repos", ({ token, query }) => {
      this.#needs(token, "read:repository");
      const all = [...this.repositories.values()].map((one) => this.#repository(one, token));
      return this.page(all, query, "limit", "/user/repos");
    });
    this.route("GET /repos/{owner}/{repo}", ({ values: [owner, repo], token }) =>
      this.#repository(this.repository(`${owner}/${repo}`), token),
    );
    this.route("POST /repos/{owner}/{repo}/forks", async ({ values: [owner, repo], token }) => {
      this.#needs(token, "write:repository");
      const name = `${owner}/${repo}`;
      const [known] = this.copies(name, `${token.login}/`);
      if (known) {
        const message = `repository is already forked by user [uname: ${token.login}, repo path: ${name}, fork path: ${known.name}]`;
        throw new Refusal(409, { message, url: `${this.url}/api/swagger` });
      }
      return this.#repository(await this.copy(name, token.login), token);
    });
    this.route("GET /repos/{owner}/{repo}/forks", ({ values: [owner, repo], token, query }) => {
      const name = `${owner}/${repo}`;
      const all = this.copies(name).map((one) => this.#repository(one, token));
      return this.page(all, query, "limit", `/repos/${name}/forks`);
    });
    this.route("GET /repos/{owner}/{repo}/branches/{branch}", async ({ values: [owner, repo, branch] }) => {
      if (this.isUnborn(`${owner}/${repo}`)) this.missing();
      if (!(await this.tip(`${owner}/${repo}`, branch))) this.missing();
      return this.contract.least("OfBranch", { name: branch });
    });
    this.route("GET /repos/{owner}/{repo}/issues/{index}", ({ values: [owner, repo, number] }) => {
      const issue = this.issueOf(`${owner}/${repo}`, number);
      return this.contract.least("OfIssue", {
        number: issue.number,
        title: issue.title,
        body: issue.text,
        user: { login: issue.author },
        html_url: `${this.url}/${owner}/${repo}/issues/${issue.number}`,
      });
    });
    this.route("GET /repos/{owner}/{repo}/issues/{index}/comments", ({ values: [owner, repo, number] }) =>
      this.#said(`${owner}/${repo}`, number).map((one, at) => this.#comment(`${owner}/${repo}`, number, one, at)),
    );
    this.route("POST /repos/{owner}/{repo}/issues/{index}/comments", ({ values: [owner, repo, number], body, token }) => {
      this.#needs(token, "write:issue");
      only(body, "body", "updated_at");
      const said = this.#said(`${owner}/${repo}`, number);
      said.push({ author: token.login, text: body.body });
      return this.#comment(`${owner}/${repo}`, number, said.at(-1), said.length - 1);
    });
    this.route("GET /repos/{owner}/{repo}/pulls/{index}/reviews", ({ values: [owner, repo, number], query }) => {
      const name = `${owner}/${repo}`;
      const { lines = [] } = this.pull(name, number);
      const review = (id, state, author, count) =>
        this.contract.least("OfPullReview", { id, state, body: "", comments_count: count, user: { login: author } });
      // One that its author has not sent is shown to nobody else.
      const unsent = review(90, "PENDING", "ada", 1);
      const all = lines.map(({ author }, at) => review(at + 1, "COMMENT", author, 1));
      return this.page([unsent, ...all], query, "limit", `/repos/${name}/pulls/${number}/reviews`);
    });
    this.route("GET /repos/{owner}/{repo}/pulls/{index}/reviews/{id}/comments", ({ values: [owner, repo, number, id] }) => {
      if (id === "90") return [this.contract.least("OfPullReviewComment", { id: 90, body: "not sent", path: "first.md", position: 1 })];
      const { author, text, path, line } = this.pull(`${owner}/${repo}`, number).lines[id - 1];
      return [this.contract.least("OfPullReviewComment", { id: Number(id), body: text, path, position: line, user: { login: author } })];
    });
    this.route("GET /repos/{owner}/{repo}/assignees", ({ values: [owner, repo] }) => {
      const people = new Set([...this.tokens.values()].map(({ login }) => login));
      const writers = [...people].filter((login) => this.mayPush(`${owner}/${repo}`, login));
      return writers.map((login) => this.contract.least("OfUser", { login }));
    });
    this.route("GET /repos/{owner}/{repo}/labels", ({ values: [owner, repo], query }) => {
      const name = `${owner}/${repo}`;
      const all = (this.repository(name).labels ?? []).map((label, at) => this.#label(label, at));
      return this.page(all, query, "limit", `/repos/${name}/labels`);
    });
    this.route("POST /repos/{owner}/{repo}/issues/{index}/labels", ({ values: [owner, repo, number], body }) => {
      const { labels } = this.repository(`${owner}/${repo}`);
      const pull = this.pull(`${owner}/${repo}`, number);
      pull.labels = [...(pull.labels ?? []), ...body.labels.map((id) => labels[id - 1])];
      return pull.labels.map((label) => this.#label(label, labels.indexOf(label)));
    });
    this.route("POST /repos/{owner}/{repo}/pulls/{index}/requested_reviewers", ({ values: [owner, repo, number], body }) => {
      const pull = this.pull(`${owner}/${repo}`, number);
      for (const login of body.reviewers) if (!this.reviewers?.includes(login)) this.missing();
      pull.reviewers = [...(pull.reviewers ?? []), ...body.reviewers];
      return [];
    });
    this.route("GET /repos/{owner}/{repo}/commits/{ref}/status", ({ values: [owner, repo, commit] }) => {
      const failing = this.failing(`${owner}/${repo}`, commit);
      const statuses = failing ? [{ status: "failure", context: "test", description: failing, target_url: "" }] : [];
      return this.contract.least("OfCombinedStatus", { state: failing ? "failure" : "", statuses });
    });
    this.route("GET /repos/{owner}/{repo}/pulls", ({ values: [owner, repo], query }) => {
      const name = `${owner}/${repo}`;
      const found = this.repository(name).pulls.filter((pull) => pull.state === query.get("state"));
      return this.page(found.map((pull) => this.#pull(name, pull)), query, "limit", `/repos/${name}/pulls`);
    });
    this.route("POST /repos/{owner}/{repo}/pulls", async ({ values: [owner, repo], body, token }) => {
      this.#needs(token, "write:repository");
      only(body, "head", "base", "title", "body", "labels", "assignee", "assignees", "milestone", "due_date");
      const name = `${owner}/${repo}`;
      const { head, base, title } = body;
      const same = (one) => one.state === "open" && one.head === head && one.base === base;
      if (this.repository(name).pulls.some(same)) {
        throw new Refusal(409, { message: `pull request already exists for these targets [head: ${head}, base: ${base}]` });
      }
      const [from, branch] = this.#headOf(name, head);
      if (!(await this.tip(from, branch)) || !(await this.tip(name, base))) this.missing();
      return this.#pull(name, this.open(name, { head, base, title, body: body.body }));
    });
    this.route("GET /repos/{owner}/{repo}/pulls/{index}", ({ values: [owner, repo, number] }) =>
      this.#pull(`${owner}/${repo}`, this.pull(`${owner}/${repo}`, number)),
    );
    this.route("PATCH /repos/{owner}/{repo}/pulls/{index}", ({ values: [owner, repo, number], body, token }) => {
      this.#needs(token, "write:repository");
      only(body, "title", "body", "base", "state", "labels", "assignee", "assignees", "milestone", "due_date");
      const pull = this.pull(`${owner}/${repo}`, number);
      for (const field of ["title", "body", "base"]) pull[field] = body[field] ?? pull[field];
      return this.#pull(`${owner}/${repo}`, pull);
    });
  }

  /** Keeps a picture that a text shows; gives its address there. */
  picture(_name, data) {
    const path = `/attachments/${randomUUID()}`;
    this.pictures.set(path, data);
    return path;
  }

  secret(headers) {
    return headers.authorization?.replace(/^(token|Bearer) /, "");
  }

  #needs(token, scope) {
    const write = scope.replace("read:", "write:");
    if (token.scopes.includes(scope) || token.scopes.includes(write)) return;
    const message = `token does not have at least one of required scope(s): [${scope}]`;
    throw new Refusal(403, { message, url: `${this.url}/api/swagger` });
  }

  /** To an issue or to a request: they are one kind of thing here. */
  #said(name, number) {
    const pull = this.repository(name).pulls.find((one) => one.number === Number(number));
    return pull ? pull.notes : this.issueOf(name, number).comments;
  }

  /** The repository and the branch of `BRANCH` or `OWNER:BRANCH`. */
  #headOf(name, head) {
    const at = head.indexOf(":");
    if (at < 0) return [name, head];
    const [copy] = this.copies(name, `${head.slice(0, at)}/`);
    return [copy?.name, head.slice(at + 1)];
  }

  #comment(name, number, { author, text }, at) {
    const html_url = `${this.url}/${name}/issues/${number}#issuecomment-${at + 1}`;
    return this.contract.least("OfComment", { id: at + 1, body: text, user: { login: author }, html_url });
  }

  #label(name, at) {
    return this.contract.least("OfLabel", { id: at + 1, name });
  }

  #repository({ name, id, ...repository }, token) {
    return this.contract.least("OfRepository", {
      id,
      full_name: name,
      default_branch: "main",
      private: repository.private,
      archived: repository.archived ?? false,
      clone_url: `${this.url}/${name}.git`,
      html_url: `${this.url}/${name}`,
      updated_at: "2026-11-01T12:00:00Z",
      permissions: { admin: false, push: this.mayPush(name, token?.login), pull: true },
      ...(repository.parent && { fork: true, parent: this.#repository(this.repository(repository.parent)) }),
    });
  }

  #pull(name, pull) {
    const { id } = this.repository(name);
    const [from, branch] = this.#headOf(name, pull.head);
    const repo = this.repositories.get(from);
    return this.contract.least("OfPullRequest", {
      number: pull.number,
      title: pull.title,
      body: pull.body,
      state: pull.state === "open" ? "open" : "closed",
      merged: pull.state === "merged",
      draft: pull.title.startsWith("WIP:"),
      html_url: `${this.url}/${name}/pulls/${pull.number}`,
      head: { ref: branch, label: branch, repo_id: repo?.id ?? id, ...(repo && { repo: this.#repository(repo) }) },
      base: { ref: pull.base, label: pull.base, repo_id: id },
    });
  }
}
