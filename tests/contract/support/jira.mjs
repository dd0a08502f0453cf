// Jira, as far as its driver goes. Of Atlassian's cloud answers are held to published types; a server of one's own, which has
// words where the cloud has documents and another kind of token, publishes none.

import { Double, Refusal, only } from "./double.mjs";

class Jira extends Double {
  constructor(cloud) {
    super("jira", cloud ? "/rest/api/3" : "/rest/api/2", "");
    this.cloud = cloud;
    if (!cloud) this.contract.answer = () => [];
    this.issues = new Map();
    this.route("GET /myself", ({ token: { login } }) => ({
      ...this.#person(login),
      ...(cloud ? { accountId: `id-${login}` } : { name: login, key: "JIRAUSER1" }),
    }));
    this.route("GET /issue/{issueIdOrKey}", ({ values: [key], query }) => {
      const issue = this.issues.get(key) ?? this.absent();
      const names = query.get("fields").split(",");
      const fields = {
        summary: issue.title,
        description: this.#text(issue.text),
        reporter: this.#person(issue.author),
        attachment: issue.attached.map((id) => this.#attachment(id)),
        status: { name: "Open" },
      };
      return { id: "10001", key, fields: Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name))) };
    });
    this.route("GET /issue/{issueIdOrKey}/comment", ({ values: [key], query }) => {
      const issue = this.issues.get(key) ?? this.absent();
      const comments = issue.comments.map((one, at) => this.#comment(one, at));
      if (query.get("orderBy") === "-created") comments.reverse();
      const all = { startAt: 0, maxResults: 100, total: comments.length };
      return { ...all, comments: comments.slice(0, Number(query.get("maxResults"))) };
    });
    this.route("POST /issue/{issueIdOrKey}/comment", ({ values: [key], body, token }) => {
      only(body, "body", "visibility");
      const { comments } = this.issues.get(key) ?? this.absent();
      if (cloud) this.faults.push(...this.contract.shape("OfDocument", body.body));
      else if (typeof body.body !== "string") this.faults.push("a server takes words");
      comments.push({ author: token.login, body: body.body });
      return this.#comment(comments.at(-1), comments.length - 1);
    });
  }

  /** What a person gives: in the cloud their address and a token. */
  token(login) {
    const token = super.token(login, []);
    if (!this.cloud) return token;
    this.tokens.set(`${login}@example.com:${token}`, { login });
    this.tokens.delete(token);
    return `${login}@example.com:${token}`;
  }

  secret({ authorization = "" }) {
    const [scheme, rest = ""] = authorization.split(" ");
    if (scheme !== (this.cloud ? "Basic" : "Bearer")) return undefined;
    return this.cloud ? Buffer.from(rest, "base64").toString() : rest;
  }

  /** Keeps a picture; it is attached to the next issue, whose text names it. */
  picture(data) {
    const id = String(20000 + this.pictures.size);
    const path = this.cloud ? `/rest/api/3/attachment/content/${id}` : `/secure/attachment/${id}/shot-${id}.png`;
    this.pictures.set(path, data);
    (this.loose ??= []).push(id);
    return `(attached: shot-${id}.png)`;
  }

  issue({ key, title, text, author, comments }) {
    this.issues.set(key, { title, text, author, comments: [...comments], attached: this.loose ?? [] });
    this.loose = [];
    return `${this.url}/browse/${key}`;
  }

  /** What was said to an issue, oldest first. */
  said(key) {
    return this.issues.get(key).comments.map(({ text, body }) => text ?? (typeof body === "string" ? body : words(body)));
  }

  absent() {
    const errorMessages = ["Issue does not exist or you do not have permission to see it."];
    throw new Refusal(404, { errorMessages, errors: {} });
  }

  #person(login) {
    return { displayName: login, emailAddress: `${login}@example.com`, active: true };
  }

  #comment({ author, text, body }, at) {
    return { id: String(at + 1), author: this.#person(author), body: body ?? this.#text(text), created: "2026-11-01T12:00:00.000+0000" };
  }

  #text(text) {
    if (!this.cloud) return text;
    const content = text.split("\n\n").map((part) => ({ type: "paragraph", content: [{ type: "text", text: part }] }));
    const document = { type: "doc", version: 1, content };
    this.faults.push(...this.contract.shape("OfDocument", document));
    return document;
  }

  #attachment(id) {
    const content = this.cloud ? `${this.url}/rest/api/3/attachment/content/${id}` : `${this.url}/secure/attachment/${id}/shot-${id}.png`;
    const one = { id, filename: `shot-${id}.png`, mimeType: "image/png", content };
    this.faults.push(...this.contract.shape("OfAttachment", one));
    return one;
  }
}

function words(node) {
  if (node.type === "hardBreak") return "\n";
  return node.text ?? (node.content ?? []).map(words).join(node.type === "doc" ? "\n\n" : "");
}

export class JiraCloud extends Jira {
  constructor() {
    super(true);
  }
}

export class JiraServer extends Jira {
  constructor() {
    super(false);
  }
}
