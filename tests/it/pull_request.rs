//! From a thread to its pull request: at a forge, and at a remote that is nothing but git.

mod bad;
mod base;
mod called;
mod canary;
mod fix;
mod fork;
mod github;
mod output;
mod rotation;
mod sign_in;
mod unasked;
mod words;

use std::path::{Path, PathBuf};

use aloft_tests::{
    git::{git, repository},
    home::{Home, items},
    poll,
};
use serde_json::Value;

/// A checkout whose `origin` is a bare repository beside it.
fn with_origin(home: &Home) -> (PathBuf, PathBuf) {
    let checkout = repository(&home.path("repository"));
    let bare = home.path("origin.git");
    let bare_text = bare.to_str().unwrap().to_owned();
    git(&checkout, &["clone", "-q", "--bare", ".", &bare_text]);
    git(&checkout, &["remote", "add", "origin", &bare_text]);
    (checkout, bare)
}

fn tip(bare: &Path, branch: &str) -> String {
    git(bare, &["rev-parse", &format!("refs/heads/{branch}")])
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} of {value}"))
}

#[test]
fn a_remote_without_pull_requests_gets_the_branch() {
    let home = Home::new();
    let (checkout, bare) = with_origin(&home);
    let thread = home.shell(&checkout, "auto", "$ echo one > new.txt");
    let (id, branch) = (text(&thread, "id"), text(&thread, "branch"));
    let said = home.ok(["pr", id]);
    assert!(said.contains(branch) && said.contains("origin.git"), "{said}");
    assert_eq!(git(&bare, &["show", &format!("{branch}:new.txt")]), "one");
    let message = git(&bare, &["log", "-1", "--format=%B", branch]);
    assert!(message.contains(&format!("Aloft-Thread: {id}")), "{message}");
    assert_eq!(git(&bare, &["rev-list", "--count", &format!("main..{branch}")]), "1");
    assert_eq!(git(&bare, &["for-each-ref", "refs/heads"]).lines().count(), 2, "no other branch");
    assert!(home.show(id)["thread"]["pullRequest"].is_null());

    // Again without a change: nothing happens. After more work the branch is replaced, for it is the thread's own.
    let first = tip(&bare, branch);
    home.ok(["pr", id]);
    assert_eq!(tip(&bare, branch), first);
    home.ok(["send", id, "--wait", "$ echo two > new.txt; git add .; git commit -qm two"]);
    home.ok(["pr", id, "--json"]);
    assert_eq!(git(&bare, &["show", &format!("{branch}:new.txt")]), "two");
    let message = git(&bare, &["log", "-1", "--format=%B", branch]);
    assert_eq!(message, format!("two\n\nAloft-Thread: {id}"), "the agent's own commit");
    // What writes that line stays in the sandbox.
    home.ok(["checkout", id, "--path", checkout.to_str().unwrap()]);
    git(&checkout, &["commit", "-q", "--allow-empty", "-m", "mine"]);
    assert_eq!(git(&checkout, &["log", "-1", "--format=%B"]), "mine");
    assert!(!git(&checkout, &["config", "--list"]).contains("aloft.trailer"));
    let shown = home.show(id);
    let told: Vec<&str> = items(&shown, "notice").iter().map(|item| text(item, "text")).collect();
    assert_eq!(
        told.iter().filter(|text| text.contains("Pushed the branch")).count(),
        2,
        "{told:?}"
    );
}

#[test]
fn what_others_pushed_is_never_overwritten() {
    let home = Home::new();
    let (checkout, bare) = with_origin(&home);
    let thread = home.shell(&checkout, "auto", "$ echo one > new.txt");
    let (id, branch) = (text(&thread, "id"), text(&thread, "branch"));
    // Before the first push somebody has a branch of that name.
    git(&bare, &["branch", branch, "main~1"]);
    let theirs = tip(&bare, branch);
    let error = home.fails(1, ["pr", id]);
    assert_eq!(error["reason"], "REMOTE_BRANCH_TAKEN");
    assert_eq!(tip(&bare, branch), theirs);
    git(&bare, &["branch", "-D", branch]);
    home.ok(["pr", id]);

    // After it somebody adds to the thread's branch.
    git(&checkout, &["fetch", "-q", "origin", branch]);
    git(&checkout, &["checkout", "-q", "FETCH_HEAD"]);
    std::fs::write(checkout.join("theirs.txt"), "theirs\n").unwrap();
    git(&checkout, &["add", "."]);
    git(&checkout, &["commit", "-q", "-m", "theirs"]);
    git(&checkout, &["push", "-q", "origin", &format!("HEAD:refs/heads/{branch}")]);
    let theirs = tip(&bare, branch);
    home.ok(["send", id, "--wait", "$ echo two > new.txt"]);
    assert_eq!(home.fails(1, ["pr", id])["reason"], "REMOTE_BRANCH_TAKEN");
    assert_eq!(tip(&bare, branch), theirs);
    // Their branch goes, ours comes.
    git(&bare, &["branch", "-D", branch]);
    home.ok(["pr", id]);
    assert_eq!(git(&bare, &["show", &format!("{branch}:new.txt")]), "two");
}

#[test]
fn what_cannot_be_proposed_is_refused_with_a_way_out() {
    let home = Home::new();
    let (checkout, bare) = with_origin(&home);
    let thread = home.shell(&checkout, "auto", "$ echo nothing changes");
    let id = text(&thread, "id").to_owned();
    assert_eq!(home.fails(1, ["pr", &id])["reason"], "NOTHING_TO_PROPOSE");
    home.ok(["send", &id, "$ echo one > new.txt; while ! test -e go; do sleep 0.05; done"]);
    home.wait_state(&id, "running");
    let left = home.workspace(&id).join("new.txt");
    poll::until("the turn to have written", || {
        std::fs::read_to_string(&left).is_ok_and(|text| text == "one\n").then_some(())
    });
    assert_eq!(home.fails(1, ["pr", &id])["reason"], "TURN_ACTIVE");
    home.ok(["stop", &id]);
    home.wait_turn(&id, 2);
    // What a stopped turn left is proposed as well.
    home.ok(["pr", &id]);
    let branch = text(&thread, "branch");
    assert_eq!(git(&bare, &["show", &format!("{branch}:new.txt")]), "one");

    let lonely = repository(&home.path("lonely"));
    let thread = home.shell(&lonely, "auto", "$ echo one > new.txt");
    let id = text(&thread, "id");
    let error = home.fails(1, ["pr", id]);
    assert_eq!(error["reason"], "NO_REMOTE");
    assert!(text(&error, "hint").contains("aloft checkout"), "{error}");
    // A remote that the checkout gets later is known as soon as something of it is sent again.
    let bare = home.path("lonely.git");
    git(&lonely, &["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    git(&lonely, &["remote", "add", "origin", bare.to_str().unwrap()]);
    git(&lonely, &["commit", "-q", "--allow-empty", "-m", "more"]);
    home.shell(&lonely, "auto", "$ true");
    home.ok(["pr", id]);

    git(&lonely, &["remote", "set-url", "origin", "https://github.com/nobody/nothing.git"]);
    git(&lonely, &["commit", "-q", "--allow-empty", "-m", "yet more"]);
    let thread = home.shell(&lonely, "auto", "$ echo two > new.txt");
    let error = home.fails(1, ["pr", text(&thread, "id")]);
    assert_eq!(error["reason"], "FORGE_ACCOUNT_MISSING");
    assert!(text(&error, "hint").contains("aloft forge connect github"), "{error}");
}

#[test]
fn a_hook_of_the_remote_is_heard() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let (checkout, bare) = with_origin(&home);
    let hook = bare.join("hooks/pre-receive");
    std::fs::create_dir_all(bare.join("hooks")).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho 'tests must pass first' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let thread = home.shell(&checkout, "auto", "$ echo one > new.txt");
    let error = home.fails(1, ["pr", text(&thread, "id")]);
    assert_eq!(error["reason"], "PUSH_REFUSED");
    assert!(text(&error, "message").contains("tests must pass first"), "{error}");
}

#[test]
fn a_stop_ends_a_push_and_the_next_one_works() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let (checkout, bare) = with_origin(&home);
    let hook = bare.join("hooks/pre-receive");
    std::fs::create_dir_all(bare.join("hooks")).unwrap();
    let waits = home.path("waits");
    let text_of = format!("#!/bin/sh\ntouch {}\nsleep 600\n", waits.display());
    std::fs::write(&hook, text_of).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let thread = home.shell(&checkout, "auto", "$ echo one > new.txt");
    let (id, branch) = (text(&thread, "id"), text(&thread, "branch"));
    let stopped = std::thread::scope(|scope| {
        let proposing = scope.spawn(|| home.run(["pr", id, "--json"]));
        poll::until("the push to be under way", || waits.exists().then_some(()));
        home.ok(["stop", id]);
        proposing.join().unwrap()
    });
    assert!(stopped.text().contains("PULL_REQUEST_STOPPED"), "{}", stopped.text());
    assert_eq!(git(&bare, &["branch", "--list", branch]), "");
    let shown = home.show(id);
    let said = |item: &&Value| text(item, "text").contains("was stopped by");
    assert!(items(&shown, "notice").iter().any(said), "{shown:#}");
    // There is nothing more to stop, and nothing in the way of the next one.
    assert_eq!(home.fails(1, ["stop", id])["reason"], "NO_TURN");
    std::fs::remove_file(&hook).unwrap();
    home.ok(["pr", id]);
    assert_eq!(git(&bare, &["show", &format!("{branch}:new.txt")]), "one");
}

#[test]
fn an_address_with_a_secret_is_kept_nowhere() {
    let home = Home::new();
    let secret = home.mark("secret");
    let url = format!("http://me:{secret}@127.0.0.1:1/a/b.git");
    let run = home.run(["new", "--agent", "shell", "--repo", &url, "$ true", "--json"]);
    assert_eq!(run.code, 2, "{}{}", run.text(), run.stderr);
    assert!(run.text().contains("SECRET_IN_ADDRESS"), "{}", run.text());
    assert!(!run.text().contains(&secret) && !run.stderr.contains(&secret));
    let found = std::process::Command::new("grep")
        .args(["-rl", &secret])
        .args([home.path("data"), home.path("s")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}
