//! What was used: summed by day, entered once, kept after its thread, forgotten with age.

use aloft_proto::v1::{LedgerEntry, LedgerKind, Usage, UsageRow};

use crate::{
    model::{budget::Spent, time::timestamp},
    store::{
        Commit, Store as _,
        sqlite::tests::{create, fresh, row},
    },
};

const DAY: i64 = 86_400_000;

fn used(day: u32, thread: &str, model: &str, tokens: u64, cost: u64) -> UsageRow {
    UsageRow {
        day,
        thread_id: thread.to_owned(),
        agent: "aloft".to_owned(),
        model: model.to_owned(),
        currency: if cost > 0 { "EUR".to_owned() } else { String::new() },
        calls: 1,
        input_tokens: tokens,
        output_tokens: 1,
        cost_micros: cost,
        ..UsageRow::default()
    }
}

fn entry(thread: &str, kind: LedgerKind, subject: &str, day: i64, tokens: u64) -> LedgerEntry {
    LedgerEntry {
        kind: kind.into(),
        subject: subject.to_owned(),
        thread_id: thread.to_owned(),
        agent: "aloft".to_owned(),
        time: Some(timestamp(day * DAY + 5)),
        usage: Some(Usage { input_tokens: tokens, ..Usage::default() }),
    }
}

#[tokio::test]
async fn usage_is_summed_and_an_entry_is_there_once_whatever_is_repeated() {
    let (_directory, store) = fresh();
    for id in ["one", "two"] {
        create(&store, id).await;
    }
    for tokens in [10, 20] {
        let commit = Commit {
            thread: Some(row("one")),
            usage: vec![used(7, "one", "m", tokens, 5), used(7, "one", "free", 1, 0)],
            ledger: vec![
                entry("one", LedgerKind::Turn, "turn/1", 7, tokens),
                entry("one", LedgerKind::ResumeByMessage, "resume/1", 7, 0),
            ],
            ..Commit::default()
        };
        store.commit(commit).await.unwrap();
    }
    // Another way to the same subject, and the same subject of another thread.
    let commit = Commit {
        thread: Some(row("one")),
        ledger: vec![entry("one", LedgerKind::ResumeByPerson, "resume/1", 8, 0)],
        ..Commit::default()
    };
    store.commit(commit).await.unwrap();
    let commit = Commit {
        thread: Some(row("two")),
        usage: vec![used(8, "two", "m", 100, 7)],
        ledger: vec![
            entry("two", LedgerKind::Turn, "turn/1", 8, 100),
            entry("two", LedgerKind::PullRequest, "pullRequest/3", 8, 0),
        ],
        ..Commit::default()
    };
    store.commit(commit).await.unwrap();

    let spent = async |day| store.spent("local", day).await.unwrap();
    assert_eq!(spent(7).await, Spent { tokens: 36, cost: 10, millis: 0, turns: 1 });
    assert_eq!(spent(8).await, Spent { tokens: 101, cost: 7, millis: 0, turns: 1 });
    assert_eq!(spent(9).await, Spent::default());
    assert_eq!(store.spent("other", 7).await.unwrap(), Spent::default());

    let all = store.usage("local", 0..=u32::MAX, None).await.unwrap();
    assert_eq!(all.rows.len(), 3);
    let sum = UsageRow { calls: 2, output_tokens: 2, ..used(7, "one", "m", 30, 10) };
    assert!(all.rows.contains(&sum), "{:?}", all.rows);
    let subjects: Vec<_> =
        all.entries.iter().map(|entry| (&*entry.thread_id, &*entry.subject)).collect();
    assert_eq!(
        subjects,
        [("one", "turn/1"), ("one", "resume/1"), ("two", "turn/1"), ("two", "pullRequest/3")]
    );
    assert_eq!(all.entries[0].usage.as_ref().unwrap().input_tokens, 20);
    assert_eq!(all.entries[1].kind(), LedgerKind::ResumeByMessage);
    let of_one = store.usage("local", 8..=8, Some("one")).await.unwrap();
    assert_eq!((of_one.rows.len(), of_one.entries.len()), (0, 0));
}

#[tokio::test]
async fn a_commit_that_is_refused_adds_nothing() {
    let (_directory, store) = fresh();
    create(&store, "one").await;
    let request = super::request("r", 1);
    let commit = || Commit {
        thread: Some(row("one")),
        usage: vec![used(7, "one", "m", 10, 5)],
        request: Some(request.clone()),
        ..Commit::default()
    };
    store.commit(commit()).await.unwrap();
    store.commit(commit()).await.unwrap_err();
    assert_eq!(store.spent("local", 7).await.unwrap().tokens, 11);
}

#[tokio::test]
async fn what_was_used_outlives_its_thread_and_is_forgotten_with_age() {
    let (_directory, store) = fresh();
    create(&store, "one").await;
    let commit = Commit {
        thread: Some(row("one")),
        usage: vec![used(7, "one", "m", 10, 5)],
        ledger: vec![entry("one", LedgerKind::Turn, "turn/1", 7, 10)],
        ..Commit::default()
    };
    store.commit(commit).await.unwrap();
    let delete = Commit { thread: Some(row("one")), delete_thread: true, ..Commit::default() };
    store.commit(delete).await.unwrap();
    let spent = Spent { tokens: 11, cost: 5, millis: 0, turns: 1 };
    store.prune(407 * DAY - 1).await.unwrap();
    assert_eq!(store.spent("local", 7).await.unwrap(), spent);
    store.prune(408 * DAY).await.unwrap();
    assert_eq!(store.spent("local", 7).await.unwrap(), Spent::default());
}
