// Linear, as far as its driver goes: questions are held to its published schema, and so is what is answered.

import { readFileSync } from "node:fs";
import { randomBytes, randomUUID } from "node:crypto";

import { buildSchema, graphql } from "graphql";

import { listen } from "./listen.mjs";

const SCHEMA = buildSchema(readFileSync(new URL("../schemas/linear.graphql", import.meta.url), "utf8"));
const REFUSED = "Authentication required, not authenticated";

export class Linear {
  constructor() {
    this.keys = new Map();
    this.issues = new Map();
    this.pictures = new Map();
    this.faults = [];
  }

  async listen(test) {
    const serve = (request, response) => this.#serve(request, response);
    this.url = await listen(test, serve, (error) => this.faults.push(error.stack));
    return this;
  }

  /** A key that a person makes for themselves. */
  token(login) {
    const key = `lin_api_canary${randomBytes(12).toString("hex")}`;
    this.keys.set(key, login);
    return key;
  }

  /** Keeps a picture that a text shows; gives how the text shows it. */
  picture(data) {
    const path = `/uploads/${randomUUID()}/${randomUUID()}`;
    this.pictures.set(path, data);
    return `![shot](${this.url}${path})`;
  }

  issue({ key, title, text, author, comments }) {
    const user = (login) => ({ id: login, name: login, displayName: login, email: `${login}@example.com` });
    const url = `${this.url}/acme/issue/${key}/${title.toLowerCase().replaceAll(" ", "-")}`;
    const nodes = [];
    const say = (author, body) => {
      const at = nodes.length + 1;
      const comment = { id: String(at), body, url: `${url}#comment-${at}`, createdAt: new Date(1e12 + at).toISOString() };
      nodes.push({ ...comment, user: author && user(author), botActor: author ? null : { name: "Sync" } });
      return nodes[at - 1];
    };
    // The newest come first.
    const issue = { id: key, identifier: key, title, url, description: text, creator: user(author), say };
    Object.defineProperty(issue, "comments", { get: () => ({ nodes: [...nodes].reverse() }) });
    this.issues.set(key, issue);
    for (const comment of comments) say(comment.author, comment.text);
    return url;
  }

  /** The answer to the next comment is lost. */
  commentsBadly() {
    this.losing = true;
  }

  /** What was said to an issue, oldest first. */
  said(key) {
    return this.issues.get(key).comments.nodes.map((one) => one.body).reverse();
  }

  async #serve(request, response) {
    const key = request.headers.authorization;
    const login = this.keys.get(key);
    const picture = this.pictures.get(request.url);
    if (picture) {
      response.writeHead(login ? 200 : 401, { "content-type": "application/octet-stream" });
      return response.end(login ? picture : undefined);
    }
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const answer = (status, body) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (request.method !== "POST" || request.url !== "/graphql") return answer(404, {});
    if (!login) {
      return answer(401, { errors: [{ message: REFUSED, extensions: { code: "AUTHENTICATION_ERROR" } }] });
    }
    const { query, variables } = JSON.parse(Buffer.concat(pieces));
    const rootValue = {
      viewer: { id: login, name: "Ada L.", displayName: login, email: `${login}@example.com` },
      issue: ({ id }) => this.#find(id),
      commentCreate: ({ input }) => ({ success: true, comment: this.#find(input.issueId).say(login, input.body) }),
    };
    const { data, errors } = await graphql({ schema: SCHEMA, source: query, rootValue, variableValues: variables });
    const wrong = (errors ?? []).filter((error) => !error.extensions.code);
    this.faults.push(...wrong.map((error) => error.message));
    if (this.losing && data?.commentCreate) {
      this.losing = false;
      return response.destroy();
    }
    answer(wrong.length > 0 ? 400 : 200, { data, errors });
  }

  #find(key) {
    const issue = this.issues.get(key);
    if (issue) return issue;
    const words = "Could not find referenced Issue.";
    throw Object.assign(new Error("Entity not found: Issue"), {
      extensions: { code: "INPUT_ERROR", userPresentableMessage: words },
    });
  }
}
