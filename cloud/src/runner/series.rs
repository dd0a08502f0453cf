//! A thread's work as files for who takes it elsewhere by hand: patches on its base, and a bundle of its branch.
//!
//! It needs no right at any remote, and no remote.

use aloft_proto::v1::Thread;
use tempfile::TempDir;

use crate::{
    git::snapshot::Export,
    model::proposal,
    runner::{
        Error, Runner,
        signature::{committer, own_account},
    },
};

/// What is written.
#[derive(Debug)]
pub struct Series {
    /// The thread.
    pub thread: Thread,
    /// The commit that all of it is on top of.
    pub base: String,
    /// Its branch, without what leads to that commit.
    pub branch: Export,
    /// The names of the patches, in their order.
    pub patches: Vec<String>,
    /// Where they are until this goes.
    pub folder: TempDir,
}

impl Runner {
    /// The newest work of a thread as `aloft pr` would push it. Where it is no straight line of commits, it is one patch.
    pub async fn series(&self, owner: &str, name: &str) -> Result<Series, Error> {
        let (thread, memory) = self.find_whole(owner, name).await?;
        Self::rests(&thread, &memory)?;
        let account = own_account(self.parts(), &thread).await?;
        let person = committer(account.as_ref());
        let (tip, _) = self.committed(&thread, &memory, person).await?;
        let (snapshots, id) = (&self.parts().snapshots, &thread.id);
        let (from, upstreams) = (&thread.base_commit, &memory.upstreams);
        let base = snapshots.origin(id, from, upstreams, &tip).await?;
        let kept = |source| Error::Scratch { source };
        let scratch = &self.parts().scratch;
        let folder =
            tempfile::Builder::new().prefix("patches-").tempdir_in(scratch).map_err(kept)?;
        let mut patches = snapshots.patches(id, &base, &tip, folder.path()).await?;
        if patches.is_none() {
            let message = proposal::commit_message(&thread.title, id);
            let whole = snapshots.commit(id, &tip, (&base, None), &message, person).await?;
            patches = snapshots.patches(id, &base, &whole, folder.path()).await?;
        }
        let mut branch =
            snapshots.export(id, &thread.branch, &tip, std::slice::from_ref(&base)).await?;
        if branch.file.is_none() {
            // The branch went back behind its base.
            branch = snapshots.export(id, &thread.branch, &tip, &[]).await?;
        }
        let patches = patches.unwrap_or_default();
        Ok(Series { thread, base, branch, patches, folder })
    }
}
