//! A turn at its budget: held, told once, let go, and entered once.

use aloft_proto::v1::{LedgerKind, NoticeKind};

use super::*;

const DAY: Millis = 86_400_000;

fn account() -> Input {
    Input::Account(Account { currency: "EUR".into(), ..Account::default() })
}

fn budget(set: Limits) -> Input {
    Input::Budget { per_day: false, set, clear: vec![] }
}

fn answer(option: &str) -> Input {
    Input::Answer { item: String::new(), option: option.into(), by: "me".into() }
}

/// Gives the machine inputs at one time.
fn at(machine: &mut Machine, now: Millis, inputs: Vec<Input>) -> Accepted {
    let mut all = Accepted::default();
    for input in inputs {
        let shown = format!("{input:?}");
        let out = machine.accept(now, input).unwrap_or_else(|refused| panic!("{shown}: {refused}"));
        all.events.extend(out.events);
        all.effects.extend(out.effects);
        all.notices.extend(out.notices);
        all.usage.extend(out.usage);
        all.ledger.extend(out.ledger);
    }
    all
}

fn told(out: &Accepted) -> Vec<(NoticeKind, String)> {
    out.notices.iter().map(|notice| (notice.kind(), notice.id.clone())).collect()
}

fn subjects(out: &Accepted) -> Vec<&str> {
    let mut subjects: Vec<&str> = out.ledger.iter().map(|entry| &*entry.subject).collect();
    subjects.dedup();
    subjects
}

fn turn_ends(turn: &str) -> Vec<Input> {
    vec![ended(turn, Ending::Completed), snapshot(turn)]
}

#[test]
fn a_budget_reached_in_a_turn_holds_it_and_raising_it_lets_it_go_on() {
    let mut machine = prompted();
    take(&mut machine, vec![budget(tokens(100)), used(100, None)]);
    assert_eq!(machine.model_call(), ModelCall::Go, "nobody has looked yet");
    let out = take(&mut machine, vec![account(), account()]);
    assert_eq!(machine.model_call(), ModelCall::Wait);
    assert_eq!(machine.thread().state(), ThreadState::RequiresAction);
    assert_eq!(told(&out), [(NoticeKind::Budget, "budget//abc/Tokens/100/abc/t1".to_owned())]);
    let asked = machine.transcript.questions().next().unwrap().1.clone();
    let Some(aloft_proto::v1::item::Kind::Permission(asked)) = asked.kind else { panic!() };
    assert!(asked.title.contains("100 of 100 tokens used by this thread"), "{}", asked.title);
    assert_eq!(asked.options.len(), 2);

    let out = take(&mut machine, vec![budget(tokens(200))]);
    assert_eq!(out.effects, [Effect::CheckBudget]);
    let out = take(&mut machine, vec![account()]);
    assert_eq!(machine.model_call(), ModelCall::Go);
    assert_eq!(machine.thread().state(), ThreadState::Running);
    assert_eq!(told(&out), []);
    let out = take(&mut machine, turn_ends("t1"));
    assert_eq!(ends(&out), [(1, TurnState::Completed)]);
    assert_eq!(subjects(&out), ["turn/1"]);
}

#[test]
fn a_person_may_let_the_turn_pass_its_limit_or_stop_it() {
    let mut machine = prompted();
    take(&mut machine, vec![budget(tokens(10)), used(10, None), account()]);
    take(&mut machine, vec![answer("allow"), used(10, None), account()]);
    assert_eq!(machine.model_call(), ModelCall::Go, "for all of this turn");
    take(&mut machine, turn_ends("t1"));
    let out = take(&mut machine, vec![message("more"), account()]);
    assert_eq!((prompts(&out), machine.is_at_limit()), (vec![], true), "and not for the next");
    let out = take(&mut machine, vec![answer("stop")]);
    let out = ends(&out)
        .into_iter()
        .chain(ends(&take(&mut machine, vec![Input::Fact(Fact::AgentKilled), snapshot("t2")])));
    assert_eq!(out.collect::<Vec<_>>(), [(2, TurnState::Interrupted)]);
    assert!(!machine.is_at_limit());
}

#[test]
fn a_stop_ends_a_turn_that_waits() {
    let mut machine = prompted();
    take(&mut machine, vec![budget(tokens(1)), used(1, None), account()]);
    let out = take(&mut machine, vec![stop("t1")]);
    assert_eq!(out.effects[..2], [Effect::Hold(false), Effect::Cancel]);
    assert!(!machine.is_at_limit());
    assert!(matches!(machine.model_call(), ModelCall::Refused(_)), "no further call");
}

#[test]
fn a_turn_that_is_one_too_many_waits_before_anything_is_started() {
    let mut machine = machine();
    machine.expect_limits(true);
    let mut account = of_all(1);
    let out = take(&mut machine, vec![message("go")]);
    assert_eq!(out.effects, [Effect::CheckBudget]);
    let out = take(&mut machine, vec![Input::Account(account.clone())]);
    assert_eq!(
        (out.effects.as_slice(), subjects(&out)),
        ([Effect::Start].as_slice(), vec!["turn/1"])
    );
    account.spent.turns = 1;
    take(
        &mut machine,
        vec![Input::Fact(Fact::WorkspaceMade), started(), Input::Account(account.clone())],
    );
    assert!(!machine.is_at_limit(), "the turn that was let go is not one too many");
    take(&mut machine, turn_ends("t1"));
    let out = take(&mut machine, vec![message("more"), Input::Account(account)]);
    assert_eq!((prompts(&out), subjects(&out)), (vec![], vec![]));
    assert_eq!(machine.thread().state(), ThreadState::RequiresAction);
    let midnight = Effect::Wake { at: DAY, deadline: Deadline::Budget("t2".into()) };
    assert!(out.effects.contains(&midnight), "{:?}", out.effects);

    // The next day has a budget of its own.
    let out =
        at(&mut machine, DAY, vec![Input::Fact(Fact::Deadline(Deadline::Budget("t2".into())))]);
    assert_eq!(out.effects, [Effect::CheckBudget]);
    let out = at(&mut machine, DAY, vec![Input::Account(of_all(1)), looked("t2", false)]);
    assert_eq!((prompts(&out), subjects(&out)), (vec!["more".to_owned()], vec!["turn/2"]));
    assert_eq!(machine.today(DAY).turns, 1);
}

#[test]
fn an_owner_is_told_once_when_a_budget_comes_near() {
    let mut machine = prompted();
    take(&mut machine, vec![budget(tokens(100)), used(79, None)]);
    assert_eq!(told(&take(&mut machine, vec![account()])), []);
    let out =
        take(&mut machine, vec![used(1, None), account(), account(), used(1, None), account()]);
    assert_eq!(told(&out), [(NoticeKind::Budget, "budget//abc/Tokens/100/near".to_owned())]);
    assert_eq!(machine.thread().state(), ThreadState::Running);
}

#[test]
fn only_the_time_in_which_a_turn_works_counts_and_each_day_has_its_own() {
    let mut machine = machine();
    let begin = DAY - 10_000;
    at(&mut machine, begin, vec![message("go"), Input::Fact(Fact::WorkspaceMade), started()]);
    let minute = Limits { seconds: Some(60), ..Limits::default() };
    let out = at(&mut machine, begin, vec![budget(minute), account()]);
    let look = Effect::Wake { at: begin + 60_000, deadline: Deadline::Budget("t1".into()) };
    assert!(out.effects.contains(&look), "{:?}", out.effects);
    // Waiting for a person is no work.
    let asked =
        Input::Fact(Fact::Asked { question_id: "q".into(), question: Box::new(question()) });
    at(&mut machine, begin + 20_000, vec![asked]);
    at(&mut machine, begin + 500_000, vec![answer("yes")]);
    assert_eq!(machine.total(begin + 510_000).millis, 30_000);
    let end = begin + 540_000;
    let out = at(&mut machine, end, vec![account()]);
    assert!(machine.is_at_limit());
    let rows: Vec<_> = out.usage.iter().map(|row| (row.day, row.millis)).collect();
    assert_eq!(rows, [(1, 40_000)]);
    assert_eq!(machine.total(end + DAY).millis, 60_000, "it does not work while it waits");
    assert_eq!(
        (machine.today(end).millis, machine.thread().usage.as_ref().unwrap().seconds),
        (50_000, 60)
    );
}

#[test]
fn a_turn_that_is_tried_again_is_entered_once_and_a_restart_enters_nothing() {
    let mut machine = prompted();
    let failed = Ending::Failed(problem("RATE_LIMITED"));
    take(&mut machine, vec![used(5, Some(2)), ended("t1", failed), snapshot("t1")]);
    let again = Input::Retry { by: "me".into(), parts: text("go") };
    let out = take(
        &mut machine,
        vec![again, used(7, Some(3)), ended("t2", Ending::Completed), snapshot("t2")],
    );
    assert_eq!(subjects(&out), ["turn/1"]);
    let usage = out.ledger.last().unwrap().usage.clone().unwrap();
    assert_eq!((usage.input_tokens, usage.cost_micros, &*usage.currency), (12, 5, "EUR"));
    assert_eq!(machine.memory().tally.turns, 1);

    // One that waits is asked for again after a restart, and entered when it may go.
    let mut machine = self::machine();
    take(
        &mut machine,
        vec![budget(Limits { turns: Some(0), ..Limits::default() }), message("go"), account()],
    );
    assert!(machine.is_at_limit());
    let open = machine.transcript.questions().map(|(_, item)| item.clone());
    let stored = Stored {
        thread: machine.thread().clone(),
        memory: machine.memory().clone(),
        turn: machine.turn().cloned(),
        open: open.chain(machine.transcript.message("i1").cloned()).collect(),
    };
    let mut machine = Machine::restore(stored, IDLE);
    let out = take(&mut machine, vec![Input::Restarted { sandbox: false }, account()]);
    assert_eq!(out.effects, [Effect::CheckBudget]);
    assert!(machine.is_at_limit());
    assert_eq!(machine.transcript.questions().count(), 1, "one question, not two");
    assert_eq!(machine.transcript.questions().next().unwrap().1.turn_id, "t1");
    let raised = vec![budget(Limits { turns: Some(1), ..Limits::default() }), account(), account()];
    let out = take(&mut machine, raised);
    assert_eq!((subjects(&out), machine.memory().tally.turns), (vec!["turn/1"], 1));
    assert!(out.effects.contains(&Effect::Start));
}

#[test]
fn a_pause_is_ended_by_one_resume_however_often_it_is_tried() {
    let kinds = |out: &Accepted| -> Vec<(LedgerKind, String)> {
        let entries = out.ledger.iter().filter(|entry| entry.kind() != LedgerKind::Turn);
        entries.map(|entry| (entry.kind(), entry.subject.clone())).collect()
    };
    let mut machine = prompted();
    take(&mut machine, turn_ends("t1"));
    let pause = || vec![Input::Pause { by: "me".into() }, Input::Fact(Fact::Suspended)];
    take(&mut machine, pause());
    let failed = Input::Fact(Fact::StartFailed(problem("X")));
    let out = take(
        &mut machine,
        vec![Input::Resume, Input::Resume, failed, message("on"), started(), looked("t2", false)],
    );
    assert_eq!(kinds(&out), [(LedgerKind::ResumeByPerson, "resume/1".to_owned())]);
    take(&mut machine, turn_ends("t2"));
    take(&mut machine, pause());
    let out = take(&mut machine, vec![message("on"), started(), looked("t3", false)]);
    assert_eq!(kinds(&out), [(LedgerKind::ResumeByMessage, "resume/2".to_owned())]);
    // A sandbox that was lost is made again by the next message.
    let lost = vec![Input::Fact(sandbox_gone("t3")), message("on")];
    let out = take(&mut machine, lost);
    assert_eq!(kinds(&out), [(LedgerKind::ResumeByMessage, "resume/3".to_owned())]);
    let opened = || Input::Fact(pull_request(7, 2));
    let out = take(&mut machine, vec![opened(), opened()]);
    assert_eq!(kinds(&out), [(LedgerKind::PullRequest, "pullRequest/7".to_owned())]);
}

#[test]
fn a_model_without_a_price_is_named_once_where_money_is_limited() {
    let notices = |out: &Accepted| {
        let said = out.events.iter().filter(|record| match &record.payload {
            Payload::ItemStarted(item) => {
                matches!(item.kind, Some(aloft_proto::v1::item::Kind::Notice(_)))
            }
            _ => false,
        });
        said.count()
    };
    let mut machine = prompted();
    let out = take(&mut machine, vec![used(5, None), account()]);
    assert_eq!(notices(&out), 0, "money is not limited");
    let money = budget(Limits { cost: Some(1_000), ..Limits::default() });
    let out = take(&mut machine, vec![money, account(), used(5, None), account()]);
    assert_eq!(notices(&out), 1);
    let usage = machine.thread().usage.clone().unwrap();
    assert_eq!((usage.currency.as_str(), usage.input_tokens), ("", 10), "no price, no cost");
    let out = take(&mut machine, vec![used(5, Some(1_000)), account()]);
    assert_eq!((notices(&out), machine.is_at_limit()), (0, true));
}
