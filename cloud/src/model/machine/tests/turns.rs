//! How a turn runs, is stopped, corrected, asked and tried again.

use super::*;

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
