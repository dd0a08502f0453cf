//! The feed, notices, and what is left of a deleted thread.

use aloft_proto::v1::{DiffStat, Event, ItemState, Notice, Thread, event, feed_event::Payload};

use crate::{
    clock,
    store::{
        Commit, NOTICE_AGE, Store as _,
        sqlite::{
            Sqlite,
            tests::{
                appended, command, create, event, found_below, fresh, request, row, thread, write,
            },
        },
    },
};

async fn feed(store: &Sqlite, after: u64) -> Vec<(u64, String)> {
    let told = |payload| match payload {
        Some(Payload::ThreadChanged(thread)) => format!("{} {}", thread.id, thread.title),
        Some(Payload::ThreadDeleted(id)) => format!("-{id}"),
        Some(Payload::NoticePosted(notice)) => format!("!{}", notice.id),
        Some(Payload::NoticeRead(id)) => format!("~{id}"),
        None => panic!("an entry of nothing"),
    };
    store
        .feed("local", after, 100)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| (entry.feed, told(entry.payload)))
        .collect()
}

fn notice(id: &str, thread: &str) -> Notice {
    Notice {
        id: id.to_owned(),
        thread_id: thread.to_owned(),
        title: format!("title of {id}"),
        ..Notice::default()
    }
}

fn titled(id: &str, title: &str) -> Event {
    event(event::Payload::ThreadChanged(Thread { title: title.to_owned(), ..thread(id) }))
}

#[tokio::test]
async fn the_feed_keeps_the_newest_entry_of_each_thread() {
    let (_directory, store) = fresh();
    create(&store, "first").await;
    create(&store, "second").await;
    for number in 0..50 {
        write(&store, "first", vec![titled("first", &number.to_string())]).await;
    }
    assert_eq!(feed(&store, 0).await, [(2, "second ".to_owned()), (52, "first 49".to_owned())]);
    assert_eq!(feed(&store, 51).await.len(), 1);
    assert_eq!(store.thread("first").await.unwrap().unwrap().0.thread.title, "49");

    // What changes a thread's log and not the thread is no news for the list.
    let diff = event(event::Payload::DiffChanged(DiffStat::default()));
    assert_eq!(write(&store, "first", vec![diff]).await.feed, 52);
    let mut other = row("third");
    other.thread.owner = "other".to_owned();
    let committed =
        store.commit(Commit { thread: Some(other), ..Commit::default() }).await.unwrap();
    assert_eq!((committed.feed, feed(&store, 52).await.len()), (1, 0));
}

#[tokio::test]
async fn notices_are_read_everywhere_at_once() {
    let (_directory, store) = fresh();
    create(&store, "noted").await;
    let notices = ["a", "b", "c"].map(|id| notice(id, "noted")).to_vec();
    let commit =
        Commit { thread: Some(row("noted")), notices: notices.clone(), ..Commit::default() };
    assert_eq!(store.commit(commit).await.unwrap().feed, 4);
    let page = store.notices("local", true, 100).await.unwrap();
    assert_eq!((page.notices, page.feed), (notices.into_iter().rev().collect(), 4));

    let read = store.read_notices("local", &["b".to_owned(), "none".to_owned()]).await.unwrap();
    assert_eq!(read, ["none"]);
    let ids = async |unread| {
        let page = store.notices("local", unread, 100).await.unwrap();
        page.notices.into_iter().map(|notice| (notice.id, notice.read)).collect::<Vec<_>>()
    };
    assert_eq!(ids(true).await, [("c".to_owned(), false), ("a".to_owned(), false)]);
    assert_eq!(ids(false).await[1], ("b".to_owned(), true));
    assert_eq!(feed(&store, 2).await, [(4, "!c".to_owned()), (5, "~b".to_owned())]);
    assert!(store.read_notices("local", &[]).await.unwrap().is_empty());
    assert_eq!(feed(&store, 5).await.last(), Some(&(7, "~c".to_owned())));
    assert_eq!(ids(true).await, []);
}

#[tokio::test]
async fn a_deleted_thread_leaves_its_trace_and_no_byte() {
    let (directory, store) = fresh();
    create(&store, "kept").await;
    let canary = b"canary-7c1f93";
    let text = || String::from_utf8(canary.to_vec()).unwrap();
    let mut doomed = row("doomed");
    doomed.thread.title = text();
    doomed.private = canary.to_vec();
    let mut asked = request("create", 1);
    asked.answer = canary.to_vec();
    let posted = Notice { body: text(), ..notice("note", "doomed") };
    let commit = Commit {
        thread: Some(doomed.clone()),
        request: Some(asked),
        notices: vec![posted],
        ..Commit::default()
    };
    store.commit(commit).await.unwrap();
    write(
        &store,
        "doomed",
        vec![event(event::Payload::ItemStarted(command("run", canary, 13, ItemState::InProgress)))],
    )
    .await;
    for number in 0..300 {
        let mut delta = canary.repeat(number % 50 * 20);
        delta.extend(number.to_string().into_bytes());
        write(
            &store,
            "doomed",
            vec![appended("run", delta), titled("doomed", &format!("{} {number}", text()))],
        )
        .await;
        write(&store, "kept", vec![titled("kept", &format!("other {number}"))]).await;
    }
    assert!(found_below(directory.path(), canary));

    let committed = store
        .commit(Commit { thread: Some(doomed), delete_thread: true, ..Commit::default() })
        .await
        .unwrap();
    assert!(!found_below(directory.path(), canary));
    assert_eq!(store.thread("doomed").await.unwrap(), None);
    assert_eq!(store.request("local", "create").await.unwrap(), None);
    let entries = feed(&store, committed.feed - 2).await;
    assert_eq!(
        entries,
        [(committed.feed - 1, "~note".to_owned()), (committed.feed, "-doomed".to_owned())]
    );
    assert_eq!(store.notices("local", false, 10).await.unwrap().notices, []);
    let select = "select owner || ' ' || thread || ' ' || slug from audit";
    let audit = store.read(move |db| Ok(db.query_row(select, [], |row| row.get::<_, String>(0))?));
    assert_eq!(audit.await.unwrap(), "local doomed slug-doomed");
    store.integrity_check().await.unwrap();

    store.prune(clock::now()).await.unwrap();
    assert_eq!(feed(&store, committed.feed - 2).await.len(), 2);
    store.prune(clock::now() + NOTICE_AGE + 1).await.unwrap();
    assert_eq!(feed(&store, 0).await.len(), 1);
    // Numbers go on, so nobody waits for one that was given before.
    assert_eq!(create(&store, "later").await.feed, committed.feed + 1);
}
