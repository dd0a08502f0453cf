//! Who may only read proposes from a fork of their own.

use aloft_tests::{
    dev_forge::DevForge,
    git::git,
    home::{Home, feed},
    poll,
};
use serde_json::{Value, json};

use crate::pull_request::{
    github::{pulls, stage, thread},
    text,
};

/// Connects somebody who may read `dev/tool`; gives the token.
fn reader(home: &Home, forge: &DevForge) -> String {
    let user = forge.control("POST", "/users", &json!({"login": "ada", "scopes": ["repo"]}));
    forge.control("PATCH", "/repos/dev/tool", &json!({"permissions": {"ada": "read"}}));
    let token = text(&user, "token").to_owned();
    let words = ["forge", "connect", "github", "--url", &forge.url(), "--token-stdin"];
    assert_eq!(feed(home.command(words), token.as_bytes()).code, 0);
    token
}

fn branches(bare: &std::path::Path) -> String {
    git(bare, &["for-each-ref", "--format=%(refname:short)", "refs/heads"])
}

#[test]
fn who_may_only_read_proposes_from_a_fork() {
    let (home, forge) = stage();
    home.configure("pullRequestSeconds = 1\n");
    reader(&home, &forge);
    let made = thread(&home, "dev/tool", "$ echo one > new.txt");
    let (id, branch) = (text(&made, "id"), text(&made, "branch"));
    let proposed = home.json(["pr", id]);
    let [pull] = &pulls(&forge, "open")[..] else { panic!("one pull request") };
    assert_eq!(pull["html_url"], proposed["pullRequest"]["url"]);
    assert_eq!(text(&pull["head"], "label"), format!("ada:{branch}"));
    assert_eq!(pull["head"]["repo"]["full_name"], "ada/tool");
    let (bare, fork) = (home.path("forge/dev/tool.git"), home.path("forge/ada/tool.git"));
    assert_eq!(branches(&bare), "main", "nothing was pushed to the repository itself");
    assert_eq!(git(&fork, &["show", &format!("{branch}:new.txt")]), "one");

    // It is the same fork and the same pull request afterwards, also where an answer was lost.
    let fault = json!({ "method": "POST", "path": "/api/v3/repos/dev/tool/forks", "times": 9, "status": 500 });
    forge.control("POST", "/faults", &fault);
    home.ok(["send", id, "--wait", "$ echo two > new.txt"]);
    home.ok(["pr", id]);
    assert_eq!(git(&fork, &["show", &format!("{branch}:new.txt")]), "two");
    let [pull] = &pulls(&forge, "all")[..] else { panic!("still one pull request") };
    assert_eq!(text(&pull["head"], "sha"), git(&fork, &["rev-parse", branch]));

    // What the base got comes from the repository itself.
    git(&home.path(""), &["clone", "-q", &forge.git_url("dev/tool"), "others"]);
    let others = home.path("others");
    git(&others, &["commit", "-q", "--allow-empty", "-m", "theirs"]);
    git(&others, &["push", "-q", "origin", "HEAD:main"]);
    home.ok(["pr", id, "--sync"]);
    let main = git(&bare, &["rev-parse", "main"]);
    assert_eq!(git(&fork, &["rev-list", "--count", &format!("{branch}..{main}")]), "0");

    forge.call("PUT", "/repos/dev/tool/pulls/1/merge", &json!({})).must(200);
    assert_eq!(git(&bare, &["show", "main:new.txt"]), "two");
    poll::until("the thread to know it", || {
        let request: Value = home.show(id)["thread"]["pullRequest"].clone();
        (request["state"] == "merged").then_some(())
    });
}
