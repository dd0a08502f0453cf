//! What a person gets wrong at the command line: one clear error with a reason and a way on, and nothing is made.

use std::process::Stdio;

use aloft_tests::{home::Home, poll};
use serde_json::Value;

#[test]
fn each_wrong_name_has_its_own_error_and_makes_no_thread() {
    let home = Home::new();
    let repository = home.repository();
    let new = |words: &[&'static str]| {
        let mut args = vec!["new", "--repo", repository.to_str().unwrap()];
        args.extend(words);
        args.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let cases = [
        (1, new(&["--agent", "nope", "hello"]), "AGENT_UNKNOWN"),
        (2, new(&["--agent", "shell", "--env", "nope", "hello"]), "INVALID_ARGUMENT"),
        (1, new(&["--agent", "shell", "--ref", "nope", "hello"]), "REF_UNKNOWN"),
        (2, new(&["--agent", "shell", "--branch", "a..b", "hello"]), "BRANCH_INVALID"),
        (2, new(&["--agent", "shell", "--mode", "wild", "hello"]), "USAGE"),
        (2, new(&["--agent", "shell", "  "]), "USAGE"),
        (1, vec!["show".into(), "nope".into()], "THREAD_NOT_FOUND"),
        (1, new(&["--agent", "shell", "--image", "/none.png", "hello"]), "LOCAL_IO"),
        (1, vec!["restore".into(), "/none".into()], "LOCAL_IO"),
        (2, vec!["lst".into()], "USAGE"),
    ];
    for (code, args, reason) in cases {
        let error = home.fails(code, &args);
        assert_eq!(error["reason"], reason, "{args:?}: {error}");
        assert!(error["hint"].is_string(), "{args:?}: {error}");
    }
    assert_eq!(home.json(["list"]), Value::Array(Vec::new()));
}

#[test]
fn a_repository_that_cannot_be_fetched_says_what_failed() {
    let home = Home::new();
    let args =
        ["new", "--agent", "shell", "--repo", "https://127.0.0.1:1/none.git", "--wait", "$ ls"];
    let run = home.run(args);
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(run.text().contains("failed to fetch from `https://127.0.0.1:1/none.git`"));
    assert!(run.text().contains("hint: check the address"), "{}", run.text());
}

#[test]
fn a_configuration_that_is_not_understood_is_what_doctor_finds() {
    let home = Home::new();
    std::fs::write(home.path("config/config.toml"), "not [ toml").unwrap();
    let error = home.fails(2, ["list"]);
    assert_eq!(error["reason"], "INVALID_CONFIG");
    assert!(error["hint"].is_string(), "{error}");
    let run = home.run(["doctor", "--json"]);
    let checks: Value = serde_json::from_str(&run.text()).unwrap();
    assert_eq!(
        (run.code, &checks[0]["check"], &checks[0]["ok"]),
        (1, &"configuration".into(), &false.into())
    );
    assert!(checks[0]["detail"].as_str().unwrap().contains("config.toml"), "{checks}");
}

#[test]
fn a_deleted_thread_is_the_last_one_no_more() {
    let home = Home::new();
    let repository = home.repository();
    let first = home.shell(&repository, "auto", "$ echo 1 > file");
    let second = home.shell(&repository, "auto", "$ echo 2 > file");
    home.ok(["delete", "@last", "--yes"]);
    assert_eq!(home.json(["show", "@last"])["thread"]["id"], first["id"]);
    let error = home.fails(1, ["diff", second["id"].as_str().unwrap()]);
    let told = error["reason"].as_str().unwrap();
    assert!(["THREAD_DELETING", "THREAD_NOT_FOUND"].contains(&told), "{error}");
    // Whatever stands in a title, it is a line of text.
    home.ok(["rename", "@last", "a \u{1b}[31m\nb"]);
    assert_eq!(home.json(["show", "@last"])["thread"]["title"], "a [31m b");
}

#[test]
fn uninstalling_leaves_what_is_not_ours_in_a_folder_somebody_chose() {
    let home = Home::new();
    home.shell(&home.repository(), "auto", "$ echo 1 > file");
    let theirs = ["data/theirs", "config/theirs", "run/theirs", "s/theirs"];
    for file in theirs {
        std::fs::write(home.path(file), "theirs").unwrap();
    }
    let removed = home.json(["uninstall", "--yes"]);
    for path in removed["removed"].as_array().unwrap() {
        assert!(!std::path::Path::new(path.as_str().unwrap()).exists(), "{path}");
    }
    for folder in ["data", "config", "run", "s"] {
        let left: Vec<_> = std::fs::read_dir(home.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["theirs"], "{folder}");
    }
}

#[test]
fn what_is_shown_says_how_each_turn_ended() {
    let home = Home::new();
    let thread = home.shell(&home.repository(), "auto", "$ true");
    let id = thread["id"].as_str().unwrap();
    home.ok(["send", id, "--wait", "$ echo two"]);
    for words in [["show", id], ["follow", id]] {
        let mut words = words.to_vec();
        if words[0] == "follow" {
            words.push("--wait");
        }
        let shown = home.ok(words);
        let [first, second] =
            ["— turn 1 completed", "— turn 2 completed"].map(|end| shown.find(end));
        assert!(first.is_some() && first < shown.find("$ echo two"), "{shown}");
        assert!(second.is_some() && second > shown.find("$ echo two"), "{shown}");
    }
}

#[test]
fn nobody_waits_for_a_message_that_was_taken_back() {
    let home = Home::new();
    let id = home.begin(&home.repository(), "auto", "$ while ! test -e go; do sleep 0.1; done");
    let mut words = home.command(["send", &id, "--queue", "--wait", "$ echo never"]);
    let mut waiting = words.stdout(Stdio::piped()).spawn().unwrap();
    let item = poll::until("the message to wait", || {
        home.json(["queue", &id])[0]["id"].as_str().map(str::to_owned)
    });
    home.ok(["queue", &id, "drop", &item]);
    let code = poll::until("its sender to go on", || waiting.try_wait().unwrap()).code();
    assert_eq!(code, Some(5));
    assert!(home.ok(["show", &id]).contains("> $ echo never  (taken back)"));
    home.ok(["stop", &id]);
}
