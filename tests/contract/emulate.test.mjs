// The client of GitHub's API against a double that is not ours, with real git: dev-forge and the client could share a mistake,
// this one does not. Where it is known to be no GitHub stands below, and is looked at too.

import assert from "node:assert/strict";
import test from "node:test";

import { Emulate } from "./support/emulate.mjs";
import { Person, write } from "./support/person.mjs";

const NAME = "ada/tool";
const TOKEN = "canary-0123456789abcdef";

async function begin(t) {
  const person = await Person.create(t);
  const tokens = { [TOKEN]: { login: "ada", scopes: ["repo", "user"] }, "canary-bob": { login: "bob", scopes: ["repo"] } };
  const forge = await new Emulate(person.home.path("forge"), tokens, [NAME]).listen(t);
  await forge.add(person.home, NAME, await person.home.repository("source"));
  return { person, forge };
}

test("emulate: from an account to a merged request", async (t) => {
  const { person, forge } = await begin(t);
  const account = await person.connect("github", forge.url, TOKEN);
  assert.equal(account.login, "ada");
  const [listed] = await person.does(["repo", "list", "tool"]);
  assert.equal(listed.name, NAME);
  assert.equal(listed.defaultBranch, "main");

  const thread = await person.thread(listed.url, write("notes/hello.md", "Hello, forge."));
  const { pullRequest } = await person.does(["pr", thread.id, "--draft", "--title", "Say hello"]);
  assert.equal(pullRequest.state, "draft");
  assert.ok(pullRequest.url.startsWith(`${forge.url}/${NAME}/`), pullRequest.url);
  const pull = await forge.does("GET", `/repos/${NAME}/pulls/${pullRequest.number}`);
  assert.equal(pull.title, "Say hello");
  assert.equal(pull.draft, true);
  assert.equal(pull.base.ref, "main");
  assert.equal(pull.head.ref, thread.branch);
  assert.match(pull.body, /`test -s notes\/hello.md`: exit code 0/);
  assert.equal(await forge.git(NAME, "show", `${thread.branch}:notes/hello.md`), "Hello, forge.");

  // More work, asked again: the same request, brought up to date.
  await person.does(["send", thread.id, "--wait", write("notes/more.md", "More.")]);
  const again = await person.does(["pr", thread.id, "--title", "Say hello twice"]);
  assert.equal(again.pullRequest.url, pullRequest.url);
  const all = await forge.does("GET", `/repos/${NAME}/pulls?state=all`);
  assert.deepEqual(all.map((one) => one.title), ["Say hello twice"]);
  assert.match(all[0].body, /`test -s notes\/more.md`: exit code 0/);

  // A base that is not there is refused before anything is opened.
  const other = await person.thread(listed.url, write("other.md", "Other."));
  await person.refused("BASE_UNKNOWN", ["pr", other.id, "--base", "no/such"]);
  // Merged, and seen to be.
  const ready = await person.does(["pr", other.id]);
  await forge.does("PUT", `/repos/${NAME}/pulls/${ready.pullRequest.number}/merge`, {});
  assert.equal((await person.does(["pr", other.id])).pullRequest.state, "merged");
});

test("emulate: an issue, labels, reviewers, and what stands against a request", async (t) => {
  const { person, forge } = await begin(t);
  await person.connect("github", forge.url, TOKEN);
  const [listed] = await person.does(["repo", "list"]);
  const issue = await forge.does("POST", `/repos/${NAME}/issues`, { title: "Turn the flag on", body: write("flag.txt", "FLAG = TRUE") });
  await forge.does("POST", `/repos/${NAME}/issues/${issue.number}/comments`, { body: "Please mind the *case*." });
  const words = ["new", "--repo", listed.url, "--agent", "shell", "--mode", "auto", "--wait", "--issue", `${issue.number}`];
  const thread = await person.does(words);
  assert.equal(thread.title, "Turn the flag on");
  const { items } = await person.does(["show", thread.id]);
  const [message] = items.filter((item) => item.type === "userMessage");
  for (const part of ["FLAG = TRUE", "Please mind the *case*."]) assert.ok(message.input[0].text.includes(part), message.input[0].text);

  await forge.does("POST", `/repos/${NAME}/labels`, { name: "needs: docs", color: "ededed" });
  const marks = ["--label", "nonsense", "--label", "needs: docs", "--reviewer", "bob"];
  const { pullRequest } = await person.does(["pr", thread.id, ...marks]);
  const pull = await forge.does("GET", `/repos/${NAME}/pulls/${pullRequest.number}`);
  assert.match(pull.body, new RegExp(`^Closes #${issue.number}$`, "m"));
  assert.deepEqual(pull.requested_reviewers.map((one) => one.login), ["bob"]);
  const labels = await forge.does("GET", `/repos/${NAME}/issues/${pullRequest.number}/labels`);
  assert.deepEqual(labels.map((one) => one.name), ["needs: docs"]);

  await person.refused("NOTHING_TO_FIX", ["pr", thread.id, "--fix"]);
  const output = { title: "2 of 9 tests failed", summary: "The last two." };
  const run = { name: "test", head_sha: pull.head.sha, status: "completed", conclusion: "failure", output };
  await forge.does("POST", `/repos/${NAME}/check-runs`, run);
  await forge.does("POST", `/repos/${NAME}/issues/${pullRequest.number}/comments`, { body: "Please name it otherwise." });
  const line = { body: "Why true?", path: "flag.txt", line: 1, side: "RIGHT", commit_id: pull.head.sha };
  await forge.does("POST", `/repos/${NAME}/pulls/${pullRequest.number}/comments`, line);
  await person.does(["pr", thread.id, "--fix"]);
  const shown = await person.does(["show", thread.id]);
  const told = shown.items.filter((item) => item.type === "userMessage").at(-1).input[0].text;
  assert.match(told, /^The check test failed\./m);
  assert.match(told, /^> 2 of 9 tests failed$/m);
  assert.match(told, /^ada wrote:\n> Please name it otherwise\.$/m);
  assert.match(told, /^ada wrote at flag\.txt:1:\n> Why true\?$/m);
});

test("emulate: where it is no GitHub", async (t) => {
  const { forge } = await begin(t);
  const open = (head) => forge.ask("POST", `/repos/${NAME}/pulls`, { head, base: "main", title: "A title" });
  // Each of these is looked at against dev-forge instead. Where one is mended there, its test can be run here too.
  const differences = {
    "a token that nobody has is taken": async () => (await forge.ask("GET", "/user", undefined, "nobody's")).status === 200,
    "a branch that is not there is made": async () => (await open("not/there")).status === 201,
    "a second request for a branch is opened": async () => (await open("not/there")).status === 201,
    "there are no statuses of a commit": async () => (await forge.ask("GET", `/repos/${NAME}/commits/main/status`)).status === 404,
    "what a token may do is not said": async () => {
      const headers = { authorization: `Bearer ${TOKEN}` };
      return (await fetch(`${forge.url}/api/v3/user`, { headers })).headers.get("x-oauth-scopes") === null;
    },
  };
  for (const [words, is] of Object.entries(differences)) assert.ok(await is(), `no more true: ${words}`);
});
