//! Accounts by a code that a person confirms at the forge.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Stdio},
};

use aloft_tests::{
    dev_forge::DevForge,
    home::{Home, feed},
    poll,
};
use serde_json::{Value, json};

use crate::pull_request::text;

/// A person whose cloud knows an application at this forge.
fn person(forge: &DevForge, application: &str) -> Home {
    let home = Home::new();
    let host = forge.url().replace("http://", "");
    home.configure(&format!("[serve.forges.\"{host}\"]\nclientId = \"{application}\"\n"));
    home
}

/// `aloft forge connect` without a token; the code it shows, once it does.
fn connect(home: &Home, forge: &DevForge) -> (Child, String) {
    let words = ["forge", "connect", "github", "--url", &forge.url(), "--json"];
    let mut command = home.command(words);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let shown = lines.find(|line| line.contains("enter the code")).unwrap();
    assert!(shown.contains(&format!("{}/login/device", forge.url())), "{shown}");
    std::thread::spawn(move || lines.for_each(drop));
    (child, shown.split(' ').next_back().unwrap().to_owned())
}

fn decide(forge: &DevForge, code: &str, what: &str) {
    forge.control("POST", "/device", &json!({ "userCode": code, "do": what }));
}

/// How a command ends: its code, and what it printed.
fn end(mut child: Child) -> (i32, Value) {
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    let code = child.wait().unwrap().code().unwrap();
    (code, serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}")))
}

/// How often the forge was asked whether the code was confirmed.
fn questions(forge: &DevForge) -> usize {
    let requests = forge.control("GET", "/requests", &Value::Null);
    let all = requests.as_array().unwrap().iter();
    all.filter(|one| one["path"] == "/login/oauth/access_token").count()
}

#[test]
fn a_person_signs_in_by_a_code_at_the_pace_the_forge_wants() {
    let folder = tempfile::tempdir().unwrap();
    let forge = DevForge::start(&folder.path().join("forge"));
    let home = person(&forge, "app");
    let (child, code) = connect(&home, &forge);
    // The first question comes too early for the forge, the second is answered.
    decide(&forge, &code, "slow_down");
    poll::until("the forge to be asked", || (questions(&forge) == 1).then_some(()));
    decide(&forge, &code, "authorize");
    let (exit, account) = end(child);
    assert_eq!((exit, text(&account, "login")), (0, "dev"), "{account}");
    assert_eq!(account["scopes"], json!(["repo"]));
    assert_eq!(questions(&forge), 2, "who was told to slow down does");
    assert_eq!(home.json(["forge", "list"]), json!([account]));
    // Its token works, and is nowhere to be read.
    forge.repository("dev/tool");
    assert_eq!(home.json(["repo", "list"])[0]["name"], "dev/tool");
    let found = std::process::Command::new("grep")
        .args(["-rlaE", "gho_[A-Za-z0-9]{20}"])
        .args([home.path("data"), home.path("config"), home.path("run")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

#[test]
fn a_code_that_is_refused_or_over_connects_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let forge = DevForge::start(&folder.path().join("forge"));
    std::thread::scope(|scope| {
        for (decision, reason) in
            [("deny", "FORGE_SIGN_IN_DENIED"), ("expire", "FORGE_SIGN_IN_EXPIRED")]
        {
            let forge = &forge;
            scope.spawn(move || {
                let home = person(forge, "app");
                let (child, code) = connect(&home, forge);
                decide(forge, &code, decision);
                let (exit, answer) = end(child);
                assert_eq!((exit, text(&answer["error"], "reason")), (1, reason), "{answer}");
                assert!(text(&answer["error"], "hint").contains("aloft forge connect github"));
                assert_eq!(home.json(["forge", "list"]), json!([]));
            });
        }
    });
}

#[test]
fn where_nobody_can_sign_in_by_a_code_a_token_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let forge = DevForge::start(&folder.path().join("forge"));
    let url = forge.url();
    let words = ["forge", "connect", "github", "--url", &url, "--json"];
    let home = person(&forge, "disabled");
    let error = home.fails(1, &words[..5]);
    assert_eq!(error["reason"], "FORGE_SIGN_IN_FAILED");
    assert!(text(&error, "message").contains("device_flow_disabled"), "{error}");
    let home = Home::new();
    let run = feed(home.command(words), forge.token().as_bytes());
    assert_eq!(run.code, 0, "{}{}", run.text(), run.stderr);
}
