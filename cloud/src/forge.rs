//! Forges, where repositories live and pull requests are opened, and trackers, where issues are kept and nothing else.
//!
//! A [`Tracker`] is one account at one of either kind, a [`Forge`] one at a forge. Requests are written by hand and answers decoded leniently: only what is used,
//! all else optional. No request is repeated blindly that changes something, and a token goes nowhere but to its forge.

mod address;
mod device;
mod driver;
mod findings;
mod forgejo;
mod github;
mod gitlab;
pub mod hook;
mod http;
mod issue;
mod jira;
mod linear;
mod lists;
pub mod picture;

use std::{fmt, str::FromStr};

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub use self::{
    address::{Located, Web, is_long_name, is_short_name},
    device::SignIn,
    findings::{FailedCheck, Findings, Remark},
    issue::{Comment, Issue, Reference},
    picture::Picture,
};
use crate::model::machine::Millis;

/// Why a forge did not do what was asked. Each reads after "failed to …".
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No such kind of forge.
    #[error("find the forge {0:?}: known are github, gitlab, forgejo, linear and jira")]
    UnknownKind(String),
    /// A tracker is no forge.
    #[error("reach repositories at {host}: it keeps issues and nothing else")]
    IssuesOnly {
        /// The tracker.
        host: String,
    },
    /// Not the address of a forge.
    #[error("use {address:?} as the address of a forge: {detail}")]
    InvalidAddress {
        /// As given, without what may be secret.
        address: String,
        /// What is wrong with it.
        detail: String,
    },
    /// It did not answer.
    #[error("{what}: {host} cannot be reached: {detail}")]
    Unreachable {
        /// What was tried.
        what: String,
        /// The forge.
        host: String,
        /// What the network said.
        detail: String,
    },
    /// The token is no longer, or never was, one.
    #[error(
        "{what}: {host} does not accept the token; it was revoked, has expired or is incomplete"
    )]
    TokenRefused {
        /// What was tried.
        what: String,
        /// The forge.
        host: String,
    },
    /// No application is known in whose name a person could sign in.
    #[error("sign in at {host} by a code: no application is configured for it")]
    SignInUnconfigured {
        /// The forge.
        host: String,
    },
    /// The person said no.
    #[error("sign in at {host}: it was refused there")]
    SignInDenied {
        /// The forge.
        host: String,
    },
    /// Nobody confirmed the code in time.
    #[error("sign in at {host}: the code is over")]
    SignInExpired {
        /// The forge.
        host: String,
    },
    /// The forge would not, whatever the person does.
    #[error("sign in at {host} by a code: it says {word:?}")]
    SignInFailed {
        /// The forge.
        host: String,
        /// Its word for why.
        word: String,
    },
    /// The token may not do what is needed.
    #[error("use the token of {host}: it lacks the scope `{scope}`{}", listed(.has))]
    ScopeMissing {
        /// The forge.
        host: String,
        /// What it lacks.
        scope: String,
        /// What it has.
        has: Vec<String>,
    },
    /// The account may not do it.
    #[error("{what}: {host} does not allow it: {detail}")]
    Denied {
        /// What was tried.
        what: String,
        /// The forge.
        host: String,
        /// What it said.
        detail: String,
    },
    /// It is not there, or the account may not see it.
    #[error("{what}: {host} has no such thing, or the account may not see it")]
    NotFound {
        /// What was tried.
        what: String,
        /// The forge.
        host: String,
    },
    /// Too many requests.
    #[error("{what}: {host} takes no more requests of this account for {seconds} s")]
    RateLimited {
        /// What was tried.
        what: String,
        /// The forge.
        host: String,
        /// How long.
        seconds: u64,
    },
    /// It understood, and would not.
    #[error("{what}: {host} refused it: {detail}")]
    Invalid {
        /// What was tried.
        what: String,
        /// The forge.
        host: String,
        /// What it said.
        detail: String,
    },
    /// It answered more than is taken.
    #[error("{what}: {host} answered with more than {megabytes} MiB")]
    TooLarge {
        /// What was tried.
        what: String,
        /// The forge.
        host: String,
        /// As much is taken.
        megabytes: usize,
    },
    /// It answered something else than it should.
    #[error("{what}: {host} answered {status}: {detail}")]
    Odd {
        /// What was tried.
        what: String,
        /// The forge.
        host: String,
        /// The status.
        status: u16,
        /// How its answer begins.
        detail: String,
    },
}

impl Error {
    /// Whether a request that opens something may have been carried out all the same: its answer was lost, or somebody else
    /// asked for the same at the same time.
    pub fn may_be_done(&self) -> bool {
        match self {
            Self::Invalid { detail, .. } => detail.contains("already"),
            Self::Unreachable { .. } => true,
            Self::Odd { status, .. } => *status >= 500 || (200..300).contains(status),
            _ => false,
        }
    }
}

fn listed(scopes: &[String]) -> String {
    if scopes.is_empty() { String::new() } else { format!("; it has {}", scopes.join(", ")) }
}

/// What a forge gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;
/// What it gives later.
pub type Answer<'a, T> = BoxFuture<'a, Result<T>>;

/// Which program a forge or a tracker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// GitHub, or a server that speaks its API.
    GitHub,
    /// GitLab.
    GitLab,
    /// Forgejo, or Gitea.
    Forgejo,
    /// Linear, a tracker.
    Linear,
    /// Jira, a tracker: of the cloud or of a server of one's own.
    Jira,
}

impl Kind {
    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Forgejo => "forgejo",
            Self::Linear => "linear",
            Self::Jira => "jira",
        }
    }

    /// Whether there are repositories, and not only issues.
    pub fn is_forge(self) -> bool {
        matches!(self, Self::GitHub | Self::GitLab | Self::Forgejo)
    }

    /// Its own address in a browser; empty = everybody has another one.
    pub fn home(self) -> &'static str {
        match self {
            Self::GitHub => "https://github.com",
            Self::GitLab => "https://gitlab.com",
            Self::Forgejo => "https://codeberg.org",
            Self::Linear => "https://linear.app",
            Self::Jira => "",
        }
    }

    /// Who git says it is beside a token.
    pub fn git_user(self) -> &'static str {
        match self {
            Self::GitHub => "x-access-token",
            Self::GitLab | Self::Forgejo | Self::Linear | Self::Jira => "oauth2",
        }
    }

    /// Whether a repository can have this name: `OWNER/NAME`, at GitLab also `GROUP/GROUP/NAME`.
    pub fn takes(self, name: &str) -> bool {
        let long = self == Self::GitLab && is_long_name(name);
        self.is_forge() && (long || is_short_name(name))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "github" => Ok(Self::GitHub),
            "gitlab" => Ok(Self::GitLab),
            "forgejo" | "gitea" => Ok(Self::Forgejo),
            "linear" => Ok(Self::Linear),
            "jira" => Ok(Self::Jira),
            other => Err(Error::UnknownKind(other.to_owned())),
        }
    }
}

/// Who an account belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// As the forge calls them.
    pub login: String,
    /// As they call themselves; the login where that is not known.
    pub name: String,
    /// For commits.
    pub email: String,
    /// What the token may do; none = the forge does not say.
    pub scopes: Vec<String>,
}

/// A repository, as an account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// `OWNER/NAME`, as it is called now.
    pub name: String,
    /// The branch that is checked out by default.
    pub default_branch: String,
    /// When somebody pushed last, RFC 3339.
    pub pushed: String,
    /// Not everybody sees it.
    pub private: bool,
    /// Nobody may push.
    pub archived: bool,
    /// A copy of another one.
    pub fork: bool,
    /// Of which, as `OWNER/NAME`; none = the forge does not say.
    pub parent: Option<String>,
    /// Whether the account may push; none = the forge does not say.
    pub push: Option<bool>,
    /// How far it is, where it is a copy that is being made.
    pub making: Making,
}

/// How far a copy of a repository is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    /// As far as the forge says, it is there.
    Done,
    /// It is being made.
    UnderWay,
    /// It could not be made.
    Failed,
}

impl Repository {
    /// When somebody pushed last, in milliseconds since the Unix epoch: forges write times in more than one way.
    pub fn push_time(&self) -> Option<Millis> {
        let time = OffsetDateTime::parse(&self.pushed, &Rfc3339).ok()?;
        i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
    }
}

/// A page of something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub entries: Vec<T>,
    /// There is another one.
    pub more: bool,
}

/// How a pull request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not for review yet.
    Draft,
    /// For review.
    Open,
    /// Merged.
    Merged,
    /// Closed without a merge.
    Closed,
}

/// How all checks of a commit stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// Some have not ended.
    Pending,
    /// All ended well.
    Passing,
    /// Some ended badly.
    Failing,
}

impl Checks {
    /// As records have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Passing => "passing",
            Self::Failing => "failing",
        }
    }
}

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// How it stands.
    pub state: State,
    /// Its text.
    pub body: String,
    /// The branch it is to be merged into.
    pub base: String,
    /// The newest commit of its branch; empty = the forge does not say.
    pub head: String,
    /// How often somebody said something to it.
    pub comments: u64,
}

impl PullRequest {
    /// It waits for being merged or closed.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Draft | State::Open)
    }
}

/// A pull request to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The branch, in the repository itself; `OWNER:BRANCH` of a copy.
    pub head: String,
    /// Where it is to be merged into.
    pub base: String,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Not for review yet.
    pub draft: bool,
}

/// New values of a pull request; an absent one stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// One line.
    pub title: Option<String>,
    /// Markdown.
    pub body: Option<String>,
    /// Where it is to be merged into.
    pub base: Option<String>,
}

impl Change {
    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where an account has its copy of a repository, unless it gave it another name.
fn copy_name(name: &str, login: &str) -> String {
    format!("{login}/{}", name.rsplit('/').next().unwrap_or_default())
}

/// What was found there, if it is a copy of `name`.
fn copy_of(name: &str, found: Result<Repository>) -> Result<Option<Repository>> {
    let is_of = |parent: &String| parent.eq_ignore_ascii_case(name);
    match found {
        Ok(found) => Ok(Some(found).filter(|found| found.parent.as_ref().is_some_and(is_of))),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// One account where issues are kept: at a forge, or at a tracker.
pub trait Tracker: Send + Sync + fmt::Debug {
    /// Who the account belongs to; a token that cannot do what is needed is refused.
    fn whoami(&self) -> Answer<'_, Person>;
    /// An issue with its comments and the pictures in them.
    fn issue<'a>(&'a self, at: &'a Reference) -> Answer<'a, Issue>;
    /// A picture of an issue: its bytes, whatever they are.
    fn picture<'a>(&'a self, picture: &'a Picture) -> Answer<'a, Vec<u8>>;
    /// Says something to an issue, in Markdown; gives the page of that.
    fn comment<'a>(&'a self, at: &'a Reference, text: &'a str) -> Answer<'a, String>;
}

/// One account at one forge. Repositories are named `OWNER/NAME`.
pub trait Forge: Tracker {
    /// The repositories it reaches, those pushed to last first; pages count from 1.
    fn repositories(&self, page: u32) -> Answer<'_, Page<Repository>>;
    /// One repository. It may have another name by now.
    fn repository<'a>(&'a self, name: &'a str) -> Answer<'a, Repository>;
    /// Whether a repository has a branch.
    fn has_branch<'a>(&'a self, name: &'a str, branch: &'a str) -> Answer<'a, bool>;
    /// A pull request as it is now.
    fn pull_request<'a>(&'a self, name: &'a str, number: u64) -> Answer<'a, PullRequest>;
    /// How the checks of a commit stand; none = there are none, or the forge has none.
    fn checks<'a>(&'a self, name: &'a str, commit: &'a str) -> Answer<'a, Option<Checks>>;
    /// What stands against a pull request, whose newest commit this is.
    fn findings<'a>(&'a self, name: &'a str, number: u64, commit: &'a str) -> Answer<'a, Findings>;
    /// The copy of a repository that the account has, as far as it is found without making one.
    fn own_fork<'a>(&'a self, name: &'a str, login: &'a str) -> Answer<'a, Option<Repository>>;
    /// Makes the account's own copy of a repository; where it has one, gives that. It may not be whole yet.
    fn fork<'a>(&'a self, name: &'a str, login: &'a str) -> Answer<'a, Repository>;
    /// The open pull request of a branch of the repository itself, or of `OWNER:BRANCH`.
    fn find_pull_request<'a>(
        &'a self,
        name: &'a str,
        head: &'a str,
    ) -> Answer<'a, Option<PullRequest>>;
    /// Opens a pull request; where there is one of this branch already, gives that.
    fn open_pull_request<'a>(
        &'a self,
        name: &'a str,
        proposal: &'a Proposal,
    ) -> Answer<'a, PullRequest>;
    /// Changes a pull request.
    fn change_pull_request<'a>(
        &'a self,
        name: &'a str,
        number: u64,
        change: &'a Change,
    ) -> Answer<'a, PullRequest>;
    /// Puts a label of the repository on a pull request; one that the repository does not have is refused.
    fn label<'a>(&'a self, name: &'a str, number: u64, label: &'a str) -> Answer<'a, ()>;
    /// Asks somebody to review a pull request.
    fn ask_reviewer<'a>(&'a self, name: &'a str, number: u64, login: &'a str) -> Answer<'a, ()>;
}

/// The account that `token` opens at the forge at `web`.
pub fn open(kind: Kind, web: &Web, token: &SecretString) -> Result<Box<dyn Forge>> {
    match kind {
        Kind::GitHub => Ok(Box::new(github::GitHub::new(web, token)?)),
        Kind::GitLab => Ok(Box::new(gitlab::GitLab::new(web, token)?)),
        Kind::Forgejo => Ok(Box::new(forgejo::Forgejo::new(web, token)?)),
        Kind::Linear | Kind::Jira => Err(Error::IssuesOnly { host: web.host() }),
    }
}

/// The same, where only issues are meant.
pub fn track(kind: Kind, web: &Web, token: &SecretString) -> Result<Box<dyn Tracker>> {
    match kind {
        Kind::Linear => Ok(Box::new(linear::Linear::new(web, token)?)),
        Kind::Jira => Ok(Box::new(jira::Jira::new(web, token)?)),
        Kind::GitHub | Kind::GitLab | Kind::Forgejo => Ok(open(kind, web, token)?),
    }
}
