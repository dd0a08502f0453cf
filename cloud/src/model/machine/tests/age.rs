//! A thread nobody uses is announced, then removed.

use super::*;

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
