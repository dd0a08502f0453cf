//! What must hold after a journey, whatever died in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use aloft_proto::v1::{Delivery, Event, Mode, TurnState, event::Payload, item::Kind};
use aloft_tests::{
    cloud::Watcher,
    footprint::control_groups,
    poll,
    sender::{Ask, Sender},
};

use crate::faults::{
    journeys::{gone, set_mode, settle},
    stage::{Stage, has_word},
};

/// How often it is looked before something counts as left behind.
const TRIES: u32 = 600;
/// Between looks.
const BETWEEN: Duration = Duration::from_millis(50);

/// Looks at every thread, sends each its next message, and removes it without a trace.
pub(super) fn everything_is_well(stage: &Stage, sender: &mut Sender, watchers: &[&Watcher]) {
    let threads = threads(stage);
    for thread in &threads {
        settle(stage, sender, thread);
        // A turn that was interrupted rests without its snapshot where that takes long; the next one begins after it.
        goes_on(stage, sender, thread);
        let log = sender.log(thread);
        is_whole(&log);
        is_explained(&log);
        holds_what_was_seen(&log, watchers.iter().find(|watcher| watcher.thread() == thread));
        holds_each_message_once(&log, sender, thread);
        once_more_changes_nothing(sender, thread);
        has_one_sandbox(stage, thread);
    }
    for thread in &threads {
        sender.delete(thread).unwrap();
        gone(sender, thread);
    }
    nothing_is_left(stage);
}

/// Ids of all threads.
fn threads(stage: &Stage) -> Vec<String> {
    let listed = poll::until("the list of threads", || {
        let run = stage.home.run(["list", "--all", "--json"]);
        (run.code == 0).then(|| serde_json::from_slice::<serde_json::Value>(&run.stdout).unwrap())
    });
    let threads = listed.as_array().unwrap().iter();
    threads.map(|thread| thread["id"].as_str().unwrap().to_owned()).collect()
}

/// Cursors without a gap, and every turn that began has ended.
fn is_whole(log: &[Event]) {
    let mut turns = BTreeMap::new();
    for (at, event) in log.iter().enumerate() {
        assert_eq!(event.cursor, at as u64 + 1, "{event:?}");
        match &event.payload {
            Some(Payload::TurnStarted(turn)) => {
                let before = turns.insert(turn.id.clone(), turn.state());
                assert_eq!(before, None, "{} begins twice", turn.id);
            }
            Some(Payload::TurnCompleted(turn)) => {
                let before = turns.insert(turn.id.clone(), turn.state());
                assert!(before.is_some(), "{} ends and never began", turn.id);
            }
            Some(Payload::ItemCompleted(item)) => {
                if let Some(Kind::UserMessage(message)) = &item.kind
                    && message.delivery() == Delivery::Used
                {
                    assert!(turns.contains_key(&item.turn_id), "a message of no turn: {event:?}");
                }
            }
            _ => {}
        }
    }
    let running: Vec<_> = turns.iter().filter(|(_, state)| **state == TurnState::Running).collect();
    assert!(running.is_empty(), "{running:?} never end");
}

/// A turn that did not come to its end says why: who stopped it, or what went wrong.
fn is_explained(log: &[Event]) {
    for event in log {
        if let Some(Payload::TurnCompleted(turn)) = &event.payload
            && turn.state() != TurnState::Completed
        {
            let why = turn.error.as_ref().map(|problem| problem.reason.clone());
            assert!(!turn.stopped_by.is_empty() || why.is_some(), "{turn:?}");
        }
    }
}

/// What somebody was told is in the log, in the same words, and was told once.
fn holds_what_was_seen(log: &[Event], watcher: Option<&&Watcher>) {
    if let Some(watcher) = watcher {
        let seen = watcher.seen();
        let cursors: BTreeSet<u64> = seen.iter().map(|event| event.cursor).collect();
        assert_eq!(cursors.len(), seen.len(), "an event was told twice");
        for event in &seen {
            let at = usize::try_from(event.cursor).unwrap() - 1;
            assert_eq!(log.get(at), Some(event), "an event that was told is another one now");
        }
    }
}

/// Each message that was acknowledged is in the log once; there is no other.
fn holds_each_message_once(log: &[Event], sender: &Sender, thread: &str) {
    let mut messages = BTreeSet::<&str>::new();
    for event in log {
        if let Some(Payload::ItemStarted(item)) = &event.payload
            && let Some(Kind::UserMessage(_)) = &item.kind
        {
            // It begins again with each state of its delivery.
            messages.insert(&item.id);
        }
    }
    let mut created = false;
    for (ask, answered) in &sender.acknowledged {
        assert!(!of(ask, thread) || answered.cursor <= log.len() as u64, "{ask:?}: {answered:?}");
        match ask {
            Ask::Create(_) if answered.thread == thread => created = true,
            Ask::Start(_) | Ask::Steer(_) if of(ask, thread) => {
                assert!(messages.remove(answered.item.as_str()), "{ask:?} is lost");
            }
            _ => {}
        }
    }
    // The first message of a thread is named by no answer; one that a bridge made has one too.
    assert_eq!(messages.len(), 1, "{messages:?} were acknowledged to nobody ({created})");
}

/// A request that comes again has its answer again and does nothing.
fn once_more_changes_nothing(sender: &mut Sender, thread: &str) {
    let before = sender.log(thread);
    for (ask, answered) in sender.acknowledged.clone() {
        let create = matches!(ask, Ask::Create(_)) && answered.thread == thread;
        if create || of(&ask, thread) {
            assert_eq!(sender.repeat(&ask).unwrap(), answered, "{ask:?}");
        }
    }
    let log = sender.log(thread);
    assert_eq!(log.len(), before.len(), "a repeated request did {:#?}", &log[before.len()..]);
}

/// The next message works.
fn goes_on(stage: &Stage, sender: &mut Sender, thread: &str) {
    set_mode(sender, thread, Mode::Auto);
    let next = match stage.home.json(["show", thread])["thread"]["agent"].as_str().unwrap() {
        "shell" => "$ echo next > next",
        _ => r#"MARK [{"tool":"shell","cmd":"echo next > next"},{"text":"done"}]"#,
    };
    sender.start(thread, next, false).unwrap();
    let shown = settle(stage, sender, thread);
    assert_eq!(shown["thread"]["lastTurn"]["state"], "completed", "{shown:#}");
    let diff = stage.home.ok(["diff", thread]);
    assert!(diff.contains("+next"), "{diff}");
}

/// One guest serves it.
fn has_one_sandbox(stage: &Stage, thread: &str) {
    let mut found = Vec::new();
    for _ in 0..TRIES {
        let inside = stage.sandbox_processes(thread);
        let count = |word| inside.iter().filter(|pid| is_program(**pid, word)).count();
        if count("guest") == 1 && count("agent") == 1 {
            return;
        }
        found = inside.into_iter().map(described).collect();
        std::thread::sleep(BETWEEN);
    }
    panic!("not one guest and one agent: {found:#?}, {:#}", stage.home.show(thread));
}

/// Whether a process is the cloud's program in this part, and not bubblewrap before it.
fn is_program(pid: i32, part: &str) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    words.first().is_some_and(|program| program.ends_with(b"aloft-cloud"))
        && words.get(1).is_some_and(|word| *word == part.as_bytes())
        && has_word(pid, part)
}

fn described(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("process {pid} {}", String::from_utf8_lossy(&line).replace('\0', " "))
}

/// No process, mount, socket, control group, folder or scratch file of any thread. A mirror goes after the last answer.
pub(super) fn nothing_is_left(stage: &Stage) {
    let mut left = Vec::new();
    for turn in 0..TRIES {
        left = leftovers(stage);
        if left.is_empty() {
            return;
        }
        // The one that was at it may have died.
        if turn % 20 == 0 {
            stage.home.start_cloud();
        }
        std::thread::sleep(BETWEEN);
    }
    panic!("left behind: {left:#?}");
}

fn leftovers(stage: &Stage) -> Vec<String> {
    let home = &stage.home;
    let mut left: Vec<String> = stage.sandbox_processes("").into_iter().map(described).collect();
    // What a cloud has without any thread.
    let own = ["etc", "programs", "users"];
    for folder in ["s/s", "s/s/users", "s/mirrors", "data/cloud/snapshots", "data/cloud/scratch"] {
        for entry in fs::read_dir(home.path(folder)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_own = folder == "s/s" && own.contains(&name.as_str());
            let is_lock = entry.path().extension().is_some_and(|end| end == "lock");
            if !is_own && !is_lock {
                left.push(format!("{folder}/{name}"));
            }
        }
    }
    let root = home.path("s/s");
    let root = root.to_str().unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    left.extend(mounts.lines().filter(|line| line.contains(root)).map(str::to_owned));
    left.extend(control_groups(home).iter().map(|group| group.display().to_string()));
    left
}

/// Whether a request is about this thread.
fn of(ask: &Ask, thread: &str) -> bool {
    let named = match ask {
        Ask::Create(_) => return false,
        Ask::Start(request) => &request.thread_id,
        Ask::Steer(request) => &request.thread_id,
        Ask::Interrupt(request) => &request.thread_id,
        Ask::Answer(request) => &request.thread_id,
        Ask::Pause(request) => &request.thread_id,
        Ask::Resume(request) => &request.thread_id,
        Ask::Delete(request) => &request.thread_id,
        Ask::Update(request) => &request.thread_id,
        Ask::Move(request) => &request.thread_id,
        Ask::Remove(request) => &request.thread_id,
    };
    named == thread
}
