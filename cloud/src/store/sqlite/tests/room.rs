//! A full disk: a clear error, nothing acknowledged lost, and on again when there is room.

use std::process::Command;

use aloft_proto::v1::{ItemState, event::Payload};
use futures_util::future::join_all;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::store::{
    Commit, Error, Result, Store as _,
    sqlite::{
        Sqlite,
        tests::{create, event, fresh, message},
    },
};

/// Names the directory to write to; set in the process whose files may not grow.
const CHILD: &str = "ALOFT_TEST_STORE_SMALL";

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
    store.commit(filling("big", "text", 40_000_000)).await.unwrap();
    let size = || std::fs::metadata(directory.path().join("store.db")).unwrap().len();
    let row = store.thread("big").await.unwrap().unwrap().0;
    store
        .commit(Commit { thread: Some(row), delete_thread: true, ..Commit::default() })
        .await
        .unwrap();
    assert!(size() > 40_000_000);
    store.prune(0).await.unwrap();
    assert!(size() < 500_000, "{} bytes are left", size());
    store.integrity_check().await.unwrap();
}

/// Does nothing by itself: the test below starts this binary again to run it.
#[tokio::test]
async fn child_that_fills_its_disk() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let store = Sqlite::open(directory.as_ref()).unwrap();
    create(&store, "full").await;
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    while refused < 20 {
        // Small and large ones in one group: the flush of the whole group fails, and the small ones may still go in.
        let commits = [3_000, 60_000, 3_000].map(|size| {
            let id = uuid::Uuid::new_v4().to_string();
            let commit = store.commit(filling("full", &id, size));
            async move { (id, commit.await) }
        });
        for (id, outcome) in join_all(commits).await {
            match outcome {
                Ok(committed) => acknowledged.push((committed.cursor, id)),
                Err(Error::Full(_)) => refused += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    assert!(acknowledged.len() > 10);
    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, rustix::process::Rlimit { current: limit.maximum, ..limit })
        .unwrap();
    let id = "room again".to_owned();
    acknowledged.push((store.commit(filling("full", &id, 60_000)).await.unwrap().cursor, id));
    drop(store);

    let store = Sqlite::open(directory.as_ref()).unwrap();
    store.integrity_check().await.unwrap();
    let kept = store.items("full", None, usize::MAX).await.unwrap();
    let kept: Vec<_> = kept.items.into_iter().map(|item| item.id).collect();
    acknowledged.sort();
    assert!(acknowledged.iter().map(|(cursor, _)| *cursor).eq(2..2 + kept.len() as u64));
    assert!(acknowledged.iter().map(|(_, id)| id).eq(&kept));
}

#[test]
fn writes_that_the_system_refuses_are_a_full_disk() {
    let directory = tempfile::tempdir().unwrap();
    // The shell sets a soft limit of file sizes and makes exceeding it an error, not a signal.
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 1000; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "store::sqlite::tests::room::child_that_fills_its_disk"])
        .env(CHILD, directory.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success() && printed.contains("1 passed"), "{printed}");
}
