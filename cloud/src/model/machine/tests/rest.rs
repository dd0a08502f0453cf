//! How a sandbox freezes, is suspended, and comes back for who needs it.

use super::*;

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

#[test]
fn who_connects_is_told_why_the_sandbox_does_not_come() {
    let mut machine = machine();
    take(&mut machine, vec![Input::Attach]);
    assert_eq!(machine.access(), Access::Coming);
    take(&mut machine, vec![Input::Fact(Fact::StartFailed(problem("NO_SANDBOX")))]);
    assert_eq!(machine.access(), Access::Down(problem("NO_SANDBOX")));
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

#[test]
fn a_thread_rests_although_its_snapshot_came_late() {
    for (after_turn, come) in [
        (AfterTurn::Freeze, snapshot("t1")),
        (AfterTurn::Suspend, snapshot("t1")),
        (
            AfterTurn::Run,
            Input::Fact(Fact::SnapshotFailed { turn: "t1".into(), problem: problem("X") }),
        ),
    ] {
        let mut machine = prompted();
        machine.resting.after_turn = after_turn;
        let late = Input::Fact(Fact::Deadline(Deadline::Snapshot("t1".into())));
        let killed = Input::Fact(Fact::AgentKilled);
        take(&mut machine, vec![stop("t1"), ended("t1", Ending::Cancelled), killed, late]);
        let out = take(&mut machine, vec![come]);
        let Some(Effect::Wake { deadline, .. }) = out.effects.last() else { panic!("{out:?}") };
        let idle = Input::Fact(Fact::Deadline(deadline.clone()));
        assert_eq!(take(&mut machine, vec![idle]).effects, [Effect::Suspend], "{after_turn:?}");
    }
}

#[test]
fn what_is_asked_for_after_a_pause_goes_before_it() {
    for after in [Input::Resume, Input::Attach, steer("on")] {
        let mut machine = prompted();
        let pause = Input::Pause { by: "me".into() };
        let inputs = vec![pause, after.clone(), ended("t1", Ending::Cancelled)];
        take(&mut machine, inputs);
        let out = take(&mut machine, vec![Input::Fact(Fact::AgentKilled), snapshot("t1")]);
        assert!(!out.effects.contains(&Effect::Suspend), "{after:?}: {out:?}");
        assert_eq!(machine.turn().is_some(), matches!(after, Input::Steer { .. }));
    }
}
