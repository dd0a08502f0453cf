//! The workspace brought back to a snapshot, and what was changed in it by hand.

use super::*;

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
