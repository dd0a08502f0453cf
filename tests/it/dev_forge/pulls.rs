//! Pull requests from their opening to the merge, and what is said about them.

use aloft_tests::git::git;
use serde_json::json;

use super::Stage;

#[test]
fn a_pull_request_is_opened_changed_reviewed_and_merged() {
    let stage = Stage::new();
    let forge = &stage.forge;
    let head = stage.push("feature/x", "one.txt", "one\n");
    let new = json!({
        "title": "Add one", "body": "Why <b>", "head": "acme:feature/x", "base": "main",
        "draft": true,
    });
    let made = forge.call("POST", "/repos/acme/app/pulls", &new).must(201);
    assert_eq!(made["head"]["sha"], json!(head));
    assert_eq!((&made["draft"], &made["commits"]), (&json!(true), &json!(1)));
    assert_eq!(made["html_url"], json!(format!("{}/acme/app/pull/1", forge.url())));
    let twice = forge.call("POST", "/repos/acme/app/pulls", &new).must(422);
    assert_eq!(twice["errors"][0]["message"], "A pull request already exists for acme:feature/x.");
    let found = forge.get("/repos/acme/app/pulls?head=acme:feature%2Fx&base=main&state=open");
    assert_eq!(found.must(200)[0]["number"], 1);
    forge.get("/repos/acme/app/pulls?head=other:feature%2Fx").must(200);

    // The head follows the branch, and everybody can fetch it.
    let head = stage.push("feature/x", "one.txt", "two\n");
    let pull = forge.get("/repos/acme/app/pulls/1").must(200);
    assert_eq!(pull["head"]["sha"], json!(head));
    assert_eq!((&pull["mergeable"], &pull["mergeable_state"]), (&json!(true), &json!("draft")));
    git(&stage.path("work"), &["fetch", "-q", "origin", "refs/pull/1/head"]);
    let files = forge.get("/repos/acme/app/pulls/1/files").must(200);
    assert_eq!((&files[0]["filename"], &files[0]["status"]), (&json!("one.txt"), &json!("added")));
    assert!(files[0]["patch"].as_str().unwrap().starts_with("@@ "));

    let refused = forge.call("PUT", "/repos/acme/app/pulls/1/merge", &json!({})).must(405);
    assert_eq!(refused["message"], "Pull Request is still a draft");
    let ready = json!({ "title": "Add one file" });
    let changed = forge.call("PATCH", "/repos/acme/app/pulls/1", &ready).must(200);
    assert_eq!(changed["title"], "Add one file");
    forge.control("PATCH", "/repos/acme/app/pulls/1", &json!({ "draft": false }));

    let ben = forge.control("POST", "/users", &json!({ "login": "ben" }));
    let asked = json!({ "reviewers": ["ben"] });
    let path = "/repos/acme/app/pulls/1/requested_reviewers";
    assert_eq!(
        forge.call("POST", path, &asked).must(201)["requested_reviewers"][0]["login"],
        "ben"
    );
    forge.call("POST", path, &json!({ "reviewers": ["nobody"] })).must(422);
    let labels = json!({ "labels": ["one", "two"] });
    forge.call("POST", "/repos/acme/app/issues/1/labels", &labels).must(200);
    assert_eq!(forge.get("/repos/acme/app/pulls/1").must(200)["labels"][1]["name"], "two");
    let words = json!({ "body": "Please rename", "path": "one.txt", "line": 1 });
    let remark = forge.call("POST", "/repos/acme/app/pulls/1/comments", &words).must(201);
    let reply = format!("/repos/acme/app/pulls/1/comments/{}/replies", remark["id"]);
    let answer = forge.call("POST", &reply, &json!({ "body": "Done" })).must(201);
    assert_eq!(answer["in_reply_to_id"], remark["id"]);
    forge.call("POST", "/repos/acme/app/issues/1/comments", &json!({ "body": "Hello" })).must(201);
    forge.control("PATCH", "/repos/acme/app", &json!({ "permissions": { "ben": "read" } }));
    let merge = "/api/v3/repos/acme/app/pulls/1/merge";
    forge.send("PUT", merge, ben["token"].as_str(), &json!({}), &[]).must(403);

    let stale = json!({ "sha": "0".repeat(40) });
    forge.call("PUT", "/repos/acme/app/pulls/1/merge", &stale).must(409);
    let merged =
        forge.call("PUT", "/repos/acme/app/pulls/1/merge", &json!({ "sha": head })).must(200);
    let pull = forge.get("/repos/acme/app/pulls/1").must(200);
    assert_eq!((&pull["merged"], &pull["state"]), (&json!(true), &json!("closed")));
    let work = stage.path("work");
    git(&work, &["fetch", "-q"]);
    assert_eq!(json!(git(&work, &["rev-parse", "origin/main"])), merged["sha"]);
    assert_eq!(
        git(&work, &["log", "-1", "--format=%s", "origin/main"]),
        "Merge pull request #1 from acme/feature/x"
    );
    assert_eq!(git(&work, &["show", "origin/main:one.txt"]), "two");
    forge.call("PUT", "/repos/acme/app/pulls/1/merge", &json!({})).must(405);
}

#[test]
fn what_cannot_be_a_pull_request_is_refused_in_githubs_words() {
    let stage = Stage::new();
    let forge = &stage.forge;
    let head = stage.push("topic", "one.txt", "one\n");
    let try_new = |new: serde_json::Value| {
        forge.call("POST", "/repos/acme/app/pulls", &new).must(422)["errors"][0].clone()
    };
    let field =
        |name: &str, code: &str| json!({ "resource": "PullRequest", "field": name, "code": code });
    let new = |head: &str, base: &str| json!({ "title": "t", "head": head, "base": base });
    assert_eq!(try_new(new("none", "main")), field("head", "invalid"));
    assert_eq!(try_new(new("nobody:topic", "main")), field("head", "invalid"));
    assert_eq!(try_new(new("topic", "none")), field("base", "invalid"));
    assert_eq!(
        try_new(json!({ "head": "topic", "base": "main" })),
        field("title", "missing_field")
    );
    let refs = json!({ "ref": "refs/heads/same", "sha": git(&stage.path("work"), &["rev-parse", "origin/main"]) });
    forge.call("POST", "/repos/acme/app/git/refs", &refs).must(201);
    assert_eq!(try_new(new("same", "main"))["message"], "No commits between main and same");
    let long =
        json!({ "title": "t", "head": "topic", "base": "main", "body": "x".repeat(100_000) });
    assert_eq!(try_new(long)["field"], "body");
    let reply = forge.send(
        "POST",
        "/api/v3/repos/acme/app/pulls",
        Some(forge.token()),
        &json!("text"),
        &[],
    );
    reply.must(400);
    forge.get("/repos/acme/app/pulls/7").must(404);

    // A conflict is seen before anybody tries, and nothing is merged.
    let other = stage.push("other", "one.txt", "other\n");
    stage.open("topic");
    let second = stage.open("other");
    forge
        .call("PUT", "/repos/acme/app/pulls/1/merge", &json!({ "merge_method": "squash" }))
        .must(200);
    let pull = forge.get(&format!("/repos/acme/app/pulls/{second}")).must(200);
    assert_eq!((&pull["mergeable"], &pull["mergeable_state"]), (&json!(false), &json!("dirty")));
    assert_eq!(pull["head"]["sha"], json!(other));
    let refused = forge.call("PUT", &format!("/repos/acme/app/pulls/{second}/merge"), &json!({}));
    assert_eq!(refused.must(405)["message"], "Pull Request is not mergeable");
    // A squash is one commit with one parent; rebasing keeps each.
    let work = stage.path("work");
    git(&work, &["fetch", "-q"]);
    assert_eq!(git(&work, &["rev-list", "--count", "origin/main", "^main"]), "1");
    assert_ne!(git(&work, &["rev-parse", "origin/main"]), head);
    stage.push("third", "three.txt", "3\n");
    let third = stage.open("third");
    let rebase = json!({ "merge_method": "rebase" });
    forge.call("PUT", &format!("/repos/acme/app/pulls/{third}/merge"), &rebase).must(200);
    git(&work, &["fetch", "-q"]);
    assert_eq!(
        git(&work, &["log", "-1", "--format=%an %s", "origin/main"]),
        "Test change three.txt"
    );

    // A branch that goes takes its pull request with it.
    git(&work, &["push", "-q", "origin", ":other"]);
    let pull = forge.get(&format!("/repos/acme/app/pulls/{second}")).must(200);
    assert_eq!((&pull["state"], &pull["merged"]), (&json!("closed"), &json!(false)));
}

#[test]
fn who_may_only_read_proposes_from_a_fork() {
    let stage = Stage::new();
    let forge = &stage.forge;
    let ben = forge.control("POST", "/users", &json!({ "login": "ben" }));
    let token = ben["token"].as_str().unwrap();
    forge.control("PATCH", "/repos/acme/app", &json!({ "permissions": { "ben": "read" } }));
    let send = |method: &str, path: &str, body| {
        forge.send(method, &format!("/api/v3{path}"), Some(token), &body, &[])
    };
    let fork = send("POST", "/repos/acme/app/forks", json!({})).must(202);
    assert_eq!((&fork["full_name"], &fork["fork"]), (&json!("ben/app"), &json!(true)));
    assert_eq!(fork["parent"]["full_name"], "acme/app");
    let url =
        format!("{}/ben/app.git", forge.url()).replace("http://", &format!("http://x:{token}@"));
    git(stage.folder.path(), &["clone", "-q", &url, "fork"]);
    let work = stage.path("fork");
    git(&work, &["checkout", "-q", "-b", "idea"]);
    git(&work, &["commit", "-q", "--allow-empty", "-m", "idea"]);
    git(&work, &["push", "-q", "origin", "idea"]);
    let new = json!({ "title": "Idea", "head": "ben:idea", "base": "main" });
    let made = send("POST", "/repos/acme/app/pulls", new).must(201);
    assert_eq!(made["head"]["repo"]["full_name"], "ben/app");
    assert_eq!(made["head"]["label"], "ben:idea");
    git(&work, &["commit", "-q", "--allow-empty", "-m", "better"]);
    git(&work, &["push", "-q", "origin", "idea"]);
    let head = json!(git(&work, &["rev-parse", "HEAD"]));
    assert_eq!(forge.get("/repos/acme/app/pulls/1").must(200)["head"]["sha"], head);

    // Both get other names: it is the same fork, and the same pull request.
    forge.control("PATCH", "/repos/ben/app", &json!({ "name": "mine" }));
    forge.control("PATCH", "/repos/acme/app", &json!({ "name": "tool" }));
    let pull = forge.get("/repos/acme/tool/pulls/1").must(200);
    let names = (&pull["state"], &pull["head"]["repo"]["full_name"]);
    assert_eq!(names, (&json!("open"), &json!("ben/mine")));
    let fork = send("GET", "/repos/ben/mine", json!(null)).must(200);
    assert_eq!(fork["parent"]["full_name"], "acme/tool");
    let again = send("POST", "/repos/acme/tool/forks", json!({})).must(202);
    assert_eq!(again["full_name"], "ben/mine");
    git(&work, &["remote", "set-url", "origin", &url.replace("ben/app", "ben/mine")]);
    git(&work, &["commit", "-q", "--allow-empty", "-m", "best"]);
    git(&work, &["push", "-q", "origin", "idea"]);
    let head = json!(git(&work, &["rev-parse", "HEAD"]));
    assert_eq!(forge.get("/repos/acme/tool/pulls/1").must(200)["head"]["sha"], head);
    forge.call("PUT", "/repos/acme/tool/pulls/1/merge", &json!({})).must(200);
}

#[test]
fn checks_and_statuses_of_a_commit_are_told_apart_by_name() {
    let stage = Stage::new();
    let forge = &stage.forge;
    let sha = stage.push("topic", "a", "a");
    let status = || forge.get(&format!("/repos/acme/app/commits/{sha}/status")).must(200);
    assert_eq!((&status()["state"], &status()["total_count"]), (&json!("pending"), &json!(0)));
    for state in ["pending", "success"] {
        let new = json!({ "state": state, "context": "ci" });
        forge.call("POST", &format!("/repos/acme/app/statuses/{sha}"), &new).must(201);
    }
    assert_eq!((&status()["state"], &status()["total_count"]), (&json!("success"), &json!(1)));
    let new = json!({
        "name": "test", "head_sha": sha, "conclusion": "failure",
        "output": {
            "title": "2 failed", "summary": "s", "text": "log",
            "annotations": [{ "path": "a", "start_line": 1, "annotation_level": "failure", "message": "m" }],
        },
    });
    let check = forge.call("POST", "/repos/acme/app/check-runs", &new).must(201);
    assert_eq!((&check["status"], &check["conclusion"]), (&json!("completed"), &json!("failure")));
    let all = forge.get("/repos/acme/app/commits/topic/check-runs").must(200);
    assert_eq!((&all["total_count"], &all["check_runs"][0]["name"]), (&json!(1), &json!("test")));
    let notes = format!("/repos/acme/app/check-runs/{}/annotations", check["id"]);
    assert_eq!(forge.get(&notes).must(200)[0]["message"], "m");
    let better = json!({ "conclusion": "success" });
    let path = format!("/repos/acme/app/check-runs/{}", check["id"]);
    assert_eq!(forge.call("PATCH", &path, &better).must(200)["conclusion"], "success");
}

#[test]
fn the_page_of_a_pull_request_shows_what_came_from_outside_as_text() {
    let stage = Stage::new();
    let forge = &stage.forge;
    stage.push("topic", "one.txt", "<script>alert(1)</script>\n");
    let new =
        json!({ "title": "<img src=x>", "body": "</pre><b>", "head": "topic", "base": "main" });
    forge.call("POST", "/repos/acme/app/pulls", &new).must(201);
    let page = |path: &str, token| forge.send("GET", path, token, &json!(null), &[]);
    let shown = page("/acme/app/pull/1", Some(forge.token()));
    assert_eq!(shown.status, 200);
    assert!(shown.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert!(
        shown.text.contains("<ins>+&lt;script&gt;alert(1)&lt;/script&gt;</ins>"),
        "{}",
        shown.text
    );
    for raw in ["<script>", "<img", "</pre><b>"] {
        assert!(!shown.text.contains(raw), "{raw} stands in the page");
    }
    assert_eq!(page("/acme/app/pull/1", None).status, 401);
    assert!(page("/", Some(forge.token())).text.contains("/acme/app"));
    assert_eq!(page("/acme/app/pull/9", Some(forge.token())).status, 404);
}
