//! The built-in agent over both APIs.

use aloft_tests::poll;
use aloft_tests::{
    home::{finish, items},
    ssh::Person,
};
use serde_json::json;

use crate::agents::{FACT, Keys, LIMIT, MODEL, Stage, mark, of_type, words};

#[test]
fn aloft_does_everything_over_anthropic_messages() {
    walk(&Stage::new("aloft", Keys::Anthropic));
}

#[test]
fn aloft_does_everything_over_openai_chat() {
    walk(&Stage::new("aloft", Keys::OpenAi));
}

#[test]
fn aloft_is_told_what_a_person_changed_and_what_was_rewound() {
    let stage = Stage::new("aloft", Keys::Anthropic);
    let script = mark(&json!([{"text": "done"}]));
    let thread = &stage.create("auto", Some(MODEL), &script);
    stage.ended(thread, 1, "completed");
    let told = |turn: u64, words: &str| {
        stage.home.json(["send", thread, &script]);
        stage.ended(thread, turn, "completed");
        let bodies: Vec<String> =
            stage.server.seen().iter().map(|seen| seen.body.to_string()).collect();
        bodies.iter().rposition(|body| body.contains(words)) == Some(bodies.len() - 1)
    };
    let person = Person::registered(&stage.home);
    person.write("by-hand.txt", b"mine\n");
    person.write("batch", b"put by-hand.txt\n");
    let host = format!("{thread}.aloft");
    let put = finish(person.command("sftp", ["-q", "-b", "batch", &host]));
    assert_eq!(put.code, 0, "{}", put.stderr);
    assert!(told(2, "- by-hand.txt (added)"), "the agent does not know of the person's file");
    let shown = stage.home.show(thread);
    let changes = items(&shown, "fileChange");
    let theirs = changes.iter().find(|item| item["author"] == "person");
    assert!(theirs.is_some_and(|item| item["changes"][0]["path"] == "by-hand.txt"), "{shown:#}");
    stage.home.ok(["rewind", thread, "--turn", "1"]);
    assert!(told(3, "A person has rewound the workspace"), "the agent knows of no rewind");
}

#[test]
fn aloft_wraps_up_where_it_is_asked_to_finish_and_what_waits_goes_on_waiting() {
    let stage = Stage::new("aloft", Keys::Anthropic);
    let wait = "touch waits; until [ -e go ]; do sleep 0.1; done";
    let script = json!([{"tool": "shell", "cmd": wait}, {"text": "half of it is done"}]);
    let thread = &stage.create("auto", Some(MODEL), &mark(&script));
    poll::within(LIMIT, "the command to run", || {
        stage.file(thread, "waits").exists().then_some(())
    });
    stage.home.ok(["send", thread, "--queue", &mark(&json!([{"text": "later"}]))]);
    stage.home.ok(["stop", thread, "--finish"]);
    stage.item(thread, "the wish to reach the agent", |item| {
        item["type"] == "userMessage"
            && item["delivery"] != "queued"
            && item["input"][0]["text"].as_str().is_some_and(|text| text.starts_with("Please stop"))
    });
    std::fs::write(stage.file(thread, "go"), "").unwrap();
    let items = stage.ended(thread, 1, "completed");
    assert_eq!(words(&items), "half of it is done", "{items:#?}");
    let last = stage.server.seen().last().unwrap().body.to_string();
    assert!(
        last.contains("say in a few sentences what is done"),
        "the model was not asked: {last}"
    );
    let shown = stage.home.wait_state(thread, "idle");
    assert_eq!(
        (&shown["thread"]["queued"], shown["turns"].as_array().unwrap().len()),
        (&json!(1), 1)
    );
}

fn walk(stage: &Stage) {
    // It asks before it acts; the first turn tells the fact.
    let write = |path: &str| json!({"tool": "write", "path": path, "content": "made\n"});
    let script =
        json!([write("/workspace/allowed.txt"), write("/workspace/denied.txt"), {"text": "done"}]);
    let thread =
        &stage.create("manual", Some(MODEL), &format!("Remember {FACT}. {}", mark(&script)));
    stage.question(thread, 1);
    assert!(!stage.file(thread, "allowed.txt").exists());
    stage.home.json(["answer", thread, "allow"]);
    stage.question(thread, 2);
    assert!(stage.file(thread, "allowed.txt").exists());
    stage.home.json(["answer", thread, "deny"]);
    let items = stage.ended(thread, 1, "completed");
    assert_eq!(words(&items), "done", "{items:#?}");
    let changes = of_type(&items, "fileChange");
    assert_eq!((changes.len(), &changes[1]["state"]), (2, &json!("declined")), "{items:#?}");
    let diff = stage.diff(thread);
    assert!(diff.contains("b/allowed.txt") && diff.contains("+made"), "{diff}");
    assert!(!diff.contains("denied.txt"), "{diff}");

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
