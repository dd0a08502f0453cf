//! Who may only read proposes from a fork of their own.

use aloft_tests::{
    dev_forge::DevForge,
    git::git,
    home::{Home, feed},
    poll,
};
use serde_json::{Value, json};

use crate::pull_request::{
    github::{asked, pulls, stage, thread},
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

/// The repositories that somebody has at the forge.
fn owned(home: &Home, login: &str) -> Vec<String> {
    let entries = std::fs::read_dir(home.path(&format!("forge/{login}"))).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
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

#[test]
fn a_fork_of_which_the_answer_is_lost_is_found_and_a_stop_ends_the_wait_for_it() {
    let (home, forge) = stage();
    reader(&home, &forge);
    let made = thread(&home, "dev/tool", "$ echo one > new.txt");
    let (id, branch) = (text(&made, "id"), text(&made, "branch"));
    let before = asked(&forge, "GET", "/api/v3/repos/dev/tool");
    let unborn = "/api/v3/repos/ada/tool/branches";
    for fault in [
        json!({ "method": "POST", "path": "/api/v3/repos/dev/tool/forks", "times": 1, "cut": "after" }),
        json!({ "method": "GET", "path": unborn, "times": 100_000, "status": 404 }),
    ] {
        forge.control("POST", "/faults", &fault);
    }
    let stopped = std::thread::scope(|scope| {
        let proposing = scope.spawn(|| home.run(["pr", id, "--json"]));
        poll::until("the fork to be waited for", || {
            let seen = forge.control("GET", "/requests", &json!({}));
            let looks = seen.as_array().unwrap().iter();
            let looks = looks.filter(|call| text(call, "path").starts_with(unborn));
            (looks.count() >= 2).then_some(())
        });
        home.ok(["stop", id]);
        proposing.join().unwrap()
    });
    assert!(stopped.text().contains("PULL_REQUEST_STOPPED"), "{}", stopped.text());
    // The client would ask for the whole again, which finds it too: it did not have to.
    assert_eq!(asked(&forge, "GET", "/api/v3/repos/dev/tool"), before + 1);
    assert_eq!(pulls(&forge, "all").len(), 0);
    let fork = home.path("forge/ada/tool.git");
    assert_eq!(branches(&fork), "main");

    forge.control("DELETE", "/faults", &json!({}));
    home.ok(["pr", id]);
    assert_eq!(git(&fork, &["show", &format!("{branch}:new.txt")]), "one");
    assert_eq!(pulls(&forge, "all").len(), 1);
    assert_eq!(owned(&home, "ada"), ["tool.git"], "there is one fork");
}
