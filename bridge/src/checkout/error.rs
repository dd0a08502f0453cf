//! What can go wrong with a local repository, with a reason for programs and a hint for people.

use std::path::PathBuf;
use std::{io, time};

use crate::protocol::error as protocol;

/// Why something with the local repository did not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is there.
    #[error("open {}: no such file or folder", path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// No repository is there, nor in any folder above.
    #[error("open {}: not a git repository", path.display())]
    NotRepository {
        /// Where one was looked for.
        path: PathBuf,
    },
    /// The repository has no commit yet.
    #[error("read {}: the repository has no commit yet", path.display())]
    Unborn {
        /// The repository.
        path: PathBuf,
    },
    /// The history is cut off.
    #[error("upload {}: the clone is shallow, parts of its history are missing", path.display())]
    Shallow {
        /// The repository.
        path: PathBuf,
    },
    /// The repository has no files checked out.
    #[error("use {}: the repository has no working tree", path.display())]
    Bare {
        /// The repository.
        path: PathBuf,
    },
    /// The ref asked for is not there.
    #[error("find {reference:?} in {}: no such branch, tag or commit", path.display())]
    UnknownRef {
        /// What was asked for.
        reference: String,
        /// Where.
        path: PathBuf,
    },
    /// There are uncommitted changes and they were to be refused.
    #[error("begin from {}: {files} uncommitted files", path.display())]
    Dirty {
        /// The checkout.
        path: PathBuf,
        /// How many files are not committed.
        files: usize,
    },
    /// Uncommitted changes belong to another commit than the one asked for.
    #[error("carry uncommitted changes to {reference:?}: they were made on {head}")]
    CarryElsewhere {
        /// The ref asked for.
        reference: String,
        /// The commit that is checked out.
        head: String,
    },
    /// The changes clash with the checkout; nothing was changed.
    #[error("apply the changes: they clash with the checkout in {}", paths.join(", "))]
    Conflict {
        /// The files in which they clash, relative to the root.
        paths: Vec<String>,
    },
    /// The patch does not fit and there is no base to merge from; nothing was changed.
    #[error("apply the changes: the patch does not fit: {detail}")]
    DoesNotFit {
        /// What git said.
        detail: String,
    },
    /// The cloud left a patch out; nothing was changed.
    #[error("apply the changes: that of {path} is too large for a patch")]
    TooLarge {
        /// The file, relative to the root.
        path: String,
    },
    /// Files were changed while the patch was being applied; nothing was changed by us.
    #[error("apply the changes: {} changed meanwhile", paths.join(", "))]
    Changed {
        /// The files.
        paths: Vec<String>,
    },
    /// Git takes no branch of that name.
    #[error("make branch {branch:?}: git takes no such name")]
    BranchName {
        /// What was asked for.
        branch: String,
    },
    /// The local branch has commits that the thread's branch has not.
    #[error("update branch {branch}: it has commits of its own at {local}")]
    Diverged {
        /// The local branch.
        branch: String,
        /// Where it points.
        local: String,
    },
    /// The branch is checked out in another worktree.
    #[error("update branch {branch}: it is checked out in {}", path.display())]
    CheckedOut {
        /// The local branch.
        branch: String,
        /// The other worktree.
        path: PathBuf,
    },
    /// The bundle does not hold what it should.
    #[error("read the branch from the cloud: the bundle does not hold {commit}")]
    WrongBundle {
        /// The commit it should hold.
        commit: String,
    },
    /// The program is not there.
    #[error("run git: it is not installed")]
    NoGit,
    /// Git said no.
    #[error("run git {command} in {}: {detail}", path.display())]
    Git {
        /// Its subcommand.
        command: String,
        /// Where it ran.
        path: PathBuf,
        /// What it said.
        detail: String,
    },
    /// Git did not end.
    #[error("run git {command}: no end after {} s", limit.as_secs())]
    Timeout {
        /// Its subcommand.
        command: String,
        /// How long it was given.
        limit: time::Duration,
    },
    /// A file could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The cloud said no, or was not heard.
    #[error("upload the repository: {}", .0.message())]
    Cloud(#[source] Box<tonic::Status>),
}

impl Error {
    /// The reason in `UPPER_SNAKE`, for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "PATH_NOT_FOUND",
            Self::NotRepository { .. } => "NOT_A_REPOSITORY",
            Self::Unborn { .. } => "NO_COMMIT",
            Self::Shallow { .. } => "REPOSITORY_SHALLOW",
            Self::Bare { .. } => "NO_WORKING_TREE",
            Self::UnknownRef { .. } => "REF_UNKNOWN",
            Self::Dirty { .. } => "UNCOMMITTED_CHANGES",
            Self::CarryElsewhere { .. } => "CARRY_ELSEWHERE",
            Self::Conflict { .. } | Self::DoesNotFit { .. } => "APPLY_CONFLICT",
            Self::TooLarge { .. } => "PATCH_TOO_LARGE",
            Self::Changed { .. } => "CHECKOUT_CHANGED",
            Self::BranchName { .. } => "BRANCH_INVALID",
            Self::Diverged { .. } => "BRANCH_DIVERGED",
            Self::CheckedOut { .. } => "BRANCH_CHECKED_OUT",
            Self::WrongBundle { .. } => "BAD_BUNDLE",
            Self::NoGit => "GIT_MISSING",
            Self::Git { .. } | Self::Timeout { .. } => "GIT_FAILED",
            Self::Io { .. } => "LOCAL_IO",
            Self::Cloud(_) => "UPLOAD_FAILED",
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } => "check the path".into(),
            Self::NotRepository { .. } => {
                "name a git repository, or make one: git init && git add -A && git commit".into()
            }
            Self::Unborn { .. } => "commit something first: git add -A && git commit".into(),
            Self::Shallow { path } => {
                format!("get the whole history: git -C {} fetch --unshallow", path.display())
            }
            Self::Bare { .. } => {
                "use a checkout with files, for example one made by git worktree add".into()
            }
            Self::UnknownRef { .. } => {
                "git branch -a and git tag show what is there; git fetch gets more".into()
            }
            Self::Dirty { .. } => {
                "commit or stash them, or choose to carry or to ignore them".into()
            }
            Self::CarryElsewhere { .. } => {
                "check that ref out first, or ignore the uncommitted changes".into()
            }
            Self::Conflict { .. } => {
                "commit or stash your own changes, or apply with conflict markers".into()
            }
            Self::DoesNotFit { .. } | Self::TooLarge { .. } => {
                "take the thread's branch instead (checkout), then merge it".into()
            }
            Self::Changed { .. } => "try again when nothing else writes there".into(),
            Self::BranchName { .. } => "choose a name such as review/login".into(),
            Self::Diverged { .. } => {
                "get it under another name (--branch), or rename or delete the local branch".into()
            }
            Self::CheckedOut { .. } => {
                "get it under another name (--branch), or switch that worktree to another branch"
                    .into()
            }
            Self::NoGit => "install git and have it on PATH".into(),
            Self::Git { detail, path, .. } if detail.contains("dubious ownership") => {
                format!(
                    "if you trust it: git config --global --add safe.directory {}",
                    path.display()
                )
            }
            Self::Git { command, .. }
                if ["switch", "merge", "reset"].contains(&command.as_str()) =>
            {
                "commit or stash your own changes first".into()
            }
            Self::Io { source, .. } => return protocol::local_hint(source).map(str::to_owned),
            Self::WrongBundle { .. } | Self::Git { .. } | Self::Timeout { .. } | Self::Cloud(_) => {
                return None;
            }
        })
    }
}

impl From<Error> for protocol::Error {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Cloud(status) => return Self::from(tonic::Status::clone(status)),
            Error::Missing { .. } | Error::UnknownRef { .. } => protocol::Code::NotFound,
            Error::BranchName { .. } => protocol::Code::InvalidParams,
            Error::WrongBundle { .. } => protocol::Code::Internal,
            _ => protocol::Code::FailedPrecondition,
        };
        let told = Self::new(code, error.reason(), format!("failed to {error}"));
        match error.hint() {
            Some(hint) => told.with_hint(hint),
            None => told,
        }
    }
}
