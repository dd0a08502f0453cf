//! Brings a workspace back to a snapshot: on request between turns, and when a sandbox is made anew.

use std::time::Duration;

use aloft_proto::v1::{
    DiffStat, Item, ItemState, RewindThreadRequest, item::Kind, rewind_thread_request::To,
};

use crate::{
    git::{
        snapshot::SnapshotName,
        workspace::{Paths, Restore, SNAPSHOT_MISSING},
    },
    model::machine::{Fact, Input, Point, Rewind},
    runner::{
        Applied, Error, RequestKey, Runner, by_hand,
        effects::Reporter,
        snapshot::{self, Taking},
        start, steps, whole,
    },
};

/// How long a request waits for the rewind to be done; what takes longer goes on without it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Files named in a refusal.
const NAMED: usize = 20;
/// Where a snapshot comes into a sandbox that lacks it.
const BUNDLE: &str = "/srv/aloft/snapshot.git/restore.bundle";
/// Output kept of a restore.
const CAP: usize = 64 * 1024;

impl Runner {
    /// Brings a thread's workspace back; gives the notice that tells what came of it.
    pub async fn rewind(
        &self,
        owner: &str,
        asked: RewindThreadRequest,
        request: Option<RequestKey>,
    ) -> Result<(Applied, Option<Item>), Error> {
        let to = match asked.to {
            Some(To::Turn(number)) => Point::Turn(number),
            Some(To::Safety(number)) => Point::Safety(number),
            None => {
                let message = "turn, safety: one of the two is needed".to_owned();
                return Err(Error::Invalid { message });
            }
        };
        let applied = if let Some(known) = self.remembered(request.as_ref()).await? {
            known
        } else {
            let commit = self.commit_at(owner, &asked.thread_id, to).await?;
            let input = Input::Rewind { to, commit, force: asked.force };
            self.apply(owner, &asked.thread_id, input, request).await?
        };
        let Some(item) = applied.item.clone() else { return Ok((applied, None)) };
        let item = self.wait_for(&applied.thread.id, item).await?;
        if let Some(Kind::Notice(notice)) = &item.kind
            && let Some(error) = &notice.error
        {
            return Err(Error::NotDone(Box::new(error.clone())));
        }
        let found = self.parts().store.thread(&applied.thread.id).await?;
        let (row, cursor) =
            found.ok_or_else(|| Error::ThreadNotFound { name: asked.thread_id.clone() })?;
        Ok((Applied { thread: row.thread, cursor, ..applied }, Some(item)))
    }

    /// The commit of a moment of a thread.
    pub(super) async fn commit_at(
        &self,
        owner: &str,
        name: &str,
        to: Point,
    ) -> Result<String, Error> {
        let (thread, _) = self.find(owner, name).await?;
        let snapshots = &self.parts().snapshots;
        let saved = match to {
            // A thread whose repository is not made yet has no snapshot either.
            _ if !snapshots.path(&thread.id)?.exists() => None,
            Point::Turn(number) => snapshots.get(&thread.id, SnapshotName::Turn(number)).await?,
            Point::Safety(number) => {
                snapshots.get(&thread.id, SnapshotName::Safety(number)).await?
            }
            // It is made for one rewind and has no name.
            Point::Merge => None,
        };
        match (saved, to) {
            (Some(saved), _) => Ok(saved.commit),
            (None, Point::Turn(0)) if !thread.base_commit.is_empty() => Ok(thread.base_commit),
            (None, Point::Turn(number)) => {
                let exists = number == 0
                    || self.parts().store.turn_by_number(&thread.id, number).await?.is_some();
                Err(if exists {
                    Error::NotSaved { number }
                } else {
                    Error::TurnNotFound { number }
                })
            }
            (None, Point::Safety(number)) => Err(Error::SafetyNotFound { number }),
            (None, Point::Merge) => Err(Error::NotSaved { number: 0 }),
        }
    }

    /// The item when it has ended, or as it is when that takes too long.
    async fn wait_for(&self, thread: &str, item: Item) -> Result<Item, Error> {
        let waiting = self.item_ended(thread, &item);
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| Ok(item.clone()))
    }

    /// The item when it has ended.
    pub(super) async fn item_ended(&self, thread: &str, item: &Item) -> Result<Item, Error> {
        let store = &self.parts().store;
        let mut wake = store.watch_thread(thread);
        loop {
            wake.mark_unchanged();
            let now = store.item(thread, &item.id).await?;
            if let Some(now) = now.filter(|now| now.state() != ItemState::InProgress) {
                return Ok(now);
            }
            if wake.changed().await.is_err() {
                return Err(Error::ThreadNotFound { name: thread.to_owned() });
            }
        }
    }
}

/// A rewind at work.
#[derive(Debug)]
pub(super) struct Rewinding {
    pub taking: Taking,
    pub rewind: Rewind,
    pub reporter: Reporter,
}

impl Rewinding {
    /// Runs to `Rewound` or `NotRewound`.
    pub(super) async fn run(self) {
        let fact = match self.steps().await {
            Ok(diff) => Fact::Rewound { diff },
            Err(error) => {
                let thread = &self.taking.thread.id;
                tracing::info!(thread, error = whole(&error), "a workspace was not rewound");
                Fact::NotRewound(error.explain().1)
            }
        };
        self.reporter.say(fact).await;
    }

    async fn steps(&self) -> Result<DiffStat, Error> {
        let Taking { parts, thread, .. } = &self.taking;
        if !self.rewind.kept {
            self.keep().await?;
            self.reporter.say(Fact::Kept).await;
        }
        let commit = &self.rewind.commit;
        restore(&self.taking, commit).await?;
        let (base, upstreams) = (&thread.base_commit, &self.taking.memory.upstreams);
        let origin = parts.snapshots.origin(&thread.id, base, upstreams, commit).await?;
        Ok(parts.snapshots.stat(&thread.id, &origin, commit).await?)
    }

    /// Keeps what is there; refuses where a person changed files since the newest snapshot and did not say so.
    async fn keep(&self) -> Result<(), Error> {
        let Taking { parts, thread, memory, .. } = &self.taking;
        let number = memory.safeties + 1;
        let (safety, _) = self.taking.keep(number, &self.rewind.commit).await?;
        if self.rewind.force {
            return Ok(());
        }
        let files = by_hand::changes(&self.taking, &safety, false).await?;
        if files.is_empty() {
            return Ok(());
        }
        parts.snapshots.forget(&thread.id, SnapshotName::Safety(number)).await?;
        let files = files.into_iter().map(|file| file.path).collect();
        Err(Error::WorkspaceChanged { slug: thread.slug.clone(), files })
    }
}

/// Brings the workspace to what a commit of the thread's repository holds.
pub(super) async fn restore(taking: &Taking, commit: &str) -> Result<(), Error> {
    let Taking { parts, thread, memory, guest } = taking;
    snapshot::end_others(guest).await?;
    let mut snapshot = parts.snapshots.describe(&thread.id, commit).await?;
    if snapshot.commit == thread.base_commit {
        snapshot.head = Some(thread.base_commit.clone());
        snapshot.branch = Some(thread.branch.clone());
    }
    if snapshot.branch.as_ref().is_some_and(|branch| memory.former_branches.contains(branch)) {
        snapshot.branch = Some(thread.branch.clone());
    }
    let clone = start::workspace_of(parts, thread, memory).await?;
    let mut restore = Restore {
        base: thread.base_commit.clone(),
        snapshot,
        bundle: None,
        remote_url: clone.remote_url,
        author: clone.author,
        trailers: clone.trailers,
    };
    loop {
        let step = Paths::default().restore(&restore);
        let command = steps::command(&step);
        let name = snapshot::process_name();
        let output = guest.run_as(name, &command, &[], step.timeout, CAP).await?;
        if output.success() {
            return Ok(());
        }
        if output.exit_code != Some(SNAPSHOT_MISSING) || restore.bundle.is_some() {
            return Err(steps::failed(&step, &output));
        }
        let export = parts.snapshots.export_snapshot(&thread.id, commit).await?;
        if let Some(bundle) = export.file {
            guest.write_file(BUNDLE, 0o600, bundle).await?;
        }
        restore.bundle = Some(BUNDLE.to_owned());
    }
}

/// What a person is told whose files are in the way.
pub(super) fn named(files: &[String]) -> String {
    let text = files.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match files.len().checked_sub(NAMED) {
        None | Some(0) => text,
        Some(more) => format!("{text} and {more} more"),
    }
}
