//! What a cloud that begins anew makes of what it finds.

use super::*;

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
fn an_end_that_was_being_saved_at_the_crash_stays_that_end() {
    for sandbox in [true, false] {
        let restart = |before: Vec<Input>| {
            let mut machine = prompted();
            let saves = take(&mut machine, before).effects;
            let snapshot_of = Effect::Snapshot { turn: "t1".into(), number: 1 };
            assert!(saves.contains(&snapshot_of), "{saves:?}");
            let mut machine = again(&machine);
            let mut out = take(&mut machine, vec![Input::Restarted { sandbox }]);
            if sandbox {
                assert_eq!(out.effects, [Effect::KillAgent], "what it left is ended");
                out = take(&mut machine, vec![Input::Fact(Fact::AgentKilled)]);
                assert_eq!(out.effects[0], snapshot_of, "it is saved after all");
                out = take(&mut machine, vec![snapshot("t1")]);
            }
            (machine, out)
        };
        // The agent had come to its end, and what waited for that goes on.
        let (machine, out) = restart(vec![queued("next"), ended("t1", Ending::Completed)]);
        assert_eq!(ends(&out), [(1, TurnState::Completed)]);
        assert_eq!(machine.turn().map(|turn| turn.number), Some(2), "{out:?}");
        let warned = notices(&out).iter().any(|(text, _)| text.contains("was not saved"));
        assert_eq!(warned, !sandbox, "{out:?}");
        // It had failed, and says why.
        let (machine, out) = restart(vec![ended("t1", Ending::Failed(problem("X")))]);
        assert_eq!(ends(&out), [(1, TurnState::Failed)]);
        let last = machine.last.as_ref().unwrap();
        assert_eq!(last.error.as_ref().unwrap().reason, "X");
        // A person had stopped it meanwhile.
        let (machine, out) = restart(vec![ended("t1", Ending::Completed), stop("t1")]);
        assert_eq!(ends(&out), [(1, TurnState::Interrupted)]);
        let last = machine.last.as_ref().unwrap();
        assert_eq!((last.stopped_by.as_str(), &last.error), ("me", &None));
    }
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
fn a_stop_of_a_turn_that_ends_already_takes_no_reason_away() {
    for (ending, reason) in [
        (Input::Restarted { sandbox: true }, "CLOUD_RESTARTED"),
        (Input::Fact(agent_gone("t1")), "X"),
    ] {
        let mut machine = prompted();
        take(&mut machine, vec![ending, stop("t1")]);
        take(&mut machine, vec![Input::Fact(Fact::AgentKilled), snapshot("t1")]);
        let last = machine.last.as_ref().unwrap();
        assert_eq!(
            last.error.as_ref().map(|problem| problem.reason.as_str()),
            Some(reason),
            "{last:?}"
        );
    }
    // Nor of one that is being saved.
    let mut machine = prompted();
    let failed = ended("t1", Ending::Failed(problem("X")));
    take(&mut machine, vec![failed, stop("t1"), snapshot("t1")]);
    let last = machine.last.as_ref().unwrap();
    assert_eq!(last.error.as_ref().unwrap().reason, "X", "{last:?}");
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
fn a_message_that_nobody_had_is_not_lost_where_the_cloud_dies_too() {
    let mut machine = rested();
    let out = take(
        &mut machine,
        vec![message("two"), looked("t2", false), Input::Fact(agent_gone("t1"))],
    );
    let mut open = std::collections::BTreeMap::new();
    for record in out.events {
        match record.payload {
            Payload::ItemStarted(item) => drop(open.insert(item.id.clone(), item)),
            Payload::ItemCompleted(item) => drop(open.remove(&item.id)),
            _ => {}
        }
    }
    let stored = Stored {
        thread: machine.thread().clone(),
        memory: machine.memory().clone(),
        turn: machine.turn().cloned(),
        open: open.into_values().collect(),
    };
    let mut again = Machine::restore(stored, IDLE);
    take(&mut again, vec![Input::Restarted { sandbox: false }, Input::Account(Account::default())]);
    let out = take(&mut again, vec![started(), looked("t2", false)]);
    assert_eq!(prompts(&out), ["two"]);
}
