//! What people do with a thread, step by step. Each journey goes on whatever dies meanwhile, as people do.

use std::fs;

use aloft_proto::v1::{
    Mode, MoveQueuedRequest, RemoveQueuedRequest, Thread, ThreadState, TurnState, TurnSummary,
    UpdateThreadRequest,
};
use aloft_tests::{
    home::items,
    poll,
    sender::{Ask, Sender},
};
use serde_json::{Value, json};

use crate::faults::{after::nothing_is_left, stage::Stage};

/// A journey: what it needs, which is not looked at, and what it does.
pub(super) struct Journey {
    pub(super) name: &'static str,
    /// Makes the thread it is about; absent where that is the journey.
    pub(super) prepare: Option<fn(&Stage, &mut Sender) -> String>,
    pub(super) act: fn(&Stage, &mut Sender, &str),
}

/// All journeys.
pub(super) const JOURNEYS: &[Journey] = &[
    Journey { name: "create", prepare: None, act: create },
    Journey { name: "bring", prepare: None, act: bring },
    Journey { name: "turn", prepare: Some(asking), act: turn },
    Journey { name: "guide", prepare: Some(idle), act: guide },
    Journey { name: "steer", prepare: Some(steering), act: steer },
    Journey { name: "stop", prepare: Some(idle), act: stop },
    Journey { name: "stop-starting", prepare: None, act: stop_starting },
    Journey { name: "queue", prepare: Some(idle), act: queue },
    Journey { name: "rewind", prepare: Some(idle), act: rewind },
    Journey { name: "budget", prepare: Some(idle), act: budget },
    Journey { name: "update", prepare: Some(idle), act: update },
    Journey { name: "pause", prepare: Some(idle), act: pause },
    Journey { name: "resume", prepare: Some(paused), act: resume },
    Journey { name: "rest", prepare: Some(idle), act: rest },
    Journey { name: "restart", prepare: Some(busy), act: restart },
    Journey { name: "delete", prepare: Some(idle), act: delete },
];

/// Runs until it is stopped.
const LONG: &str = "$ touch began; exec sleep 1000";

fn idle(stage: &Stage, sender: &mut Sender) -> String {
    let thread = sender.create(&stage.url, Mode::Auto, "$ echo first > first");
    settle(stage, sender, &thread);
    thread
}

fn asking(stage: &Stage, sender: &mut Sender) -> String {
    let thread = idle(stage, sender);
    set_mode(sender, &thread, Mode::Manual);
    thread
}

fn steering(stage: &Stage, sender: &mut Sender) -> String {
    let thread =
        sender.create_with("aloft", &stage.url, Mode::Auto, &mark(&json!([{"text": "hello"}])));
    settle(stage, sender, &thread);
    thread
}

fn paused(stage: &Stage, sender: &mut Sender) -> String {
    let thread = idle(stage, sender);
    pause(stage, sender, &thread);
    thread
}

fn busy(stage: &Stage, sender: &mut Sender) -> String {
    let thread = idle(stage, sender);
    sender.start(&thread, LONG, false).unwrap();
    begun(stage, sender, &thread, "began");
    thread
}

fn create(stage: &Stage, sender: &mut Sender, _: &str) {
    let thread = sender.create(&stage.url, Mode::Auto, "$ echo one > one");
    settle(stage, sender, &thread);
}

fn bring(stage: &Stage, _: &mut Sender, _: &str) {
    // A person whose `aloft new` was killed calls it again.
    let repository = stage.home.path("repository");
    let repository = repository.to_str().unwrap();
    poll::until("a thread to be created", || {
        let args = [
            "new",
            "--agent",
            "shell",
            "--mode",
            "auto",
            "--repo",
            repository,
            "--json",
            "$ echo one > one",
        ];
        (stage.home.run(args).code == 0).then_some(())
    });
}

fn turn(stage: &Stage, sender: &mut Sender, thread: &str) {
    sender.start(thread, "$ echo asked > asked", false).unwrap();
    poll::until("a question, or the end of the turn", || {
        let known = known(sender, thread);
        (known.state() == ThreadState::RequiresAction || rests(&known)).then_some(())
    });
    // After a crash there may be no question any more.
    let _refused = sender.answer(thread, "allow");
    settle(stage, sender, thread);
}

fn guide(stage: &Stage, sender: &mut Sender, thread: &str) {
    sender.start(thread, LONG, false).unwrap();
    begun(stage, sender, thread, "began");
    sender.steer(thread, "$ echo guided >> guided").unwrap();
    let shown = settle(stage, sender, thread);
    wrote_once(stage, thread, &shown, "guided");
}

fn steer(stage: &Stage, sender: &mut Sender, thread: &str) {
    let wait = "touch waits; until [ -e go ]; do sleep 0.05; done";
    let script = json!([{"tool": "shell", "cmd": wait}, {"text": "first way"}]);
    sender.start(thread, &mark(&script), false).unwrap();
    begun(stage, sender, thread, "waits");
    let then = json!([{"tool": "shell", "cmd": "echo new way > guided"}, {"text": "guided"}]);
    sender.steer(thread, &mark(&then)).unwrap();
    write(stage, thread, "go");
    settle(stage, sender, thread);
}

fn stop(stage: &Stage, sender: &mut Sender, thread: &str) {
    sender.start(thread, LONG, false).unwrap();
    begun(stage, sender, thread, "began");
    // The crash may have ended the turn.
    let stopped = sender.interrupt(thread, "t2").is_ok();
    let shown = settle(stage, sender, thread);
    let last = &shown["thread"]["lastTurn"];
    assert!(!stopped || last["state"] == "interrupted", "{last}");
}

fn stop_starting(stage: &Stage, sender: &mut Sender, _: &str) {
    stage.arm("hold", "start.sandbox", 1);
    let thread = sender.create(&stage.url, Mode::Auto, "$ echo began > began");
    poll::until("the start to be held, or over", || {
        (stage.is_held() || rests(&known(sender, &thread))).then_some(())
    });
    let stopped = sender.interrupt(&thread, "t1").is_ok();
    stage.release();
    let shown = settle(stage, sender, &thread);
    let turn = &shown["turns"][0];
    assert!(!stopped || turn["state"] == "interrupted", "{shown:#}");
    assert!(!stopped || turn["stoppedBy"] == "local", "{turn}");
}

fn queue(stage: &Stage, sender: &mut Sender, thread: &str) {
    let wait = "$ touch began; while ! test -e go; do sleep 0.05; done";
    sender.start(thread, wait, false).unwrap();
    begun(stage, sender, thread, "began");
    let queued = ["one", "two", "three"]
        .map(|word| sender.start(thread, &format!("$ echo {word} >> order"), true).unwrap().item);
    let (thread_id, item_id) = (thread.to_owned(), queued[2].clone());
    // Where the crash ended the turn, the first message began another one: it may be under way.
    let request = MoveQueuedRequest { thread_id, item_id, position: 0, ..Default::default() };
    let _refused = sender.send(Ask::Move(request));
    let (thread_id, item_id) = (thread.to_owned(), queued[1].clone());
    let removed = sender
        .send(Ask::Remove(RemoveQueuedRequest { thread_id, item_id, ..Default::default() }))
        .is_ok();
    write(stage, thread, "go");
    settle(stage, sender, thread);
    // What a crash held back comes after the next message.
    sender.start(thread, "$ echo next >> order", false).unwrap();
    let shown = settle(stage, sender, thread);
    let written = wrote_once(stage, thread, &shown, "order");
    assert!(!removed || !written.contains(&"two".to_owned()), "a message ran that was taken back");
}

fn rewind(stage: &Stage, sender: &mut Sender, thread: &str) {
    sender.start(thread, "$ echo second > second", false).unwrap();
    settle(stage, sender, thread);
    poll::until("the workspace to be brought back", || {
        let run = stage.home.run(["rewind", thread, "--turn", "1", "--force", "--json"]);
        (run.code == 0).then_some(())
    });
    settle(stage, sender, thread);
}

fn budget(stage: &Stage, sender: &mut Sender, thread: &str) {
    let limit = |turns: &str| {
        poll::until("the budget to be set", || {
            (stage.home.run(["budget", thread, "--turns", turns]).code == 0).then_some(())
        });
    };
    limit("1");
    sender.start(thread, "$ echo paid > paid", false).unwrap();
    // It waits with a question, which is allowed.
    settle(stage, sender, thread);
    limit("none");
}

fn update(stage: &Stage, sender: &mut Sender, thread: &str) {
    set_mode(sender, thread, Mode::Manual);
    let request = UpdateThreadRequest {
        thread_id: thread.to_owned(),
        model: Some("other".to_owned()),
        ..Default::default()
    };
    sender.send(Ask::Update(request)).unwrap();
    settle(stage, sender, thread);
}

fn pause(_: &Stage, sender: &mut Sender, thread: &str) {
    sender.pause(thread).unwrap();
    poll::until("the thread to be paused", || {
        (known(sender, thread).state() == ThreadState::Paused).then_some(())
    });
}

fn resume(stage: &Stage, sender: &mut Sender, thread: &str) {
    sender.resume(thread).unwrap();
    settle(stage, sender, thread);
}

fn rest(stage: &Stage, sender: &mut Sender, thread: &str) {
    // What is frozen already is thawed by this one, what is not, by the next.
    sender.start(thread, "$ echo one > one", false).unwrap();
    settle(stage, sender, thread);
    poll::until("the sandbox to stand still, or to be gone", || {
        let frozen = stage.passed().contains_key("effect.freeze.after");
        (frozen || known(sender, thread).state() == ThreadState::Paused).then_some(())
    });
    sender.start(thread, "$ echo two > two", false).unwrap();
    settle(stage, sender, thread);
}

fn restart(stage: &Stage, sender: &mut Sender, thread: &str) {
    stage.home.kill_cloud();
    settle(stage, sender, thread);
    sender.start(thread, "$ echo again > again", false).unwrap();
    settle(stage, sender, thread);
}

fn delete(stage: &Stage, sender: &mut Sender, thread: &str) {
    sender.delete(thread).unwrap();
    gone(sender, thread);
    // The repository that only it used goes last.
    nothing_is_left(stage);
}

pub(super) fn set_mode(sender: &mut Sender, thread: &str, mode: Mode) {
    let mut request = UpdateThreadRequest { thread_id: thread.to_owned(), ..Default::default() };
    request.mode = Some(mode.into());
    sender.send(Ask::Update(request)).unwrap();
}

/// A thread that must be there.
fn known(sender: &mut Sender, thread: &str) -> Thread {
    sender.thread(thread).unwrap_or_else(|| panic!("{thread} is gone"))
}

/// A thread as it is shown; `None` where it could not be, because somebody died.
fn shown(stage: &Stage, thread: &str) -> Option<Value> {
    let run = stage.home.run(["show", thread, "--json"]);
    if run.code == 0 { serde_json::from_slice(&run.stdout).ok() } else { None }
}

/// Nothing of it runs.
fn rests(thread: &Thread) -> bool {
    let last = thread.last_turn.as_ref().map(TurnSummary::state);
    matches!(thread.state(), ThreadState::Idle | ThreadState::Paused | ThreadState::Failed)
        && last != Some(TurnState::Running)
}

/// Waits until nothing of a thread runs, and allows what it asks meanwhile.
pub(super) fn settle(stage: &Stage, sender: &mut Sender, thread: &str) -> Value {
    poll::within(poll::LIMIT * 2, &format!("{thread} to rest"), || {
        let known = known(sender, thread);
        if known.state() == ThreadState::RequiresAction {
            let _answered = sender.answer(thread, "allow");
        }
        // A person's look at it, which may be what somebody dies of.
        if rests(&known) { shown(stage, thread) } else { None }
    })
}

/// Waits until the cloud knows a thread no more.
pub(super) fn gone(sender: &mut Sender, thread: &str) {
    poll::until(&format!("{thread} to be gone"), || sender.thread(thread).is_none().then_some(()));
}

/// Waits until the turn has made this file, or has ended without.
fn begun(stage: &Stage, sender: &mut Sender, thread: &str, file: &str) {
    let path = stage.home.workspace(thread).join(file);
    poll::until(&format!("{file} to be made"), || {
        (path.exists() || rests(&known(sender, thread))).then_some(())
    });
}

/// Every message `$ echo WORD >> file` of a completed turn did it once; one whose turn a crash ended may have. Gives the
/// words in the file.
fn wrote_once(stage: &Stage, thread: &str, shown: &Value, file: &str) -> Vec<String> {
    let text = fs::read_to_string(stage.home.workspace(thread).join(file)).unwrap_or_default();
    let written: Vec<String> = text.lines().map(str::to_owned).collect();
    let completed = |id: &Value| {
        let turns = shown["turns"].as_array().unwrap();
        turns.iter().any(|turn| turn["id"] == *id && turn["state"] == "completed")
    };
    let end = format!(" >> {file}");
    for item in items(shown, "userMessage") {
        let said = item["input"][0]["text"].as_str().unwrap_or_default();
        let Some(word) = said.strip_prefix("$ echo ").and_then(|rest| rest.strip_suffix(&end))
        else {
            continue;
        };
        let times = written.iter().filter(|line| *line == word).count();
        let ended = completed(&item["turnId"]);
        assert!(times <= 1 && (times == 1 || !ended), "{word} {times} times: {item}, {written:?}");
    }
    written
}

fn write(stage: &Stage, thread: &str, file: &str) {
    fs::write(stage.home.workspace(thread).join(file), "").unwrap();
}

/// A script for the model, as a message.
fn mark(script: &Value) -> String {
    format!("MARK {script}")
}
