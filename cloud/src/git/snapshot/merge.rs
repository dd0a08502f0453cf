//! A thread's branch and the branch it is to be merged into: how far that has moved on, and the merge of both.
//!
//! The merge is made without a workspace, by git alone; nothing of a repository's own configuration runs.

use crate::git::command::Git;
use crate::git::mirror::source::Source;
use crate::git::names::{check_object_id, check_ref};
use crate::git::snapshot::{
    BRANCH_LINE, HEAD_LINE, SUBMODULES_LINE, Snapshot, Snapshots, check_commits, is_in,
    read_commit, set_ref, signed,
};
use crate::git::{Error, Remote, Result};

/// What merging two commits gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The tree of both.
    Clean(String),
    /// Files that have to be merged by somebody.
    Conflicts(Vec<String>),
}

impl Snapshots {
    /// Brings a branch of the remote into the thread's repository, under its own name: the sandbox can fetch it. None where
    /// the remote has no such branch.
    pub async fn upstream(
        &self,
        thread: &str,
        remote: &Remote,
        branch: &str,
    ) -> Result<Option<String>> {
        let path = self.existing(thread)?;
        let name = format!("refs/heads/{branch}");
        check_ref(&name)?;
        let source = Source::of_remote(remote)?;
        let Some(there) = source.commit_of(&name).await? else { return Ok(None) };
        check_object_id(&there)?;
        if read_commit(&path, &name).await?.as_ref() != Some(&there) {
            source.fetch(&path, &[], &[&format!("+{name}:{name}")], None).await?;
        }
        read_commit(&path, &name).await
    }

    /// How many commits `upstream` has that `tip` has not.
    pub async fn behind(&self, thread: &str, tip: &str, upstream: &str) -> Result<u32> {
        let path = self.existing(thread)?;
        check_commits(&path, &[tip, upstream]).await?;
        let count = Git::at(&path, "count commits")
            .args(["rev-list", "--count", &format!("{tip}..{upstream}")])
            .line()
            .await?;
        Ok(count.parse().unwrap_or(u32::MAX))
    }

    /// Merges two commits, and names nothing: no commit is made.
    pub async fn merge(&self, thread: &str, tip: &str, upstream: &str) -> Result<Merge> {
        let path = self.existing(thread)?;
        check_commits(&path, &[tip, upstream]).await?;
        let (status, answer, words) = Git::at(&path, "merge")
            .args(["-c", "core.quotePath=false"])
            .args(["merge-tree", "--write-tree", "--name-only", "--no-messages", tip, upstream])
            .outcome()
            .await?;
        let answer = String::from_utf8_lossy(&answer);
        let mut lines = answer.lines().map(str::to_owned);
        match (status.code(), lines.next()) {
            (Some(0), Some(tree)) => Ok(Merge::Clean(tree)),
            (Some(1), Some(_)) => {
                let files = lines.take_while(|line| !line.is_empty()).collect();
                Ok(Merge::Conflicts(files))
            }
            _ => {
                let words = String::from_utf8_lossy(&words);
                let detail = words.lines().next().unwrap_or("git gave no reason").to_owned();
                Err(Error::Command { attempt: "merge".to_owned(), detail })
            }
        }
    }

    /// The snapshot of a workspace that has merged `upstream` into `tip`, with this tree and everything committed. It goes on
    /// from `before`. Made again, it is the same one.
    pub async fn merged(
        &self,
        thread: &str,
        before: &Snapshot,
        (tip, upstream, tree): (&str, &str, &str),
        message: &str,
        author: (&str, &str),
    ) -> Result<String> {
        let path = self.existing(thread)?;
        check_commits(&path, &[tip, upstream, &before.commit]).await?;
        let times = Git::at(&path, "read the time of the commits")
            .args(["log", "--no-walk", "--format=%ct", tip, upstream])
            .run()
            .await?;
        let times = String::from_utf8_lossy(&times);
        let newest = times.lines().filter_map(|line| line.parse::<u64>().ok()).max();
        let time = format!("{} +0000", newest.unwrap_or_default());
        let command = Git::at(&path, "commit the merge")
            .args(["commit-tree", tree, "-p", tip, "-p", upstream])
            .input(message);
        let merge = signed(command, author, &time).line().await?;
        let mut command = Git::at(&path, "save the merge").args([
            "commit-tree",
            tree,
            "-p",
            &before.commit,
            "-p",
            &merge,
        ]);
        let mut about = vec!["Merge\n".to_owned(), format!("{HEAD_LINE}{merge}")];
        about.extend(before.branch.iter().map(|name| format!("{BRANCH_LINE}refs/heads/{name}")));
        if let Some(files) = &before.submodules {
            command = command.args(["-p", files]);
            about.push(format!("{SUBMODULES_LINE}{files}"));
        }
        let about = format!("{}\n", about.join("\n"));
        let saved = signed(command.input(about), author, &time).line().await?;
        set_ref(&path, &format!("refs/aloft/commits/{saved}"), &saved).await?;
        Ok(saved)
    }

    /// The first parent of a commit; the first of all has none.
    pub async fn parent(&self, thread: &str, commit: &str) -> Result<Option<String>> {
        check_object_id(commit)?;
        read_commit(&self.existing(thread)?, &format!("{commit}^")).await
    }

    /// What the change up to `commit`, a snapshot or a commit of the branch, is against: the newest of these commits of other
    /// branches that were merged into it, else `base`.
    pub async fn origin(
        &self,
        thread: &str,
        base: &str,
        upstreams: &[String],
        commit: &str,
    ) -> Result<String> {
        if upstreams.is_empty() {
            return Ok(base.to_owned());
        }
        let path = self.existing(thread)?;
        let head = self.describe(thread, commit).await?.head.unwrap_or_else(|| commit.to_owned());
        for upstream in upstreams.iter().rev() {
            check_object_id(upstream)?;
            if is_in(&path, upstream, &head).await? {
                return Ok(upstream.clone());
            }
        }
        Ok(base.to_owned())
    }
}
