//! A process that is killed while it writes.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    sync::Arc,
};

use aloft_proto::v1::{ItemState, event::Payload};

use crate::store::{
    Store as _,
    sqlite::{
        Sqlite,
        tests::{appended, command, create, event, write},
    },
};

/// Names the directory to write to; set in the process that is killed.
const CHILD: &str = "ALOFT_TEST_STORE_CHILD";

/// Threads that are written at once.
const THREADS: usize = 8;

/// Does nothing by itself: the test below starts this binary again to run it.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_writes_until_it_is_killed() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let store = Arc::new(Sqlite::open(directory.as_ref()).unwrap());
    let writers = (0..THREADS).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let id = format!("thread-{number}");
            if store.thread(&id).await.unwrap().is_none() {
                create(&store, &id).await;
                write(
                    &store,
                    &id,
                    vec![event(Payload::ItemStarted(command(
                        "run",
                        &[],
                        0,
                        ItemState::InProgress,
                    )))],
                )
                .await;
            }
            loop {
                let committed =
                    write(&store, &id, vec![appended("run", "four"), appended("run", "five5")])
                        .await;
                // One write is one line, also among many writers.
                std::io::stdout()
                    .write_all(format!("\nacknowledged {id} {}\n", committed.cursor).as_bytes())
                    .unwrap();
            }
        })
    });
    futures_util::future::join_all(writers).await;
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = HashMap::<String, u64>::new();
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "store::sqlite::tests::crash::child_that_writes_until_it_is_killed",
            ])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut count = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some((id, cursor)) =
                line.strip_prefix("acknowledged ").and_then(|rest| rest.split_once(' '))
            else {
                continue;
            };
            acknowledged.insert(id.to_owned(), cursor.parse().unwrap());
            count += 1;
            if count == 40 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(count >= 40 * round, "the child ended by itself after {count} commits");

        let store = Sqlite::open(directory.path()).unwrap();
        store.integrity_check().await.unwrap();
        assert_eq!(acknowledged.len(), THREADS);
        for (id, cursor) in &acknowledged {
            let newest = store.thread(id).await.unwrap().unwrap().1;
            assert!(
                newest >= *cursor,
                "thread {id} ends at {newest}, and {cursor} was acknowledged"
            );
            // Each commit had two appends: there is no half of one.
            let appends = (newest - 2) / 2;
            assert_eq!(newest % 2, 0);
            let output = store.output(id, "run", 0, usize::MAX).await.unwrap();
            assert!(output.data == b"fourfive5".repeat(usize::try_from(appends).unwrap()));
        }
    }
}
