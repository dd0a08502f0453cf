//! Saves a workspace: made inside the sandbox, carried out as a bundle, kept in the thread's own repository.

use std::time::Duration;

use aloft_fault::pass;
use aloft_proto::v1::{DiffStat, Thread};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use crate::{
    git::{
        BUNDLE_LIMIT,
        snapshot::{Snapshot, SnapshotName},
        workspace::{Paths, TakeSnapshot},
    },
    model::machine::Memory,
    runner::{Error, Parts, steps, whole},
    sandbox::guest::Guest,
};

/// Begins the names of processes in the guest that work on the files for us.
const PREFIX: &str = "files-";
/// How long a snapshot may take.
const LIMIT: Duration = Duration::from_secs(600);

/// The name of another process that works on the files for us.
pub(super) fn process_name() -> String {
    format!("{PREFIX}{}", uuid::Uuid::new_v4().simple())
}

/// Ends what an earlier cloud, or one that is not waited for any more, left at work on the files.
pub(super) async fn end_others(guest: &Guest) -> Result<(), Error> {
    for process in guest.list_processes().await?.processes {
        if process.id.starts_with(PREFIX) {
            guest.kill(&process.id, Duration::ZERO).await?;
        }
    }
    Ok(())
}

/// What a snapshot is taken of.
#[derive(Clone, Debug)]
pub(super) struct Taking {
    pub parts: Parts,
    pub thread: Thread,
    pub memory: Memory,
    pub guest: Guest,
}

/// A snapshot that was taken: its commit, and the size of the change against the base.
pub(super) type Taken = (Snapshot, DiffStat);

impl Taking {
    /// Takes the snapshot that ends turn `number` (0 = before the first).
    pub(super) async fn take(&self, number: u32) -> Result<Taken, Error> {
        let name = SnapshotName::Turn(number);
        let taken = self.taken(&self.what(name)).await?;
        taken.ok_or_else(|| failed("nothing was written".to_owned()))
    }

    /// Keeps what the workspace is before something of it is undone.
    pub(super) async fn keep(&self, number: u32, wanted: &str) -> Result<Taken, Error> {
        let what = TakeSnapshot {
            wanted: Some(wanted.to_owned()),
            ..self.what(SnapshotName::Safety(number))
        };
        self.taken(&what).await?.ok_or_else(|| failed("nothing was written".to_owned()))
    }

    /// Takes a snapshot of what turn `number` begins from, where that is not the newest one.
    pub(super) async fn look(&self, number: u32) -> Result<Option<Taken>, Error> {
        let name = SnapshotName::Before(number);
        self.taken(&TakeSnapshot { only_changed: true, ..self.what(name) }).await
    }

    fn what(&self, name: SnapshotName) -> TakeSnapshot {
        TakeSnapshot {
            name,
            base: self.thread.base_commit.clone(),
            previous: self.previous(),
            with_commits: true,
            only_changed: false,
            wanted: None,
        }
    }

    fn previous(&self) -> Option<String> {
        self.memory.snapshot.as_ref().map(|saved| saved.commit.clone())
    }

    async fn taken(&self, what: &TakeSnapshot) -> Result<Option<Taken>, Error> {
        let taking = async {
            end_others(&self.guest).await?;
            let saved = match self.import(what).await {
                // The agent's own commits may be what is refused: every file is in a snapshot without them too.
                Err(Error::Git(error)) => {
                    tracing::warn!(
                        thread = self.thread.id,
                        error = whole(&error),
                        "a snapshot leaves commits out"
                    );
                    self.import(&TakeSnapshot { with_commits: false, ..what.clone() }).await?
                }
                saved => saved?,
            };
            let Some(saved) = saved else { return Ok(None) };
            let (id, base, commit) = (&self.thread.id, &self.thread.base_commit, &saved.commit);
            let snapshots = &self.parts.snapshots;
            let origin = snapshots.origin(id, base, &self.memory.upstreams, commit).await?;
            let diff = snapshots.stat(id, &origin, commit).await?;
            pass!("snapshot.taken");
            Ok(Some((saved, diff)))
        };
        tokio::time::timeout(LIMIT, taking)
            .await
            .map_err(|_| failed(format!("not done after {} s", LIMIT.as_secs())))?
    }

    async fn import(&self, what: &TakeSnapshot) -> Result<Option<Snapshot>, Error> {
        let Some(bundle) = self.bundle(what).await? else { return Ok(None) };
        pass!("snapshot.bundled");
        let (snapshots, id) = (&self.parts.snapshots, &self.thread.id);
        let previous = self.previous();
        let imported = snapshots
            .import(id, what.name, previous.as_deref(), bundle.path(), BUNDLE_LIMIT)
            .await?;
        Ok(Some(imported))
    }

    /// Makes the bundle inside and carries it out to a file of the cloud's own; none where nothing was written.
    async fn bundle(&self, what: &TakeSnapshot) -> Result<Option<NamedTempFile>, Error> {
        let step = Paths::default().snapshot(what);
        let kept = |source| Error::Scratch { source };
        let file = tempfile::Builder::new()
            .prefix("turn-")
            .tempfile_in(&self.parts.scratch)
            .map_err(kept)?;
        let mut writer = tokio::fs::File::from_std(file.reopen().map_err(kept)?);
        let mut streams =
            self.guest.spawn(&process_name(), &steps::command(&step)).await?.into_streams();
        let copied = tokio::io::copy(&mut streams.stdout, &mut writer).await.map_err(kept)?;
        writer.flush().await.map_err(kept)?;
        let ended = streams.flow.ended().await;
        if ended.as_ref().and_then(|ended| ended.exit_code) == Some(0) {
            return Ok((copied > 0).then_some(file));
        }
        let said = streams.stderr.text();
        Err(failed(if said.trim().is_empty() {
            "its process was ended".to_owned()
        } else {
            said.trim().to_owned()
        }))
    }
}

fn failed(message: String) -> Error {
    Error::SetUp { step: "save the workspace".to_owned(), message }
}
