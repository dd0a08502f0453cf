//! opencode, over `OpenAI` Chat.

use serde_json::json;

use crate::agents::{FACT, Keys, MODEL, Stage, mark, of_type};

#[test]
fn opencode_does_everything() {
    let stage = &Stage::new("opencode", Keys::OpenAi);
    // In manual mode it asks before each edit and command; the first turn tells the fact.
    let script = json!([
        {"tool": "write", "path": "/workspace/allowed.txt", "content": "made\n"},
        {"tool": "shell", "cmd": "touch denied.txt"},
        {"text": "done"},
    ]);
    let thread = &stage.create("manual", None, &format!("Remember {FACT}. {}", mark(&script)));
    stage.question(thread, 1);
    assert!(!stage.file(thread, "allowed.txt").exists());
    stage.home.json(["answer", thread, "allow"]);
    stage.question(thread, 2);
    assert!(stage.file(thread, "allowed.txt").exists());
    stage.home.json(["answer", thread, "deny"]);
    // Its turn ends with a "no".
    let items = stage.ended(thread, 1, "completed");
    assert!(!stage.file(thread, "denied.txt").exists());
    assert_eq!(of_type(&items, "fileChange").len(), 1, "{items:#?}");
    let diff = stage.diff(thread);
    assert!(diff.contains("b/allowed.txt") && diff.contains("+made"), "{diff}");

    stage.home.json(["mode", thread, "auto"]);
    stage.runs_commands(thread, 2);
    stage.stops(thread, 3);
    stage.recalls(thread, 4);
    // Nobody named a model, so it is one that the API offers; the new one is used from its next start.
    stage.used("m");
    stage.home.json(["model", thread, MODEL]);
    stage.home.json(["pause", thread]);
    stage.recalls(thread, 5);
    stage.keeps_secrets(thread, 6);
    stage.names_its_jobs(thread, 7);
    stage.is_guided(thread, 9);
    stage.waits_at_its_budget(thread, 11);
    stage.recalls_from_the_log(thread, 12);
    stage.was_counted(thread);
    stage.used(MODEL);
}
