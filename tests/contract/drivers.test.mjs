// From an account to a merged request, through the real programs and real git: the same for each driver. GitHub's is driven
// against dev-forge. GitLab and Forgejo are doubles whose answers are held to what these publish: not verified live.

import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import test from "node:test";

import { found, watch } from "./support/canary.mjs";
import { DevForge } from "./support/dev_forge.mjs";
import { Forgejo } from "./support/forgejo.mjs";
import { GitLab } from "./support/gitlab.mjs";
import { listener, picture } from "./support/pictures.mjs";
import { Person, write } from "./support/person.mjs";

const FORGES = [
  {
    kind: "github",
    Forge: DevForge,
    repository: "ada/tool",
    enough: ["repo", "read:user"],
    tooLittle: { scopes: ["read:user"], missing: "repo" },
    draft: "",
  },
  {
    kind: "gitlab",
    Forge: GitLab,
    repository: "group/sub/tool",
    enough: ["api"],
    tooLittle: { scopes: ["read_api", "read_user"], missing: "api" },
    draft: "Draft: ",
  },
  {
    kind: "forgejo",
    Forge: Forgejo,
    repository: "ada/tool",
    enough: ["read:user", "write:repository"],
    comments: ["write:issue"],
    tooLittle: { scopes: ["read:user"], missing: "read:repository" },
    draft: "WIP: ",
  },
];

for (const { kind, Forge, repository, enough, tooLittle, draft } of FORGES) {
  test(`${kind}: from an account to a merged request`, async (t) => {
    const person = await Person.create(t);
    const forge = await new Forge(person.home.path("forge")).listen(t);
    await forge.add(person.home, repository, await person.home.repository("source"));
    const token = await forge.token("ada", enough);

    // A token that cannot do what is needed is refused at once, and what it lacks is named.
    const connect = ["forge", "connect", kind, "--url", forge.url, "--token-stdin"];
    const error = await person.refused("FORGE_SCOPE_MISSING", connect, await forge.token("ada", tooLittle.scopes));
    assert.match(error.message, new RegExp(tooLittle.missing));
    await person.refused("FORGE_TOKEN_REFUSED", connect, "not-a-token");
    assert.deepEqual(await person.does(["forge", "list"]), []);

    const account = await person.connect(kind, forge.url, token);
    assert.equal(account.login, "ada");
    assert.equal(account.kind, kind);
    const [listed] = await person.does(["repo", "list", "tool"]);
    assert.equal(listed.name, repository);
    assert.equal(listed.defaultBranch, "main");

    // Never cloned here, and private.
    const thread = await person.thread(listed.url, write("notes/hello.md", "Hello, forge."));
    const watched = watch(token);
    const proposed = await person.does(["pr", thread.id, "--draft", "--title", "Say hello"]);
    const { looks, argv, environ } = await watched();
    assert.ok(looks > 0);
    assert.deepEqual(argv, [], "the token was an argument");
    assert.deepEqual(environ.filter((name) => !name.startsWith("git")), [], "others than git had the token");
    const { pullRequest } = proposed;
    assert.equal(pullRequest.number, 1);
    assert.equal(pullRequest.state, "draft");
    assert.ok(pullRequest.url.startsWith(`${forge.url}/${repository}/`), pullRequest.url);
    const pull = await forge.pull(repository, 1);
    assert.equal(pull.title, `${draft}Say hello`);
    assert.equal(pull.base, "main");
    assert.equal(pull.head, thread.branch);
    assert.match(pull.body, /`test -s notes\/hello.md`: exit code 0/);
    assert.match(await forge.git(repository, "log", "-1", "--format=%B", thread.branch), new RegExp(thread.id));

    // More work, asked again: the same request, brought up to date, and still a draft.
    await person.does(["send", thread.id, "--wait", write("notes/more.md", "More.")]);
    const again = await person.does(["pr", thread.id, "--title", "Say hello twice"]);
    assert.equal(again.pullRequest.url, pullRequest.url);
    assert.equal((await forge.pulls(repository)).length, 1);
    assert.equal((await forge.pull(repository, 1)).title, `${draft}Say hello twice`);
    assert.equal(await forge.git(repository, "show", `${thread.branch}:notes/more.md`), "More.");

    // Merged, and seen to be.
    await forge.ready?.(repository, 1);
    await forge.merge(repository, 1);
    assert.equal(await forge.git(repository, "show", "main:notes/hello.md"), "Hello, forge.");
    const merged = await person.does(["pr", thread.id]);
    assert.equal(merged.pullRequest.state, "merged");

    // A base that is not there is refused before anything is opened.
    const other = await person.thread(listed.url, write("other.md", "Other."));
    await person.refused("BASE_UNKNOWN", ["pr", other.id, "--base", "no/such"]);
    // Opened by somebody else meanwhile: that one is taken. Where the forge knows the branch only once it is pushed, the first
    // attempt failed after that.
    if (forge.denies) {
      await forge.denies(repository);
      await person.refused("FORGE_DENIED", ["pr", other.id]);
    }
    await forge.open(repository, { head: other.branch, base: "main", title: "By hand", body: "" });
    assert.equal((await person.does(["pr", other.id])).pullRequest.number, 2);
    // Nothing changed, nothing to propose.
    const idle = await person.thread(listed.url, "$ true");
    await person.refused("NOTHING_TO_PROPOSE", ["pr", idle.id]);

    // Revoked at the forge: said to be, before anything is pushed.
    await forge.revoke(token);
    await person.does(["send", other.id, "--wait", write("late.md", "Late.")]);
    const before = await forge.tip(repository, other.branch);
    await person.refused("FORGE_TOKEN_REFUSED", ["pr", other.id]);
    assert.equal(await forge.tip(repository, other.branch), before);

    assert.deepEqual(forge.faults, []);
    // Logs at TRACE, the database, mirrors, snapshots, workspaces: everything but what the forge itself keeps.
    const { files, hits } = await found(person.home.path(""), token);
    assert.ok(files > 50, `only ${files} files were looked at`);
    assert.deepEqual(hits.filter((file) => !file.startsWith("forge/")), []);

    await person.does(["forge", "disconnect", kind]);
    await person.refused("FORGE_ACCOUNT_MISSING", ["pr", other.id]);
  });
}

for (const { kind, Forge, repository, enough } of FORGES) {
  test(`${kind}: a first draft from an issue`, async (t) => {
    const person = await Person.create(t);
    const forge = await new Forge(person.home.path("forge")).listen(t);
    await forge.add(person.home, repository, await person.home.repository("source"));
    await person.connect(kind, forge.url, await forge.token("ada", enough));
    const text = write("flag.txt", "FLAG = TRUE");
    const comments = [{ author: "bob", text: "Please mind the *case*." }];
    await forge.issue(repository, { number: 1, title: "Turn the flag on", text, author: "bob", comments });

    const [listed] = await person.does(["repo", "list"]);
    const words = ["new", "--repo", listed.url, "--agent", "shell", "--mode", "auto", "--wait", "--issue"];
    const thread = await person.does([...words, "1"]);
    assert.equal(thread.title, "Turn the flag on");
    assert.equal(thread.issue.key, "1");
    assert.ok(thread.issue.url.startsWith(`${forge.url}/${repository}/`), thread.issue.url);
    const { items } = await person.does(["show", thread.id]);
    const [message] = items.filter((item) => item.type === "userMessage");
    for (const part of ["Issue 1: Turn the flag on", "FLAG = TRUE", "Please mind the *case*."]) {
      assert.ok(message.input[0].text.includes(part), `${part} did not reach the agent: ${message.input[0].text}`);
    }
    assert.ok(!message.input[0].text.includes("assigned to"), "the forge's own words are no comment");
    const { pullRequest } = await person.does(["pr", thread.id]);
    assert.match((await forge.pull(repository, pullRequest.number)).body, /^Closes #1$/m);

    await person.refused("ISSUE_UNKNOWN", [...words, "somewhere"]);
    await person.refused("ISSUE_UNKNOWN", [...words, "https://example.com/a/b/issues/1"]);
    await person.refused("FORGE_NOT_FOUND", [...words, "999"]);
    assert.deepEqual(forge.faults, []);
  });
}

for (const { kind, Forge, repository, enough, comments: more = [] } of FORGES) {
  test(`${kind}: of very many comments the newest are told, and one's own is found among them`, async (t) => {
    const person = await Person.create(t);
    const forge = await new Forge(person.home.path("forge")).listen(t);
    await forge.add(person.home, repository, await person.home.repository("source"));
    await person.connect(kind, forge.url, await forge.token("ada", [...enough, ...more]));
    const comments = Array.from({ length: 2_050 }, (_, at) => ({ author: "bob", text: `Remark ${at}.` }));
    await forge.issue(repository, { number: 1, title: "It fails", text: "Often.", author: "bob", comments });
    const [listed] = await person.does(["repo", "list"]);
    const thread = await person.thread(listed.url, "plan: look\n\n$ true", "--issue", "1");
    const { items } = await person.does(["show", thread.id]);
    const told = items.find((item) => item.type === "userMessage").input[0].text;
    const order = [...told.matchAll(/^Remark (\d+)\.$/gm)].map(([, at]) => Number(at));
    assert.deepEqual(order, Array.from({ length: 50 }, (_, at) => 2_000 + at));
    assert.ok(told.includes("\n2000 earlier comments are left out here.\n"), told);

    const { url } = await person.does(["comment", thread.id]);
    assert.deepEqual(await person.does(["comment", thread.id]), { url, posted: false });
    assert.deepEqual(forge.faults, []);
  });
}

for (const { kind, Forge, repository, enough } of FORGES) {
  test(`${kind}: pictures of an issue reach the agent`, async (t) => {
    const person = await Person.create(t);
    const forge = await new Forge(person.home.path("forge")).listen(t);
    await forge.add(person.home, repository, await person.home.repository("source"));
    const token = await forge.token("ada", enough);
    await person.connect(kind, forge.url, token);
    const elsewhere = await listener(t);
    const [first, second] = [picture("first"), picture("second")];
    const at = async (data) => `![shot](${await forge.picture(repository, data)})`;
    const gone = async (number) => (await at(picture("gone"))).replace(/[0-9a-f]{12}(?=[/)])/, `${number}`.padStart(12, "0"));
    const text = [
      `Look: ${await at(first)} <img src="${elsewhere.url}/a.png">`,
      await gone(0),
      await at(Buffer.from("<svg/>")),
      await at(picture("large", 6 << 20)),
    ];
    const comments = [{ author: "bob", text: `Here: ${await at(second)}, and again ${await at(first)}` }];
    for (let number = 1; number <= 12; number += 1) comments.push({ author: "bob", text: await gone(number) });
    await forge.issue(repository, { number: 1, title: "It looks odd", text: text.join("\n"), author: "bob", comments });

    const [listed] = await person.does(["repo", "list"]);
    const words = ["new", "--repo", listed.url, "--agent", "shell", "--mode", "auto", "--wait", "--issue", "1", "$ true"];
    const thread = await person.does(words);
    const { items } = await person.does(["show", thread.id]);
    const [message] = items.filter((item) => item.type === "userMessage");
    const parts = message.input.map((part) => (part.type === "image" ? part.data : part.type));
    const [a, b] = [first, second].map((data) => data.toString("base64"));
    assert.deepEqual(parts, ["text", a, b, a, "text"]);
    assert.equal(message.input[1].mimeType, "image/png");
    const told = message.input[0].text;
    assert.match(told, /^Its pictures, attached in this order:\n(- \S+\n){3}/m);
    const [, missing] = told.split("Pictures that could not be had:\n");
    const reasons = missing.trim().split("\n").map((line) => line.replace(/^- \S+: /, ""));
    assert.match(reasons[0], /no such thing/);
    assert.deepEqual(reasons[1], "it is no PNG, JPEG, GIF or WebP");
    assert.match(reasons[2], /more than 5 MiB/);
    assert.equal(reasons.length, 8);
    assert.equal(reasons[7], "- 8 more: only the first 10 are fetched", "however many there are, the agent is told little of them");
    assert.doesNotMatch(told, /jwt/, "what opens a picture is told nobody");
    assert.deepEqual(elsewhere.asked, [], "pictures elsewhere are not fetched");
    const { hits } = await found(person.home.path(""), token);
    assert.deepEqual(hits.filter((file) => !file.startsWith("forge/")), []);
    assert.deepEqual(forge.faults, []);
  });
}

for (const { kind, Forge, repository, enough, comments = [] } of FORGES) {
  test(`${kind}: a plan is told at the issue`, async (t) => {
    const person = await Person.create(t);
    const forge = await new Forge(person.home.path("forge")).listen(t);
    await forge.add(person.home, repository, await person.home.repository("source"));
    const token = await forge.token("ada", [...enough, ...comments]);
    await person.connect(kind, forge.url, token);
    await forge.issue(repository, { number: 1, title: "It fails", text: "Often.", author: "bob", comments: [] });
    const [listed] = await person.does(["repo", "list"]);
    const thread = await person.thread(listed.url, "plan: look\nplan: mend\n\n$ true", "--issue", "1");

    const told = await person.does(["comment", thread.id]);
    assert.equal(told.posted, true);
    assert.ok(told.url.startsWith(`${forge.url}/${repository}/`), told.url);
    const [said, ...none] = await forge.said(repository, 1);
    assert.deepEqual(none, []);
    assert.match(said, /^- \[.\] look\n- \[.\] mend$/m);
    assert.ok(said.includes(`thread ${thread.id} (turn 1)`), said);
    // Asked again, and by two at once, it is the same comment; another turn has another.
    assert.deepEqual(await person.does(["comment", thread.id]), { url: told.url, posted: false });
    await person.does(["send", thread.id, "--wait", "plan: all anew\n\n$ true"]);
    const both = await Promise.all([person.does(["comment", thread.id]), person.does(["comment", thread.id])]);
    assert.deepEqual(both.map((one) => one.posted).sort(), [false, true]);
    assert.notEqual(both[0].url, told.url);
    assert.equal((await forge.said(repository, 1)).length, 2);
    const { items } = await person.does(["show", thread.id]);
    const notices = items.filter((item) => item.type === "notice" && item.text.includes(told.url));
    assert.equal(notices.length, 1);
    // Its answer is lost: it was posted all the same, and is found by the very call that posted it.
    await person.does(["send", thread.id, "--wait", "plan: once more\n\n$ true"]);
    await forge.commentsBadly(repository, 1);
    assert.equal((await person.does(["comment", thread.id])).posted, true);
    assert.equal((await forge.said(repository, 1)).length, 3);
    // A stranger who copies the mark takes nobody's turn.
    await person.does(["send", thread.id, "--wait", "plan: the last\n\n$ true"]);
    await forge.tell(repository, 1, "eve", `So?\n\nAloft, thread ${thread.id} (turn 4)`);
    assert.equal((await person.does(["comment", thread.id])).posted, true);
    assert.equal((await forge.said(repository, 1)).length, 5);

    const other = await person.thread(listed.url, "$ true");
    await person.refused("NO_ISSUE", ["comment", other.id]);
    await forge.revoke(token);
    await person.refused("FORGE_TOKEN_REFUSED", ["comment", thread.id]);
    await person.does(["forge", "disconnect", kind]);
    const error = await person.refused("FORGE_ACCOUNT_MISSING", ["comment", thread.id]);
    assert.ok(error.message.includes(new URL(forge.url).host));
    assert.deepEqual(forge.faults, []);
  });
}

for (const { kind, Forge, repository, enough } of FORGES) {
  test(`${kind}: what stands against a request reaches the agent`, async (t) => {
    const person = await Person.create(t);
    const forge = await new Forge(person.home.path("forge")).listen(t);
    await forge.add(person.home, repository, await person.home.repository("source"));
    await person.connect(kind, forge.url, await forge.token("ada", enough));
    const [listed] = await person.does(["repo", "list"]);
    const thread = await person.thread(listed.url, write("first.md", "First."));
    const { pullRequest } = await person.does(["pr", thread.id]);
    await person.refused("NOTHING_TO_FIX", ["pr", thread.id, "--fix"]);

    await forge.breaks(repository, thread.branch, "2 of 9 tests failed");
    for (const login of ["bob", "eve"]) await forge.token(login, enough);
    await forge.reads(repository, "eve");
    await forge.say(repository, pullRequest.number, "bob", "Please name it otherwise.");
    await forge.say(repository, pullRequest.number, "eve", "Rather delete it.");
    await forge.remark(repository, pullRequest.number, "bob", "Why first?", "first.md", 1);
    await person.does(["pr", thread.id, "--fix"]);
    const { items } = await person.does(["show", thread.id]);
    const words = items.filter((item) => item.type === "userMessage").at(-1).input[0].text;
    assert.match(words, /^The check test failed\./m);
    assert.match(words, /^> 2 of 9 tests failed$/m);
    assert.match(words, /^bob wrote:\n> Please name it otherwise\.$/m);
    assert.match(words, /^eve, who does not belong to the repository, wrote:\n> Rather delete it\.$/m);
    assert.match(words, /^bob wrote at first\.md:1:\n> Why first\?$/m);
    assert.doesNotMatch(words, /not sent/, "a review that its author keeps is not told");
    assert.doesNotMatch(words, /assigned to/, "the forge's own words are no comment");
    await person.refused("NOTHING_TO_FIX", ["pr", thread.id, "--fix"]);
    assert.deepEqual(forge.faults, []);
  });
}

for (const { kind, Forge, repository, enough } of FORGES) {
  test(`${kind}: labels and reviewers`, async (t) => {
    const person = await Person.create(t);
    const forge = await new Forge(person.home.path("forge")).listen(t);
    await forge.add(person.home, repository, await person.home.repository("source"));
    await person.connect(kind, forge.url, await forge.token("ada", enough));
    await forge.knows(repository, "needs: docs", "bob");
    await forge.knows(repository, "small", "eve");
    const [listed] = await person.does(["repo", "list"]);
    const thread = await person.thread(listed.url, write("first.md", "First."));
    // What is not there loses nothing of the rest.
    const marks = ["--label", "nonsense", "--label", "needs: docs", "--reviewer", "nobody", "--reviewer", "bob"];
    const { pullRequest } = await person.does(["pr", thread.id, ...marks]);
    assert.equal(pullRequest.state, "open");
    assert.deepEqual(await forge.marks(repository, 1), { labels: ["needs: docs"], reviewers: ["bob"] });
    const { items } = await person.does(["show", thread.id]);
    const told = items.filter((item) => item.type === "notice" && item.level === "warning").map((item) => item.text);
    assert.equal(told.length, 1, JSON.stringify(told));
    assert.match(told[0], /the label nonsense was not set: .*; nobody was not asked for a review: /);

    // Beside those that are there.
    await person.does(["pr", thread.id, "--label", "small", "--reviewer", "eve"]);
    assert.deepEqual(await forge.marks(repository, 1), { labels: ["needs: docs", "small"], reviewers: ["bob", "eve"] });
    assert.deepEqual(forge.faults, []);
  });
}

for (const { kind, Forge, repository, enough } of FORGES) {
  test(`${kind}: without the right to push`, async (t) => {
    const person = await Person.create(t);
    const forge = await new Forge(person.home.path("forge")).listen(t);
    const name = repository.replace(/^ada\//, "bob/");
    await forge.add(person.home, name, await person.home.repository("source"));
    await person.connect(kind, forge.url, await forge.token("ada", enough));
    await forge.reads(name, "ada");
    const [listed] = await person.does(["repo", "list"]);
    const thread = await person.thread(listed.url, write("first.md", "First."));
    const { pullRequest } = await person.does(["pr", thread.id]);
    assert.equal(pullRequest.number, 1);
    assert.equal(await forge.tip(name, thread.branch), undefined, "the repository itself got nothing");
    assert.equal(await forge.git("ada/tool", "show", `${thread.branch}:first.md`), "First.");

    // More work goes to the same fork and the same request.
    await person.does(["send", thread.id, "--wait", write("more.md", "More.")]);
    assert.equal((await person.does(["pr", thread.id])).pullRequest.url, pullRequest.url);
    assert.equal(await forge.git("ada/tool", "show", `${thread.branch}:more.md`), "More.");
    assert.equal((await forge.pulls(name)).length, 1);

    // Under another name it is still the same fork, and the request goes along with it.
    await forge.rename("ada/tool", "ada/mine");
    await person.does(["send", thread.id, "--wait", write("last.md", "Last.")]);
    assert.equal((await person.does(["pr", thread.id])).pullRequest.url, pullRequest.url);
    assert.equal(await forge.git("ada/mine", "show", `${thread.branch}:last.md`), "Last.");
    assert.deepEqual(await readdir(person.home.path("forge/ada")), ["mine.git"]);
    assert.deepEqual(forge.faults, []);
  });
}

for (const { kind, Forge, repository, enough } of FORGES) {
  test(`${kind}: a fork and a request of which the answers are lost, and a fork that takes its time`, async (t) => {
    const person = await Person.create(t);
    const forge = await new Forge(person.home.path("forge")).listen(t);
    const name = repository.replace(/^ada\//, "bob/");
    await forge.add(person.home, name, await person.home.repository("source"));
    await person.connect(kind, forge.url, await forge.token("ada", enough));
    await forge.reads(name, "ada");
    const [listed] = await person.does(["repo", "list"]);
    const thread = await person.thread(listed.url, write("first.md", "First."));
    await forge.forksBadly(name, "ada/tool");
    await forge.opensBadly(name);
    const { code, said, answer } = await person.run(["pr", thread.id]);
    assert.equal(code, 0, said);
    assert.equal(answer.pullRequest.number, 1);
    assert.equal((await forge.pulls(name)).length, 1);
    assert.match(said, /DEBUG|TRACE/);
    assert.doesNotMatch(said, /sending it again/, "the client had to ask for the whole again, which finds both too");
    assert.equal(await forge.git("ada/tool", "show", `${thread.branch}:first.md`), "First.");
    assert.deepEqual(await readdir(person.home.path("forge/ada")), ["tool.git"], "there is one fork");
    assert.deepEqual(forge.faults, []);
  });
}
