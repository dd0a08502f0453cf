//! Saves a workspace: made inside the sandbox, carried out as a bundle, kept in the thread's own repository.

use std::time::Duration;

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

/// How long a snapshot may take.
const LIMIT: Duration = Duration::from_secs(600);

/// What a snapshot is taken of.
#[derive(Debug)]
pub(super) struct Taking<'a> {
    pub parts: &'a Parts,
    pub thread: &'a Thread,
    pub memory: &'a Memory,
    pub guest: &'a Guest,
}

impl Taking<'_> {
    /// Takes the snapshot that ends turn `number` (0 = before the first): its commit, and the size of the change against
    /// the base.
    pub(super) async fn take(&self, number: u32) -> Result<(String, DiffStat), Error> {
        let taking = async {
            let name = SnapshotName::Turn(number);
            let saved = match self.import(name, true).await {
                // The agent's own commits may be what is refused: every file is in a snapshot without them too.
                Err(Error::Git(error)) => {
                    tracing::warn!(
                        thread = self.thread.id,
                        error = whole(&error),
                        "a snapshot leaves commits out"
                    );
                    self.import(name, false).await?
                }
                saved => saved?,
            };
            let diff = self
                .parts
                .snapshots
                .stat(&self.thread.id, &self.thread.base_commit, &saved.commit)
                .await?;
            Ok((saved.commit, diff))
        };
        tokio::time::timeout(LIMIT, taking).await.map_err(|_| Error::SetUp {
            step: "save the workspace".to_owned(),
            message: format!("not done after {} s", LIMIT.as_secs()),
        })?
    }

    async fn import(&self, name: SnapshotName, with_commits: bool) -> Result<Snapshot, Error> {
        let bundle = self.bundle(name, with_commits).await?;
        Ok(self.parts.snapshots.import(&self.thread.id, name, bundle.path(), BUNDLE_LIMIT).await?)
    }

    /// Makes the bundle inside and carries it out to a file of the cloud's own.
    async fn bundle(&self, name: SnapshotName, with_commits: bool) -> Result<NamedTempFile, Error> {
        let step = Paths::default().snapshot(&TakeSnapshot {
            name,
            base: self.thread.base_commit.clone(),
            previous: self.memory.snapshot.as_ref().map(|saved| saved.commit.clone()),
            with_commits,
        });
        let kept = |source| Error::Scratch { source };
        let file = tempfile::Builder::new()
            .prefix("turn-")
            .tempfile_in(&self.parts.scratch)
            .map_err(kept)?;
        let mut writer = tokio::fs::File::from_std(file.reopen().map_err(kept)?);
        let id = format!("snapshot-{}", uuid::Uuid::new_v4().simple());
        let mut streams = self.guest.spawn(&id, &steps::command(&step)).await?.into_streams();
        let copied = tokio::io::copy(&mut streams.stdout, &mut writer).await.map_err(kept)?;
        writer.flush().await.map_err(kept)?;
        let ended = streams.flow.ended().await;
        if ended.as_ref().and_then(|ended| ended.exit_code) == Some(0) && copied > 0 {
            return Ok(file);
        }
        let said = streams.stderr.text();
        let message = if said.trim().is_empty() {
            "its process was ended".to_owned()
        } else {
            said.trim().to_owned()
        };
        Err(Error::SetUp { step: "save the workspace".to_owned(), message })
    }
}
