//! Finding and listing threads.

use aloft_proto::v1::{Repository, Thread, ThreadState};

use crate::store::{
    Commit, Error, Found, Store as _, ThreadCounts, ThreadQuery, ThreadRow,
    sqlite::{
        Sqlite,
        tests::{create, fresh, thread},
    },
};

async fn put(store: &Sqlite, thread: Thread) {
    let row = ThreadRow { thread, private: b"private".to_vec() };
    store.commit(Commit { thread: Some(row), ..Commit::default() }).await.unwrap();
}

#[tokio::test]
async fn a_thread_is_found_by_id_prefix_slug_and_last() {
    let (_directory, store) = fresh();
    assert_eq!(store.find_thread("local", "@last").await.unwrap(), Found::None);
    for id in ["abcdef", "abcxyz", "zzzzzz"] {
        create(&store, id).await;
    }
    // A slug that looks like another thread's id, and one that looks like a prefix.
    put(&store, Thread { slug: "abcdef".to_owned(), ..thread("qqqqqq") }).await;
    put(&store, Thread { slug: "abcx".to_owned(), owner: "other".to_owned(), ..thread("abcxxx") })
        .await;
    let mut leaving = thread("wwwwww");
    leaving.set_state(ThreadState::Deleting);
    put(&store, leaving).await;
    for (name, expected) in [
        ("abcdef", "abcdef"),
        ("wwwwww", "wwwwww"),
        ("abcd", "abcdef"),
        ("abcx", "abcxyz"),
        ("slug-zzzzzz", "zzzzzz"),
        ("zzz", "zzzzzz"),
        ("@last", "qqqqqq"),
        ("abc", "ambiguous abcdef abcxyz"),
        ("zz", "none"),
        ("", "none"),
        ("zzzzzzz", "none"),
        ("slug-", "none"),
        ("ab%", "none"),
    ] {
        let found = match store.find_thread("local", name).await.unwrap() {
            Found::One(row, _) => row.thread.id,
            Found::Ambiguous(ids) => format!("ambiguous {}", ids.join(" ")),
            Found::None => "none".to_owned(),
        };
        assert_eq!(found, expected, "`{name}`");
    }
}

#[tokio::test]
async fn threads_are_listed_newest_first_in_pages() {
    let (_directory, store) = fresh();
    for number in 0..7 {
        let state = if number % 2 == 0 { ThreadState::Idle } else { ThreadState::Paused };
        let repository =
            Repository { id: "r1".to_owned(), name: "Engine".to_owned(), ..Repository::default() };
        let title = format!("Mend the {} tests", if number < 3 { "Ölpumpe" } else { "valve" });
        let branch = format!("aloft/{number}");
        let thread = thread(&format!("thread-{number}"));
        put(
            &store,
            Thread { state: state as i32, title, branch, repository: Some(repository), ..thread },
        )
        .await;
    }
    let list = async |query: ThreadQuery| {
        let page = store.list_threads("local", query).await.unwrap();
        let ids: Vec<_> = page
            .threads
            .iter()
            .map(|thread| thread.id.trim_start_matches("thread-").to_owned())
            .collect();
        (ids.join(" "), page.next_page_token, page.feed)
    };
    let query = ThreadQuery { page_size: 3, ..ThreadQuery::default() };
    let (ids, page_token, feed) = list(query.clone()).await;
    assert_eq!((&*ids, feed), ("6 5 4", 7));
    let (ids, page_token, _) = list(ThreadQuery { page_token, ..query.clone() }).await;
    assert_eq!(ids, "3 2 1");
    let (ids, page_token, _) = list(ThreadQuery { page_token, ..query.clone() }).await;
    assert_eq!((&*ids, &*page_token), ("0", ""));

    let states = vec![ThreadState::Paused, ThreadState::Failed];
    assert_eq!(list(ThreadQuery { states: states.clone(), ..query.clone() }).await.0, "5 3 1");
    assert_eq!(
        list(ThreadQuery { query: "engine ÖLPUMPE".to_owned(), ..query.clone() }).await.0,
        "2 1 0"
    );
    assert_eq!(
        list(ThreadQuery { query: "valve ölpumpe".to_owned(), ..query.clone() }).await.0,
        ""
    );
    assert_eq!(
        list(ThreadQuery { query: "aloft/1".to_owned(), states, ..query.clone() }).await.0,
        "1"
    );
    let broken =
        store.list_threads("local", ThreadQuery { page_token: "x".to_owned(), ..query }).await;
    assert!(matches!(broken, Err(Error::PageToken(_))));
    assert_eq!(store.list_threads("other", ThreadQuery::default()).await.unwrap().threads, []);
}

#[tokio::test]
async fn names_in_use_are_known() {
    let (_directory, store) = fresh();
    let repository = Repository { id: "r1".to_owned(), ..Repository::default() };
    put(
        &store,
        Thread { branch: "aloft/a".to_owned(), repository: Some(repository), ..thread("named") },
    )
    .await;
    assert!(store.slug_taken("slug-named").await.unwrap());
    assert!(!store.slug_taken("slug").await.unwrap());
    assert!(store.branch_taken("r1", "aloft/a").await.unwrap());
    assert!(!store.branch_taken("r2", "aloft/a").await.unwrap());
    let (row, cursor) = store.thread("named").await.unwrap().unwrap();
    assert_eq!((&*row.private, cursor), (&b"private"[..], 0));
}

#[tokio::test]
async fn threads_are_counted_and_those_that_are_busy() {
    let (_directory, store) = fresh();
    assert_eq!(store.count_threads().await.unwrap(), ThreadCounts::default());
    let states = [
        ThreadState::Starting,
        ThreadState::Running,
        ThreadState::RequiresAction,
        ThreadState::Idle,
        ThreadState::Paused,
        ThreadState::Failed,
        ThreadState::Deleting,
    ];
    for (number, state) in states.into_iter().enumerate() {
        let mut busy = thread(&format!("thread{number}"));
        busy.set_state(state);
        put(&store, busy).await;
    }
    assert_eq!(store.count_threads().await.unwrap(), ThreadCounts { all: 7, busy: 3 });
}
