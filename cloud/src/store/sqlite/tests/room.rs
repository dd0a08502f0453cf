//! A full disk: a clear error, nothing acknowledged lost, and on again when there is room.

use aloft_proto::v1::{ItemState, event::Payload};
use futures_util::future::join_all;

use crate::store::{
    Commit, Error, Result, Store as _,
    sqlite::{
        Sqlite,
        tests::{create, event, fresh, message},
    },
};

async fn limit_pages(store: &Sqlite, pages: u32) {
    let limit = move |db: &rusqlite::Connection, _: &mut _| -> Result<()> {
        Ok(db.query_row(&format!("pragma max_page_count = {pages}"), [], |_| Ok(()))?)
    };
    store.writer.write(limit).await.unwrap();
}

fn filling(thread: &str, id: &str, size: usize) -> Commit {
    let mut event =
        event(Payload::ItemCompleted(message(id, &"x".repeat(size), ItemState::Completed)));
    thread.clone_into(&mut event.thread_id);
    Commit { events: vec![event], ..Commit::default() }
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let (_directory, store) = fresh();
    create(&store, "full").await;
    limit_pages(&store, 150).await;
    let mut acknowledged = Vec::new();
    let error = loop {
        let id = acknowledged.len().to_string();
        match store.commit(filling("full", &id, 20_000)).await {
            Ok(committed) => acknowledged.push((committed.cursor, id)),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Full(_)), "{error:?}");
    assert!(acknowledged.len() > 5);

    let kept = async || {
        let page = store.items("full", None, 1000).await.unwrap();
        page.items.into_iter().map(|item| item.id).collect::<Vec<_>>()
    };
    let expected: Vec<_> = acknowledged.iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(kept().await, expected);
    store.integrity_check().await.unwrap();

    limit_pages(&store, 1_000_000).await;
    let next = store.commit(filling("full", "next", 20_000)).await.unwrap();
    assert_eq!(next.cursor, acknowledged.last().unwrap().0 + 1);
    assert_eq!(kept().await.len(), expected.len() + 1);
}

#[tokio::test]
async fn what_fits_is_written_beside_what_does_not() {
    let (_directory, store) = fresh();
    create(&store, "mixed").await;
    limit_pages(&store, 150).await;
    let sizes = [100, 5_000_000, 100, 8_000_000, 100];
    let outcomes = join_all(
        sizes
            .iter()
            .enumerate()
            .map(|(id, size)| store.commit(filling("mixed", &id.to_string(), *size))),
    )
    .await;
    for (outcome, size) in outcomes.iter().zip(sizes) {
        match outcome {
            Ok(_) => assert_eq!(size, 100),
            Err(error) => assert!(size > 100 && matches!(error, Error::Full(_)), "{error:?}"),
        }
    }
    let events = store.events("mixed", 0, 100, false).await.unwrap();
    assert!(events.iter().map(|event| event.cursor).eq(1..=4));
    limit_pages(&store, 1_000_000).await;
    assert_eq!(store.commit(filling("mixed", "large", 8_000_000)).await.unwrap().cursor, 5);
}

#[tokio::test]
async fn room_of_deleted_threads_is_given_back() {
    let (directory, store) = fresh();
    create(&store, "big").await;
    store.commit(filling("big", "text", 3_000_000)).await.unwrap();
    let size = || std::fs::metadata(directory.path().join("store.db")).unwrap().len();
    let row = store.thread("big").await.unwrap().unwrap().0;
    store
        .commit(Commit { thread: Some(row), delete_thread: true, ..Commit::default() })
        .await
        .unwrap();
    assert!(size() > 3_000_000);
    store.prune(0).await.unwrap();
    assert!(size() < 500_000, "{} bytes are left", size());
    store.integrity_check().await.unwrap();
}
