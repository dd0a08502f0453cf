// GitLab, as far as its drivers go: what it publishes of itself, and what its users report of it.

import { randomBytes } from "node:crypto";

import { Double, Refusal, only } from "./double.mjs";

export class GitLab extends Double {
  constructor(folder) {
    super("gitlab", "/api/v4", folder);
    /** Whoever was named; their number is the place here. */
    this.people = [];
    this.route("GET /personal_access_tokens/self", ({ token }) =>
      this.contract.least("OfPersonalAccessTokenSchema", { scopes: token.scopes, active: true }),
    );
    this.route("GET /user", ({ token }) => {
      const email = `${token.login}@example.com`;
      return this.contract.least("OfExpandedUserSchema", { username: token.login, name: "Ada L.", email });
    });
    this.route("GET /projects", ({ query }) => {
      const all = [...this.repositories.values()].map((one) => this.#project(one));
      return this.page(all, query, "per_page", "/projects");
    });
    this.route("GET /projects/{id}", ({ values: [name], token }) => this.#project(this.repository(name), token));
    this.route("POST /projects/{id}/fork", async ({ values: [name], token }) => {
      const to = `${token.login}/${name.split("/").at(-1)}`;
      const taken = ["has already been taken"];
      if (this.repositories.has(to)) throw new Refusal(409, { message: { name: taken, path: taken } });
      return this.#project(await this.copy(name, token.login), token);
    });
    this.route("GET /projects/{id}/forks", ({ values: [name], query, token }) => {
      const all = this.copies(name, query.get("owned") === "true" ? `${token.login}/` : "");
      return this.page(all.map((one) => this.#project(one, token)), query, "per_page", `/projects/${encodeURIComponent(name)}/forks`);
    });
    this.route("GET /projects/{id}/repository/branches/{branch}", async ({ values: [name, branch] }) => {
      this.repository(name);
      if (!(await this.tip(name, branch))) throw new Refusal(404, { message: "404 Branch Not Found" });
      return this.contract.least("OfBranchSchema", { name: branch });
    });
    this.route("GET /projects/{id}/issues/{iid}", ({ values: [name, number] }) => {
      const issue = this.issueOf(name, number);
      return this.contract.least("OfIssueSchemaWithBasicLabels", {
        iid: issue.number,
        id: 800 + issue.number,
        title: issue.title,
        description: issue.text,
        author: this.#person(issue.author),
        user_notes_count: issue.comments.length,
        web_url: `${this.url}/${name}/-/issues/${issue.number}`,
      });
    });
    this.route("GET /projects/{id}/issues/{iid}/notes", ({ values: [name, number], query }) => {
      const notes = this.#notes(this.issueOf(name, number).comments, "Issue");
      return this.#sorted(notes, query, `/projects/${encodeURIComponent(name)}/issues/${number}/notes`);
    });
    this.route("POST /projects/{id}/issues/{iid}/notes", ({ values: [name, number], body, token }) => {
      only(body, "body", "internal", "created_at");
      const { comments } = this.issueOf(name, number);
      comments.push({ author: token.login, text: body.body });
      return this.#notes(comments, "Issue").at(-1);
    });
    this.route("GET /projects/{id}/labels/{name}", ({ values: [name, label] }) => {
      const at = (this.repository(name).labels ?? []).indexOf(label);
      if (at < 0) throw new Refusal(404, { message: "404 Label Not Found" });
      // Its shape is not published.
      return { id: at + 1, name: label };
    });
    this.route("GET /projects/{id}/members/all", ({ values: [name], query }) => {
      const asked = query.getAll("user_ids[]").map((id) => this.people[id - 1]);
      const level = (login) => (this.mayPush(name, login) ? 30 : 20);
      const member = (login) => ({ ...this.#person(login), access_level: level(login) });
      const all = asked.map((login) => ({ ...this.contract.least("OfMemberSchema"), ...member(login) }));
      return this.page(all, query, "per_page", `/projects/${encodeURIComponent(name)}/members/all`);
    });
    this.route("GET /users", ({ query }) => {
      const known = (this.reviewers ?? []).filter((login) => login === query.get("username"));
      return known.map((login) => ({ ...this.contract.least("OfUserSchema"), ...this.#person(login) }));
    });
    this.route("GET /projects/{id}/repository/commits/{sha}/statuses", ({ values: [name, commit] }) => {
      const failing = this.failing(name, commit);
      const values = failing ? { status: "failed", description: failing } : { status: "success" };
      return [this.contract.least("OfCommitStatusSchema", { name: "test", ...values })];
    });
    this.route("GET /projects/{id}/merge_requests/{iid}/notes", ({ values: [name, number], query }) => {
      const { notes, lines = [] } = this.pull(name, number);
      const all = this.#notes([...notes, ...lines], "MergeRequest");
      return this.#sorted(all, query, `/projects/${encodeURIComponent(name)}/merge_requests/${number}/notes`);
    });
    this.route("GET /projects/{id}/merge_requests", ({ values: [name], query }) => {
      const state = query.get("state") === "opened" ? "open" : query.get("state");
      const fits = (pull) => pull.state === state && pull.head === query.get("source_branch");
      const shape = "OfMergeRequestSchemaWithBasicLabels";
      return this.repository(name).pulls.filter(fits).map((pull) => this.#request(name, pull, shape));
    });
    this.route("POST /projects/{id}/merge_requests", async ({ values: [from], body }) => {
      only(body, "source_branch", "target_branch", "title", "description", "labels", "remove_source_branch", "target_project_id");
      const { source_branch: head, target_branch: base, title, description, target_project_id: target } = body;
      const source = this.repository(from).id;
      const { name, id } = target ? ([...this.repositories.values()].find((one) => one.id === target) ?? this.missing()) : this.repository(from);
      if (target && this.repository(from).parent !== name) throw new Refusal(422, { message: ["Source project is not a fork of the target project"] });
      const same = (one) => one.state === "open" && one.head === head && one.base === base && (one.source ?? id) === source;
      const taken = this.repository(name).pulls.find(same);
      if (taken) {
        const message = [`Another open merge request already exists for this source branch: !${taken.number}`];
        throw new Refusal(409, { message });
      }
      if (!(await this.tip(from, head))) throw new Refusal(400, { message: { source_branch: ["does not exist"] } });
      // A target that is not there is taken, and the request is broken.
      return this.#request(name, this.open(name, { head, base, title, body: description, source }));
    });
    this.route("GET /projects/{id}/merge_requests/{iid}", ({ values: [name, number] }) =>
      this.#request(name, this.pull(name, number)),
    );
    this.route("PUT /projects/{id}/merge_requests/{iid}", ({ values: [name, number], body }) => {
      only(body, "title", "description", "target_branch", "state_event", "labels", "add_labels", "reviewer_ids");
      const pull = this.pull(name, number);
      // What is not there would be made.
      if (body.add_labels) pull.labels = [...(pull.labels ?? []), ...body.add_labels.split(",")];
      if (body.reviewer_ids) pull.reviewers = body.reviewer_ids.map((id) => this.people[id - 1]);
      pull.title = body.title ?? pull.title;
      pull.body = body.description ?? pull.body;
      pull.base = body.target_branch ?? pull.base;
      return this.#request(name, pull);
    });
  }

  /** Keeps a picture that a text shows; gives its address there. */
  picture(name, data) {
    const address = `/uploads/${randomBytes(16).toString("hex")}/a%20shot.png`;
    this.pictures.set(`/api/v4/projects/${encodeURIComponent(name)}${address}`, data);
    return address;
  }

  /** Both are taken. */
  secret(headers) {
    return headers["private-token"] ?? headers.authorization?.replace(/^Bearer /, "");
  }

  /** What people said, and before it a word of the forge itself. */
  #notes(all, kind) {
    const note = ({ author, text, path, line }, id, system = false) => {
      const values = { id, body: text, author: this.#person(author), system, noteable_type: kind };
      // The published type knows nothing of it; the documentation does.
      const position = path && { new_path: path, new_line: line, position_type: "text" };
      return this.contract.least("OfNoteSchema", { ...values, ...(position && { position }) });
    };
    const own = note({ author: "root", text: "assigned to @ada" }, 1, true);
    return [own, ...all.map((one, at) => note(one, at + 2))];
  }

  /** A page of notes; the newest come first unless it is asked otherwise. */
  #sorted(notes, query, path) {
    const all = query.get("sort") === "asc" ? notes : [...notes].reverse();
    return this.page(all, query, "per_page", path);
  }

  #person(username) {
    if (!this.people.includes(username)) this.people.push(username);
    const id = this.people.indexOf(username) + 1;
    return { id, username, name: username, state: "active", avatar_url: "", web_url: "" };
  }

  #project(repository, token) {
    const { name, id, parent } = repository;
    const origin = parent && { id: this.repository(parent).id, path_with_namespace: parent };
    return this.contract.least("OfProjectSchema", {
      id,
      import_status: parent ? (this.isUnborn(name) ? "started" : "finished") : "none",
      // The published type knows nothing of it; the documentation does.
      ...(origin && { forked_from_project: origin }),
      path_with_namespace: name,
      default_branch: "main",
      visibility: repository.private ? "private" : "public",
      archived: repository.archived ?? false,
      http_url_to_repo: `${this.url}/${name}.git`,
      web_url: `${this.url}/${name}`,
      last_activity_at: "2026-11-01T12:00:00.000Z",
      permissions: {
        project_access: { access_level: this.mayPush(name, token?.login) ? 40 : 20, notification_level: 3 },
        group_access: { access_level: 10, notification_level: 3 },
      },
    });
  }

  #request(name, pull, shape = "OfExpandedMergeRequestSchema") {
    const { id } = this.repository(name);
    return this.contract.least(shape, {
      id: 9000 + pull.number,
      iid: pull.number,
      sha: pull.commit ?? "",
      project_id: id,
      source_project_id: pull.source ?? id,
      target_project_id: id,
      title: pull.title,
      description: pull.body ?? null,
      state: pull.state === "open" ? "opened" : pull.state,
      draft: pull.title.startsWith("Draft: "),
      reviewers: (pull.reviewers ?? []).map((one) => this.#person(one)),
      source_branch: pull.head,
      target_branch: pull.base,
      web_url: `${this.url}/${name}/-/merge_requests/${pull.number}`,
    });
  }
}
