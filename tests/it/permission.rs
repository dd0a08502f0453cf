//! In mode manual nothing happens that a person did not allow.

use std::path::PathBuf;

use aloft_tests::home::{Home, items};
use serde_json::Value;

struct Asked {
    home: Home,
    id: String,
}

impl Asked {
    /// A thread that asks before the first of these commands.
    fn new(prompt: &str) -> Self {
        let home = Home::new();
        let id = home.begin(&home.repository(), "manual", prompt);
        home.wait_state(&id, "requiresAction");
        Self { home, id }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.workspace(&self.id).join(name)
    }

    fn question(&self) -> Value {
        let shown = self.home.show(&self.id);
        let asked = items(&shown, "permission");
        (*asked.last().unwrap()).clone()
    }

    /// Waits for another question than this one.
    fn next_question(&self, before: &Value) -> Value {
        aloft_tests::poll::until("the next question", || {
            let question = self.question();
            (question["id"] != before["id"] && question["state"] == "inProgress")
                .then_some(question)
        })
    }
}

#[test]
fn nothing_runs_before_it_is_allowed() {
    let asked = Asked::new("$ touch one\n```write two\n2\n```");
    assert!(!asked.file("one").exists());
    let first = asked.question();
    assert!(first["options"].as_array().unwrap().len() >= 3, "{first}");
    asked.home.ok(["answer", &asked.id, "allow"]);
    let second = asked.next_question(&first);
    assert!(asked.file("one").exists());
    assert!(!asked.file("two").exists());
    asked.home.ok(["answer", &asked.id, "allow", "--item", second["id"].as_str().unwrap()]);
    asked.home.wait_turn(&asked.id, 1);
    assert!(asked.file("two").exists());
    let answered = asked.question();
    assert_eq!(answered["state"], "completed");
    assert!(answered["answer"].is_string() && answered["answeredBy"].is_string(), "{answered}");
}

#[test]
fn a_no_reaches_the_agent() {
    let asked = Asked::new("$ touch one\n$ touch two");
    asked.home.ok(["answer", &asked.id, "deny"]);
    let turn = asked.home.wait_turn(&asked.id, 1);
    assert_eq!(turn["state"], "completed");
    assert!(!asked.file("one").exists() && !asked.file("two").exists());
    let shown = asked.home.show(&asked.id);
    assert_eq!(items(&shown, "commandExecution")[0]["state"], "declined");
    let said = items(&shown, "agentMessage").last().unwrap()["text"].as_str().unwrap().to_owned();
    assert!(said.contains("You said no"), "{said}");
}

#[test]
fn allowing_always_asks_no_more_for_the_same_kind() {
    let asked = Asked::new("$ touch one\n$ touch two\n```write three\n3\n```");
    let first = asked.question();
    asked.home.ok(["answer", &asked.id, "allow-always"]);
    let second = asked.next_question(&first);
    assert!(asked.file("one").exists() && asked.file("two").exists());
    assert!(!asked.file("three").exists(), "a write is another kind");
    asked.home.ok(["answer", &asked.id, "deny"]);
    asked.home.wait_turn(&asked.id, 1);
    assert_eq!(asked.question()["id"], second["id"]);
    // It holds for the turns to come.
    asked.home.ok(["send", &asked.id, "--wait", "$ touch four"]);
    assert!(asked.file("four").exists());
}

#[test]
fn a_question_is_answered_once() {
    let asked = Asked::new("$ touch one");
    let question = asked.question();
    let item = question["id"].as_str().unwrap();
    assert_eq!(asked.home.fails(2, ["answer", &asked.id, "perhaps"])["reason"], "NO_OPTION");
    asked.home.ok(["answer", &asked.id, "allow", "--item", item]);
    asked.home.wait_turn(&asked.id, 1);
    let error = asked.home.fails(1, ["answer", &asked.id, "deny", "--item", item]);
    assert_eq!(error["reason"], "ALREADY_ANSWERED");
    assert!(error["message"].as_str().unwrap().contains("allow"), "{error}");
    assert!(asked.file("one").exists());
}

#[test]
fn mode_auto_in_mid_turn_lets_it_go_on() {
    let asked = Asked::new("$ touch one\n$ touch two");
    asked.home.ok(["mode", &asked.id, "auto"]);
    let turn = asked.home.wait_turn(&asked.id, 1);
    assert_eq!(turn["state"], "completed");
    assert!(asked.file("one").exists() && asked.file("two").exists());
}

#[test]
fn mode_manual_in_mid_turn_asks_from_then_on() {
    let home = Home::new();
    let prompt = "$ while ! test -e go; do sleep 0.05; done\n$ touch done";
    let id = home.begin(&home.repository(), "auto", prompt);
    home.wait_state(&id, "running");
    home.ok(["mode", &id, "manual"]);
    std::fs::write(home.workspace(&id).join("go"), "").unwrap();
    home.wait_state(&id, "requiresAction");
    assert!(!home.workspace(&id).join("done").exists());
    home.ok(["answer", &id, "allow"]);
    home.wait_turn(&id, 1);
    assert!(home.workspace(&id).join("done").exists());
}

#[test]
fn waiting_without_a_terminal_ends_with_its_own_code_where_an_answer_is_needed() {
    let home = Home::new();
    let repository = home.repository();
    let path = repository.to_str().unwrap();
    let run =
        home.run(["new", "--agent", "shell", "--repo", path, "--wait", "--json", "$ touch one"]);
    assert_eq!(run.code, 6, "{}", run.stderr);
    let thread: Value = serde_json::from_str(&run.text()).unwrap();
    assert_eq!(thread["state"], "requiresAction");
    assert_eq!(thread["mode"], "manual");
    let id = thread["id"].as_str().unwrap();
    assert_eq!(home.run(["follow", id, "--wait"]).code, 6);
    home.ok(["answer", id, "allow"]);
    home.ok(["follow", id, "--wait"]);
    assert!(home.workspace(id).join("one").exists());
}
