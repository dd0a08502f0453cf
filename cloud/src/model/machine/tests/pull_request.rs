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
