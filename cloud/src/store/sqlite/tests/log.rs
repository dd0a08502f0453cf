//! Cursors, groups, folding, wake-ups and requests.

use std::{sync::Arc, time::Duration};

use aloft_proto::v1::{DiffStat, Event, ItemState, Thread, ThreadState, event::Payload};
use futures_util::future::join_all;

use crate::store::{
    Commit, Error, REQUEST_AGE, Request, Store as _, ThreadRow,
    sqlite::tests::{appended, create, event, fresh, message, request, row, thread, write},
};

/// A wake-up that never comes is a failure, not a wait for ever.
async fn soon<T>(change: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), change).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_have_no_gaps_under_concurrent_commits() {
    let (_directory, store) = fresh();
    let store = Arc::new(store);
    for id in 0..8 {
        create(&store, &format!("thread-{id}")).await;
    }
    let writers = (0..32).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let id = format!("thread-{}", writer % 8);
            let mut cursors = Vec::new();
            for _ in 0..25 {
                cursors.push(
                    write(&store, &id, vec![event(Payload::DiffChanged(DiffStat::default())); 3])
                        .await
                        .cursor,
                );
            }
            cursors
        })
    });
    let acknowledged: Vec<_> = join_all(writers).await.into_iter().map(Result::unwrap).collect();
    assert!(acknowledged.iter().all(|cursors| cursors.is_sorted_by(|one, next| one < next)));
    for id in 0..8 {
        let events = store.events(&format!("thread-{id}"), 0, usize::MAX, false).await.unwrap();
        assert!(events.iter().map(|event| event.cursor).eq(1..=301));
        assert!(
            events
                .iter()
                .all(|event| event.thread_id == format!("thread-{id}") && event.folded == 0)
        );
    }
    store.integrity_check().await.unwrap();
}

#[tokio::test]
async fn a_failing_commit_leaves_the_others_of_its_group() {
    let (_directory, store) = fresh();
    create(&store, "first").await;
    // All of them are queued before the writer is asked for the first answer, so they share transactions.
    let commits = (0..100).map(|number| {
        let mut events =
            vec![event(Payload::DiffChanged(DiffStat { files: number, ..DiffStat::default() }))];
        "first".clone_into(&mut events[0].thread_id);
        if number % 2 == 1 {
            events.push(appended("nowhere", "lost"));
        }
        store.commit(Commit { events, ..Commit::default() })
    });
    let outcomes = join_all(commits).await;
    for (number, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Ok(_) => assert_eq!(number % 2, 0),
            Err(error) => {
                assert!(number % 2 == 1 && matches!(error, Error::UnknownItem { .. }), "{error:?}");
            }
        }
    }
    let events = store.events("first", 1, usize::MAX, false).await.unwrap();
    assert!(events.iter().map(|event| event.cursor).eq(2..=51));
    let files = events.iter().map(|event| match &event.payload {
        Some(Payload::DiffChanged(diff)) => diff.files,
        other => panic!("{other:?}"),
    });
    assert!(files.eq((0..100).step_by(2)));
}

#[tokio::test]
async fn folding_leaves_out_the_appends_of_ended_items_and_counts_them() {
    let (_directory, store) = fresh();
    create(&store, "folded").await;
    let mut events = vec![event(Payload::ItemStarted(message("ended", "", ItemState::InProgress)))];
    events.push(event(Payload::ItemStarted(message("open", "", ItemState::InProgress))));
    events.extend([
        appended("ended", "a"),
        appended("open", "x"),
        appended("ended", "b"),
        appended("ended", "c"),
    ]);
    events.push(event(Payload::ItemCompleted(message("ended", "abc", ItemState::Completed))));
    events.push(event(Payload::ItemStarted(message("ended", "abc", ItemState::InProgress))));
    events.push(appended("ended", "d"));
    write(&store, "folded", events).await;

    let read = |after, limit| store.events("folded", after, limit, true);
    let seen = |events: &[Event]| {
        events.iter().map(|event| (event.cursor, event.folded)).collect::<Vec<_>>()
    };
    let all = read(0, 100).await.unwrap();
    assert_eq!(seen(&all), [(1, 0), (2, 0), (3, 0), (5, 1), (8, 2), (9, 0), (10, 0)]);
    assert_eq!(seen(&read(5, 100).await.unwrap()), [(8, 2), (9, 0), (10, 0)]);
    assert_eq!(seen(&read(6, 1).await.unwrap()), [(8, 1)]);
    assert_eq!(store.events("folded", 0, 100, false).await.unwrap().len(), 10);
}

#[tokio::test]
async fn an_answer_holds_about_a_mebibyte() {
    let (_directory, store) = fresh();
    create(&store, "large").await;
    let text = "x".repeat(700 * 1024);
    for id in ["a", "b", "c"] {
        write(
            &store,
            "large",
            vec![event(Payload::ItemCompleted(message(id, &text, ItemState::Completed)))],
        )
        .await;
    }
    let mut cursors = Vec::new();
    let mut answers = 0;
    while let events =
        store.events("large", cursors.last().copied().unwrap_or(0), 100, false).await.unwrap()
        && !events.is_empty()
    {
        cursors.extend(events.iter().map(|event| event.cursor));
        answers += 1;
    }
    assert_eq!((cursors, answers), (vec![1, 2, 3, 4], 3));
}

#[tokio::test]
async fn watchers_wake_after_a_commit_and_end_with_the_thread() {
    let (_directory, store) = fresh();
    let (mut threads, mut feed) = (store.watch_thread("watched"), store.watch_feed("local"));
    let committed = create(&store, "watched").await;
    soon(threads.changed()).await.unwrap();
    soon(feed.changed()).await.unwrap();
    assert_eq!(
        (*threads.borrow_and_update(), *feed.borrow_and_update()),
        (committed.cursor, committed.feed)
    );
    assert_eq!(store.events("watched", 0, 10, false).await.unwrap().len(), 1);
    let deleted = Commit { thread: Some(row("watched")), delete_thread: true, ..Commit::default() };
    store.commit(deleted).await.unwrap();
    assert!(soon(threads.changed()).await.is_err());
    soon(feed.changed()).await.unwrap();
    assert!(matches!(store.events("watched", 0, 10, false).await, Err(Error::UnknownThread(_))));
}

#[tokio::test]
async fn of_a_deleted_thread_only_the_request_that_deleted_it_is_remembered() {
    let (_directory, store) = fresh();
    let commit = |id, state: ThreadState| {
        let mut row = row("doomed");
        row.thread.set_state(state);
        let events = vec![event(Payload::ThreadChanged(row.thread.clone()))];
        Commit { thread: Some(row), events, request: Some(request(id, 1000)), ..Commit::default() }
    };
    store.commit(commit("created", ThreadState::Idle)).await.unwrap();
    store.commit(commit("deleted", ThreadState::Deleting)).await.unwrap();
    let gone = Commit { thread: Some(row("doomed")), delete_thread: true, ..Commit::default() };
    store.commit(gone).await.unwrap();
    assert_eq!(store.request("local", "created").await.unwrap(), None);
    assert!(store.request("local", "deleted").await.unwrap().is_some());
}

#[tokio::test]
async fn a_request_is_applied_once() {
    let (_directory, store) = fresh();
    let commit = |id, time| Commit {
        thread: Some(row(id)),
        events: vec![event(Payload::ThreadChanged(thread(id)))],
        request: Some(request("again", time)),
        ..Commit::default()
    };
    store.commit(commit("first", 1000)).await.unwrap();
    let error = store.commit(commit("second", 2000)).await.unwrap_err();
    assert!(matches!(&error, Error::RequestExists(id) if id == "again"));
    assert_eq!(store.thread("second").await.unwrap(), None);
    let remembered = Request { cursor: 1, ..request("again", 1000) };
    assert_eq!(store.request("local", "again").await.unwrap(), Some(remembered));
    assert_eq!(store.request("other", "again").await.unwrap(), None);

    // Sent at once many times, one wins.
    let request_alone = || Commit { request: Some(request("racing", 1000)), ..Commit::default() };
    let outcomes = join_all((0..20).map(|_| store.commit(request_alone()))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);

    // After a day it is forgotten, whether pruned or not.
    store.commit(commit("third", 1000 + REQUEST_AGE + 1)).await.unwrap();
    store.prune(1000 + REQUEST_AGE + 1).await.unwrap();
    assert_eq!(store.request("local", "racing").await.unwrap(), None);
    assert!(store.request("local", "again").await.unwrap().is_some());
}

#[tokio::test]
async fn a_commit_that_contradicts_itself_is_refused_whole() {
    let (_directory, store) = fresh();
    create(&store, "mine").await;
    let mut stolen = row("mine");
    stolen.thread.owner = "other".to_owned();
    let taken = ThreadRow {
        thread: Thread { slug: "slug-mine".to_owned(), ..thread("new") },
        ..ThreadRow::default()
    };
    for (commit, expected) in [
        (
            Commit { thread: Some(stolen), ..Commit::default() },
            "commit: thread `mine` has another owner, or no id",
        ),
        (
            Commit { thread: Some(taken), ..Commit::default() },
            "name a thread `slug-mine`: another thread has that slug",
        ),
        (
            Commit { events: vec![appended("a", "b")], ..Commit::default() },
            "commit: it names no thread",
        ),
        (Commit::default(), "commit: it names no owner"),
    ] {
        assert_eq!(store.commit(commit).await.unwrap_err().to_string(), expected);
    }
    assert_eq!(store.all_threads().await.unwrap().len(), 1);
}
