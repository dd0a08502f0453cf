// dev-forge answers as GitHub publishes that it does: every operation of schemas/github.json, and its refusals.

import assert from "node:assert/strict";
import test from "node:test";

import { DevForge } from "./support/dev_forge.mjs";
import { Home } from "../jsonrpc/support/home.mjs";

const REPO = "/repos/{owner}/{repo}";
const TOOL = ["ada", "tool"];

/** dev-forge with a repository that has a branch beside main. */
async function begin(t) {
  const home = await Home.create(t);
  const forge = await new DevForge(home.path("forge")).listen(t);
  const source = await home.repository("source");
  await home.git(source, "checkout", "-q", "-b", "a/b");
  await home.git(source, "commit", "-q", "--allow-empty", "-m", "nothing");
  await home.git(source, "checkout", "-q", "main");
  await forge.add(home, "ada/tool", source);
  return forge;
}

test("every operation is answered as it is published", async (t) => {
  const forge = await begin(t);
  const pull = [...TOOL, 1];
  await forge.ask("GET /user");
  await forge.ask("GET /rate_limit");
  await forge.ask("GET /user/repos", [], { query: { sort: "pushed", per_page: "100", page: "1" } });
  await forge.ask(`GET ${REPO}`, TOOL);
  await forge.ask(`GET ${REPO}/branches`, TOOL);
  await forge.ask(`GET ${REPO}/branches/{branch}`, [...TOOL, "a/b"]);
  const opened = { head: "a/b", base: "main", title: "A title", body: "A body" };
  assert.equal((await forge.ask(`POST ${REPO}/pulls`, TOOL, { body: opened }, 201)).number, 1);
  await forge.ask(`GET ${REPO}/pulls`, TOOL, { query: { head: "ada:a/b", state: "open" } });
  await forge.ask(`PATCH ${REPO}/pulls/{pull_number}`, pull, { body: { title: "Another" } });
  assert.equal((await forge.ask(`GET ${REPO}/pulls/{pull_number}`, pull)).title, "Another");
  await forge.ask(`POST ${REPO}/issues`, TOOL, { body: { title: "It fails", body: "Often." } }, 201);
  await forge.ask(`POST ${REPO}/issues/{issue_number}/comments`, pull, { body: { body: "A word" } }, 201);
  await forge.ask(`GET ${REPO}/issues/{issue_number}/comments`, pull);
  await forge.ask(`GET ${REPO}/issues/{issue_number}`, pull);
  await forge.ask(`POST ${REPO}/labels`, TOOL, { body: { name: "a b/c" } }, 201);
  await forge.ask(`GET ${REPO}/labels/{name}`, [...TOOL, "a b/c"]);
  await forge.ask(`POST ${REPO}/issues/{issue_number}/labels`, pull, { body: { labels: ["a b/c"] } });
  await forge.token("bob", ["repo"]);
  await forge.ask(`POST ${REPO}/pulls/{pull_number}/requested_reviewers`, pull, { body: { reviewers: ["bob"] } }, 201);
  await forge.ask(`POST ${REPO}/forks`, TOOL, { body: { default_branch_only: true } }, 202);
  await forge.ask(`GET ${REPO}/pulls/{pull_number}/comments`, pull);
  await forge.ask(`GET ${REPO}/pulls/{pull_number}/reviews`, pull);
  await forge.ask(`GET ${REPO}/commits/{ref}/check-runs`, [...TOOL, "a/b"]);
  await forge.ask(`GET ${REPO}/commits/{ref}/status`, [...TOOL, "a/b"]);
  await forge.control("PUT", "repos/ada/tool/jobs/7", { log: "http://127.0.0.1:1/log" });
  await forge.ask(`GET ${REPO}/actions/jobs/{job_id}/logs`, [...TOOL, 7], {}, 302);
  await forge.ask(`PUT ${REPO}/pulls/{pull_number}/merge`, pull, { body: { merge_method: "merge" } });
  assert.equal((await forge.ask(`GET ${REPO}/pulls/{pull_number}`, pull)).merged, true);
  assert.deepEqual(forge.faults, []);
  const unseen = Object.keys(forge.contract.operations).filter((operation) => !forge.contract.seen.has(operation));
  assert.deepEqual(unseen, []);
});

test("what is refused is refused in GitHub's words", async (t) => {
  const forge = await begin(t);
  const refused = async (status, operation, values, asked) => {
    const answer = await forge.ask(operation, values, asked, status);
    return [answer.message, ...(answer.errors ?? []).map((error) => error.message ?? `${error.field} ${error.code}`)];
  };
  const open = (head, base) => ({ body: { head, base, title: "A title" } });
  const pulls = `POST ${REPO}/pulls`;
  await forge.ask(pulls, TOOL, open("a/b", "main"), 201);
  assert.match((await refused(422, pulls, TOOL, open("a/b", "main"))).join(), /A pull request already exists for ada:a\/b\./);
  assert.match((await refused(422, pulls, TOOL, open("main", "a/b"))).join(), /No commits between a\/b and main/);
  assert.match((await refused(422, pulls, TOOL, open("none", "main"))).join(), /head invalid/);
  assert.match((await refused(422, pulls, TOOL, open("a/b", "none"))).join(), /base invalid/);
  assert.deepEqual(await refused(401, "GET /user", [], { token: "wrong" }), ["Bad credentials"]);
  assert.deepEqual(await refused(404, `GET ${REPO}`, ["ada", "none"]), ["Not Found"]);
  assert.deepEqual(forge.faults, []);
});

test("an answer that lacks something is not taken for one", async () => {
  const { contract } = new DevForge("");
  const answer = { resources: {}, rate: { limit: 1, remaining: 1, reset: 1 } };
  assert.notDeepEqual(contract.answer("GET /rate_limit", 200, answer), []);
  assert.notDeepEqual(contract.answer("GET /user", 418, {}), []);
  assert.notDeepEqual(contract.answer("GET /nothing", 200, {}), []);
});
