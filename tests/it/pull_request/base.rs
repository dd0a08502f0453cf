//! The branch a pull request goes to moves on: that is told, and brought in without anything being overwritten.

use std::path::Path;

use aloft_tests::{
    git::git,
    home::{Home, items},
    poll,
};
use serde_json::{Value, json};

use crate::pull_request::{
    github::{connect, pulls, stage, thread},
    text, with_origin,
};

/// Somebody pushes one commit for each of these files to the main branch.
fn others_push(home: &Home, remote: &str, files: &[(&str, &str)]) {
    let work = home.path("others");
    if !work.exists() {
        git(&home.path(""), &["clone", "-q", remote, "others"]);
    }
    git(&work, &["pull", "-q", "--ff-only", "origin", "main"]);
    for (name, words) in files {
        std::fs::write(work.join(name), format!("{words}\n")).unwrap();
        git(&work, &["add", "."]);
        git(&work, &["commit", "-q", "-m", &format!("theirs: {name}")]);
    }
    git(&work, &["push", "-q", "origin", "HEAD:main"]);
}

fn contains(bare: &Path, branch: &str, commit: &str) -> bool {
    let range = format!("{branch}..{commit}");
    git(bare, &["rev-list", "--count", &range]) == "0"
}

fn notices(home: &Home, id: &str, part: &str) -> usize {
    let shown = home.show(id);
    let has = |item: &&Value| text(item, "text").contains(part);
    items(&shown, "notice").into_iter().filter(has).count()
}

#[test]
fn what_was_merged_is_no_change_against_the_moved_base() {
    let (home, forge) = stage();
    connect(&home, &forge);
    let made = thread(&home, "dev/tool", "$ echo one > new.txt");
    let id = text(&made, "id");
    let changed = || home.ok(["diff", id, "--merge-base", "--name-only"]);
    assert_eq!(changed(), "new.txt\n");
    home.ok(["pr", id]);
    forge.call("PUT", "/repos/dev/tool/pulls/1/merge", &json!({})).must(200);
    // The agent has not committed it, so none of its snapshots leads to what was merged.
    poll::until("the base to be looked at anew", || changed().is_empty().then_some(()));
    home.ok(["send", id, "--wait", "$ echo two > more.txt"]);
    assert_eq!(changed(), "more.txt\n");
    assert_eq!(home.ok(["diff", id, "--name-only"]), "more.txt\nnew.txt\n", "since it began");
}

#[test]
fn what_merges_cleanly_is_brought_in_by_the_cloud() {
    let (home, forge) = stage();
    connect(&home, &forge);
    let made = thread(&home, "dev/tool", "$ echo one > new.txt");
    let (id, branch) = (text(&made, "id"), text(&made, "branch"));
    let bare = home.path("forge/dev/tool.git");
    home.ok(["pr", id]);
    let pushed = git(&bare, &["rev-parse", branch]);
    assert_eq!(notices(&home, id, "has 2 new commits"), 0);

    others_push(&home, &forge.git_url("dev/tool"), &[("a.txt", "a"), ("b.txt", "b")]);
    let run = home.run(["pr", id]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for part in ["main has 2 new commits", "merge cleanly", "--sync"] {
        assert!(run.stderr.contains(part), "{part} is not in\n{}", run.stderr);
    }
    assert_eq!(git(&bare, &["rev-parse", branch]), pushed, "nothing is done about it unasked");
    home.ok(["pr", id]);
    assert_eq!(notices(&home, id, "has 2 new commits"), 1, "the thread says it once");

    // What nobody committed comes along.
    home.ok(["send", id, "--wait", "$ echo two > more.txt"]);
    let run = home.run(["pr", id, "--sync"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains("new commit"), "{}", run.stderr);
    assert!(contains(&bare, branch, "main"), "the branch has what main has");
    assert!(contains(&bare, branch, &pushed), "nothing that was pushed is replaced");
    for (name, words) in [("a.txt", "a"), ("new.txt", "one"), ("more.txt", "two")] {
        assert_eq!(git(&bare, &["show", &format!("{branch}:{name}")]), words);
        let there = std::fs::read_to_string(home.workspace(id).join(name)).unwrap();
        assert_eq!(there.trim(), words, "the agent works on with {name}");
    }
    let subject = git(&bare, &["log", "-1", "--format=%an|%s", branch]);
    assert_eq!(subject, format!("dev|Merge branch 'main' into {branch}"));
    // What others did is no work of the thread.
    assert_eq!(home.show(id)["thread"]["diff"]["files"], 2);
    let body = text(&pulls(&forge, "open")[0], "body").to_owned();
    assert!(body.contains("`more.txt`") && !body.contains("`a.txt`"), "{body}");

    // There is nothing more to bring in, and the work goes on from there.
    home.ok(["pr", id, "--sync"]);
    home.ok(["send", id, "--wait", "$ git status --short; echo three > last.txt"]);
    assert_eq!(home.show(id)["thread"]["diff"]["files"], 3);
    home.ok(["pr", id]);
    assert_eq!(git(&bare, &["show", &format!("{branch}:last.txt")]), "three");
    assert_eq!(git(&bare, &["rev-list", "--merges", "--count", branch]), "1");
    assert_eq!(pulls(&forge, "all").len(), 1);
}

#[test]
fn what_conflicts_is_brought_in_by_the_agent() {
    let (home, forge) = stage();
    connect(&home, &forge);
    let made = thread(&home, "dev/tool", "$ echo ours > new.txt; echo x > other.txt");
    let (id, branch) = (text(&made, "id"), text(&made, "branch"));
    let bare = home.path("forge/dev/tool.git");
    home.ok(["pr", id]);
    let pushed = git(&bare, &["rev-parse", branch]);
    others_push(&home, &forge.git_url("dev/tool"), &[("new.txt", "theirs")]);
    let run = home.run(["pr", id]);
    assert!(run.stderr.contains("1 new commit") && run.stderr.contains("conflict in new.txt:"));

    // The agent is told once, in one message; this one does nothing about it.
    let run = home.run(["pr", id, "--sync"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("main conflicts in new.txt"), "{}", run.stderr);
    let shown = home.show(id);
    let last = items(&shown, "userMessage").pop().unwrap();
    let words = text(&last["input"][0], "text");
    for part in ["1 new commit", "- `new.txt`\n", "git merge origin/main"] {
        assert!(words.contains(part), "{part} is not in\n{words}");
    }
    assert!(!words.contains("other.txt"), "{words}");
    assert_eq!(git(&bare, &["rev-parse", branch]), pushed);

    // What it was told is what brings it in.
    let script = "$ git add .; git commit -qm ours; git fetch -q origin; git merge -q origin/main; \
        echo both > new.txt; git add .; git commit -qm merged";
    home.ok(["send", id, "--wait", script]);
    let run = home.run(["pr", id]);
    assert!(!run.stderr.contains("conflict"), "{}", run.stderr);
    assert!(contains(&bare, branch, "main"));
    assert_eq!(git(&bare, &["show", &format!("{branch}:new.txt")]), "both");
    assert_eq!(home.show(id)["thread"]["diff"]["files"], 2);
}

#[test]
fn a_remote_that_is_nothing_but_git_is_brought_in_too() {
    let home = Home::new();
    let (checkout, bare) = with_origin(&home);
    let made = home.shell(&checkout, "auto", "$ echo one > new.txt");
    let (id, branch) = (text(&made, "id"), text(&made, "branch"));
    others_push(&home, bare.to_str().unwrap(), &[("a.txt", "a")]);
    let run = home.run(["pr", id]);
    assert!(run.stderr.contains("main has 1 new commit"), "{}{}", run.text(), run.stderr);
    home.ok(["pr", id, "--sync"]);
    assert!(contains(&bare, branch, "main"));
    // As files it is what is beyond the main branch of now.
    let folder = home.path("out");
    let saved = home.json(["pr", id, "--output", folder.to_str().unwrap()]);
    assert_eq!(text(&saved, "base"), git(&bare, &["rev-parse", "main"]));
    assert_eq!(home.fails(1, ["pr", id, "--sync", "--base", "gone"])["reason"], "BASE_UNKNOWN");

    // What a person did by hand is not lost by it.
    others_push(&home, bare.to_str().unwrap(), &[("b.txt", "b")]);
    std::fs::write(home.workspace(id).join("hand.txt"), "mine\n").unwrap();
    let error = home.fails(1, ["pr", id, "--sync"]);
    assert_eq!(error["reason"], "WORKSPACE_CHANGED");
    assert!(home.workspace(id).join("hand.txt").exists());
}

#[test]
fn a_branch_is_not_brought_into_itself() {
    let (home, forge) = stage();
    connect(&home, &forge);
    let made = thread(&home, "dev/tool", "$ echo one > new.txt");
    let (id, branch) = (text(&made, "id"), text(&made, "branch"));
    home.ok(["pr", id]);
    git(&home.path(""), &["clone", "-q", "-b", branch, &forge.git_url("dev/tool"), "others"]);
    git(&home.path("others"), &["commit", "-q", "--allow-empty", "-m", "theirs"]);
    git(&home.path("others"), &["push", "-q", "origin", branch]);
    let run = home.run(["pr", id, "--sync", "--base", branch, "--json"]);
    assert!(run.code != 0 && run.text().contains("BRANCH_IS_BASE"), "{}", run.text());
    assert_eq!(notices(&home, id, "is being made what it is"), 0, "nothing was merged");
}
