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

/// A turn at an agent that takes corrections, with one under way: the correction's item.
fn steering() -> (Machine, String) {
    let mut machine = machine();
    let steering = Session { steering: true, ..session() };
    let ready = Input::Fact(Fact::Started { session: steering, unenforced: vec![] });
    take(&mut machine, vec![message("go"), Input::Fact(Fact::WorkspaceMade), ready]);
    let out = take(&mut machine, vec![steer("left")]);
    let Some(Effect::Steer { item, .. }) = out.effects.first().cloned() else { panic!("{out:?}") };
    (machine, item)
}

fn steered(item: &str, taken: bool) -> Input {
    Input::Fact(Fact::Steered { item: item.into(), taken })
}

#[test]
fn a_correction_that_comes_as_the_turn_ends_runs_next() {
    // The agent had ended before it came.
    let (mut machine, item) = steering();
    let out = take(&mut machine, vec![ended("t1", Ending::Completed), steered(&item, false)]);
    assert!(out.effects.contains(&Effect::Snapshot { turn: "t1".into(), number: 1 }), "{out:?}");
    let out = take(&mut machine, vec![snapshot("t1")]);
    assert_eq!((ends(&out), prompts(&out)), (vec![(1, TurnState::Completed)], vec!["left".into()]));

    // It had it in time.
    let (mut machine, item) = steering();
    let inputs = vec![ended("t1", Ending::Completed), steered(&item, true), snapshot("t1")];
    let out = take(&mut machine, inputs);
    assert_eq!((ends(&out).len(), prompts(&out).len()), (1, 0));
    assert_eq!(machine.thread().state(), ThreadState::Idle);

    // Nobody will ever say.
    let (mut machine, _) = steering();
    let gone = Input::Fact(agent_gone("t1"));
    let killed = Input::Fact(Fact::AgentKilled);
    let out =
        take(&mut machine, vec![ended("t1", Ending::Completed), gone, killed, snapshot("t1")]);
    assert_eq!(ends(&out), [(1, TurnState::Completed)]);
    assert_eq!(machine.turn().map(|turn| turn.number), Some(2));
    let out = take(&mut machine, vec![Input::Fact(Fact::AgentReady(session()))]);
    assert_eq!(prompts(&out), ["left"]);
}

#[test]
fn corrections_keep_their_order_whatever_the_agent_takes() {
    let (mut machine, first) = steering();
    let out = take(&mut machine, vec![steer("more")]);
    let Some(Effect::Steer { item: second, .. }) = out.effects.first().cloned() else { panic!() };
    take(&mut machine, vec![steered(&second, false), steer("last"), steered(&first, false)]);
    let out = take(&mut machine, vec![ended("t1", Ending::Cancelled), snapshot("t1")]);
    assert_eq!(prompts(&out), ["left+more+last"]);
}

#[test]
fn what_was_said_before_a_stop_waits_for_the_next_message() {
    let mut machine = prompted();
    take(&mut machine, vec![queued("later"), steer("left"), stop("t1")]);
    let killed = Input::Fact(Fact::AgentKilled);
    let out = take(&mut machine, vec![ended("t1", Ending::Cancelled), killed, snapshot("t1")]);
    assert_eq!((ends(&out), machine.turn()), (vec![(1, TurnState::Interrupted)], None));
    assert_eq!(machine.thread().queued, 2, "it can be seen, reordered and removed");
    let ready = Input::Fact(Fact::AgentReady(session()));
    let inputs = vec![message("on"), looked("t2", false), ready, ended("t2", Ending::Completed)];
    take(&mut machine, inputs);
    let out = take(&mut machine, vec![snapshot("t2"), ended("t3", Ending::Completed)]);
    assert_eq!(prompts(&out), ["left"]);

    // What is said after it runs.
    let mut machine = prompted();
    take(&mut machine, vec![stop("t1"), steer("instead"), ended("t1", Ending::Cancelled)]);
    take(&mut machine, vec![Input::Fact(Fact::AgentKilled), snapshot("t1")]);
    let out = take(&mut machine, vec![Input::Fact(Fact::AgentReady(session()))]);
    assert_eq!(prompts(&out), ["instead"]);
}

#[test]
fn a_stop_after_a_finish_lets_nobody_wrap_up() {
    let mut machine = prompted();
    let finish = Input::Interrupt { expected_turn: "t1".into(), finish: true, by: "me".into() };
    take(&mut machine, vec![finish, stop("t1"), ended("t1", Ending::Cancelled)]);
    let out = take(&mut machine, vec![Input::Fact(Fact::AgentKilled), snapshot("t1")]);
    assert_eq!((ends(&out), machine.turn()), (vec![(1, TurnState::Interrupted)], None));
    assert_eq!(machine.thread().queued, 0);
}

#[test]
fn a_halt_of_a_turn_whose_sandbox_goes_down_says_why() {
    let mut machine = rested();
    take(&mut machine, vec![Input::Pause { by: "me".into() }, message("on")]);
    let out = take(&mut machine, vec![Input::Halt(problem("DISK_FULL"))]);
    assert_eq!(ends(&out), [(2, TurnState::Failed)]);
    assert_eq!(machine.last.as_ref().unwrap().error.as_ref().unwrap().reason, "DISK_FULL");
}

#[test]
fn what_is_set_while_the_agent_is_on_its_way_is_told_to_it() {
    let set = Input::Update(Update {
        mode: Some(Mode::Auto),
        model: Some("m".into()),
        ..Update::default()
    });
    let told = [Effect::SetMode(Mode::Auto), Effect::SetModel("m".into())];
    let mut machine = machine();
    take(&mut machine, vec![message("go"), Input::Fact(Fact::WorkspaceMade), set]);
    let out = take(&mut machine, vec![started()]);
    assert_eq!(out.effects[..2], told, "before its first turn");
    // In a sandbox that stayed, too; what it was started with it is not told.
    take(&mut machine, vec![stop("t1"), ended("t1", Ending::Cancelled)]);
    take(&mut machine, vec![Input::Fact(Fact::AgentKilled), snapshot("t1"), message("on")]);
    let back = Update { mode: Some(Mode::Manual), ..Update::default() };
    take(&mut machine, vec![looked("t2", false), Input::Update(back)]);
    let out = take(&mut machine, vec![Input::Fact(Fact::AgentReady(session()))]);
    assert_eq!(out.effects[0], Effect::SetMode(Mode::Manual));
    assert!(matches!(out.effects[1], Effect::Prompt { .. }), "{out:?}");
}
