//! What can go wrong with a repository, in words for the person who asked.

use std::io;
use std::sync::Arc;

/// Why a git operation failed. Reads after "failed to …"; cheap to clone, because callers share one fetch and its outcome.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No usable git on this machine.
    #[error("run git: {0}")]
    Unusable(String),
    /// The file system refused.
    #[error("{attempt}: {source}")]
    Io {
        /// What was tried, on what.
        attempt: String,
        /// Why it failed.
        source: Arc<io::Error>,
    },
    /// A git command failed.
    #[error("{attempt}: {detail}")]
    Command {
        /// What was tried, on what.
        attempt: String,
        /// The last words of git.
        detail: String,
    },
    /// A git command took too long and was ended.
    #[error("{attempt}: not done after {seconds} s")]
    Timeout {
        /// What was tried, on what.
        attempt: String,
        /// The time it was given.
        seconds: u64,
    },
    /// A name that cannot be used.
    #[error("use `{name}` as the name of a {kind}")]
    InvalidName {
        /// What it should have named.
        kind: &'static str,
        /// What was given.
        name: String,
    },
    /// An address git cannot fetch from, or that is not allowed.
    #[error("fetch from `{url}`: {detail}")]
    Fetch {
        /// The address, without credentials.
        url: String,
        /// The last words of git.
        detail: String,
    },
    /// A branch could not be pushed.
    #[error("push to `{url}`: {detail}")]
    Push {
        /// The address, without credentials.
        url: String,
        /// The words of the server, or the last ones of git.
        detail: String,
    },
    /// A branch of the remote is not where the thread left it.
    #[error(
        "push the branch `{branch}` to `{url}`: it has commits there that this thread did not push"
    )]
    BranchMoved {
        /// The branch.
        branch: String,
        /// The address, without credentials.
        url: String,
    },
    /// The source has only a part of its history.
    #[error("use a shallow clone as a source: its older commits are missing")]
    Shallow,
    /// The repository has no commit.
    #[error("find a commit in `{0}`: the repository is empty")]
    Empty(String),
    /// A ref or commit that is not there.
    #[error("find `{reference}` in the repository")]
    UnknownRef {
        /// What was asked for.
        reference: String,
        /// Names that look like it, the nearest first.
        near: Vec<String>,
    },
    /// A mirror or a thread's repository that is not there.
    #[error("open the repository `{0}`: there is none")]
    NoRepository(String),
    /// A commit the repository does not have.
    #[error("find commit {0} in the repository")]
    UnknownCommit(String),
    /// More bytes than allowed.
    #[error("accept {what}: over the limit of {limit} bytes")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// A bundle that is not what it should be; nothing of it was taken.
    #[error("accept the bundle: {0}")]
    Bundle(String),
    /// A bundle that builds on a commit the repository does not have; nothing of it was taken.
    #[error("accept the bundle: it builds on commit {0}, which is not here")]
    MissingBase(String),
    /// The thread has snapshots on another base.
    #[error("start thread `{0}` on another base: it has snapshots")]
    OtherBase(String),
}

impl Error {
    pub(crate) fn io(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let attempt = attempt.into();
        move |source| Self::Io { attempt, source: Arc::new(source) }
    }

    /// The remote opens to nobody without credentials, or not with these.
    pub fn needs_login(&self) -> bool {
        let (Self::Fetch { detail, .. } | Self::Push { detail, .. }) = self else { return false };
        ["could not read Username", "could not read Password", "Authentication failed", "HTTP 401"]
            .iter()
            .any(|words| detail.contains(words))
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unusable(_) => Some("install git 2.30 or newer".to_owned()),
            Self::Fetch { detail, .. } => Some(fetch_hint(detail).to_owned()),
            Self::Push { .. } => Some(
                "the words are the server's; mend what it names, then try again".to_owned(),
            ),
            Self::BranchMoved { .. } => Some(
                "nothing was overwritten; rename or delete that branch there, or bring its commits into the thread".to_owned(),
            ),
            Self::Shallow => Some("run `git fetch --unshallow` in it first".to_owned()),
            Self::Empty(_) => Some("make a first commit, then try again".to_owned()),
            Self::UnknownRef { near, .. } if near.is_empty() => {
                Some("name a branch, a tag or a commit of the repository".to_owned())
            }
            Self::UnknownRef { near, .. } => {
                let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
                Some(format!("did you mean {}?", near.join(", ")))
            }
            Self::Timeout { .. } => Some(
                "try again; look at the load of the cloud's machine and its network".to_owned(),
            ),
            _ => None,
        }
    }
}

fn fetch_hint(detail: &str) -> &'static str {
    const HINTS: &[(&str, &str)] = &[
        (
            "dubious ownership",
            "the repository belongs to another user of the cloud's machine; give its URL, or run `aloft new` inside it",
        ),
        ("does not exist", "check the address"),
        ("not found", "check the address; a private repository needs credentials"),
        ("does not appear to be a git repository", "check the address"),
        (
            "could not read Username",
            "connect an account with `aloft forge connect github` (and `--url` for a server of your own), or run `aloft new` inside a checkout of it",
        ),
        (
            "Authentication failed",
            "the credentials were refused; connect the account again with `aloft forge connect github`",
        ),
        ("Permission denied", "the cloud's user may not read it"),
        (
            "Host key verification failed",
            "add the server's key to the known_hosts of the cloud's user",
        ),
        ("Could not resolve host", "check the host name and the cloud's network"),
        ("transport '", "use https, http, ssh, git, or an absolute path"),
    ];
    const OTHER: &str = "check the address and the cloud's network, then `aloft retry`";
    HINTS.iter().find(|(text, _)| detail.contains(text)).map_or(OTHER, |(_, hint)| hint)
}
