//! A sandbox whose files were removed from the cloud's disk is made again from the last snapshot, and the thread says so.

use std::fs;

use aloft_tests::home::{Home, items};
use serde_json::Value;

/// Says that the thread was told.
const TOLD: &str = "made again from the snapshot of turn 1";

/// The thread told of it in this many items, and its next message works on what turn 1 left.
fn is_made_again(home: &Home, id: &str) {
    home.ok(["send", id, "--wait", "$ cat kept; git log --format=%s -1; git status --short"]);
    let shown = home.show(id);
    assert_eq!(shown["thread"]["lastTurn"]["state"], "completed", "{shown:#}");
    let output = &items(&shown, "commandExecution").last().unwrap()["output"];
    assert_eq!(output, "of turn one\nkept\n?? loose\n", "{shown:#}");
    let told = items(&shown, "notice");
    let told = told.iter().filter(|item| said(item).contains(TOLD)).count();
    assert_eq!(told, 1, "{shown:#}");
    let diff = home.ok(["diff", id]);
    assert!(diff.contains("+of turn one") && diff.contains("+loose"), "{diff}");
}

fn said(item: &Value) -> &str {
    item["text"].as_str().unwrap_or_default()
}

fn begun(home: &Home, mode: &str) -> String {
    let prompt = "$ echo of turn one > kept; git add kept; git commit -qm kept; echo loose > loose";
    let thread = home.shell(&home.repository(), "auto", prompt);
    let id = thread["id"].as_str().unwrap().to_owned();
    home.ok(["mode", &id, mode]);
    id
}

#[test]
fn a_sandbox_that_vanished_at_rest_is_made_again() {
    let home = Home::new();
    let id = begun(&home, "auto");
    home.ok(["pause", &id]);
    home.wait_state(&id, "paused");
    fs::remove_dir_all(home.path("s/s").join(&id)).unwrap();
    is_made_again(&home, &id);
}

#[test]
fn a_sandbox_that_vanished_under_an_idle_thread_is_made_again() {
    let home = Home::new();
    let id = begun(&home, "auto");
    fs::remove_dir_all(home.path("s/s").join(&id)).unwrap();
    is_made_again(&home, &id);
    let mounts = format!("{}/", home.path("s/s").join(&id).display());
    let guests = Home::processes_with("guest");
    let of_thread = guests.iter().filter(|pid| {
        fs::read_to_string(format!("/proc/{pid}/mountinfo"))
            .is_ok_and(|text| text.contains(&mounts))
    });
    // The first process of the sandbox and the guest it waits for: those of one sandbox.
    assert!(of_thread.count() <= 2);
}

#[test]
fn a_workspace_that_vanished_in_mid_turn_is_not_saved_as_empty() {
    let home = Home::new();
    let id = begun(&home, "manual");
    home.ok(["send", &id, "$ echo second > second"]);
    home.wait_state(&id, "requiresAction");
    fs::remove_dir_all(home.workspace(&id)).unwrap();
    home.ok(["answer", &id, "allow"]);
    let turn = home.wait_turn(&id, 2);
    assert_eq!(turn["state"], "interrupted", "{turn}");
    assert_eq!(turn["error"]["reason"], "SANDBOX_VANISHED", "{turn}");
    home.ok(["mode", &id, "auto"]);
    is_made_again(&home, &id);
}
