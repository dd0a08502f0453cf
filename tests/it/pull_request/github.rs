//! The same at a forge that speaks GitHub's API, with accounts.

use aloft_tests::{
    dev_forge::DevForge,
    git::git,
    home::{Home, feed, items},
    poll,
};
use serde_json::{Value, json};

use crate::pull_request::text;

/// A person, and a forge with the repository `dev/tool`.
pub(super) fn stage() -> (Home, DevForge) {
    let home = Home::new();
    let forge = DevForge::start(&home.path("forge"));
    forge.repository("dev/tool");
    (home, forge)
}

/// Connects the forge's first user.
pub(super) fn connect(home: &Home, forge: &DevForge) {
    let words = ["forge", "connect", "github", "--url", &forge.url(), "--token-stdin", "--json"];
    let run = feed(home.command(words), format!("{}\n", forge.token()).as_bytes());
    assert_eq!(run.code, 0, "{}{}", run.text(), run.stderr);
    let account: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(account["login"], "dev");
}

/// A thread of the `shell` agent on a repository by its name at the forge.
pub(super) fn thread(home: &Home, repository: &str, prompt: &str) -> Value {
    let words = ["new", "--agent", "shell", "--mode", "auto", "--repo", repository, "--wait"];
    home.json(words.into_iter().chain([prompt]))
}

/// How often the forge was asked just this.
pub(super) fn asked(forge: &DevForge, method: &str, path: &str) -> usize {
    let calls = forge.control("GET", "/requests", &Value::Null);
    let calls = calls.as_array().unwrap().iter();
    calls.filter(|call| call["method"] == method && call["path"] == path).count()
}

pub(super) fn pulls(forge: &DevForge, state: &str) -> Vec<Value> {
    let pulls = forge.get(&format!("/repos/dev/tool/pulls?state={state}")).must(200);
    pulls.as_array().unwrap().clone()
}

#[test]
fn from_a_private_repository_to_a_merged_pull_request() {
    let (home, forge) = stage();
    let url = format!("{}/dev/tool.git", forge.url());
    connect(&home, &forge);
    let listed = home.json(["repo", "list"]);
    assert_eq!(listed[0]["name"], "dev/tool", "{listed}");
    assert_eq!(listed[0]["url"], url.as_str());

    let thread = thread(&home, "dev/tool", "Fix the flag\n$ echo one > new.txt\n$ false || true");
    let (id, branch) = (text(&thread, "id"), text(&thread, "branch"));
    assert_eq!(thread["repository"]["url"], format!("{}/dev/tool", forge.url()));
    let proposed = home.json(["pr", id]);
    let request = &proposed["pullRequest"];
    assert_eq!((text(request, "state"), request["number"].as_u64()), ("open", Some(1)));
    let [pull] = &pulls(&forge, "open")[..] else { panic!("one pull request") };
    assert_eq!(pull["html_url"], request["url"]);
    assert_eq!((text(&pull["head"], "ref"), text(&pull["base"], "ref")), (branch, "main"));
    let body = text(pull, "body");
    for part in ["> Fix the flag", "`echo one > new.txt`: exit code 0", "`new.txt`: new, +1 -0"] {
        assert!(body.contains(part), "{part} is not in\n{body}");
    }
    let bare = home.path("forge/dev/tool.git");
    let commit = git(&bare, &["log", "-1", "--format=%an|%ae|%B", branch]);
    assert!(commit.starts_with("dev|dev@users.noreply."), "{commit}");
    assert!(commit.contains(&format!("Aloft-Thread: {id}")), "{commit}");

    // The agent's own commits say for whom they are.
    home.ok(["send", id, "--wait", "$ git add -A; git commit -qm 'By the agent'"]);
    home.ok(["pr", id]);
    let commit = git(&bare, &["log", "-1", "--format=%ae|%B", branch]);
    let lines = format!("Aloft-Thread: {id}\nCo-authored-by: dev <dev@users.noreply.");
    assert!(commit.starts_with("aloft@localhost|By the agent\n\n"), "{commit}");
    assert!(commit.contains(&lines), "{commit}");

    // Asked again, and by two at once after more work: the same one, brought up to date.
    home.ok(["send", id, "--wait", "$ echo two > new.txt"]);
    std::thread::scope(|scope| {
        let both = [scope.spawn(|| home.json(["pr", id])), scope.spawn(|| home.json(["pr", id]))];
        for one in both {
            assert_eq!(one.join().unwrap()["pullRequest"]["url"], request["url"]);
        }
    });
    let [pull] = &pulls(&forge, "all")[..] else { panic!("still one pull request") };
    assert!(text(pull, "body").contains("`echo two > new.txt`: exit code 0"), "{pull}");
    assert_eq!(git(&bare, &["show", &format!("{branch}:new.txt")]), "two");
    home.ok(["pr", id, "--title", "Better", "--body", "By hand."]);
    let [pull] = &pulls(&forge, "all")[..] else { panic!("still one pull request") };
    assert_eq!((text(pull, "title"), text(pull, "body")), ("Better", "By hand."));
    home.ok(["pr", id]);
    assert_eq!(text(&pulls(&forge, "all")[0], "body"), "By hand.", "what a person wrote stays");

    let merged = forge.call("PUT", "/repos/dev/tool/pulls/1/merge", &json!({})).must(200);
    assert_eq!(merged["merged"], true, "{merged}");
    assert_eq!(git(&bare, &["show", "main:new.txt"]), "two");
    assert_eq!(home.json(["pr", id])["pullRequest"]["state"], "merged");
    assert_eq!(pulls(&forge, "all").len(), 1, "what is merged is not proposed anew");
    let notices = home.json(["notice", "list"]);
    let kinds = notices.as_array().unwrap().iter().filter(|one| one["kind"] == "pullRequest");
    assert_eq!(kinds.count(), 2, "opened and merged: {notices}");
    // Work after the merge is a new one.
    home.ok(["send", id, "--wait", "$ echo three > new.txt"]);
    assert_eq!(home.json(["pr", id])["pullRequest"]["number"], 2);

    // The token is nowhere but in the encrypted store.
    let found = std::process::Command::new("grep")
        .args(["-rlaF", forge.token()])
        .args([home.path("data"), home.path("s"), home.path("config"), home.path("run")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    assert!(!home.events(id).iter().any(|event| event.to_string().contains(forge.token())));
}

#[test]
fn the_template_of_the_repository_stands_below_the_words() {
    let (home, forge) = stage();
    let work = home.path("work");
    git(&home.path(""), &["clone", "-q", &forge.git_url("dev/tool"), "work"]);
    std::fs::create_dir_all(work.join(".github")).unwrap();
    std::fs::write(work.join(".github/PULL_REQUEST_TEMPLATE.md"), "## Checklist\n\n- [ ] told\n")
        .unwrap();
    git(&work, &["add", "."]);
    git(&work, &["commit", "-q", "-m", "ask for a list"]);
    git(&work, &["push", "-q", "origin", "HEAD:main"]);
    connect(&home, &forge);
    let thread = thread(&home, "dev/tool", "$ echo one > new.txt");
    let id = text(&thread, "id");
    home.ok(["pr", id]);
    let body = text(&pulls(&forge, "open")[0], "body").to_owned();
    assert!(body.contains("`new.txt`: new") && body.ends_with("- [ ] told"), "{body}");
    // What a person ticks stays.
    let ticked = json!({ "body": body.replace("[ ]", "[x]") });
    forge.call("PATCH", "/repos/dev/tool/pulls/1", &ticked).must(200);
    home.ok(["send", id, "--wait", "$ echo two > other.txt"]);
    home.ok(["pr", id]);
    let body = text(&pulls(&forge, "open")[0], "body").to_owned();
    assert!(body.contains("`other.txt`: new") && body.ends_with("- [x] told"), "{body}");
}

#[test]
fn a_private_repository_without_an_account_says_connect() {
    let (home, forge) = stage();
    let url = format!("{}/dev/tool.git", forge.url());
    let words = ["new", "--agent", "shell", "--mode", "auto", "--repo", &url, "$ true"];
    let id = text(&home.json(words), "id").to_owned();
    let shown = home.wait_state(&id, "failed");
    assert_eq!(shown["thread"]["error"]["reason"], "FORGE_ACCOUNT_MISSING", "{shown}");
    assert!(text(&shown["thread"]["error"], "hint").contains("aloft forge connect"), "{shown}");
    connect(&home, &forge);
    home.ok(["send", &id, "--wait", "$ true"]);
    home.ok(["forge", "disconnect", "github"]);
    assert_eq!(home.json(["forge", "list"]), json!([]));
    assert_eq!(home.fails(1, ["forge", "disconnect", "github"])["reason"], "FORGE_ACCOUNT_UNKNOWN");
}

#[test]
fn a_token_is_checked_when_it_is_connected() {
    let (home, forge) = stage();
    let try_token = |token: &str| {
        let words =
            ["forge", "connect", "github", "--url", &forge.url(), "--token-stdin", "--json"];
        let run = feed(home.command(words), token.as_bytes());
        assert_eq!(run.code, 1, "{}{}", run.text(), run.stderr);
        assert!(!run.text().contains(token) && !run.stderr.contains(token));
        serde_json::from_slice::<Value>(&run.stdout).unwrap()["error"].clone()
    };
    assert_eq!(try_token("ghp_nobody")["reason"], "FORGE_TOKEN_REFUSED");
    let user = forge.control("POST", "/users", &json!({"login": "ada", "scopes": ["read:user"]}));
    let error = try_token(text(&user, "token"));
    assert_eq!(error["reason"], "FORGE_SCOPE_MISSING");
    assert!(text(&error, "message").contains("`repo`"), "{error}");
    let words = ["forge", "connect", "github", "--url", "http://example.com", "--token-stdin"];
    let run = feed(home.command(words), b"ghp_x");
    assert!(run.stderr.contains("https only"), "{}", run.stderr);
    assert_eq!(home.json(["forge", "list"]), json!([]));
}

#[test]
fn an_answer_that_is_lost_makes_no_second_pull_request() {
    let (home, forge) = stage();
    connect(&home, &forge);
    let thread = thread(&home, "dev/tool", "$ echo one > new.txt");
    let id = text(&thread, "id");
    let fault = json!({
        "method": "POST", "path": "/api/v3/repos/dev/tool/pulls", "times": 1, "cut": "after"
    });
    forge.control("POST", "/faults", &fault);
    let before = asked(&forge, "GET", "/api/v3/repos/dev/tool");
    assert_eq!(home.json(["pr", id])["pullRequest"]["number"], 1);
    assert_eq!(pulls(&forge, "all").len(), 1);
    // The client would ask for the whole again, which finds it too: it did not have to.
    assert_eq!(asked(&forge, "GET", "/api/v3/repos/dev/tool"), before + 1);

    // Revoked between two: the error says what to do, and nothing else happens.
    home.ok(["send", id, "--wait", "$ echo two > new.txt"]);
    forge.control("POST", "/tokens/revoke", &json!({"token": forge.token()}));
    let error = home.fails(1, ["pr", id]);
    assert_eq!(error["reason"], "FORGE_TOKEN_REFUSED");
    assert!(text(&error, "hint").contains("aloft forge connect github"), "{error}");
    // A thread begins with it as little, and says the same.
    forge.repository("dev/other");
    let begun = home.json(["new", "--agent", "shell", "--repo", "dev/other", "$ true"]);
    let failed = poll::until("the thread to fail", || {
        let thread = home.show(text(&begun, "id"))["thread"].clone();
        (thread["state"] == "failed").then_some(thread)
    });
    assert_eq!(failed["error"]["reason"], "FORGE_TOKEN_REFUSED", "{failed}");
}

#[test]
fn a_forge_that_is_down_is_told_apart_from_a_refusal() {
    let (home, mut forge) = stage();
    connect(&home, &forge);
    let thread = thread(&home, "dev/tool", "$ echo one > new.txt");
    let id = text(&thread, "id");
    forge.stop();
    let error = home.fails(4, ["pr", id]);
    assert_eq!((text(&error, "reason"), &error["retryable"]), ("FORGE_UNREACHABLE", &json!(true)));
    forge.run();
    assert_eq!(home.json(["pr", id])["pullRequest"]["number"], 1);
}

#[test]
fn a_forge_that_takes_no_more_requests_is_left_alone() {
    let home = Home::new();
    home.configure("pullRequestSeconds = 1\n");
    let forges = ["one", "other"].map(|name| DevForge::start(&home.path(name)));
    for forge in &forges {
        forge.repository("dev/tool");
        connect(&home, forge);
        for _ in 0..2 {
            let url = format!("{}/dev/tool.git", forge.url());
            let made = thread(&home, &url, "$ echo one > new.txt");
            home.ok(["pr", text(&made, "id")]);
        }
    }
    let [limited, other] = &forges;
    let limit = json!({ "remaining": 0, "resetInSeconds": 3600 });
    limited.control("POST", "/limit", &limit);
    let refused = || {
        let calls = limited.control("GET", "/requests", &Value::Null);
        calls.as_array().unwrap().iter().filter(|call| call["status"] == 403).count()
    };
    poll::until("the limit to be met", || (refused() > 0).then_some(()));
    // Four rounds later.
    let looks = || {
        let calls = other.control("GET", "/requests", &Value::Null);
        let calls = calls.as_array().unwrap().clone().into_iter();
        let looks = calls.filter(|call| call["path"] == "/api/v3/repos/dev/tool/pulls/1");
        looks.map(|call| call["status"].clone()).collect::<Vec<_>>()
    };
    let before = looks().len();
    poll::until("more rounds", || (looks().len() >= before + 4).then_some(()));
    assert_eq!(refused(), 1, "of one account, asked by one of its two threads");
    // And what did not change is not sent again.
    assert!(looks()[before + 1..].iter().all(|status| *status == 304), "{:?}", looks());
}

#[test]
fn what_the_agent_wrote_anew_replaces_what_the_thread_pushed_and_a_protected_base_stays() {
    let (home, forge) = stage();
    forge.control("PATCH", "/repos/dev/tool", &json!({"protected": ["main"]}));
    connect(&home, &forge);
    let bare = home.path("forge/dev/tool.git");
    let main = git(&bare, &["rev-parse", "main"]);
    let made = thread(&home, "dev/tool", "$ echo 1 > new.txt; git add .; git commit -qm one");
    let (id, branch) = (text(&made, "id"), text(&made, "branch"));
    home.ok(["pr", id]);
    let log = || git(&bare, &["log", "--format=%s", &format!("main..{branch}")]);
    assert_eq!(log(), "one");
    for (script, commits) in [
        ("$ git commit -q --amend -m better", "better"),
        (
            "$ echo 2 > new.txt; git commit -qam two; git rebase -q --force-rebase HEAD~2",
            "two\nbetter",
        ),
        ("$ git reset -q --soft HEAD~2; git commit -qm 'both of them'", "both of them"),
    ] {
        home.ok(["send", id, "--wait", script]);
        home.ok(["pr", id]);
        assert_eq!(log(), commits, "{script}");
    }
    assert_eq!(pulls(&forge, "all").len(), 1);
    assert_eq!(git(&bare, &["rev-parse", "main"]), main);
    // Where the thread's own branch is protected too, the forge's words are told.
    forge.control("PATCH", "/repos/dev/tool", &json!({"protected": ["main", branch]}));
    home.ok(["send", id, "--wait", "$ echo 3 > new.txt"]);
    let error = home.fails(1, ["pr", id]);
    assert_eq!(error["reason"], "PUSH_REFUSED");
    assert!(text(&error, "message").contains("GH006: Protected branch update failed"), "{error}");
}

#[test]
fn who_may_neither_push_nor_fork_is_told_so() {
    let (home, forge) = stage();
    let user = forge.control("POST", "/users", &json!({"login": "ada", "scopes": ["repo"]}));
    forge.control("PATCH", "/repos/dev/tool", &json!({"permissions": {"ada": "read"}}));
    let words = ["forge", "connect", "github", "--url", &forge.url(), "--token-stdin"];
    let run = feed(home.command(words), text(&user, "token").as_bytes());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let thread = thread(&home, "dev/tool", "$ echo one > new.txt");
    let id = text(&thread, "id");
    let fault = json!({
        "method": "POST", "path": "/api/v3/repos/dev/tool/forks", "times": 1, "status": 403
    });
    forge.control("POST", "/faults", &fault);
    let error = home.fails(1, ["pr", id]);
    assert_eq!(error["reason"], "FORGE_PUSH_DENIED");
    assert!(text(&error, "hint").contains("--output"), "{error}");
    let why = "failed to fork dev/tool: ";
    assert!(text(&error, "message").contains(why), "what the forge said is told: {error}");
    forge.control("PATCH", "/repos/dev/tool", &json!({"permissions": {"ada": "write"}}));
    forge.control("PATCH", "/repos/dev/tool", &json!({"archived": true}));
    assert_eq!(home.fails(1, ["pr", id])["reason"], "REPOSITORY_ARCHIVED");
    forge.control("PATCH", "/repos/dev/tool", &json!({"archived": false}));
    assert_eq!(home.fails(1, ["pr", id, "--base", "nowhere"])["reason"], "BASE_UNKNOWN");
    assert_eq!(home.json(["pr", id, "--draft"])["pullRequest"]["state"], "draft");
    let shown = home.show(id);
    assert!(items(&shown, "notice").iter().any(|one| text(one, "text").contains("as a draft")));
}

#[test]
fn a_renamed_repository_is_found_and_limits_are_told() {
    let (home, forge) = stage();
    connect(&home, &forge);
    let thread = thread(&home, "dev/tool", "$ echo one > new.txt");
    let id = text(&thread, "id");
    let limit = json!({"token": forge.token(), "remaining": 0, "resetInSeconds": 3_000});
    forge.control("POST", "/limit", &limit);
    let error = home.fails(1, ["pr", id]);
    assert_eq!((text(&error, "reason"), &error["retryable"]), ("FORGE_RATE_LIMITED", &json!(true)));
    forge.control(
        "POST",
        "/limit",
        &json!({"token": forge.token(), "remaining": 5_000, "resetInSeconds": 1}),
    );
    forge.control("PATCH", "/repos/dev/tool", &json!({"name": "renamed"}));
    let proposed = home.json(["pr", id]);
    assert!(text(&proposed["pullRequest"], "url").contains("dev/renamed"), "{proposed}");
    poll::until("the branch to be there", || {
        let branch = text(&thread, "branch");
        let bare = home.path("forge/dev/renamed.git");
        (git(&bare, &["show", &format!("{branch}:new.txt")]) == "one").then_some(())
    });
    // What the thread pushed under the old name is still its own, and the pull request is the same.
    home.ok(["send", id, "--wait", "$ echo two > new.txt"]);
    forge.control("PATCH", "/repos/dev/renamed", &json!({"name": "again"}));
    assert_eq!(home.json(["pr", id])["pullRequest"]["number"], 1);
    let bare = home.path("forge/dev/again.git");
    assert_eq!(git(&bare, &["show", &format!("{}:new.txt", text(&thread, "branch"))]), "two");
    let shown = home.show(id);
    let opened = items(&shown, "notice");
    let opened = opened.iter().filter(|one| one.to_string().contains("was opened"));
    assert_eq!(opened.count(), 1, "{shown}");
    // A new thread begins under a name the repository has no more.
    git(&bare, &["update-ref", "refs/heads/later", &git(&bare, &["rev-parse", "main"])]);
    let words = ["new", "--agent", "shell", "--mode", "auto", "--repo", "dev/renamed"];
    home.json(words.into_iter().chain(["--ref", "later", "--wait", "$ git log -1"]));
}

#[test]
fn a_restored_thread_goes_on_with_its_pull_request_and_with_nobody_elses() {
    let (home, forge) = stage();
    connect(&home, &forge);
    let original = thread(&home, "dev/tool", "$ echo one > new.txt");
    let id = text(&original, "id");
    home.ok(["pr", id]);
    let file = home.path("home/thread.aloft");
    let file = file.to_str().unwrap();
    home.ok(["archive", id, file]);

    // The branch is still the original's, and so is the pull request.
    let other = home.json(["restore", file]);
    assert_eq!(other["pullRequest"], Value::Null);
    home.ok(["send", text(&other, "id"), "--wait", "$ echo other > other.txt"]);
    assert_eq!(home.json(["pr", text(&other, "id")])["pullRequest"]["number"], 2);

    home.ok(["delete", id, "--yes"]);
    home.wait_gone(id);
    let back = home.json(["restore", file]);
    assert_eq!((&back["branch"], &back["pullRequest"]["number"]), (&original["branch"], &json!(1)));
    home.ok(["send", id, "--wait", "$ echo two > new.txt"]);
    assert_eq!(home.json(["pr", id])["pullRequest"]["number"], 1);
    let bare = home.path("forge/dev/tool.git");
    assert_eq!(git(&bare, &["show", &format!("{}:new.txt", text(&back, "branch"))]), "two");
}

#[test]
fn an_account_that_cannot_be_asked_hides_no_repository_of_another() {
    let (home, forge) = stage();
    let mut other = DevForge::start(&home.path("other"));
    other.repository("dev/else");
    connect(&home, &forge);
    connect(&home, &other);
    let names = |home: &Home| {
        let listed = home.json(["repo", "list"]);
        let mut names: Vec<String> =
            listed.as_array().unwrap().iter().map(|one| text(one, "name").to_owned()).collect();
        names.sort();
        names
    };
    let host = other.url().trim_start_matches("http://").to_owned();
    other.stop();
    let run = home.run(["repo", "list"]);
    assert_eq!(run.code, 0, "{}", run.text());
    assert!(run.text().contains("dev/tool") && run.stderr.contains(&host), "{}", run.stderr);
    assert_eq!(names(&home), ["dev/tool"]);
    assert_eq!(home.fails(4, ["repo", "list", "--forge", &host])["reason"], "FORGE_UNREACHABLE");
}

#[test]
fn where_no_account_can_be_asked_each_is_named() {
    let (home, mut forge) = stage();
    let mut other = DevForge::start(&home.path("other"));
    for forge in [&mut forge, &mut other] {
        connect(&home, forge);
        forge.stop();
    }
    let run = home.run(["repo", "list"]);
    assert_eq!(run.code, 1, "{}", run.text());
    for forge in [&forge, &other] {
        let host = forge.url().trim_start_matches("http://").to_owned();
        assert!(run.stderr.contains(&host), "{host}: {}", run.stderr);
    }
}

#[test]
fn the_branches_of_a_repository_are_listed_with_the_account_that_reaches_it() {
    let (home, forge) = stage();
    let url = format!("{}/dev/tool.git", forge.url());
    let error = home.fails(1, ["repo", "branches", &url]);
    assert_eq!(error["reason"], "FORGE_ACCOUNT_MISSING", "{error}");
    connect(&home, &forge);
    let bare = home.path("forge/dev/tool.git");
    for branch in ["release/1", "alpha", "release/2"] {
        git(&bare, &["branch", branch]);
    }
    let names = |words: &[&str]| {
        let listed = home.json([&["repo", "branches", "dev/tool"], words].concat());
        let branches = listed.as_array().unwrap().iter();
        let name = |branch: &Value| {
            let mark = if branch["default"] == true { " default" } else { "" };
            format!("{}{mark}", text(branch, "name"))
        };
        branches.map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["main default", "alpha", "release/1", "release/2"]);
    assert_eq!(names(&["RELEASE", "2"]), ["release/2"]);
    let run = home.run(["repo", "branches", &url, "--limit", "2"]);
    assert!(run.text().contains("alpha") && !run.text().contains("release"), "{}", run.text());
    assert!(run.stderr.contains("there are more"), "{}", run.stderr);

    // Under its old name it is still found, and nobody is asked with a token that opens nothing.
    forge.control("PATCH", "/repos/dev/tool", &json!({"name": "renamed"}));
    assert_eq!(names(&["alpha"]), ["alpha"]);
    forge.control("POST", "/tokens/revoke", &json!({"token": forge.token()}));
    let error = home.fails(1, ["repo", "branches", "dev/renamed"]);
    assert_eq!(error["reason"], "FORGE_TOKEN_REFUSED", "{error}");
    let error = home.fails(2, ["repo", "branches", "https://me:hunter2@example.com/a/b"]);
    assert_eq!(error["reason"], "SECRET_IN_ADDRESS");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
