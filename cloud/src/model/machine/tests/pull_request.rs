//! What a thread knows of its pull request and of what it pushed.

use super::*;

fn pushing(commit: &str) -> Input {
    Input::Fact(Fact::Pushing { commit: commit.into() })
}

#[test]
fn whatever_may_have_arrived_is_its_own_until_something_is_known_to_have() {
    let mut machine = rested();
    // The first arrived, but its answer was lost; so was the second. Where the branch stands is the thread's doing.
    take(&mut machine, vec![pushing("a"), pushing("b"), pushing("b")]);
    assert_eq!(machine.memory().pushed.own(), ["a", "b"]);
    let pushed = Fact::Pushed { remote: "r".into(), commit: "c".into() };
    take(&mut machine, vec![pushing("c"), Input::Fact(pushed)]);
    assert_eq!(machine.memory().pushed.own(), ["c"]);
}

#[test]
fn a_pull_request_of_another_name_is_the_same_and_one_of_another_number_is_new() {
    let mut machine = rested();
    let opened = |out: &Accepted| out.notices.iter().any(|one| one.title.contains("was opened"));
    assert!(opened(&take(&mut machine, vec![Input::Fact(pull_request(7, 2))])));
    let Fact::PullRequest(mut renamed) = pull_request(7, 2) else { unreachable!() };
    renamed.url = "https://forge/renamed/7".into();
    assert!(!opened(&take(&mut machine, vec![Input::Fact(Fact::PullRequest(renamed))])));
    assert!(opened(&take(&mut machine, vec![Input::Fact(pull_request(8, 2))])));
}

fn known(machine: &Machine) -> PullRequest {
    machine.thread().pull_request.clone().unwrap()
}

fn against(machine: &Machine, checks: &[&str]) -> Against {
    Against {
        number: 7,
        times: machine.memory().fix.times,
        commit: "c".into(),
        checks: checks.iter().map(|check| (*check).to_owned()).collect(),
        attempt: 1,
        ..Against::default()
    }
}

fn fix(told: Against) -> Input {
    Input::Fix { parts: text("Mend it."), author: "me".into(), told }
}

#[test]
fn what_was_found_out_before_the_agent_was_told_is_not_told() {
    let mut machine = rested();
    take(&mut machine, vec![Input::Fact(pull_request(7, 2))]);
    let (one, other) = (against(&machine, &["a"]), against(&machine, &["a"]));
    take(&mut machine, vec![fix(one)]);
    assert_eq!(machine.accept(0, fix(other)).unwrap_err(), Refused::PullRequestChanged);
    assert_eq!(machine.memory().fix.checks, ["a"]);
    // Nor what is of another pull request.
    let elsewhere = Against { number: 6, ..against(&machine, &["b"]) };
    assert_eq!(machine.accept(0, fix(elsewhere)).unwrap_err(), Refused::PullRequestChanged);
}

#[test]
fn a_look_that_comes_late_changes_nothing() {
    let mut machine = rested();
    take(&mut machine, vec![Input::Fact(pull_request(7, 2))]);
    let (before, pushed) = (known(&machine), machine.memory().pushed.commit.clone());
    let seen = |checks: &str| {
        let request = PullRequest { checks: checks.into(), ..before.clone() };
        Input::Fact(Fact::Followed(Box::new(Followed {
            before: before.clone(),
            pushed: pushed.clone(),
            request,
        })))
    };
    // Meanwhile there is another one.
    let mut other = machine.clone();
    take(&mut other, vec![Input::Fact(pull_request(8, 2)), seen("failing")]);
    assert_eq!((known(&other).number, known(&other).checks.as_str()), (8, ""));
    // Meanwhile something was pushed: these are checks of another commit.
    let mut other = machine.clone();
    let fact = Fact::Pushed { remote: "r".into(), commit: "new".into() };
    take(&mut other, vec![Input::Fact(fact), seen("failing")]);
    assert_eq!(known(&other).checks, "");
    take(&mut machine, vec![seen("failing")]);
    assert_eq!(known(&machine).checks, "failing");
}

#[test]
fn a_failing_check_is_news_once_and_again_after_a_push() {
    let mut machine = rested();
    take(&mut machine, vec![Input::Fact(pull_request(7, 2))]);
    let failing = |machine: &Machine| {
        let before = known(machine);
        let request = PullRequest { checks: "failing".into(), ..before.clone() };
        let pushed = machine.memory().pushed.commit.clone();
        Input::Fact(Fact::Followed(Box::new(Followed { before, pushed, request })))
    };
    let news =
        |out: &Accepted| out.notices.iter().filter(|one| one.title.contains("failed")).count();
    let seen = failing(&machine);
    assert_eq!(news(&take(&mut machine, vec![seen])), 1);
    // `aloft pr` asks for no checks, and takes nothing back of what is known.
    take(&mut machine, vec![Input::Fact(pull_request(7, 2))]);
    let seen = failing(&machine);
    assert_eq!(news(&take(&mut machine, vec![seen])), 0);
    let fact = Fact::Pushed { remote: "r".into(), commit: "new".into() };
    take(&mut machine, vec![Input::Fact(fact)]);
    let seen = failing(&machine);
    assert_eq!(news(&take(&mut machine, vec![seen])), 1);
}

#[test]
fn a_message_while_the_words_are_written_comes_after_them() {
    for steering in [false, true] {
        let mut machine = rested();
        machine.agent = Agent::Ready(Session { steering, ..session() });
        let ask = Input::Describe { parts: text("words?"), author: "me".into() };
        // Before the agent has the question, and after.
        take(&mut machine, vec![ask, steer("one"), looked("t2", false), steer("two")]);
        let out = take(&mut machine, vec![ended("t2", Ending::Completed), snapshot("t2")]);
        assert_eq!(ends(&out), [(2, TurnState::Completed)]);
        assert_eq!(prompts(&out), ["one+two"]);
    }
}

#[test]
fn words_that_took_too_long_hold_nothing_else_up() {
    let mut machine = rested();
    let ask = Input::Describe { parts: text("words?"), author: "me".into() };
    take(&mut machine, vec![ask, looked("t2", false), queued("later")]);
    let late = Input::Fact(Fact::Deadline(Deadline::Finish("t2".into())));
    take(&mut machine, vec![late, ended("t2", Ending::Cancelled)]);
    take(&mut machine, vec![Input::Fact(Fact::AgentKilled), snapshot("t2")]);
    let out = take(&mut machine, vec![Input::Fact(Fact::AgentReady(session()))]);
    assert_eq!(prompts(&out), ["later"]);
}
