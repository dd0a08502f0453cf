//! A power cut: what was written and not synced is on the disk, or not, or in part, and in any order.
//!
//! A child process works under a [`vfs`] that notes every write, sync and removal, and every commit that was acknowledged.
//! The test then makes the disk as it may be after a cut at any moment of that trace, opens it, and looks.

mod disk;
mod vfs;

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use aloft_proto::v1::{ItemState, event::Payload};
use serde::{Deserialize, Serialize};

use crate::store::{
    Commit, Store as _,
    sqlite::{
        Sqlite,
        tests::{
            appended, command, create, event,
            power::disk::{Disk, Luck},
            row, write,
        },
    },
};

/// Names the folder to work in; set in the process that is traced.
const CHILD: &str = "ALOFT_TEST_STORE_POWER";
/// Threads that are written at once.
const THREADS: usize = 3;
/// Commits of each.
const COMMITS: usize = 12;
/// Ways of luck tried at each moment.
const VARIANTS: u64 = 4;

/// One step of a trace.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step {
    Write {
        file: String,
        offset: u64,
        data: Vec<u8>,
    },
    Truncate {
        file: String,
        size: u64,
    },
    Sync {
        file: String,
    },
    /// Where the folder was synced too, it is certain.
    Remove {
        file: String,
        certain: bool,
    },
    /// A commit was acknowledged: the thread's newest event.
    Acknowledged {
        thread: String,
        cursor: u64,
    },
    /// A deletion was asked for: from now on it may be there or not.
    Deleting {
        thread: String,
    },
    /// A deletion was acknowledged.
    Deleted {
        thread: String,
    },
}

/// Does nothing by itself: the test below starts this binary again to run it.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_works_under_a_trace() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let folder = Path::new(&folder);
    vfs::trace_to(&folder.join("trace"), &folder.join("store"));
    let store = Arc::new(Sqlite::open(&folder.join("store")).unwrap());
    let writers = (0..THREADS).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { work(&store, &format!("thread-{number}")).await })
    });
    for writer in futures_util::future::join_all(writers).await {
        writer.unwrap();
    }
    // A deletion empties the write-ahead log into the database.
    vfs::note(&Step::Deleting { thread: "thread-0".to_owned() });
    let commit = Commit { thread: Some(row("thread-0")), delete_thread: true, ..Commit::default() };
    store.commit(commit).await.unwrap();
    vfs::note(&Step::Deleted { thread: "thread-0".to_owned() });
    work(&store, "thread-1").await;
    // So does a clean end.
    drop(Arc::into_inner(store).unwrap());
}

async fn work(store: &Sqlite, id: &str) {
    if store.thread(id).await.unwrap().is_none() {
        create(store, id).await;
        let run = command("run", &[], 0, ItemState::InProgress);
        write(store, id, vec![event(Payload::ItemStarted(run))]).await;
    }
    for _ in 0..COMMITS {
        let text = vec![b'x'; 700];
        let committed =
            write(store, id, vec![appended("run", text.clone()), appended("run", text)]).await;
        vfs::note(&Step::Acknowledged { thread: id.to_owned(), cursor: committed.cursor });
    }
}

#[tokio::test]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let trace = trace(folder.path());
    let syncs = trace.iter().filter(|step| matches!(step, Step::Sync { .. })).count();
    assert!(syncs > 40, "{syncs} syncs");
    let mut disk = Disk::default();
    let mut acknowledged = BTreeMap::<String, Option<u64>>::new();
    let mut cuts = 0;
    for (at, step) in trace.iter().enumerate() {
        // Right before each sync, when the most is under way, and right after it.
        let sync = matches!(step, Step::Sync { .. });
        if sync {
            for variant in 0..VARIANTS {
                cut(&disk, Luck::of(at, variant), &acknowledged).await;
                cuts += 1;
            }
        }
        disk.take(step);
        match step {
            Step::Acknowledged { thread, cursor } => {
                acknowledged.insert(thread.clone(), Some(*cursor));
            }
            Step::Deleting { thread } => {
                acknowledged.remove(thread);
            }
            Step::Deleted { thread } => {
                acknowledged.insert(thread.clone(), None);
            }
            _ => {}
        }
        if sync || at + 1 == trace.len() {
            cut(&disk, Luck::NOTHING, &acknowledged).await;
            cuts += 1;
        }
    }
    assert!(cuts > 200, "{cuts} cuts");
}

/// Runs the child and reads its trace.
fn trace(folder: &Path) -> Vec<Step> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::sqlite::tests::power::child_that_works_under_a_trace"])
        .env(CHILD, folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let text = std::fs::read_to_string(folder.join("trace")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The machine goes down; what the disk is lucky to have is opened again.
async fn cut(disk: &Disk, luck: Luck, acknowledged: &BTreeMap<String, Option<u64>>) {
    let folder = tempfile::tempdir().unwrap();
    disk.after_a_cut(luck, folder.path());
    let store = Sqlite::open(folder.path()).unwrap_or_else(|error| panic!("{luck:?}: {error}"));
    store.integrity_check().await.unwrap_or_else(|error| panic!("{luck:?}: {error}"));
    for (id, cursor) in acknowledged {
        let found = store.thread(id).await.unwrap().map(|(_, newest)| newest);
        match cursor {
            None => assert_eq!(found, None, "{id} was deleted ({luck:?})"),
            Some(cursor) => {
                let newest = found.unwrap_or_default();
                assert!(newest >= *cursor, "{id} ends at {newest}, not at {cursor} ({luck:?})");
                // Each commit had two appends: there is no half of one.
                assert_eq!(newest % 2, 0, "{id} ends at {newest}");
            }
        }
    }
}
