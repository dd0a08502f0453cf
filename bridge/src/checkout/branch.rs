//! Brings a thread's branch with its commits into the repository, as a local branch.

use std::path::{Path, PathBuf};

use crate::checkout::git::Git;
use crate::checkout::local::Local;
use crate::checkout::{Error, Result};

impl Local {
    /// Makes or advances the local branch `branch` to `commit`, taken from a git bundle. A branch with commits of
    /// its own is refused, but for one that the same thread made and replaced since an earlier checkout. With `switch` the checkout changes to it, as `git switch` does: never over uncommitted work.
    pub async fn branch(
        &self,
        bundle: Option<&Path>,
        branch: &str,
        commit: &str,
        switch: bool,
    ) -> Result<()> {
        let git = Git::acting(&self.root);
        if git.maybe(&["check-ref-format", "--branch", branch]).await?.is_none() {
            return Err(Error::BranchName { branch: branch.to_owned() });
        }
        if let Some(bundle) = bundle {
            take_objects(&git, bundle, commit).await?;
        } else if git
            .maybe(&["rev-parse", "--verify", "--quiet", &format!("{commit}^{{commit}}")])
            .await?
            .is_none()
        {
            return Err(Error::WrongBundle { commit: commit.to_owned() });
        }
        let full = format!("refs/heads/{branch}");
        let local =
            git.maybe(&["rev-parse", "--verify", "--quiet", &format!("{full}^{{commit}}")]).await?;
        let mut replaces = false;
        if let Some(local) = &local {
            let ahead = git.ask(&["merge-base", "--is-ancestor", local, commit], b"").await?;
            replaces = ahead.code != 0;
            if replaces && !is_superseded(&git, local, commit).await? {
                return Err(Error::Diverged { branch: branch.to_owned(), local: local.clone() });
            }
        }
        match self.worktree_of(&git, &full).await? {
            Some(path) if path == self.root => {
                // Both move files and branch together, and refuse to overwrite uncommitted work.
                if replaces {
                    git.run(&["reset", "--keep", "--quiet", commit]).await?;
                } else {
                    git.run(&["merge", "--ff-only", "--quiet", commit]).await?;
                }
            }
            Some(path) if local.as_deref() != Some(commit) => {
                return Err(Error::CheckedOut { branch: branch.to_owned(), path });
            }
            _ => {
                let before = local.unwrap_or_default();
                git.run(&["update-ref", "-m", "aloft checkout", &full, commit, &before]).await?;
                if switch {
                    git.run(&["switch", "--quiet", branch]).await?;
                }
            }
        }
        Ok(())
    }

    /// Commits this repository has near the thread's base: what an export of the branch can leave out.
    pub async fn known_commits(&self) -> Result<Vec<String>> {
        let args = [
            "for-each-ref",
            "--count=256",
            "--sort=-creatordate",
            "--format=%(objectname)",
            "refs/heads",
            "refs/remotes",
        ];
        let mut known: Vec<String> =
            self.git().line(&args).await?.lines().map(ToOwned::to_owned).collect();
        if let Some(head) =
            self.git().maybe(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await?
        {
            known.insert(0, head);
        }
        known.dedup();
        Ok(known)
    }

    /// The worktree in which a branch is checked out.
    async fn worktree_of(&self, git: &Git, branch: &str) -> Result<Option<PathBuf>> {
        let list = git.run(&["worktree", "list", "--porcelain"]).await?;
        let list = String::from_utf8_lossy(&list).into_owned();
        let wanted = format!("branch {branch}");
        let found = list.split("\n\n").find(|entry| entry.lines().any(|line| line == wanted));
        let path =
            found.and_then(|entry| entry.lines().find_map(|line| line.strip_prefix("worktree ")));
        Ok(path.map(PathBuf::from))
    }
}

/// Whether the local branch holds nothing beyond the new one but one commit that was made in the cloud, which the thread has
/// replaced since: what it had left uncommitted earlier, or a commit that its agent changed. One that somebody here changed is
/// by its committer no longer such a one.
async fn is_superseded(git: &Git, local: &str, commit: &str) -> Result<bool> {
    let format = "--format=%ae %ce %(trailers:key=Aloft-Thread,valueonly,separator=%x2C)";
    let head = git.run(&["log", "-1", format, local]).await?;
    let head = String::from_utf8_lossy(&head).into_owned();
    let made_in_cloud = head
        .trim()
        .strip_prefix("aloft@localhost aloft@localhost ")
        .is_some_and(|thread| !thread.is_empty());
    if !made_in_cloud {
        return Ok(false);
    }
    let parent = format!("{local}^");
    Ok(git.ask(&["merge-base", "--is-ancestor", &parent, commit], b"").await?.code == 0)
}

/// Takes the objects of a bundle into the repository; no ref and no `FETCH_HEAD` is written.
async fn take_objects(git: &Git, bundle: &Path, commit: &str) -> Result<()> {
    let bundle = bundle.to_string_lossy();
    let heads = git.run(&["bundle", "list-heads", &bundle]).await?;
    let heads = String::from_utf8_lossy(&heads).into_owned();
    let name = heads.lines().filter_map(|line| line.split_once(' ')).find(|(id, _)| *id == commit);
    let Some((_, name)) = name else {
        return Err(Error::WrongBundle { commit: commit.to_owned() });
    };
    let args = [
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        &bundle,
        name,
    ];
    git.run(&args).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::testing::{Repository, git};

    /// A clone with one more commit on `thread`, as a bundle.
    fn thread_of(repository: &Repository) -> (PathBuf, String) {
        let clone = repository.folder.path().join("thread");
        git(&repository.root, &["clone", "--quiet", ".", clone.to_str().unwrap()]);
        git(&clone, &["switch", "--quiet", "-c", "aloft/thread"]);
        std::fs::write(clone.join("b.txt"), "from the thread\n").unwrap();
        git(&clone, &["commit", "--quiet", "-am", "thread"]);
        let bundle = repository.folder.path().join("thread.bundle");
        git(
            &clone,
            &["bundle", "create", "--quiet", bundle.to_str().unwrap(), "aloft/thread", "^main"],
        );
        (bundle, git(&clone, &["rev-parse", "HEAD"]))
    }

    #[tokio::test]
    async fn the_branch_comes_with_its_commits_and_the_checkout_stays() {
        let repository = Repository::create();
        let (bundle, commit) = thread_of(&repository);
        let local = Local::open(&repository.root).await.unwrap();
        repository.write("a.txt", "uncommitted\n");
        local.branch(Some(&bundle), "aloft/thread", &commit, false).await.unwrap();
        assert_eq!(repository.git(&["rev-parse", "aloft/thread"]), commit);
        assert_eq!(repository.git(&["symbolic-ref", "--short", "HEAD"]), "main");
        assert_eq!(repository.read("b.txt"), "b\n");
        // Again, and then with a switch, which keeps the uncommitted work.
        local.branch(Some(&bundle), "aloft/thread", &commit, false).await.unwrap();
        local.branch(None, "aloft/thread", &commit, true).await.unwrap();
        assert_eq!(
            (repository.read("b.txt").as_str(), repository.read("a.txt").as_str()),
            ("from the thread\n", "uncommitted\n")
        );
    }

    #[tokio::test]
    async fn a_branch_with_commits_of_its_own_is_kept() {
        let repository = Repository::create();
        let (bundle, commit) = thread_of(&repository);
        let local = Local::open(&repository.root).await.unwrap();
        repository.git(&["switch", "--quiet", "-c", "aloft/thread"]);
        repository.write("own.txt", "own\n");
        let own = repository.commit("own");
        let error = local.branch(Some(&bundle), "aloft/thread", &commit, false).await.unwrap_err();
        assert_eq!(error.reason(), "BRANCH_DIVERGED");
        assert_eq!(repository.git(&["rev-parse", "aloft/thread"]), own);
        let error = local.branch(Some(&bundle), "other", &own, false).await.unwrap_err();
        assert_eq!(error.reason(), "BAD_BUNDLE");
    }

    #[tokio::test]
    async fn a_commit_of_the_thread_gives_way_to_what_replaced_it_and_one_of_a_person_does_not() {
        let repository = Repository::create();
        let (bundle, commit) = thread_of(&repository);
        let local = Local::open(&repository.root).await.unwrap();
        repository.git(&["switch", "--quiet", "-c", "aloft/thread"]);
        let made_in_cloud = [
            "-c",
            "user.name=Aloft",
            "-c",
            "user.email=aloft@localhost",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "left\n\nAloft-Thread: t",
        ];
        repository.git(&made_in_cloud);
        // Somebody changed it: author and last line are still the thread's.
        repository.git(&[
            "commit",
            "--quiet",
            "--amend",
            "--allow-empty",
            "-m",
            "mine\n\nAloft-Thread: t",
        ]);
        let mine = repository.git(&["rev-parse", "HEAD"]);
        let error = local.branch(Some(&bundle), "aloft/thread", &commit, false).await.unwrap_err();
        assert_eq!(error.reason(), "BRANCH_DIVERGED");
        assert_eq!(repository.git(&["rev-parse", "aloft/thread"]), mine);
        repository.git(&["reset", "--quiet", "--hard", "main"]);
        repository.git(&made_in_cloud);
        local.branch(Some(&bundle), "aloft/thread", &commit, false).await.unwrap();
        assert_eq!(repository.git(&["rev-parse", "aloft/thread"]), commit);
    }

    #[tokio::test]
    async fn the_branch_checked_out_here_moves_with_its_files() {
        let repository = Repository::create();
        let (bundle, commit) = thread_of(&repository);
        repository.git(&["switch", "--quiet", "-c", "aloft/thread"]);
        let local = Local::open(&repository.root).await.unwrap();
        repository.write("b.txt", "uncommitted\n");
        assert!(local.branch(Some(&bundle), "aloft/thread", &commit, false).await.is_err());
        assert_eq!(repository.read("b.txt"), "uncommitted\n");
        repository.git(&["checkout", "--quiet", "b.txt"]);
        local.branch(Some(&bundle), "aloft/thread", &commit, false).await.unwrap();
        assert_eq!(repository.read("b.txt"), "from the thread\n");
    }
}
