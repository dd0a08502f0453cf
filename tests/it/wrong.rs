//! What a person gets wrong at the command line: one clear error with a reason and a way on, and nothing is made.

use aloft_tests::home::Home;
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
        (2, vec!["lst".into()], "USAGE"),
    ];
    for (code, args, reason) in cases {
        let error = home.fails(code, &args);
        assert_eq!(error["reason"], reason, "{args:?}: {error}");
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
}
