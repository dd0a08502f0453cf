//! The machine under any sequence of inputs, and its ways one by one.

use aloft_proto::v1::{
    DiffStat, Input as Part, ItemState, Mode, OptionKind, PermissionOption, Problem, PullRequest,
    TextInput, Thread, ThreadState, TurnState, event::Payload, input, item,
};
use proptest::prelude::*;

use super::*;
use crate::model::{
    budget::{Account, Budget, Kind, Limits, Spent},
    update::{AgentUpdate, Question},
    usage::{Money, Tokens},
};

mod budgets;

const DAY: Millis = 24 * 60 * 60 * 1000;
const IDLE: Resting =
    Resting { after_turn: AfterTurn::Freeze, idle: 600_000, remove_after: 30 * DAY };

fn machine() -> Machine {
    let mut thread = Thread { id: "abc".into(), title: "Work".into(), ..Thread::default() };
    thread.set_mode(Mode::Manual);
    Machine::new(thread, None, IDLE)
}

fn text(text: &str) -> Vec<Part> {
    vec![Part { kind: Some(input::Kind::Text(TextInput { text: text.into() })) }]
}

fn message(words: &str) -> Input {
    Input::Message { parts: text(words), queue: false, author: "me".into() }
}

fn queued(words: &str) -> Input {
    Input::Message { parts: text(words), queue: true, author: "me".into() }
}

fn steer(words: &str) -> Input {
    Input::Steer { expected_turn: String::new(), parts: text(words), author: "me".into() }
}

fn stop(turn: &str) -> Input {
    Input::Interrupt { expected_turn: turn.into(), finish: false, by: "me".into() }
}

fn problem(reason: &str) -> Problem {
    Problem { reason: reason.into(), ..Problem::default() }
}

fn agent_gone(given: &str) -> Fact {
    Fact::AgentGone { given: given.into(), problem: problem("X") }
}

fn pull_request(number: u64, state: i32) -> Fact {
    let url = format!("https://forge/{number}");
    Fact::PullRequest(PullRequest { number, url, state, ..PullRequest::default() })
}

fn sandbox_gone(given: &str) -> Fact {
    Fact::SandboxGone { given: given.into(), problem: problem("X") }
}

/// The machine of a cloud that begins anew.
fn again(machine: &Machine) -> Machine {
    let stored = Stored {
        thread: machine.thread().clone(),
        memory: machine.memory().clone(),
        turn: machine.turn().cloned().or_else(|| machine.last.clone()),
        open: Vec::new(),
    };
    Machine::restore(stored, IDLE)
}

fn session() -> Session {
    Session { id: "s".into(), steering: false, fresh: true }
}

fn started() -> Input {
    Input::Fact(Fact::Started { session: session(), unenforced: vec![] })
}

fn ended(turn: &str, ending: Ending) -> Input {
    Input::Fact(Fact::Ended { turn: turn.into(), ending })
}

fn snapshot(turn: &str) -> Input {
    Input::Fact(Fact::Snapshot { turn: turn.into(), commit: "c".into(), diff: DiffStat::default() })
}

fn rewind(turn: u32, force: bool) -> Input {
    Input::Rewind { to: Point::Turn(turn), commit: format!("c{turn}"), force }
}

fn looked(turn: &str, by_hand: bool) -> Input {
    let file = aloft_proto::v1::FileDiff { path: "a.rs".into(), ..Default::default() };
    let found = ByHand { commit: "hand".into(), diff: DiffStat::default(), files: vec![file] };
    Input::Fact(Fact::Looked { turn: turn.into(), found: by_hand.then(|| Box::new(found)) })
}

/// What is told to the agent with each prompt.
fn told(out: &Accepted) -> Vec<Vec<String>> {
    let prompts = out.effects.iter().filter_map(|effect| match effect {
        Effect::Prompt { tell, .. } => Some(tell.clone()),
        _ => None,
    });
    prompts.collect()
}

/// What the notices that ended say, with the reason of those that failed.
fn notices(out: &Accepted) -> Vec<(String, Option<String>)> {
    let ended = out.events.iter().filter_map(|record| match &record.payload {
        Payload::ItemCompleted(Item { kind: Some(item::Kind::Notice(notice)), .. }) => {
            Some((notice.text.clone(), notice.error.as_ref().map(|problem| problem.reason.clone())))
        }
        _ => None,
    });
    ended.collect()
}

fn question() -> Question {
    let mut option = PermissionOption { id: "yes".into(), ..PermissionOption::default() };
    option.set_kind(OptionKind::AllowOnce);
    Question { title: "May I?".into(), options: vec![option], ..Question::default() }
}

/// Gives the machine inputs that it must take, one a second; all events and effects.
fn take(machine: &mut Machine, inputs: Vec<Input>) -> Accepted {
    let mut all = Accepted::default();
    for (second, input) in inputs.into_iter().enumerate() {
        let shown = format!("{input:?}");
        let out = machine
            .accept(Millis::try_from(second).unwrap() * 1_000, input)
            .unwrap_or_else(|refused| panic!("{shown}: {refused}"));
        all.events.extend(out.events);
        all.effects.extend(out.effects);
        all.notices.extend(out.notices);
        all.usage.extend(out.usage);
        all.ledger.extend(out.ledger);
    }
    all
}

/// A model was used for so many tokens, at this price.
fn used(input: u64, cost: Option<u64>) -> Input {
    Input::Used(Used {
        model: "m".into(),
        tokens: Tokens { input, ..Tokens::default() },
        cost: cost.map(|micros| Money { micros, currency: "EUR".into() }),
    })
}

fn tokens(allowed: u64) -> Limits {
    Limits { tokens: Some(allowed), ..Limits::default() }
}

/// So many turns are allowed on each day to all threads, and none was used.
fn of_all(turns: u64) -> Account {
    let per_day = Limits { turns: Some(turns), ..Limits::default() };
    let default = Budget { per_day, ..Budget::default() };
    Account { default, spent: Spent::default(), ..Account::default() }
}

/// A machine whose first turn is with its agent.
fn prompted() -> Machine {
    let mut machine = machine();
    take(&mut machine, vec![message("go"), Input::Fact(Fact::WorkspaceMade), started()]);
    assert_eq!(machine.thread().state(), ThreadState::Running);
    machine
}

fn ends(out: &Accepted) -> Vec<(u32, TurnState)> {
    let ended = out.events.iter().filter_map(|record| match &record.payload {
        Payload::TurnCompleted(turn) => Some((turn.number, turn.state())),
        _ => None,
    });
    ended.collect()
}

fn prompts(out: &Accepted) -> Vec<String> {
    let words = |parts: &Vec<Part>| {
        let words = parts.iter().map(|part| match &part.kind {
            Some(input::Kind::Text(text)) => text.text.clone(),
            _ => String::new(),
        });
        words.collect::<Vec<_>>().join("+")
    };
    let given = out.effects.iter().filter_map(|effect| match effect {
        Effect::Prompt { parts, .. } | Effect::Steer { parts, .. } => Some(words(parts)),
        _ => None,
    });
    given.collect()
}

#[test]
fn a_message_starts_everything_and_ends_idle() {
    let mut machine = machine();
    let out = take(&mut machine, vec![message("go")]);
    assert_eq!(out.effects, [Effect::Start]);
    assert_eq!(machine.thread().state(), ThreadState::Starting);
    let out = take(&mut machine, vec![Input::Fact(Fact::WorkspaceMade), started()]);
    assert_eq!(prompts(&out), ["go"]);
    let out = take(&mut machine, vec![ended("t1", Ending::Completed), snapshot("t1")]);
    assert_eq!(ends(&out), [(1, TurnState::Completed)]);
    assert_eq!(machine.thread().state(), ThreadState::Idle);
}

#[test]
fn a_stop_asks_then_ends_the_agent_and_only_then_reports() {
    let mut machine = prompted();
    let out = take(&mut machine, vec![stop("t1")]);
    assert_eq!(out.effects[0], Effect::Cancel);
    assert_eq!(ends(&out), []);
    let deadline = Input::Fact(Fact::Deadline(Deadline::Stop("t1".into())));
    let out = take(&mut machine, vec![deadline]);
    assert_eq!(
        (out.effects.as_slice(), ends(&out).as_slice()),
        ([Effect::KillAgent].as_slice(), [].as_slice())
    );
    let out = take(&mut machine, vec![Input::Fact(Fact::AgentKilled), snapshot("t1")]);
    assert_eq!(ends(&out), [(1, TurnState::Interrupted)]);
    assert_eq!(machine.thread().state(), ThreadState::Idle);
    let look = Effect::Look { turn: "t2".into(), number: 2 };
    assert_eq!(take(&mut machine, vec![message("on")]).effects, [look, Effect::StartAgent]);
}

#[test]
fn a_halted_turn_fails_with_the_reason() {
    let mut machine = prompted();
    take(&mut machine, vec![Input::Halt(problem("DISK_FULL"))]);
    let out = take(
        &mut machine,
        vec![ended("t1", Ending::Cancelled), Input::Fact(Fact::AgentKilled), snapshot("t1")],
    );
    assert_eq!(ends(&out), [(1, TurnState::Failed)]);
    assert_eq!(machine.last.as_ref().unwrap().error.as_ref().unwrap().reason, "DISK_FULL");
}

#[test]
fn a_late_stop_never_hits_the_next_turn() {
    let mut machine = prompted();
    take(&mut machine, vec![ended("t1", Ending::Completed), snapshot("t1"), message("next")]);
    take(&mut machine, vec![looked("t2", false)]);
    let refused = machine.accept(9_000, stop("t1")).unwrap_err();
    assert_eq!(refused, Refused::TurnChanged { expected: "t1".into() });
    assert_eq!(machine.turn().unwrap().id, "t2");
}

#[test]
fn a_stop_while_starting_breaks_the_start_off() {
    let mut machine = machine();
    let out = take(&mut machine, vec![message("go"), stop("")]);
    assert_eq!(out.effects, [Effect::Start, Effect::AbortStart]);
    let out = take(&mut machine, vec![Input::Fact(Fact::Suspended)]);
    assert_eq!(ends(&out), [(1, TurnState::Interrupted)]);
    assert_eq!(machine.thread().state(), ThreadState::Paused);
}

#[test]
fn corrections_run_next_in_order_and_the_queue_after_them() {
    let mut machine = prompted();
    take(&mut machine, vec![queued("later"), steer("first"), steer("second")]);
    let out = take(&mut machine, vec![ended("t1", Ending::Cancelled), snapshot("t1")]);
    assert_eq!(
        (ends(&out), prompts(&out)),
        (vec![(1, TurnState::Interrupted)], vec!["first+second".to_owned()])
    );
    let out = take(&mut machine, vec![ended("t2", Ending::Completed), snapshot("t2")]);
    assert_eq!(prompts(&out), ["later"]);
}

#[test]
fn an_agent_that_steers_keeps_its_turn() {
    let mut machine = machine();
    let steering = Session { steering: true, ..session() };
    let ready = Input::Fact(Fact::Started { session: steering, unenforced: vec![] });
    take(&mut machine, vec![message("go"), Input::Fact(Fact::WorkspaceMade), ready]);
    let out = take(&mut machine, vec![steer("left")]);
    assert_eq!(prompts(&out), ["left"]);
    let Some(Effect::Steer { item, .. }) = out.effects.first().cloned() else { panic!("{out:?}") };
    let out = take(&mut machine, vec![Input::Fact(Fact::Steered { item, taken: false })]);
    assert_eq!(out.effects[0], Effect::Cancel);
    let out = take(&mut machine, vec![ended("t1", Ending::Cancelled), snapshot("t1")]);
    assert_eq!(prompts(&out), ["left"]);
}

#[test]
fn a_stop_holds_the_queue_until_the_next_message() {
    let mut machine = prompted();
    let stopping = vec![
        queued("later"),
        stop(""),
        ended("t1", Ending::Cancelled),
        Input::Fact(Fact::AgentKilled),
    ];
    take(&mut machine, stopping);
    let out = take(&mut machine, vec![snapshot("t1")]);
    assert_eq!((ends(&out).len(), machine.thread().queued), (1, 1));
    let ready = Input::Fact(Fact::AgentReady(session()));
    let out = take(
        &mut machine,
        vec![
            message("instead"),
            looked("t2", false),
            ready,
            ended("t2", Ending::Completed),
            snapshot("t2"),
        ],
    );
    assert_eq!(prompts(&out), ["instead", "later"]);
}

#[test]
fn a_finish_lets_the_agent_wrap_up_and_then_rests() {
    let mut machine = prompted();
    let finish = Input::Interrupt { expected_turn: "t1".into(), finish: true, by: "me".into() };
    let out = take(&mut machine, vec![queued("later"), finish]);
    assert!(out.effects.contains(&Effect::Cancel));
    let out = take(&mut machine, vec![ended("t1", Ending::Cancelled), snapshot("t1")]);
    assert!(prompts(&out)[0].starts_with("Please stop here"), "{out:?}");
    let out = take(&mut machine, vec![ended("t2", Ending::Completed), snapshot("t2")]);
    assert_eq!(
        (prompts(&out).len(), machine.thread().queued, machine.thread().state()),
        (0, 1, ThreadState::Idle)
    );
}

#[test]
fn an_agent_that_does_not_wrap_up_is_stopped() {
    let mut machine = prompted();
    let finish = Input::Interrupt { expected_turn: String::new(), finish: true, by: "me".into() };
    take(&mut machine, vec![finish, ended("t1", Ending::Cancelled), snapshot("t1")]);
    let out = take(&mut machine, vec![Input::Fact(Fact::Deadline(Deadline::Finish("t2".into())))]);
    assert!(out.effects.contains(&Effect::Cancel));
    let out = take(&mut machine, vec![Input::Fact(Fact::Deadline(Deadline::Stop("t2".into())))]);
    assert!(out.effects.contains(&Effect::KillAgent));
}

#[test]
fn a_question_waits_for_a_person_and_is_answered_once() {
    let mut machine = prompted();
    take(
        &mut machine,
        vec![Input::Fact(Fact::Asked { question_id: "q".into(), question: Box::new(question()) })],
    );
    assert_eq!(machine.thread().state(), ThreadState::RequiresAction);
    let answer = |option: &str| Input::Answer {
        item: String::new(),
        option: option.into(),
        by: "me".into(),
    };
    assert!(matches!(machine.accept(0, answer("deny")), Err(Refused::NoOption { .. })));
    let out = take(&mut machine, vec![answer("allow")]);
    assert_eq!(
        out.effects,
        [Effect::Answer { question_id: "q".into(), option: Some("yes".into()) }]
    );
    assert_eq!(machine.accept(0, answer("allow")).unwrap_err(), Refused::NoQuestion);
    assert_eq!(machine.thread().state(), ThreadState::Running);
}

#[test]
fn what_fails_says_why_and_a_message_tries_again() {
    let mut machine = machine();
    let failed = Input::Fact(Fact::StartFailed(problem("NO_SANDBOX")));
    let out = take(&mut machine, vec![message("go"), failed]);
    assert_eq!(ends(&out), [(1, TurnState::Failed)]);
    assert_eq!(machine.thread().state(), ThreadState::Failed);
    let again = Input::Retry { by: "me".into(), parts: text("go") };
    assert_eq!(take(&mut machine, vec![again]).effects, [Effect::Start]);
}

#[test]
fn a_restart_interrupts_what_the_agent_had_and_goes_on_with_what_it_had_not() {
    let mut machine = prompted();
    let out = take(&mut machine, vec![Input::Restarted { sandbox: true }]);
    assert_eq!(out.effects, [Effect::KillAgent]);
    let out = take(&mut machine, vec![Input::Fact(Fact::AgentKilled), snapshot("t1")]);
    assert_eq!(ends(&out), [(1, TurnState::Interrupted)]);

    let mut machine = self::machine();
    take(&mut machine, vec![message("go")]);
    let out = take(&mut machine, vec![Input::Restarted { sandbox: false }]);
    assert_eq!(out.effects, [Effect::Start]);
}

#[test]
fn a_late_snapshot_completes_the_record_of_its_turn() {
    let mut machine = prompted();
    take(
        &mut machine,
        vec![stop(""), ended("t1", Ending::Cancelled), Input::Fact(Fact::AgentKilled)],
    );
    let out = take(
        &mut machine,
        vec![Input::Fact(Fact::Deadline(Deadline::Snapshot("t1".into()))), message("on")],
    );
    assert_eq!(ends(&out), [(1, TurnState::Interrupted)]);
    assert!(
        out.effects.iter().all(|effect| !matches!(effect, Effect::StartAgent)),
        "the snapshot comes first"
    );
    let out = take(&mut machine, vec![snapshot("t1")]);
    let Payload::TurnCompleted(turn) = &out
        .events
        .iter()
        .find(|r| matches!(r.payload, Payload::TurnCompleted(_)))
        .unwrap()
        .payload
    else {
        panic!()
    };
    assert_eq!((turn.number, turn.commit.as_str()), (1, "c"));
    assert!(out.effects.contains(&Effect::StartAgent));
}

#[test]
fn who_connects_brings_a_paused_thread_up_and_keeps_it() {
    let mut machine = prompted();
    let out = take(&mut machine, vec![ended("t1", Ending::Completed), snapshot("t1")]);
    let Some(Effect::Wake { deadline, .. }) = out.effects.last().cloned() else {
        panic!("{out:?}")
    };
    // A connection makes the idle time stale, and the last one to go begins it anew.
    take(&mut machine, vec![Input::Attach, Input::Attach, Input::Detach]);
    let late = Input::Fact(Fact::Deadline(deadline));
    assert_eq!(take(&mut machine, vec![late]).effects, []);
    let out = take(&mut machine, vec![Input::Detach]);
    let Some(Effect::Wake { deadline, .. }) = out.effects.last() else { panic!("{out:?}") };
    let idle = Input::Fact(Fact::Deadline(deadline.clone()));
    assert_eq!(take(&mut machine, vec![idle]).effects, [Effect::Suspend]);
    // It comes while the sandbox goes: it waits, and the sandbox comes back.
    take(&mut machine, vec![Input::Attach]);
    assert_eq!(machine.access(), Access::Coming);
    let out = take(&mut machine, vec![Input::Fact(Fact::Suspended)]);
    assert_eq!(out.effects, [Effect::Start]);
    take(&mut machine, vec![started()]);
    assert_eq!(machine.access(), Access::Ready);
    // A person's pause goes before connections.
    assert_eq!(
        take(&mut machine, vec![Input::Pause { by: "me".into() }]).effects,
        [Effect::Suspend]
    );
    assert!(
        matches!(machine.access(), Access::Down(problem) if problem.reason == "SANDBOX_PAUSED")
    );
    take(&mut machine, vec![Input::Fact(Fact::Suspended)]);
    assert!(!machine.at_rest(), "the connection is not told yet");
    take(&mut machine, vec![Input::Detach]);
    assert!(machine.at_rest());
}

/// A machine that rests after its first turn, and the activity its deadlines carry.
fn resting(after_turn: AfterTurn) -> (Machine, u64) {
    let mut machine = prompted();
    machine.resting.after_turn = after_turn;
    take(&mut machine, vec![ended("t1", Ending::Completed), snapshot("t1")]);
    let activity = machine.activity;
    (machine, activity)
}

fn settled(activity: u64) -> Input {
    Input::Fact(Fact::Deadline(Deadline::Settle(activity)))
}

fn idled(activity: u64) -> Input {
    Input::Fact(Fact::Deadline(Deadline::Idle(activity)))
}

#[test]
fn a_frozen_sandbox_is_thawed_by_whatever_needs_it_and_by_nothing_else() {
    let frozen = || {
        let (mut machine, activity) = resting(AfterTurn::Freeze);
        assert_eq!(take(&mut machine, vec![settled(activity)]).effects, [Effect::Freeze(activity)]);
        assert_eq!(machine.thread().state(), ThreadState::Idle);
        machine
    };
    let needing = [
        message("more"),
        Input::Attach,
        Input::Update(Update { mode: Some(Mode::Auto), ..Update::default() }),
    ];
    for input in needing {
        let mut machine = frozen();
        let shown = format!("{input:?}");
        let out = take(&mut machine, vec![input]);
        assert_eq!(out.effects.first(), Some(&Effect::Thaw), "{shown}");
    }
    let others = [
        Input::Update(Update { title: Some("Other".into()), ..Update::default() }),
        Input::Used(Used::default()),
        Input::Resume,
        Input::Delete,
    ];
    for input in others {
        let mut machine = frozen();
        let shown = format!("{input:?}");
        let out = take(&mut machine, vec![input]);
        assert!(!out.effects.contains(&Effect::Thaw), "{shown}");
    }
    // What needed it for a moment leaves it to rest again.
    let mut machine = frozen();
    let out = take(&mut machine, vec![Input::Attach, Input::Detach]);
    assert_eq!(out.effects.first(), Some(&Effect::Thaw));
    let activity = machine.activity;
    assert_eq!(take(&mut machine, vec![settled(activity)]).effects, [Effect::Freeze(activity)]);
    // One that cannot be frozen runs on, and is suspended in its time.
    take(&mut machine, vec![Input::Fact(Fact::NotFrozen(activity))]);
    let out = take(&mut machine, vec![message("more"), looked("t2", false)]);
    assert_eq!(prompts(&out), ["more"]);
    assert!(!out.effects.contains(&Effect::Thaw), "{out:?}");
}

#[test]
fn a_moment_of_activity_keeps_a_sandbox_awake() {
    let (mut machine, activity) = resting(AfterTurn::Freeze);
    take(&mut machine, vec![Input::Attach, Input::Detach]);
    assert_eq!(take(&mut machine, vec![settled(activity), idled(activity)]).effects, []);
}

#[test]
fn a_setting_suspends_at_the_end_of_the_turn_or_lets_everything_run() {
    let (mut machine, activity) = resting(AfterTurn::Suspend);
    let out = take(&mut machine, vec![idled(activity)]);
    assert_eq!(out.effects, [Effect::Suspend]);
    // Who only brings it back gets the idle time.
    take(&mut machine, vec![Input::Fact(Fact::Suspended), Input::Resume]);
    let out = take(&mut machine, vec![started()]);
    assert_eq!(out.effects.len(), 1, "{out:?}");

    let mut machine = prompted();
    machine.resting.after_turn = AfterTurn::Run;
    let out = take(&mut machine, vec![ended("t1", Ending::Completed), snapshot("t1")]);
    let wakes = out.effects.iter().filter(|effect| matches!(effect, Effect::Wake { .. }));
    assert_eq!(wakes.count(), 1, "{out:?}");
}

/// What the thread said.
fn said(out: &Accepted) -> Vec<String> {
    notices(out).into_iter().map(|(text, _)| text).collect()
}

#[test]
fn background_jobs_are_named_once_when_they_freeze_and_once_when_they_end() {
    let jobs = |names: &[&str]| {
        Input::Fact(Fact::LeftRunning(names.iter().map(ToString::to_string).collect()))
    };
    let (mut machine, activity) = resting(AfterTurn::Freeze);
    let out = take(&mut machine, vec![settled(activity), jobs(&["server"]), jobs(&["server"])]);
    let [text] = said(&out).try_into().unwrap();
    assert!(text.starts_with("Left running in the background: server."), "{text}");
    let out = take(&mut machine, vec![idled(activity)]);
    let [text] = said(&out).try_into().unwrap();
    assert!(text.starts_with("Ended in the background, with the sandbox: server."), "{text}");
    // What stands still cannot be asked again.
    assert_eq!(said(&take(&mut machine, vec![jobs(&[])])), [""; 0]);

    let (mut machine, _) = resting(AfterTurn::Run);
    let out = take(&mut machine, vec![Input::Pause { by: "me".into() }, jobs(&["server"])]);
    assert!(said(&out)[0].starts_with("Ended"), "{out:?}");

    // The cloud ended without a word.
    let (mut machine, activity) = resting(AfterTurn::Freeze);
    take(&mut machine, vec![settled(activity), jobs(&["server"])]);
    let out = take(&mut machine, vec![Input::Restarted { sandbox: false }]);
    assert!(said(&out)[0].starts_with("Ended"), "{out:?}");
}

/// A thread that was used last at time 0 and is suspended.
fn unused() -> Machine {
    let (mut machine, _) = resting(AfterTurn::Freeze);
    for input in [Input::Pause { by: "me".into() }, Input::Fact(Fact::Suspended)] {
        machine.accept(0, input).unwrap();
    }
    machine
}

fn review(machine: &mut Machine, now: Millis) -> Accepted {
    machine.accept(now, Input::Review).unwrap()
}

fn expires(machine: &Machine) -> Option<Millis> {
    machine.thread().expire_time.as_ref().map(crate::model::time::millis)
}

#[test]
fn an_unused_thread_is_announced_twice_and_then_removed() {
    let mut machine = unused();
    assert_eq!(expires(&machine), Some(30 * DAY));
    let told = |out: &Accepted| {
        out.notices.iter().map(|n| (n.kind(), n.title.clone())).collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    // Looked at eight times a day, and as often again at the same time.
    for eighth in 0..30 * 8 {
        for _ in 0..2 {
            let out = review(&mut machine, eighth * DAY / 8);
            assert!(!out.effects.contains(&Effect::Destroy), "removed on day {}", eighth / 8);
            all.extend(told(&out).into_iter().map(|told| (eighth * DAY / 8, told)));
        }
    }
    let expected =
        [(23 * DAY, "Work is removed in 7 days"), (29 * DAY, "Work is removed in 1 day")];
    let expected = expected.map(|(at, title)| (at, (NoticeKind::Expiring, title.to_owned())));
    assert_eq!(all, expected);
    assert!(review(&mut machine, 30 * DAY).effects.contains(&Effect::Destroy));
    assert!(machine.memory().expired);
}

#[test]
fn use_and_a_pin_keep_a_thread() {
    let mut machine = unused();
    review(&mut machine, 29 * DAY);
    let rename = Input::Update(Update { title: Some("Other".into()), ..Update::default() });
    machine.accept(29 * DAY + 1, rename).unwrap();
    assert_eq!(expires(&machine), Some(59 * DAY + 1));
    assert_eq!(review(&mut machine, 50 * DAY).notices.len(), 0);
    // From the beginning: both announcements come again.
    assert_eq!(review(&mut machine, 53 * DAY).notices.len(), 1);
    let pin = |keep| Input::Update(Update { keep: Some(keep), ..Update::default() });
    machine.accept(54 * DAY, pin(true)).unwrap();
    assert_eq!(expires(&machine), None);
    let out = review(&mut machine, 900 * DAY);
    assert!(out.notices.is_empty() && out.effects.is_empty());
    machine.accept(900 * DAY, pin(false)).unwrap();
    assert_eq!(expires(&machine), Some(930 * DAY));
    // What is in use is not removed, however long.
    machine.accept(900 * DAY, Input::Attach).unwrap();
    let out = review(&mut machine, 990 * DAY);
    assert!(out.notices.is_empty() && out.effects.is_empty());
    // Nor what is never to be.
    machine.resting.remove_after = 0;
    machine.accept(990 * DAY, Input::Detach).unwrap();
    assert_eq!(expires(&machine), None);
}

#[test]
fn nothing_is_removed_that_was_not_announced_for_a_day() {
    // The cloud was down from before the first announcement.
    let mut machine = unused();
    let out = review(&mut machine, 45 * DAY);
    assert_eq!((out.notices.len(), out.effects.len()), (1, 0));
    assert_eq!(expires(&machine), Some(46 * DAY));
    assert_eq!(review(&mut machine, 46 * DAY - 1).effects.len(), 0);
    assert!(review(&mut machine, 46 * DAY).effects.contains(&Effect::Destroy));
    // It was down on the last day only, and told before.
    let mut machine = unused();
    machine.thread.muted = true;
    assert_eq!(
        review(&mut machine, 29 * DAY).notices.len(),
        1,
        "what is lost for good pierces a mute"
    );
    assert!(review(&mut machine, 31 * DAY).effects.contains(&Effect::Destroy));
    // One that lives for hours is told of as well.
    let mut machine = unused();
    machine.resting.remove_after = DAY / 4;
    assert_eq!(review(&mut machine, DAY / 8 - 1).notices.len(), 0);
    assert_eq!(review(&mut machine, DAY / 8).notices.len(), 1);
    assert!(review(&mut machine, DAY / 4).effects.contains(&Effect::Destroy));
}

#[test]
fn an_announcement_names_what_is_lost() {
    let mut machine = unused();
    machine.thread.slug = "work-1".into();
    machine.thread.diff = Some(DiffStat { files: 3, additions: 10, deletions: 2 });
    let out = review(&mut machine, 29 * DAY);
    let body = &out.notices[0].body;
    assert!(body.contains("3 files +10 -2") && body.contains("aloft keep work-1"), "{body}");
}

#[test]
fn after_a_restart_a_message_waits_until_the_old_agent_is_gone() {
    let (mut machine, _) = resting(AfterTurn::Freeze);
    let out = take(&mut machine, vec![Input::Restarted { sandbox: true }, message("more")]);
    assert_eq!(out.effects, [Effect::KillAgent]);
    let out = take(&mut machine, vec![Input::Fact(Fact::AgentKilled)]);
    let [Effect::Look { .. }, Effect::StartAgent] = out.effects.as_slice() else {
        panic!("{out:?}")
    };
}

#[test]
fn who_connects_is_told_why_the_sandbox_does_not_come() {
    let mut machine = machine();
    take(&mut machine, vec![Input::Attach]);
    assert_eq!(machine.access(), Access::Coming);
    take(&mut machine, vec![Input::Fact(Fact::StartFailed(problem("NO_SANDBOX")))]);
    assert_eq!(machine.access(), Access::Down(problem("NO_SANDBOX")));
}

/// A machine that is idle after its first turn.
fn rested() -> Machine {
    let mut machine = prompted();
    take(&mut machine, vec![ended("t1", Ending::Completed), snapshot("t1")]);
    machine
}

#[test]
fn a_rewind_keeps_what_is_there_first_and_the_agent_is_told() {
    let mut machine = rested();
    let out = take(&mut machine, vec![rewind(0, false)]);
    let [Effect::Rewind(asked)] = out.effects.as_slice() else { panic!("{out:?}") };
    assert_eq!((asked.commit.as_str(), asked.kept), ("c0", false));
    // A message waits until the files are back; another rewind and a turn are refused.
    assert_eq!(machine.accept(0, rewind(1, false)).unwrap_err(), Refused::Rewinding);
    let out = take(&mut machine, vec![message("on"), Input::Fact(Fact::Kept)]);
    assert_eq!(prompts(&out), [""; 0]);
    let out = take(
        &mut machine,
        vec![Input::Fact(Fact::Rewound { diff: DiffStat::default() }), looked("t2", false)],
    );
    assert_eq!(prompts(&out), ["on"]);
    assert!(told(&out)[0][0].contains("rewound the workspace"), "{out:?}");
    let (text, error) = notices(&out).remove(0);
    assert!(text.contains("--safety 1") && error.is_none(), "{text}");
    assert_eq!(machine.memory().snapshot.as_ref().unwrap().commit, "c0");
    assert_eq!(machine.accept(0, rewind(1, false)).unwrap_err(), Refused::TurnActive("t2".into()));
    // It is told once.
    take(&mut machine, vec![ended("t2", Ending::Completed), snapshot("t2")]);
    let out = take(&mut machine, vec![message("more"), looked("t3", false)]);
    assert_eq!(told(&out), [Vec::<String>::new()]);
}

#[test]
fn a_refused_rewind_changes_nothing() {
    let mut machine = rested();
    let before = machine.memory().snapshot.clone();
    let refused = Input::Fact(Fact::NotRewound(problem("WORKSPACE_CHANGED")));
    let out = take(&mut machine, vec![rewind(0, false), refused]);
    assert_eq!(notices(&out)[0].1.as_deref(), Some("WORKSPACE_CHANGED"));
    assert_eq!((machine.memory().snapshot.clone(), machine.memory().safeties), (before, 0));
    assert_eq!(machine.thread().state(), ThreadState::Idle);
    let out = take(&mut machine, vec![rewind(0, true)]);
    assert!(matches!(out.effects.as_slice(), [Effect::Rewind(asked)] if asked.force));
}

#[test]
fn a_rewind_of_a_paused_thread_brings_it_up_and_a_begun_one_is_done_whatever_happens() {
    let mut machine = rested();
    take(&mut machine, vec![Input::Pause { by: "me".into() }, Input::Fact(Fact::Suspended)]);
    let out = take(&mut machine, vec![rewind(0, false)]);
    assert_eq!(out.effects, [Effect::Start]);
    let out = take(&mut machine, vec![started()]);
    assert!(matches!(out.effects[0], Effect::Rewind(_)));
    take(&mut machine, vec![Input::Fact(Fact::Kept)]);
    // An idle deadline does not cut it, a crash does.
    for activity in 0..9 {
        let idle = Input::Fact(Fact::Deadline(Deadline::Idle(activity)));
        assert_eq!(take(&mut machine, vec![idle]).effects, []);
    }
    let out = take(&mut machine, vec![Input::Fact(sandbox_gone("t1"))]);
    assert!(notices(&out).iter().all(|(text, _)| !text.contains("rewound")), "{out:?}");
    let mut machine = again(&machine);
    let out = take(&mut machine, vec![Input::Restarted { sandbox: false }]);
    assert_eq!(out.effects, [Effect::Start]);
    let out = take(&mut machine, vec![started()]);
    assert!(matches!(&out.effects[0], Effect::Rewind(asked) if asked.kept));
    take(&mut machine, vec![Input::Fact(Fact::Rewound { diff: DiffStat::default() })]);
    assert_eq!(machine.memory().snapshot.as_ref().unwrap().commit, "c0");
}

#[test]
fn a_pause_and_a_stop_are_remembered_over_a_crash() {
    let mut machine = rested();
    take(&mut machine, vec![Input::Pause { by: "me".into() }]);
    let mut machine = again(&machine);
    let out = take(&mut machine, vec![Input::Restarted { sandbox: true }]);
    assert_eq!(out.effects, [Effect::Suspend]);
    take(&mut machine, vec![Input::Fact(Fact::Suspended)]);
    assert_eq!(machine.thread().state(), ThreadState::Paused);

    // In a turn: stopped by whom it was, then paused.
    let mut machine = prompted();
    take(&mut machine, vec![Input::Pause { by: "me".into() }]);
    let mut machine = again(&machine);
    take(&mut machine, vec![Input::Restarted { sandbox: true }]);
    let out = take(&mut machine, vec![Input::Fact(Fact::AgentKilled), snapshot("t1")]);
    assert!(out.effects.contains(&Effect::Suspend), "{:?}", out.effects);
    let last = machine.last.as_ref().unwrap();
    assert_eq!((last.state(), last.stopped_by.as_str()), (TurnState::Interrupted, "me"));

    // Before the agent had it: the turn does not go on after all.
    let mut machine = self::machine();
    take(&mut machine, vec![message("one"), stop("t1")]);
    let mut machine = again(&machine);
    take(&mut machine, vec![Input::Restarted { sandbox: false }]);
    assert_eq!(machine.last.as_ref().unwrap().stopped_by, "me");
    assert!(machine.turn().is_none());
}

#[test]
fn a_turn_nobody_had_is_given_again_but_not_for_ever() {
    for sandbox in [false, true] {
        let mut machine = rested();
        take(&mut machine, vec![message("two"), looked("t2", false)]);
        for time in 0..3 {
            let gone = if sandbox { sandbox_gone("t1") } else { agent_gone("t1") };
            let out = take(&mut machine, vec![Input::Fact(gone)]);
            let wanted = if sandbox { Effect::Start } else { Effect::StartAgent };
            assert_eq!(out.effects.contains(&wanted), time < 2, "{:?}", out.effects);
            let ready = if sandbox { started() } else { Input::Fact(Fact::AgentReady(session())) };
            if time < 2 {
                let out = take(&mut machine, vec![ready, looked("t2", false)]);
                assert!(out.effects.iter().any(|effect| matches!(effect, Effect::Prompt { .. })));
            }
        }
        // One that had it has it once.
        let mut machine = prompted();
        let gone = if sandbox { sandbox_gone("t1") } else { agent_gone("t1") };
        let out = take(&mut machine, vec![Input::Fact(gone)]);
        let twice = [Effect::Start, Effect::StartAgent];
        assert!(out.effects.iter().all(|effect| !twice.contains(effect)), "{:?}", out.effects);
    }
}

#[test]
fn a_rewind_waits_for_a_late_snapshot() {
    let mut machine = prompted();
    take(
        &mut machine,
        vec![
            stop(""),
            ended("t1", Ending::Cancelled),
            Input::Fact(Fact::AgentKilled),
            Input::Fact(Fact::Deadline(Deadline::Snapshot("t1".into()))),
        ],
    );
    assert_eq!(take(&mut machine, vec![rewind(0, false)]).effects, []);
    let out = take(&mut machine, vec![snapshot("t1")]);
    assert!(matches!(out.effects.as_slice(), [Effect::Rewind(_)]), "{out:?}");
}

#[test]
fn what_was_changed_by_hand_is_told_and_no_part_of_the_turn() {
    let mut machine = rested();
    let out = take(&mut machine, vec![message("on")]);
    assert_eq!(out.effects, [Effect::Look { turn: "t2".into(), number: 2 }]);
    let out = take(&mut machine, vec![looked("t2", true)]);
    assert!(told(&out)[0][0].contains("- a.rs (changed)"), "{out:?}");
    assert_eq!(machine.memory().snapshot.as_ref().unwrap().commit, "hand");
    let authors = out.events.iter().filter_map(|record| match &record.payload {
        Payload::ItemCompleted(Item { kind: Some(item::Kind::FileChange(change)), .. }) => {
            Some(change.author())
        }
        _ => None,
    });
    assert_eq!(authors.collect::<Vec<_>>(), [aloft_proto::v1::Author::Person]);
    // Where one turn follows the other nobody was in between; after an unsaved one nobody knows.
    take(&mut machine, vec![queued("next")]);
    let out = take(&mut machine, vec![ended("t2", Ending::Completed), snapshot("t2")]);
    assert_eq!(prompts(&out), ["next"]);
    let unsaved = Input::Fact(Fact::SnapshotFailed { turn: "t3".into(), problem: problem("X") });
    take(&mut machine, vec![ended("t3", Ending::Completed), unsaved]);
    assert_eq!(prompts(&take(&mut machine, vec![message("last")])), ["last"]);
}

/// Any input, sensible or not.
fn any_input() -> impl Strategy<Value = Input> {
    let turn = prop_oneof![Just(String::new()), (1..4_u32).prop_map(|n| format!("t{n}"))];
    let ending = prop_oneof![
        Just(Ending::Completed),
        Just(Ending::Cancelled),
        Just(Ending::Failed(problem("X")))
    ];
    let id = prop_oneof![Just("q1".to_owned()), Just("q2".to_owned())];
    let item = (1..8_u32).prop_map(|n| format!("i{n}"));
    prop_oneof![
        any::<bool>().prop_map(|queue| Input::Message {
            parts: text("m"),
            queue,
            author: "me".into()
        }),
        Just(Input::Message { parts: vec![], queue: false, author: "me".into() }),
        turn.clone().prop_map(|expected_turn| Input::Steer {
            expected_turn,
            parts: text("g"),
            author: "me".into()
        }),
        (turn.clone(), any::<bool>()).prop_map(|(expected_turn, finish)| Input::Interrupt {
            expected_turn,
            finish,
            by: "me".into()
        }),
        Just(Input::Retry { by: "me".into(), parts: text("r") }),
        item.clone().prop_map(|item| Input::Answer {
            item,
            option: "allow".into(),
            by: "me".into()
        }),
        Just(Input::Answer { item: String::new(), option: "yes".into(), by: "me".into() }),
        Just(Input::Update(Update { mode: Some(Mode::Auto), ..Update::default() })),
        (item.clone(), 0..4_usize)
            .prop_map(|(item, position)| Input::MoveQueued { item, position }),
        item.clone().prop_map(|item| Input::RemoveQueued { item }),
        Just(Input::Halt(problem("DISK"))),
        Just(Input::Pause { by: "me".into() }),
        Just(Input::Resume),
        Just(Input::Review),
        Just(Input::Attach),
        Just(Input::Detach),
        (0..3_u32, any::<bool>()).prop_map(|(turn, force)| rewind(turn, force)),
        Just(Input::Fact(Fact::Kept)),
        Just(Input::Fact(Fact::Rewound { diff: DiffStat::default() })),
        Just(Input::Fact(Fact::NotRewound(problem("X")))),
        (turn.clone(), any::<bool>()).prop_map(|(turn, by_hand)| looked(&turn, by_hand)),
        Just(used(1, Some(1))),
        (0..3_u64).prop_map(|allowed| Input::Budget {
            per_day: false,
            set: tokens(allowed),
            clear: vec![]
        }),
        Just(Input::Budget { per_day: false, set: Limits::default(), clear: vec![Kind::Tokens] }),
        (0..2_u64).prop_map(|turns| Input::Account(of_all(turns))),
        turn.clone().prop_map(|t| Input::Fact(Fact::Deadline(Deadline::Budget(t)))),
        (1..3_u64, 1..5).prop_map(|(number, state)| Input::Fact(pull_request(number, state))),
        Just(Input::Fact(Fact::Pushing { remote: "r".into(), commit: "c".into() })),
        Just(Input::Fact(Fact::Pushed { remote: "r".into(), commit: "c".into() })),
        Just(Input::Fact(Fact::WorkspaceMade)),
        Just(started()),
        Just(Input::Fact(Fact::StartFailed(problem("X")))),
        any::<bool>()
            .prop_map(|steering| Input::Fact(Fact::AgentReady(Session { steering, ..session() }))),
        Just(Input::Fact(Fact::AgentFailed(problem("X")))),
        Just(Input::Fact(Fact::Agent(AgentUpdate::Message { message: None, text: "hi".into() }))),
        id.clone().prop_map(|question_id| Input::Fact(Fact::Asked {
            question_id,
            question: Box::new(question())
        })),
        id.prop_map(|question_id| Input::Fact(Fact::Withdrawn { question_id })),
        (turn.clone(), ending).prop_map(|(t, ending)| ended(&t, ending)),
        (item, any::<bool>()).prop_map(|(item, taken)| Input::Fact(Fact::Steered { item, taken })),
        Just(Input::Fact(agent_gone("t1"))),
        Just(Input::Fact(Fact::AgentKilled)),
        turn.clone().prop_map(|t| snapshot(&t)),
        turn.clone()
            .prop_map(|turn| Input::Fact(Fact::SnapshotFailed { turn, problem: problem("X") })),
        Just(Input::Fact(sandbox_gone("t1"))),
        Just(Input::Fact(Fact::Suspended)),
        turn.clone().prop_map(|t| Input::Fact(Fact::Deadline(Deadline::Stop(t)))),
        turn.clone().prop_map(|t| Input::Fact(Fact::Deadline(Deadline::Finish(t)))),
        turn.prop_map(|t| Input::Fact(Fact::Deadline(Deadline::Snapshot(t)))),
        (0..6_u64).prop_map(|n| Input::Fact(Fact::Deadline(Deadline::Idle(n)))),
        (0..9_u64).prop_map(|n| Input::Fact(Fact::Deadline(Deadline::Settle(n)))),
        (0..9_u64).prop_map(|n| Input::Fact(Fact::NotFrozen(n))),
        Just(Input::Fact(Fact::LeftRunning(vec!["job".into()]))),
    ]
}

/// What the log says, checked as it grows.
#[derive(Default)]
struct Reader {
    running: Option<u32>,
    turns: u32,
    ended: u32,
    open: std::collections::BTreeMap<String, bool>,
}

impl Reader {
    fn read(&mut self, record: &Record) {
        match &record.payload {
            Payload::TurnStarted(turn) => {
                assert_eq!(self.running, None, "one turn at a time");
                assert_eq!(turn.number, self.turns + 1);
                (self.turns, self.running) = (turn.number, Some(turn.number));
            }
            Payload::TurnCompleted(turn) => {
                assert_ne!(turn.state(), TurnState::Running);
                if self.running == Some(turn.number) {
                    (self.running, self.ended) = (None, turn.number);
                } else {
                    assert_eq!(
                        turn.number, self.turns,
                        "only the newest comes again, with its snapshot"
                    );
                }
            }
            Payload::ItemStarted(item) => {
                assert_ne!(
                    self.open.insert(item.id.clone(), true),
                    Some(false),
                    "{} began after its end",
                    item.id
                );
            }
            Payload::ItemAppended(more) => assert_eq!(self.open.get(&more.item_id), Some(&true)),
            Payload::ItemCompleted(item) => {
                assert_ne!(item.state(), ItemState::InProgress);
                assert_eq!(
                    self.open.insert(item.id.clone(), false),
                    Some(true),
                    "{} ended twice",
                    item.id
                );
            }
            Payload::ThreadChanged(thread) => assert_ne!(thread.state(), ThreadState::Unspecified),
            Payload::DiffChanged(_) => {}
        }
    }
}

/// Nothing else works on the files while they are brought back, and the agent has no turn.
fn files_are_safe(machine: &Machine, out: &Accepted) -> bool {
    let rewinding = machine.memory.rewind.is_some();
    out.effects.iter().all(|effect| match effect {
        Effect::Prompt { .. } | Effect::Snapshot { .. } | Effect::Look { .. } => !rewinding,
        Effect::Rewind(_) => {
            rewinding && machine.saving.is_none() && machine.sandbox == Sandbox::Up
        }
        _ => true,
    })
}

fn shown(machine: &Machine) -> String {
    format!("{machine:?}")
}

/// What was used, checked as it grows.
#[derive(Default)]
struct Book {
    tokens: u64,
    cost: u64,
    millis: u64,
    subjects: std::collections::BTreeSet<String>,
}

impl Book {
    fn read(&mut self, machine: &Machine, now: Millis, out: &Accepted) {
        for row in &out.usage {
            self.tokens += row.input_tokens + row.output_tokens;
            self.cost += row.cost_micros;
            self.millis += row.millis;
        }
        self.subjects.extend(out.ledger.iter().map(|entry| entry.subject.clone()));
        let (total, tally) = (machine.total(now), &machine.memory().tally);
        assert_eq!((total.tokens, total.cost), (self.tokens, self.cost));
        assert_eq!(tally.millis, self.millis, "the rows say what the thread says");
        assert_eq!(machine.today(now).millis, total.millis, "all of it was on the first day");
        let turns = self.subjects.iter().filter(|subject| subject.starts_with("turn/")).count();
        assert_eq!(usize::try_from(total.turns).unwrap(), turns, "a turn has one entry");
        if machine.is_at_limit() {
            assert_eq!(machine.thread().state(), ThreadState::RequiresAction);
            assert_eq!(machine.works_since(), None, "waiting is no work");
            let asked =
                machine.transcript.questions().filter(|(name, _)| *name == "budget").count();
            assert_eq!(asked, 1, "it says so");
        }
    }
}

/// What the world would report until nothing is under way any more.
fn settle(machine: &mut Machine) -> bool {
    for step in 0..40 {
        let fact = match (machine.sandbox, machine.turn.as_ref().map(|running| running.phase)) {
            (Sandbox::Starting, _) => Fact::StartFailed(problem("X")),
            (Sandbox::Stopping, _) => Fact::Suspended,
            (_, Some(Phase::Saving)) => {
                let turn = machine.turn.as_ref().unwrap().turn.id.clone();
                Fact::Snapshot { turn, commit: "c".into(), diff: DiffStat::default() }
            }
            (_, Some(Phase::Killing)) => Fact::AgentKilled,
            (_, Some(Phase::Waiting)) if machine.saving.is_some() => {
                let turn = machine.saving.clone().unwrap();
                Fact::SnapshotFailed { turn, problem: problem("X") }
            }
            (Sandbox::Up, _) if machine.killing => Fact::AgentKilled,
            (Sandbox::Up, _) if machine.memory.rewind.is_some() => Fact::NotRewound(problem("X")),
            // A person stops what waits at its budget.
            (_, Some(Phase::Waiting)) if machine.is_at_limit() => {
                machine.accept(1_000_000 + step, stop("")).unwrap();
                continue;
            }
            (_, Some(Phase::Waiting))
                if machine.turn.as_ref().unwrap().allowance.clearance != Clearance::Given =>
            {
                machine.accept(1_000_000 + step, Input::Account(Account::default())).unwrap();
                continue;
            }
            (_, Some(Phase::Waiting)) => Fact::AgentFailed(problem("X")),
            (_, Some(Phase::Prompted | Phase::Guided | Phase::Stopping)) => agent_gone("t1"),
            (_, None) => return true,
        };
        machine.accept(1_000_000 + step, Input::Fact(fact)).unwrap();
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_inputs_keep_the_log_well_formed(inputs in prop::collection::vec(any_input(), 1..60)) {
        let mut machine = machine();
        let mut reader = Reader::default();
        let mut book = Book::default();
        let mut frozen = false;
        for (second, input) in inputs.into_iter().enumerate() {
            let before = shown(&machine);
            let idle = matches!(input, Input::Fact(Fact::Deadline(Deadline::Idle(_))));
            let held = machine.attached > 0;
            let now = Millis::try_from(second).unwrap() * 1_000;
            let failed = matches!(input, Input::Fact(Fact::NotFrozen(n)) if n == machine.activity);
            if let Ok(out) = machine.accept(now, input) {
                prop_assert!(!(idle && held && out.effects.contains(&Effect::Suspend)), "suspended under a connection");
                // What speaks to the inside never meets a sandbox that stands still.
                for effect in &out.effects {
                    match effect {
                        Effect::Freeze(_) => frozen = true,
                        Effect::Thaw | Effect::Start | Effect::Suspend | Effect::AbortStart => frozen = false,
                        _ => {}
                    }
                    prop_assert!(!(frozen && effect.needs_guest()), "{:?} meets a frozen sandbox", effect);
                }
                if machine.sandbox != Sandbox::Up || failed {
                    frozen = false;
                }
                prop_assert!(!(frozen && (machine.turn.is_some() || machine.attached > 0)), "in use and frozen");
                prop_assert_eq!(frozen, machine.frozen);
                out.events.iter().for_each(|record| reader.read(record));
                book.read(&machine, now, &out);
                prop_assert_eq!(machine.thread().state(), machine.state());
                prop_assert!(files_are_safe(&machine, &out), "{:?}", out.effects);
            } else {
                prop_assert_eq!(before, shown(&machine), "a refused input changed something");
            }
            prop_assert_eq!(reader.running, machine.turn().map(|turn| turn.number));
        }
        prop_assert!(settle(&mut machine), "stuck: {}", shown(&machine));
        let end = machine.state();
        prop_assert!(matches!(end, ThreadState::Idle | ThreadState::Paused | ThreadState::Failed), "{:?}", end);
        prop_assert_ne!(machine.access(), Access::Coming, "a connection would wait for ever");
        let rewind = machine.memory.rewind.as_ref();
        prop_assert!(rewind.is_none_or(|rewind| rewind.kept && machine.sandbox == Sandbox::Absent), "{:?}", rewind);
    }

    #[test]
    fn after_a_restart_at_any_point_nothing_is_stuck(
        inputs in prop::collection::vec(any_input(), 1..40),
        sandbox: bool,
    ) {
        let mut machine = machine();
        let mut open = std::collections::BTreeMap::new();
        let mut newest = None;
        for (second, input) in inputs.into_iter().enumerate() {
            let Ok(out) = machine.accept(Millis::try_from(second).unwrap(), input) else { continue };
            for record in out.events {
                match record.payload {
                    Payload::ItemStarted(item) => { open.insert(item.id.clone(), item); }
                    Payload::ItemCompleted(item) => { open.remove(&item.id); }
                    Payload::TurnStarted(turn) | Payload::TurnCompleted(turn) => newest = Some(turn),
                    _ => {}
                }
            }
        }
        let stored = Stored {
            thread: machine.thread().clone(),
            memory: machine.memory().clone(),
            turn: newest,
            open: open.into_values().collect(),
        };
        let waiting: Vec<String> = machine.queue().map(|item| item.id.clone()).collect();
        let mut again = Machine::restore(stored, IDLE);
        again.accept(0, Input::Restarted { sandbox }).unwrap();
        prop_assert!(settle(&mut again), "stuck: {}", shown(&again));
        let kept: Vec<String> = again.queue().map(|item| item.id.clone()).collect();
        let run = again.memory().turns - machine.memory().turns;
        prop_assert!(kept.len() + usize::try_from(run).unwrap() >= waiting.len(), "a queued message was lost");
        let questions = again.transcript.questions().count();
        prop_assert_eq!(questions, 0);
    }

    #[test]
    fn a_delete_is_final(inputs in prop::collection::vec(any_input(), 0..20), after in any_input()) {
        let mut machine = machine();
        for input in inputs {
            let _refused = machine.accept(0, input);
        }
        let out = machine.accept(0, Input::Delete).unwrap();
        prop_assert!(out.effects.contains(&Effect::Destroy));
        let late = machine.accept(0, after);
        prop_assert!(late.is_err() || late.unwrap().effects.is_empty());
        prop_assert_eq!(machine.thread().state(), ThreadState::Deleting);
    }
}
