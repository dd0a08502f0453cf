//! The files of requests that wait for their cloud, in the order in which they were asked for.
//!
//! One file for each, so that a bridge that is killed leaves each there or not. Two locks: one, held for moments, gives
//! the places in the order; the other is held by the one bridge that delivers.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::files;
use crate::protocol::kept::Kept;
use crate::protocol::time::Time;
use crate::protocol::to_proto::new_request_id;

/// Requests kept for one cloud; more are refused.
const MOST: usize = 1000;
/// The file that is locked while an order is read or changed.
const ORDER: &str = "order.lock";
/// How the name of a request's file ends.
const REQUEST: &str = "-request.json";
/// Between two looks at a lock that somebody holds.
const LOOK: Duration = Duration::from_millis(10);

/// The kept requests of one cloud.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    folder: PathBuf,
}

/// One of them, with its file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    path: PathBuf,
    pub(super) record: Record,
}

/// What the file says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    #[serde(flatten)]
    pub(super) kept: Kept,
    /// When it was first sent: whether it arrived is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tried: Option<Time>,
    /// The request as the cloud takes it, in base64.
    request: String,
}

impl Record {
    /// A record of a request that is written already.
    pub(super) fn new(kept: Kept, tried: Option<Time>, request: &[u8]) -> Self {
        Self { kept, tried, request: STANDARD.encode(request) }
    }

    /// The request as the cloud takes it.
    pub(super) fn request(&self) -> io::Result<Vec<u8>> {
        STANDARD.decode(&self.request).map_err(io::Error::other)
    }
}

impl Entry {
    /// Writes it anew, in its place; false when it was taken back meanwhile.
    pub(super) fn rewrite(&self) -> io::Result<bool> {
        let _order = self.lock()?;
        if !self.path.try_exists()? {
            return Ok(false);
        }
        files::write(&self.path, &serde_json::to_vec(&self.record)?, true)?;
        Ok(true)
    }

    /// Forgets it: it was delivered, told, or taken back.
    pub(super) fn remove(&self) -> io::Result<()> {
        let _order = self.lock()?;
        files::remove(&self.path)
    }

    /// The lock of the order: nobody brings back what another one takes away.
    fn lock(&self) -> io::Result<File> {
        files::lock(&self.path.with_file_name(ORDER))
    }
}

impl Outbox {
    /// The outbox below a folder, which need not be there.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        names(&self.folder).is_ok_and(|names| names.is_empty())
    }

    /// Keeps a request behind all others: on disk when this returns.
    pub(super) fn add(&self, record: &Record) -> io::Result<()> {
        files::folder(&self.folder)?;
        let _order = files::lock(&self.folder.join(ORDER))?;
        let names = names(&self.folder)?;
        if names.len() >= MOST {
            return Err(io::Error::other(format!("{MOST} requests are kept already")));
        }
        let last = names.last().and_then(|name| name.split('-').next()?.parse::<u64>().ok());
        // The place is given anew once the outbox was empty, the name never: it may be in another bridge's hands still.
        let name = format!("{:012}-{}{REQUEST}", last.unwrap_or_default() + 1, new_request_id());
        files::write(&self.folder.join(name), &serde_json::to_vec(record)?, true)
    }

    /// What waits, in order.
    pub(super) fn list(&self) -> io::Result<Vec<Entry>> {
        read(&self.folder)
    }

    /// What comes first.
    pub(super) fn first(&self) -> io::Result<Option<Entry>> {
        Ok(read(&self.folder)?.into_iter().next())
    }

    /// Puts one that the cloud refused where it waits to be told, unless it was taken back meanwhile.
    pub(super) fn refuse(&self, entry: &Entry) -> io::Result<()> {
        if !entry.path.try_exists()? {
            return Ok(());
        }
        let folder = self.refused_folder();
        files::folder(&folder)?;
        let Some(name) = entry.path.file_name() else { return Ok(()) };
        files::write(&folder.join(name), &serde_json::to_vec(&entry.record)?, true)?;
        entry.remove()
    }

    /// Those that were refused and not yet told.
    pub(super) fn refused(&self) -> io::Result<Vec<Entry>> {
        read(&self.refused_folder())
    }

    /// Becomes the one that delivers; `None` while another one is.
    pub(super) async fn delivering(&self, patience: Duration) -> io::Result<Option<File>> {
        files::folder(&self.folder)?;
        let file = files::lock_file(&self.folder.join("deliver.lock"))?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Ok(None),
                // Waiting in the kernel would take a thread and could not be given up.
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    fn refused_folder(&self) -> PathBuf {
        self.folder.join("refused")
    }
}

/// Names of the requests in a folder, in order; an absent folder has none.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string()
            && name.ends_with(REQUEST)
        {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn read(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for name in names(folder)? {
        let path = folder.join(name);
        let bytes = match std::fs::read(&path) {
            // Delivered by another bridge meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            bytes => bytes?,
        };
        match serde_json::from_slice(&bytes) {
            Ok(record) => entries.push(Entry { path, record }),
            Err(error) => {
                // It cannot be sent, and must not keep the others waiting; nor is it thrown away.
                tracing::error!(file = %path.display(), %error, "a kept request is not readable; it is put aside");
                std::fs::rename(&path, path.with_extension("unreadable"))?;
            }
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str) -> Record {
        let kept = Kept {
            request_id: id.to_owned(),
            thread_id: "bcdfghjkmnpq".to_owned(),
            slug: "fix-bcdf".to_owned(),
            method: "turn/start".to_owned(),
            text: Some("words".to_owned()),
            time: Time::now(),
            error: None,
        };
        Record::new(kept, None, b"\x01\x02")
    }

    fn ids(entries: &[Entry]) -> Vec<String> {
        entries.iter().map(|entry| entry.record.kept.request_id.clone()).collect()
    }

    #[test]
    fn requests_keep_their_order_whoever_keeps_them() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(folder.path().join("outbox"));
        assert!(outbox.is_empty() && outbox.list().unwrap().is_empty());
        let each = 40;
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let outbox = Outbox::new(folder.path().join("outbox"));
                scope.spawn(move || {
                    for number in 0..each {
                        outbox.add(&record(&format!("{writer}-{number}"))).unwrap();
                    }
                });
            }
        });
        let all = ids(&outbox.list().unwrap());
        assert_eq!(all.len(), 4 * each);
        for writer in 0..4 {
            let own: Vec<_> =
                all.iter().filter(|id| id.starts_with(&format!("{writer}-"))).collect();
            let expected: Vec<_> = (0..each).map(|number| format!("{writer}-{number}")).collect();
            assert_eq!(own, expected.iter().collect::<Vec<_>>());
        }
        assert_eq!(outbox.first().unwrap().unwrap().record.request().unwrap(), b"\x01\x02");
    }

    #[test]
    fn a_file_that_cannot_be_read_holds_nothing_up_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(folder.path().to_owned());
        std::fs::write(folder.path().join("000000000001-request.json"), "{").unwrap();
        outbox.add(&record("good")).unwrap();
        assert_eq!(ids(&outbox.list().unwrap()), ["good"]);
        assert!(folder.path().join("000000000001-request.unreadable").exists());
    }

    #[test]
    fn what_was_taken_back_stays_so_and_takes_nothing_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(folder.path().to_owned());
        outbox.add(&record("first")).unwrap();
        let in_hand = outbox.first().unwrap().unwrap();
        in_hand.remove().unwrap();
        outbox.add(&record("second")).unwrap();
        assert!(!in_hand.rewrite().unwrap());
        outbox.refuse(&in_hand).unwrap();
        in_hand.remove().unwrap();
        assert_eq!(ids(&outbox.list().unwrap()), ["second"]);
        assert!(outbox.refused().unwrap().is_empty());
    }

    #[tokio::test]
    async fn one_bridge_delivers_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(folder.path().to_owned());
        let held = outbox.delivering(Duration::ZERO).await.unwrap().unwrap();
        assert!(outbox.delivering(Duration::from_millis(30)).await.unwrap().is_none());
        drop(held);
        assert!(outbox.delivering(Duration::ZERO).await.unwrap().is_some());
    }
}
