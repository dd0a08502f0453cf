// From an issue at a tracker to the pull request that names it, through the real programs. Linear and Jira are doubles whose
// answers are held to what is published of them: not verified live.

import assert from "node:assert/strict";
import test from "node:test";

import { found, watch } from "./support/canary.mjs";
import { DevForge } from "./support/dev_forge.mjs";
import { JiraCloud, JiraServer } from "./support/jira.mjs";
import { Linear } from "./support/linear.mjs";
import { Person, write } from "./support/person.mjs";
import { picture } from "./support/pictures.mjs";

const TRACKERS = [
  { name: "linear", kind: "linear", Tracker: Linear, key: "ENG-12", says: (key, url) => `Fixes ${key}: ${url}` },
  { name: "jira cloud", kind: "jira", Tracker: JiraCloud, key: "ABC-7", says: (key, url) => `Issue ${key}: ${url}` },
  { name: "jira server", kind: "jira", Tracker: JiraServer, key: "ABC-7", says: (key, url) => `Issue ${key}: ${url}` },
];

/** A person with an account at a forge that has a repository, and a tracker with one issue. */
async function begin(t, Tracker, key) {
  const person = await Person.create(t);
  const forge = await new DevForge(person.home.path("forge")).listen(t);
  await forge.add(person.home, "ada/tool", await person.home.repository("source"));
  await person.connect("github", forge.url, await forge.token("ada", ["repo"]));
  const tracker = await new Tracker().listen(t);
  const shot = picture("a shot");
  const issue = {
    key,
    title: "It looks odd",
    text: `Look: ${tracker.picture(shot)}\n\nOn every page.`,
    author: "bob",
    comments: [{ author: "bob", text: "First." }, { author: "eve", text: "Please mind the *case*." }],
  };
  return { person, forge, tracker, shot, url: tracker.issue(issue) };
}

const NEW = ["new", "--repo", "ada/tool", "--agent", "shell", "--mode", "auto", "--wait"];

for (const { name, kind, Tracker, key, says } of TRACKERS) {
  test(`${name}: from an issue to the pull request that names it`, async (t) => {
    const { person, forge, tracker, shot, url } = await begin(t, Tracker, key);
    await person.refused("ISSUE_UNKNOWN", [...NEW, "--issue", key]);
    const connect = ["forge", "connect", kind, "--url", tracker.url, "--token-stdin"];
    await person.refused("FORGE_TOKEN_REFUSED", connect, tracker.token("nobody").replace(/.{8}$/, "00000000"));
    const token = tracker.token("ada");
    const account = await person.connect(kind, tracker.url, token);
    assert.equal(account.kind, kind);
    assert.match(account.login, /^ada/);
    const listed = await person.does(["forge", "list"]);
    assert.deepEqual(listed.map((one) => one.kind).sort(), ["github", kind].sort());
    assert.equal((await person.does(["repo", "list"])).length, 1, "a tracker has no repositories, and none is in the way");
    await person.refused("FORGE_ISSUES_ONLY", ["repo", "list", "--forge", kind]);

    const watched = watch(token);
    const prompt = write("notes/hello.md", "Hello, tracker.");
    const thread = await person.does([...NEW, "--issue", key.toLowerCase(), prompt]);
    assert.equal(thread.title, "It looks odd");
    assert.deepEqual(thread.issue, { key, url });
    const { items } = await person.does(["show", thread.id]);
    const [message] = items.filter((item) => item.type === "userMessage");
    assert.deepEqual(message.input.map((part) => part.type), ["text", "image", "text"]);
    assert.equal(message.input[1].data, shot.toString("base64"));
    const told = message.input[0].text;
    for (const part of [`Issue ${key}: It looks odd\n${url}\n`, "bob wrote:\n\nLook: ", "On every page."]) {
      assert.ok(told.includes(part), `${part} is not in ${told}`);
    }
    assert.ok(told.indexOf("First.") < told.indexOf("eve wrote:\n\nPlease mind the *case*."), told);

    const { pullRequest } = await person.does(["pr", thread.id]);
    const { body } = await forge.pull("ada/tool", pullRequest.number);
    assert.ok(body.includes(`\n${says(key, url)}\n`), body);
    assert.doesNotMatch(body, /Closes/);
    const { looks, argv, environ } = await watched();
    assert.ok(looks > 0);
    assert.deepEqual(argv, [], "the token was an argument");
    assert.deepEqual(environ, [], "the token was in an environment");

    const again = await person.does([...NEW, "--issue", url, "plan: look\nplan: mend\n\n$ true"]);
    const comment = await person.does(["comment", again.id]);
    assert.equal(comment.posted, true);
    assert.ok(comment.url.startsWith(url), comment.url);
    const said = tracker.said(key);
    assert.equal(said.length, 3);
    assert.match(said[2], /- \[.\] look\n- \[.\] mend/);
    assert.ok(said[2].includes(`thread ${again.id} (turn 1)`), said[2]);
    assert.deepEqual(await person.does(["comment", again.id]), { url: comment.url, posted: false });
    assert.equal(tracker.said(key).length, 3);

    await person.refused("FORGE_NOT_FOUND", [...NEW, "--issue", key.replace(/\d+/, "999"), "$ true"]);
    await person.refused("ISSUE_UNKNOWN", [...NEW, "--issue", `${tracker.url}/elsewhere/${key}`, "$ true"]);
    assert.deepEqual(tracker.faults, []);
    assert.deepEqual(forge.faults, []);
    const { files, hits } = await found(person.home.path(""), token);
    assert.ok(files > 50, `only ${files} files were looked at`);
    assert.deepEqual(hits, []);

    await person.does(["forge", "disconnect", kind]);
    await person.refused("ISSUE_UNKNOWN", [...NEW, "--issue", key]);
  });
}

for (const { name, kind, Tracker, key } of TRACKERS) {
  test(`${name}: a comment whose answer is lost is there once`, async (t) => {
    const { person, tracker, url } = await begin(t, Tracker, key);
    await person.connect(kind, tracker.url, tracker.token("ada"));
    const thread = await person.does([...NEW, "--issue", key, "plan: look\n\n$ true"]);
    tracker.commentsBadly();
    const told = await person.does(["comment", thread.id]);
    assert.equal(told.posted, true, "it is found by the very call that posted it");
    assert.ok(told.url.startsWith(url), told.url);
    assert.deepEqual(await person.does(["comment", thread.id]), { url: told.url, posted: false });
    assert.equal(tracker.said(key).length, 3);
    assert.deepEqual(tracker.faults, []);
  });
}

test("jira: of many comments the newest are told, and the others counted", async (t) => {
  const { person, tracker } = await begin(t, JiraCloud, "ABC-7");
  await person.connect("jira", tracker.url, tracker.token("ada"));
  const comments = Array.from({ length: 130 }, (_, at) => ({ author: "bob", text: `Remark ${at}.` }));
  tracker.issue({ key: "ABC-8", title: "Another", text: "Too.", author: "bob", comments });
  const thread = await person.does([...NEW, "--issue", "ABC-8", "$ true"]);
  const { items } = await person.does(["show", thread.id]);
  const told = items.find((item) => item.type === "userMessage").input[0].text;
  assert.ok(told.includes("Remark 80.") && told.includes("Remark 129."), told);
  assert.ok(!told.includes("Remark 79.") && told.includes("\n80 earlier comments are left out here.\n"), told);
  assert.deepEqual(tracker.faults, []);
});

test("a tracker that is silent keeps nobody else waiting", async (t) => {
  const { person, tracker } = await begin(t, JiraServer, "ABC-7");
  await person.connect("jira", tracker.url, tracker.token("ada"));
  tracker.issue({ key: "ABC-8", title: "Another", text: "Too.", author: "bob", comments: [] });
  const planned = (key) => person.does([...NEW, "--issue", key, "plan: look\n\n$ true"]);
  const [one, other] = [await planned("ABC-7"), await planned("ABC-8")];
  const held = tracker.holds(/\/issue\/ABC-7/);
  let over = false;
  const waiting = person.does(["comment", one.id]).finally(() => (over = true));
  const answer = await held;
  assert.equal((await person.does(["comment", other.id])).posted, true);
  assert.equal(over, false, "the other one waited for it");
  tracker.silent = undefined;
  answer.destroy();
  assert.equal((await waiting).posted, true);
  assert.equal(tracker.said("ABC-7").length, 3);
  assert.deepEqual(tracker.faults, []);
});

test("linear: an issue of another workspace is not taken for one of this", async (t) => {
  const { person, tracker, url } = await begin(t, Linear, "ENG-12");
  await person.connect("linear", tracker.url, tracker.token("ada"));
  await person.refused("FORGE_NOT_FOUND", [...NEW, "--issue", url.replace("/acme/", "/other/")]);
  assert.deepEqual(tracker.faults, []);
});

test("a key that several trackers may have needs an address, and what is not connected is named", async (t) => {
  const { person, tracker, url } = await begin(t, Linear, "ENG-12");
  for (const [address, hint] of [
    ["https://linear.app/acme/issue/ENG-12/it-fails", /aloft forge connect linear/],
    ["https://acme.atlassian.net/browse/ABC-7", /aloft forge connect jira --url https:\/\/acme\.atlassian\.net/],
  ]) {
    const error = await person.refused("FORGE_ACCOUNT_MISSING", [...NEW, "--issue", address]);
    assert.match(error.hint, hint);
  }
  const cloud = ["forge", "connect", "jira", "--url", "https://acme.atlassian.net", "--token-stdin"];
  assert.match((await person.refused("FORGE_TOKEN_INVALID", cloud, "alone")).message, /EMAIL:TOKEN/);
  await person.refused("FORGE_ADDRESS_INVALID", ["forge", "connect", "jira", "--token-stdin"], "me@example.com:token");
  await person.refused("FORGE_ADDRESS_INVALID", ["forge", "connect", "jira", "--url", "http://example.com", "--token-stdin"], "t");

  const jira = await new JiraCloud().listen(t);
  await person.connect("linear", tracker.url, tracker.token("ada"));
  await person.connect("jira", jira.url, jira.token("ada"));
  const error = await person.refused("FORGE_AMBIGUOUS", [...NEW, "--issue", "ENG-12"]);
  assert.ok(error.message.includes(new URL(tracker.url).host) && error.message.includes(new URL(jira.url).host));
  assert.equal((await person.does([...NEW, "--issue", url, "$ true"])).title, "It looks odd");
});
