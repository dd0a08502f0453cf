//! claude-agent-acp, over Anthropic Messages.

use aloft_tests::model::Seen;
use serde_json::json;

use crate::agents::{FACT, Keys, MODEL, Stage, mark, of_type, words};

#[test]
fn claude_does_everything() {
    let stage = &Stage::new("claude", Keys::Anthropic);
    // In manual mode it asks before each edit and command; the first turn tells the fact.
    let write = |path: &str| json!({"tool": "write", "path": path, "content": "made\n"});
    let script = json!([
        write("/workspace/allowed.txt"),
        {"tool": "shell", "cmd": "touch denied.txt"},
        {"text": "done"},
    ]);
    let thread =
        &stage.create("manual", Some(MODEL), &format!("Remember {FACT}. {}", mark(&script)));
    stage.question(thread, 1);
    assert!(!stage.file(thread, "allowed.txt").exists());
    stage.home.json(["answer", thread, "allow"]);
    stage.question(thread, 2);
    assert!(stage.file(thread, "allowed.txt").exists());
    stage.home.json(["answer", thread, "deny"]);
    let items = stage.ended(thread, 1, "completed");
    assert!(!stage.file(thread, "denied.txt").exists());
    assert_eq!(of_type(&items, "fileChange").len(), 1, "{items:#?}");
    assert_eq!(words(&items), "done", "{items:#?}");
    let told = |seen: &Seen| seen.body["messages"].to_string().contains("refused permission");
    assert!(stage.server.seen().iter().any(told), "the model was not told of the no");
    let diff = stage.diff(thread);
    assert!(diff.contains("b/allowed.txt") && diff.contains("+made"), "{diff}");

    stage.home.json(["mode", thread, "auto"]);
    stage.runs_commands(thread, 2);
    stage.stops(thread, 3);
    stage.recalls(thread, 4);
    stage.home.json(["pause", thread]);
    stage.recalls(thread, 5);
    stage.home.kill_cloud();
    stage.recalls(thread, 6);
    stage.keeps_secrets(thread, 7);
    stage.names_its_jobs(thread, 8);
    stage.is_guided(thread, 10);
    stage.waits_at_its_budget(thread, 11);
    stage.recalls_from_the_log(thread, 12);
    stage.was_counted(thread);
    stage.used(MODEL);
}
