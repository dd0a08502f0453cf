//! The repository of a thread: one commit for each turn's end, kept outside every sandbox.
//!
//! A snapshot is a commit under `refs/aloft/turns/N` (or `refs/aloft/safety/N`, made before something is undone, or
//! `refs/aloft/before/N`: what turn N began from). Its tree is the workspace as it was, untracked files included, ignored
//! ones not. Its first parent is the snapshot before it, or the base. Its message says what the workspace's own branch,
//! HEAD and index were, and which commit holds the files inside submodules; these commits come along as further parents,
//! with all that led to HEAD. Base objects are borrowed from the mirror. Diffs of it are in [`crate::git::diff`].

mod archive;
mod export;
mod merge;
mod push;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use aloft_fault::pass;
use aloft_proto::v1::{DiffStat, FileDiff};
use tokio::sync::mpsc;

pub use archive::Unpacked;
pub use export::Export;
pub use merge::Merge;

use crate::git::bundle::{Bundle, blocking, missing_commits, sync_folder, update_refs};
use crate::git::command::Git;
use crate::git::diff::{self, DiffOptions};
use crate::git::leftover::{self, Unfinished};
use crate::git::mirror::make_bare;
use crate::git::names::{check_name, check_object_id, check_ref, is_object_id};
use crate::git::{Error, Result};

/// The commit every diff of the thread is against.
const BASE: &str = "refs/aloft/base";
/// The commit a thread started from that goes on from another one.
const START: &str = "refs/aloft/start";
/// This many packs are joined; each snapshot brings one.
const MOST_PACKS: usize = 50;
/// In a snapshot's message: the commit that was checked out.
const HEAD_LINE: &str = "Aloft-Head: ";
/// In a snapshot's message: the branch that was checked out.
const BRANCH_LINE: &str = "Aloft-Branch: ";
/// In a snapshot's message: a commit of what was staged.
const INDEX_LINE: &str = "Aloft-Index: ";
/// In a snapshot's message: a commit of the files inside submodules.
const SUBMODULES_LINE: &str = "Aloft-Submodules: ";

/// The repositories of all threads. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Snapshots {
    root: PathBuf,
}

/// Which snapshot of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SnapshotName {
    /// Made at the end of this turn.
    Turn(u32),
    /// Made before something of the workspace was undone.
    Safety(u32),
    /// What this turn began from: the snapshot before it, or one of its own where files had changed since.
    Before(u32),
}

/// A snapshot, and what the workspace's own repository was then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit of the snapshot.
    pub commit: String,
    /// The commit that was checked out; absent when the workspace's repository was gone or empty.
    pub head: Option<String>,
    /// The branch that was checked out, without `refs/heads/`; absent when it was none.
    pub branch: Option<String>,
    /// A commit of what was staged, where that was not what `head` holds.
    pub index: Option<String>,
    /// A commit of the files inside submodules, where there are any.
    pub submodules: Option<String>,
}

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Relative to the workspace; quoted as git does where it is not UTF-8.
    pub path: String,
    /// Octal, as git shows it.
    pub mode: String,
    /// Bytes; 0 of a submodule.
    pub size: u64,
}

impl SnapshotName {
    /// The ref it has in a thread's repository.
    pub fn ref_name(self) -> String {
        match self {
            Self::Turn(number) => format!("refs/aloft/turns/{number}"),
            Self::Safety(number) => format!("refs/aloft/safety/{number}"),
            Self::Before(number) => format!("refs/aloft/before/{number}"),
        }
    }
}

impl Snapshots {
    /// Repositories of threads live below `root`, which is made when needed.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where a thread's repository is, or would be.
    pub fn path(&self, thread: &str) -> Result<PathBuf> {
        check_name("thread", thread)?;
        Ok(self.root.join(format!("{thread}.git")))
    }

    /// Makes the repository of a thread on `base`, a commit of the mirror at `mirror` (an absolute path). Done again with
    /// the same base it changes nothing but where objects are borrowed; another base is refused once there is a snapshot.
    pub async fn create(&self, thread: &str, mirror: &Path, base: &str) -> Result<()> {
        check_object_id(base)?;
        let path = self.path(thread)?;
        if !missing_commits(mirror, &[base.to_owned()]).await?.is_empty() {
            return Err(Error::UnknownCommit(base.to_owned()));
        }
        if path.is_dir() {
            borrow(&path, mirror).await?;
            let known = read_commit(&path, BASE).await?;
            if known.as_deref() == Some(base) {
                return Ok(());
            }
            let snapshots = Git::at(&path, "list snapshots")
                .args(["for-each-ref", "--count=1", "refs/aloft/turns/", "refs/aloft/safety/"])
                .line_if_any()
                .await?;
            return if snapshots.is_some() {
                Err(Error::OtherBase(thread.to_owned()))
            } else {
                set_ref(&path, BASE, base).await
            };
        }
        let format = if base.len() == 64 { "sha256" } else { "sha1" };
        let root = self.root.clone();
        let scratch = blocking(move || {
            Unfinished::below(&root)
                .map_err(Error::io(format!("make a folder in {}", root.display())))
        })
        .await?;
        make_bare(scratch.path(), format, "0600").await?;
        borrow(scratch.path(), mirror).await?;
        set_ref(scratch.path(), BASE, base).await?;
        let root = self.root.clone();
        blocking(move || {
            std::fs::rename(scratch.path(), &path)
                .and_then(|()| sync_folder(&root))
                .map_err(Error::io(format!("make {}", path.display())))
        })
        .await
    }

    /// Takes a snapshot's bundle: exactly that one ref, no larger than `limit` bytes, checked whole, on disk when this
    /// returns. A rejected bundle changes nothing. `previous` is the snapshot before it: of a turn, where it began.
    pub async fn import(
        &self,
        thread: &str,
        name: SnapshotName,
        previous: Option<&str>,
        bundle: &Path,
        limit: u64,
    ) -> Result<Snapshot> {
        let path = self.existing(thread)?;
        let bundle = Bundle::open(bundle, limit).await?;
        let ref_name = name.ref_name();
        let commit = match bundle.refs.first_key_value() {
            Some((only, commit)) if bundle.refs.len() == 1 && *only == ref_name => commit.clone(),
            _ => return Err(Error::Bundle(format!("it does not hold exactly the ref {ref_name}"))),
        };
        let admitted = bundle.admit(&path, limit).await?;
        let snapshot = describe(admitted.git("read the snapshot"), &commit).await?;
        let mut refs = vec![(ref_name, Some(commit.clone()))];
        if let SnapshotName::Turn(number) = name {
            let began = match previous {
                Some(previous) => previous.to_owned(),
                None => self.base(thread).await?,
            };
            check_object_id(&began)?;
            refs.push((SnapshotName::Before(number).ref_name(), Some(began)));
        }
        pass!("snapshot.admitted");
        admitted.keep().await?;
        pass!("snapshot.kept");
        update_refs(&path, &refs).await?;
        pass!("snapshot.named");
        if let Err(error) = join_packs(&path).await {
            tracing::warn!(%error, thread, "a thread's repository stays in many packs");
        }
        Ok(snapshot)
    }

    /// A snapshot of a thread, where there is one.
    pub async fn get(&self, thread: &str, name: SnapshotName) -> Result<Option<Snapshot>> {
        let path = self.existing(thread)?;
        match read_commit(&path, &name.ref_name()).await? {
            Some(commit) => describe(Git::at(&path, "read the snapshot"), &commit).await.map(Some),
            None => Ok(None),
        }
    }

    /// A snapshot by its commit.
    pub async fn describe(&self, thread: &str, commit: &str) -> Result<Snapshot> {
        let path = self.existing(thread)?;
        check_commits(&path, &[commit]).await?;
        describe(Git::at(&path, "read the snapshot"), commit).await
    }

    /// Forgets the name of a snapshot.
    pub async fn forget(&self, thread: &str, name: SnapshotName) -> Result<()> {
        update_refs(&self.existing(thread)?, &[(name.ref_name(), None)]).await
    }

    /// Gives thread `to`, which has a repository on the same base, the snapshots of `from` up to the end of turn `last`, and
    /// the commit it starts from.
    pub async fn copy(&self, from: &str, to: &str, last: u32, start: &str) -> Result<()> {
        check_object_id(start)?;
        let (from, to) = (self.existing(from)?, self.existing(to)?);
        let answer = Git::at(&from, "list snapshots")
            .args([
                "for-each-ref",
                "--format=%(refname)",
                "refs/aloft/turns/",
                "refs/aloft/before/",
            ])
            .run()
            .await?;
        let answer = String::from_utf8_lossy(&answer);
        let is_wanted = |name: &&str| {
            let number = name.rsplit('/').next().and_then(|number| number.parse::<u32>().ok());
            number.is_some_and(|number| number <= last)
        };
        let specs: Vec<String> = answer
            .lines()
            .filter(is_wanted)
            .map(|name| format!("+{name}:{name}"))
            .chain([format!("+{start}:{START}")])
            .collect();
        Git::at(&to, "copy snapshots")
            .args([
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-gc",
                "--stdin",
            ])
            .arg(&from)
            .input(specs.join("\n") + "\n")
            .run()
            .await?;
        blocking(move || {
            for folder in ["refs/aloft", "refs/aloft/turns", "refs/aloft/before", "objects/pack"] {
                let folder = to.join(folder);
                if folder.is_dir() {
                    sync_folder(&folder)
                        .map_err(Error::io(format!("sync {}", folder.display())))?;
                }
            }
            Ok(())
        })
        .await
    }

    /// The commit every diff of the thread is against.
    pub async fn base(&self, thread: &str) -> Result<String> {
        let path = self.existing(thread)?;
        read_commit(&path, BASE).await?.ok_or_else(|| Error::NoRepository(thread.to_owned()))
    }

    /// The change from one commit to another, file by file, exactly as `git diff -M FROM TO` prints it. Dropping the
    /// receiver ends the work. An error is the last thing it gives.
    pub async fn diff(
        &self,
        thread: &str,
        from: &str,
        to: &str,
        options: DiffOptions,
    ) -> Result<mpsc::Receiver<Result<FileDiff>>> {
        let path = self.existing(thread)?;
        check_commits(&path, &[from, to]).await?;
        diff::stream(path, from, to, options).await
    }

    /// The size of the change from one commit to another.
    pub async fn stat(&self, thread: &str, from: &str, to: &str) -> Result<DiffStat> {
        let path = self.existing(thread)?;
        check_commits(&path, &[from, to]).await?;
        diff::stat(&path, from, to).await
    }

    /// Where `commit`, a snapshot or a head of the thread, leaves `upstream`, a commit of the mirror. What was `pushed` of
    /// the thread, and came there, is no change any more, though no snapshot stands on it.
    pub async fn merge_base(
        &self,
        thread: &str,
        commit: &str,
        pushed: &str,
        upstream: &str,
    ) -> Result<Option<String>> {
        let path = self.existing(thread)?;
        check_commits(&path, &[commit, upstream]).await?;
        let left = Git::at(&path, "find the merge base")
            .args(["merge-base", commit, upstream])
            .line_if_any()
            .await?;
        if pushed.is_empty() || !is_in(&path, pushed, upstream).await? {
            return Ok(left);
        }
        match left {
            Some(left) if is_in(&path, pushed, &left).await? => Ok(Some(left)),
            _ => Ok(Some(pushed.to_owned())),
        }
    }

    /// The files of a commit, by path.
    pub async fn files(&self, thread: &str, commit: &str) -> Result<Vec<FileEntry>> {
        let path = self.existing(thread)?;
        check_commits(&path, &[commit]).await?;
        let answer = Git::at(&path, "list files")
            .args(["ls-tree", "-r", "-z", "--long", "--full-tree", commit])
            .run()
            .await?;
        let entry = |record: &[u8]| {
            let tab = record.iter().position(|byte| *byte == b'\t')?;
            let head = String::from_utf8_lossy(&record[..tab]);
            let mut words = head.split_whitespace();
            let (mode, size) = (words.next()?.to_owned(), words.nth(2)?.parse().unwrap_or(0));
            Some(FileEntry { path: diff::shown_path(&record[tab + 1..]), mode, size })
        };
        Ok(answer.split(|byte| *byte == 0).filter_map(entry).collect())
    }

    /// What a file of a commit holds.
    pub async fn file(&self, thread: &str, commit: &str, file: &str) -> Result<Vec<u8>> {
        let path = self.existing(thread)?;
        check_commits(&path, &[commit]).await?;
        let object = format!("{commit}:{file}");
        Git::at(&path, "read a file").args(["cat-file", "blob", &object]).run().await
    }

    /// Puts the files of a snapshot as one commit on top of `parent`; gives `parent` where it holds the same files already, and
    /// `known`, made from an earlier snapshot, where that holds them on top of it.
    pub async fn commit(
        &self,
        thread: &str,
        snapshot: &str,
        (parent, known): (&str, Option<&str>),
        message: &str,
        author: (&str, &str),
    ) -> Result<String> {
        let path = self.existing(thread)?;
        check_commits(&path, &[snapshot, parent]).await?;
        let trees = [format!("{snapshot}^{{tree}}"), format!("{parent}^{{tree}}")];
        let answer =
            Git::at(&path, "read the snapshot").arg("rev-parse").args(&trees).run().await?;
        let answer = String::from_utf8_lossy(&answer);
        let (Some(tree), parent_tree) = (answer.lines().next(), answer.lines().nth(1)) else {
            return Err(Error::UnknownCommit(snapshot.to_owned()));
        };
        if Some(tree) == parent_tree {
            return Ok(parent.to_owned());
        }
        if let Some(known) = known
            && holds(&path, known, tree, parent).await?
        {
            return Ok(known.to_owned());
        }
        // The snapshot's own time: made again, the commit is the same one.
        let time = Git::at(&path, "read the time of the snapshot")
            .args(["log", "-1", "--format=%ct +0000", snapshot])
            .line()
            .await?;
        let command = Git::at(&path, "commit the snapshot")
            .args(["commit-tree", tree, "-p", parent])
            .input(message);
        let commit = signed(command, author, &time).line().await?;
        set_ref(&path, &format!("refs/aloft/commits/{commit}"), &commit).await?;
        Ok(commit)
    }

    /// Checks every object of a thread's repository; an error says what is broken.
    pub async fn fsck(&self, thread: &str) -> Result<()> {
        Git::at(&self.existing(thread)?, format!("check the snapshots of {thread}"))
            .args(["fsck", "--full", "--no-dangling", "--no-progress"])
            .run()
            .await?;
        Ok(())
    }

    /// Removes all snapshots of a thread. There may be none.
    pub async fn remove(&self, thread: &str) -> Result<()> {
        let path = self.path(thread)?;
        blocking(move || match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(format!("remove {}", path.display()))(error))
            }
            _ => Ok(()),
        })
        .await
    }

    /// Removes what a crash left beside the repositories of these threads. Nothing may be under way.
    pub async fn clear_leftovers(&self, threads: HashSet<String>) -> Result<()> {
        let root = self.root.clone();
        blocking(move || {
            leftover::clear(&root, &threads)
                .map_err(Error::io(format!("clear up {}", root.display())))
        })
        .await
    }

    fn existing(&self, thread: &str) -> Result<PathBuf> {
        let path = self.path(thread)?;
        if path.is_dir() { Ok(path) } else { Err(Error::NoRepository(thread.to_owned())) }
    }
}

/// Names the mirror as the place of objects the repository does not have itself.
async fn borrow(repository: &Path, mirror: &Path) -> Result<()> {
    let (file, line) = (
        repository.join("objects/info/alternates"),
        format!("{}\n", mirror.join("objects").display()),
    );
    blocking(move || {
        let write = || {
            std::fs::write(&file, line)?;
            std::fs::File::open(&file)?.sync_all()
        };
        write().map_err(Error::io(format!("write {}", file.display())))
    })
    .await
}

/// Whether a commit, where there is one, holds this tree on top of `parent` alone.
async fn holds(repository: &Path, commit: &str, tree: &str, parent: &str) -> Result<bool> {
    check_object_id(commit)?;
    let format = "--format=%T %P";
    let read = Git::at(repository, "read a commit").args(["log", "-1", format, commit]);
    Ok(read.line_if_any().await?.is_some_and(|line| line == format!("{tree} {parent}")))
}

/// Whether one commit is another one or leads to it.
async fn is_in(repository: &Path, one: &str, other: &str) -> Result<bool> {
    let looking = Git::at(repository, "compare commits");
    let (status, ..) = looking.args(["merge-base", "--is-ancestor", one, other]).outcome().await?;
    Ok(status.success())
}

/// A commit of this person at this time.
fn signed(command: Git, (name, email): (&str, &str), time: &str) -> Git {
    let people = [
        ("GIT_AUTHOR_NAME", name),
        ("GIT_AUTHOR_EMAIL", email),
        ("GIT_COMMITTER_NAME", name),
        ("GIT_COMMITTER_EMAIL", email),
        ("GIT_AUTHOR_DATE", time),
        ("GIT_COMMITTER_DATE", time),
    ];
    people.into_iter().fold(command, |command, (variable, value)| command.env(variable, value))
}

async fn set_ref(repository: &Path, name: &str, commit: &str) -> Result<()> {
    update_refs(repository, &[(name.to_owned(), Some(commit.to_owned()))]).await
}

async fn read_commit(repository: &Path, name: &str) -> Result<Option<String>> {
    Git::at(repository, "read a ref")
        .args(["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])
        .line_if_any()
        .await
}

async fn check_commits(repository: &Path, commits: &[&str]) -> Result<()> {
    for commit in commits {
        check_object_id(commit)?;
    }
    let commits: Vec<String> = commits.iter().map(|commit| (*commit).to_owned()).collect();
    match missing_commits(repository, &commits).await?.into_iter().next() {
        Some(commit) => Err(Error::UnknownCommit(commit)),
        None => Ok(()),
    }
}

/// Reads a snapshot's parents and message. What the message claims counts only where the parents bear it out.
async fn describe(git: Git, commit: &str) -> Result<Snapshot> {
    let answer =
        git.args(["cat-file", "commit", commit]).run().await.map_err(|error| match error {
            Error::Command { .. } => Error::Bundle("its ref does not name a commit".to_owned()),
            other => other,
        })?;
    let text = String::from_utf8_lossy(&answer);
    let (head, message) = text.split_once("\n\n").unwrap_or((&text, ""));
    let parents: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix("parent ")).collect();
    let claimed =
        |key: &str| message.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
    let parent = |key: &str| {
        claimed(key).filter(|claim| is_object_id(claim) && parents.contains(&claim.as_str()))
    };
    let head = parent(HEAD_LINE);
    let branch = claimed(BRANCH_LINE)
        .and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned))
        .filter(|name| head.is_some() && check_ref(&format!("refs/heads/{name}")).is_ok());
    let (index, submodules) = (parent(INDEX_LINE), parent(SUBMODULES_LINE));
    Ok(Snapshot { commit: commit.to_owned(), head, branch, index, submodules })
}

/// Many small packs make every read slower. Joining them drops nothing.
async fn join_packs(repository: &Path) -> Result<()> {
    let folder = repository.join("objects/pack");
    let count = blocking(move || {
        let entries =
            std::fs::read_dir(&folder).map_err(Error::io(format!("list {}", folder.display())))?;
        Ok(entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|kind| kind == "pack"))
            .count())
    })
    .await?;
    if count > MOST_PACKS {
        Git::at(repository, "join packs")
            .args(["repack", "-a", "-d", "-l", "--keep-unreachable", "--quiet"])
            .run()
            .await?;
    }
    Ok(())
}
