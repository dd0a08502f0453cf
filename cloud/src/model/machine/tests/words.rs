//! The turn in which an agent writes the words of a pull request: short, of its own in the ledger, and nobody is asked for it.

use aloft_proto::v1::LedgerKind;

use super::*;

fn describe() -> Input {
    Input::Describe { parts: text("words?"), author: "me".into() }
}

/// A machine whose first turn is over.
fn idle() -> Machine {
    let mut machine = prompted();
    take(&mut machine, vec![ended("t1", Ending::Completed), snapshot("t1")]);
    machine
}

/// A machine whose agent writes.
fn writing() -> Machine {
    let mut machine = idle();
    let out = take(&mut machine, vec![describe(), looked("t2", false)]);
    assert_eq!(prompts(&out), ["words?"]);
    machine
}

#[test]
fn it_is_no_turn_that_counts_and_no_notice_tells_of_it() {
    let mut machine = writing();
    let out =
        take(&mut machine, vec![used(7, None), ended("t2", Ending::Completed), snapshot("t2")]);
    assert_eq!(ends(&out), [(2, TurnState::Completed)]);
    assert_eq!((out.notices.len(), machine.memory().tally.turns), (0, 1));
    let entry = out.ledger.last().unwrap();
    assert_eq!(
        (entry.kind(), &*entry.subject),
        (LedgerKind::PullRequestWords, "pullRequestWords/2")
    );
    assert_eq!(entry.usage.as_ref().unwrap().input_tokens, 7);
    // The next one is as any other.
    let out = take(&mut machine, vec![message("more"), looked("t3", false)]);
    assert_eq!(
        (out.ledger.last().unwrap().kind(), machine.memory().tally.turns),
        (LedgerKind::Turn, 2)
    );
}

#[test]
fn what_it_asks_is_denied() {
    let mut machine = writing();
    let mut question = question();
    let mut no = PermissionOption { id: "no".into(), ..PermissionOption::default() };
    no.set_kind(OptionKind::RejectOnce);
    question.options.push(no);
    let asked = Fact::Asked { question_id: "q1".into(), question: Box::new(question) };
    let out = take(&mut machine, vec![Input::Fact(asked)]);
    let answer = Effect::Answer { question_id: "q1".into(), option: Some("no".into()) };
    assert_eq!(out.effects, [answer]);
    assert_eq!((machine.thread().state(), out.notices.len()), (ThreadState::Running, 0));
}

#[test]
fn it_ends_where_the_budget_does_and_in_time() {
    // Before its agent has it: the agent goes on as it is.
    let mut machine = idle();
    machine.expect_limits(true);
    let spent = Input::Budget { per_day: false, set: tokens(1), clear: vec![] };
    let account = || Input::Account(Account::default());
    take(&mut machine, vec![used(1, None), spent.clone()]);
    let out = take(&mut machine, vec![describe(), account()]);
    assert_eq!((ends(&out), out.notices.len()), (vec![(2, TurnState::Failed)], 0));
    assert!(!out.effects.contains(&Effect::KillAgent) && prompts(&out).is_empty());
    let why = machine.last.as_ref().and_then(|turn| turn.error.clone()).unwrap();
    assert_eq!(why.reason, "BUDGET_SPENT");

    // While it writes.
    let mut machine = writing();
    let out = take(&mut machine, vec![used(1, None), spent, account()]);
    assert!(!machine.is_at_limit() && out.effects.contains(&Effect::Cancel), "{:?}", out.effects);

    // A limit of turns is not its limit.
    let mut machine = idle();
    machine.expect_limits(true);
    let mut all = of_all(1);
    all.spent.turns = 1;
    let out = take(&mut machine, vec![describe(), Input::Account(all), looked("t2", false)]);
    assert_eq!(prompts(&out), ["words?"]);

    let mut machine = writing();
    let out = take(&mut machine, vec![Input::Fact(Fact::Deadline(Deadline::Finish("t2".into())))]);
    assert!(out.effects.contains(&Effect::Cancel));
    take(&mut machine, vec![Input::Fact(Fact::AgentKilled), ended("t2", Ending::Cancelled)]);
    take(&mut machine, vec![Input::Fact(Fact::AgentKilled), snapshot("t2")]);
    assert_eq!(machine.last.as_ref().unwrap().stopped_by, "cloud");
}

#[test]
fn it_is_neither_tried_again_nor_begun_beside_another() {
    let mut machine = writing();
    assert!(matches!(machine.accept(0, describe()), Err(Refused::TurnActive(_))));
    let failed = Ending::Failed(problem("X"));
    let out = take(&mut machine, vec![ended("t2", failed), snapshot("t2")]);
    assert_eq!(out.notices.len(), 0);
    let again = Input::Retry { by: "me".into(), parts: text("words?") };
    assert_eq!(machine.accept(0, again).unwrap_err(), Refused::NothingToRetry);

    // A cloud that begins anew does not go on with it: nobody waits for it.
    let mut machine = idle();
    take(&mut machine, vec![Input::Pause { by: "me".into() }, Input::Fact(Fact::Suspended)]);
    take(&mut machine, vec![describe()]);
    let mut machine = super::again(&machine);
    let out = take(&mut machine, vec![Input::Restarted { sandbox: false }]);
    assert_eq!(ends(&out), [(2, TurnState::Interrupted)]);
}

#[test]
fn what_is_queued_meanwhile_follows() {
    let mut machine = writing();
    take(&mut machine, vec![queued("next")]);
    let failed = Ending::Failed(problem("X"));
    let out = take(&mut machine, vec![ended("t2", failed), snapshot("t2")]);
    assert_eq!(prompts(&out), ["next"]);
    assert!(!machine.memory().describes);
}
