//! What a thread changed, and its branch to take away: from stored snapshots, so also when its sandbox is gone.

use std::time::Duration;

use aloft_proto::v1::{
    ExportBranchRequest, FileDiff, GetDiffRequest, Item, Thread, ThreadState,
    get_diff_request::Against,
};
use tokio::sync::mpsc;

use crate::{
    git::{
        DiffOptions,
        mirror::Freshness,
        snapshot::{Export, SnapshotName},
    },
    model::{
        machine::{Memory, Refused},
        proposal,
    },
    runner::{Error, Runner, signature, stored, whole},
};

/// How long a diff waits for news of its base branch.
const REFRESH: Duration = Duration::from_secs(15);

impl Runner {
    /// The change of a thread, file by file.
    pub async fn diff(
        &self,
        owner: &str,
        asked: GetDiffRequest,
    ) -> Result<mpsc::Receiver<Result<FileDiff, Error>>, Error> {
        let (thread, memory) = self.find_kept(owner, &asked.thread_id).await?;
        let (sender, receiver) = mpsc::channel(16);
        let Some((from, to)) = self.ends(&thread, &memory, asked.against.as_ref()).await? else {
            return Ok(receiver);
        };
        let one = Some(asked.path).filter(|path| !path.is_empty());
        let options = DiffOptions {
            with_texts: one.is_some(),
            path: one,
            stat_only: asked.stat_only,
            binary: asked.binary,
        };
        let mut files = self.parts().snapshots.diff(&thread.id, &from, &to, options).await?;
        tokio::spawn(async move {
            while let Some(file) = files.recv().await {
                if sender.send(file.map_err(Error::from)).await.is_err() {
                    return;
                }
            }
        });
        Ok(receiver)
    }

    /// The thread's commits on its branch, as a bundle of what the receiver lacks.
    pub async fn export(&self, owner: &str, asked: ExportBranchRequest) -> Result<Export, Error> {
        let (thread, memory) = self.find_kept(owner, &asked.thread_id).await?;
        let Some(commit) = newest(&memory) else {
            return Err(Error::NotSaved { number: 0 });
        };
        let snapshots = &self.parts().snapshots;
        let saved = snapshots.describe(&thread.id, &commit).await?;
        let head = saved.head.unwrap_or_else(|| thread.base_commit.clone());
        let message = proposal::commit_message(&thread.title, &thread.id);
        let tip = snapshots
            .commit(&thread.id, &commit, (&head, None), &message, signature::NOBODY)
            .await?;
        Ok(snapshots.export(&thread.id, &thread.branch, &tip, &asked.have).await?)
    }

    /// Messages that wait for the end of the turn.
    pub async fn queue(&self, owner: &str, name: &str) -> Result<Vec<Item>, Error> {
        let (thread, memory) = self.find_whole(owner, name).await?;
        let open = self.parts().store.open_items(&thread.id).await?;
        Ok(memory
            .queue
            .iter()
            .filter_map(|id| open.iter().find(|item| item.id == *id).cloned())
            .collect())
    }

    /// A thread whose snapshots are there to be read.
    async fn find_kept(&self, owner: &str, name: &str) -> Result<(Thread, Memory), Error> {
        let (thread, memory) = self.find_whole(owner, name).await?;
        if thread.state() == ThreadState::Deleting {
            return Err(Refused::Deleting.into());
        }
        Ok((thread, memory))
    }

    pub(super) async fn find_whole(
        &self,
        owner: &str,
        name: &str,
    ) -> Result<(Thread, Memory), Error> {
        let (thread, _) = self.find(owner, name).await?;
        let row = self.parts().store.thread(&thread.id).await?;
        let (row, _) = row.ok_or_else(|| Error::ThreadNotFound { name: name.to_owned() })?;
        let memory = stored::memory(&row);
        Ok((row.thread, memory))
    }

    /// The two commits a diff is between; none where nothing was saved yet.
    async fn ends(
        &self,
        thread: &Thread,
        memory: &Memory,
        against: Option<&Against>,
    ) -> Result<Option<(String, String)>, Error> {
        let snapshots = &self.parts().snapshots;
        if let Some(Against::Turn(number)) = against {
            return self.turn_ends(thread, *number).await.map(Some);
        }
        let Some(to) = newest(memory) else { return Ok(None) };
        let from = match against {
            None | Some(Against::Base(_) | Against::Turn(_)) => {
                let (base, upstreams) = (&thread.base_commit, &memory.upstreams);
                snapshots.origin(&thread.id, base, upstreams, &to).await?
            }
            Some(Against::Uncommitted(_)) => {
                let saved = snapshots.describe(&thread.id, &to).await?;
                saved.head.unwrap_or_else(|| thread.base_commit.clone())
            }
            Some(Against::MergeBase(_)) => {
                let repository = thread
                    .repository
                    .as_ref()
                    .map(|repository| repository.id.clone())
                    .unwrap_or_default();
                self.refresh(&repository).await;
                let upstream = self.parts().mirrors.resolve(&repository, &thread.base_ref).await?;
                let pushed = &memory.pushed.commit;
                let left = snapshots.merge_base(&thread.id, &to, pushed, &upstream.commit).await?;
                left.unwrap_or_else(|| thread.base_commit.clone())
            }
        };
        Ok(Some((from, to)))
    }

    /// Brings a mirror up to date; where its source cannot be reached, what is known is all there is.
    async fn refresh(&self, repository: &str) {
        let fetched = async {
            match self.parts().store.repository(repository).await? {
                Some(row) if !row.url.is_empty() => {
                    let mirrors = &self.parts().mirrors;
                    let remote = self.parts().forges.remote(&row.owner, &row.url).await?;
                    Ok(mirrors.fetch(repository, remote, Freshness::Recent, |_| {}).await?)
                }
                _ => Ok::<_, Error>(()),
            }
        };
        match tokio::time::timeout(REFRESH, fetched).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(repository, error = whole(&error), "could not refresh the mirror");
            }
            Err(_) => tracing::warn!(repository, "the mirror was not refreshed in time"),
        }
    }

    /// The snapshots before and after a turn.
    async fn turn_ends(&self, thread: &Thread, number: u32) -> Result<(String, String), Error> {
        let snapshots = &self.parts().snapshots;
        if self.parts().store.turn_by_number(&thread.id, number).await?.is_none() {
            return Err(Error::TurnNotFound { number });
        }
        let after = snapshots.get(&thread.id, SnapshotName::Turn(number)).await?;
        let after = after.ok_or(Error::NotSaved { number })?.commit;
        if let Some(before) = snapshots.get(&thread.id, SnapshotName::Before(number)).await? {
            return Ok((before.commit, after));
        }
        // A turn that was not saved is part of the next one that was.
        for earlier in (0..number).rev() {
            if let Some(before) = snapshots.get(&thread.id, SnapshotName::Turn(earlier)).await? {
                return Ok((before.commit, after));
            }
        }
        Ok((thread.base_commit.clone(), after))
    }
}

fn newest(memory: &Memory) -> Option<String> {
    memory.snapshot.as_ref().map(|saved| saved.commit.clone())
}
