//! What may be wrong or odd on the way from a repository at a forge to its pull request.

use aloft_tests::{git::git, home::Home, poll};
use serde_json::{Value, json};

use crate::pull_request::{
    github::{connect, pulls, stage, thread},
    text,
};

/// Words that begin a thread on a repository at the forge.
const NEW: [&str; 7] = ["new", "--agent", "shell", "--mode", "auto", "--repo", "dev/tool"];

/// The thread, once it could not begin.
fn failed(home: &Home, thread: &Value) -> Value {
    poll::until("the thread to fail", || {
        let thread = home.show(text(thread, "id"))["thread"].clone();
        (thread["state"] == "failed").then_some(thread)
    })
}

#[test]
fn a_token_that_is_revoked_in_the_middle_of_a_push_is_told_and_nothing_is_opened() {
    let (home, forge) = stage();
    connect(&home, &forge);
    let made = thread(&home, "dev/tool", "$ echo one > new.txt");
    let (id, branch) = (text(&made, "id"), text(&made, "branch"));
    // Everything before it was still taken.
    forge.control(
        "POST",
        "/faults",
        &json!({
            "method": "POST", "path": "/dev/tool.git/git-receive-pack", "times": 9, "status": 401,
            "headers": { "www-authenticate": "Basic realm=\"git\"" },
        }),
    );
    let error = home.fails(1, ["pr", id]);
    assert_eq!(error["reason"], "FORGE_TOKEN_REFUSED", "{error}");
    assert!(text(&error, "hint").contains("aloft forge connect"), "{error}");
    assert_eq!(pulls(&forge, "all").len(), 0);
    let bare = home.path("forge/dev/tool.git");
    assert_eq!(git(&bare, &["branch", "--list", branch]), "");
    forge.control("DELETE", "/faults", &json!({}));
    assert_eq!(home.json(["pr", id])["pullRequest"]["number"], 1);
}

#[test]
fn a_text_that_is_longer_than_a_forge_takes_is_cut() {
    let (home, forge) = stage();
    connect(&home, &forge);
    let made = thread(&home, "dev/tool", "$ echo one > new.txt");
    let id = text(&made, "id");
    for letter in ["x", "y"] {
        home.ok(["pr", id, "--title", "Long", "--body", &letter.repeat(100_000)]);
        let [pull] = &pulls(&forge, "open")[..] else { panic!("one pull request") };
        let body = text(pull, "body");
        assert!(body.starts_with(letter) && body.ends_with('…'), "{} bytes", body.len());
    }
}

#[test]
fn a_repository_without_a_commit_says_so() {
    let (home, forge) = stage();
    connect(&home, &forge);
    forge.control("POST", "/repos/dev/empty", &json!({}));
    let begun = home.json(["new", "--agent", "shell", "--repo", "dev/empty", "$ true"]);
    let failed = failed(&home, &begun);
    assert_eq!(failed["error"]["reason"], "REPOSITORY_EMPTY", "{failed}");
}

#[test]
fn names_of_branches_go_through_as_they_are_and_a_base_that_is_gone_gives_way_to_the_default() {
    let (home, forge) = stage();
    connect(&home, &forge);
    let bare = home.path("forge/dev/tool.git");
    let (base, branch) = ("größe/ünï#1%20", "fix/größe#1%20&x+y");
    git(&bare, &["branch", base, "main"]);
    let words = ["--ref", base, "--branch", branch, "--wait", "$ echo one > new.txt"];
    let made = home.json(NEW.into_iter().chain(words));
    let id = text(&made, "id");
    home.ok(["pr", id]);
    let [pull] = &pulls(&forge, "open")[..] else { panic!("one pull request") };
    assert_eq!((text(&pull["base"], "ref"), text(&pull["head"], "ref")), (base, branch));
    assert_eq!(git(&bare, &["show", &format!("{branch}:new.txt")]), "one");
    // Asked again it is found by that name.
    home.ok(["send", id, "--wait", "$ echo two > new.txt"]);
    home.ok(["pr", id]);
    assert_eq!(pulls(&forge, "all").len(), 1);
    for none in ["a b", "a..b", "-x"] {
        let run =
            home.run(NEW.into_iter().chain([&format!("--branch={none}"), "$ true", "--json"]));
        assert!(run.text().contains("BRANCH_INVALID"), "{none}: {}{}", run.text(), run.stderr);
    }

    // Deleted while the agent works.
    let made =
        home.json(NEW.into_iter().chain(["--ref", base, "--wait", "$ echo one > other.txt"]));
    git(&bare, &["branch", "-D", base]);
    let proposed = home.json(["pr", text(&made, "id")]);
    let number = proposed["pullRequest"]["number"].as_u64().unwrap();
    let pull = forge.get(&format!("/repos/dev/tool/pulls/{number}")).must(200);
    assert_eq!(text(&pull["base"], "ref"), "main");
}

#[test]
fn a_repository_that_takes_long_to_come_says_so_and_can_be_given_up() {
    let (home, forge) = stage();
    connect(&home, &forge);
    let slow = json!({
        "method": "POST", "path": "/dev/tool.git/git-upload-pack", "times": 9, "delayMs": 600_000
    });
    forge.control("POST", "/faults", &slow);
    let begun = home.json(NEW.into_iter().chain(["$ echo one > new.txt"]));
    let id = text(&begun, "id");
    // git and what it starts for HTTP.
    let mark = format!("{}/dev/tool", forge.url());
    let fetches = || !Home::processes_with(&mark).is_empty();
    poll::until("the repository to be fetched", || {
        let thread = home.show(id)["thread"].clone();
        let says = thread["step"].as_str().is_some_and(|step| step.starts_with("Fetching the rep"));
        (says && fetches()).then_some(())
    });
    home.ok(["stop", id]);
    let turn = home.wait_turn(id, 1);
    assert_eq!(turn["state"], "interrupted", "{turn}");
    home.ok(["delete", id, "--yes"]);
    home.wait_gone(id);
    poll::until("nothing to be fetched any more", || (!fetches()).then_some(()));
}
