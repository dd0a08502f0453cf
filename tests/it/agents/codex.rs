//! codex-acp, over `OpenAI` Responses.

use serde_json::json;

use crate::agents::{FACT, Keys, MODEL, Stage, mark, of_type};

#[test]
fn codex_does_everything() {
    let stage = &Stage::new("codex", Keys::OpenAi);
    // In manual mode it asks before each edit; the first turn tells the fact.
    let write = |path: &str| json!([{"tool": "write", "path": path, "content": "made\n"}, {"text": "done"}]);
    let first = format!("Remember {FACT}. {}", mark(&write("allowed.txt")));
    let thread = &stage.create("manual", Some(MODEL), &first);
    stage.question(thread, 1);
    assert!(!stage.file(thread, "allowed.txt").exists());
    stage.home.json(["answer", thread, "allow"]);
    let items = stage.ended(thread, 1, "completed");
    assert_eq!(of_type(&items, "fileChange").len(), 1, "{items:#?}");
    let diff = stage.diff(thread);
    assert!(diff.contains("b/allowed.txt") && diff.contains("+made"), "{diff}");

    // Its turn ends with a "no".
    stage.send(thread, &mark(&write("denied.txt")));
    stage.question(thread, 2);
    stage.home.json(["answer", thread, "deny"]);
    stage.ended(thread, 2, "interrupted");
    assert!(!stage.file(thread, "denied.txt").exists());

    stage.home.json(["mode", thread, "auto"]);
    stage.runs_commands(thread, 3);
    stage.stops(thread, 4);
    stage.recalls(thread, 5);
    stage.home.json(["pause", thread]);
    stage.recalls(thread, 6);
    stage.home.kill_cloud();
    stage.recalls(thread, 7);
    stage.keeps_secrets(thread, 8);
    stage.names_its_jobs(thread, 9);
    stage.is_guided(thread, 11);
    stage.waits_at_its_budget(thread, 12);
    stage.recalls_from_the_log(thread, 13);
    stage.was_counted(thread);
    stage.used(MODEL);
}
