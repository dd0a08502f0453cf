//! What a person is told of each error: reason, text, hint, and whether trying again helps.
//!
//! This is the one table of reasons for requests and for turns; `docs/errors.md` lists them.

mod forges;

use aloft_proto::v1::Problem;

use crate::{
    accounts::{keys, ssh_keys},
    git,
    model::machine::Refused,
    runner::Error,
    store,
};

const FULL: &str = "free disk space in the cloud's data directory, then try again";
const SANDBOXES_FULL: &str =
    "free disk space, or remove threads with `aloft delete`, then send a message or `aloft resume`";
/// What the system says of a disk that is full.
const NO_ROOM: &str = "No space left on device";
const AGENTS: &str = "`aloft agent list` shows the agents; one added to config.toml is known once the cloud starts again (`aloft cloud stop`)";
const HELP: &str = "`aloft COMMAND --help` says what may be given";
const AGAIN: &str = "send a message or `aloft resume` to try again";

/// What kind of error it is, for the status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request is not well formed.
    Invalid,
    /// Nobody knows who asks.
    Unauthenticated,
    /// What it names is not there.
    NotFound,
    /// It cannot be done as things stand.
    Precondition,
    /// It may work later.
    Unavailable,
    /// Something is used up.
    Exhausted,
    /// A bug, or a broken host.
    Internal,
}

/// Builds a [`Problem`].
pub fn problem(reason: &str, message: impl Into<String>, hint: &str, retryable: bool) -> Problem {
    Problem { reason: reason.to_owned(), message: message.into(), hint: hint.to_owned(), retryable }
}

impl Error {
    /// The kind of this error and what to tell the person.
    #[expect(clippy::too_many_lines, reason = "one row for each error")]
    pub fn explain(&self) -> (Kind, Problem) {
        let text = self.sentence();
        let (kind, reason, hint) = match self {
            Self::Refused(refused) => refused_row(refused),
            Self::ThreadNotFound { .. } => {
                (Kind::NotFound, "THREAD_NOT_FOUND", "`aloft list --all` shows the threads")
            }
            Self::ThreadAmbiguous { .. } => {
                (Kind::Invalid, "THREAD_AMBIGUOUS", "give more characters of the id, or the slug")
            }
            Self::ItemNotFound { .. } => {
                (Kind::NotFound, "ITEM_NOT_FOUND", "`aloft show ID` lists the items")
            }
            Self::TurnNotFound { .. } => {
                (Kind::NotFound, "TURN_NOT_FOUND", "`aloft show ID` lists the turns")
            }
            Self::RequestReused { .. } => {
                (Kind::Invalid, "REQUEST_ID_REUSED", "make a new request id for a new request")
            }
            Self::AgentUnknown { .. } => (Kind::NotFound, "AGENT_UNKNOWN", AGENTS),
            Self::AgentUnusable { hint, .. } => {
                (Kind::Precondition, "AGENT_UNUSABLE", hint.as_str())
            }
            Self::NoAgent { .. } => (
                Kind::Precondition,
                "NO_AGENT",
                "set a model key with `aloft key set anthropic` (or install an agent), or use `--agent shell`, which needs nothing",
            ),
            Self::RepositoryMissing => (
                Kind::Invalid,
                "REPOSITORY_MISSING",
                "name one with `--repo PATH|URL`, or run it inside a repository",
            ),
            Self::RepositoryUnknown { .. } => {
                (Kind::NotFound, "REPOSITORY_UNKNOWN", "upload it again")
            }
            Self::BranchInvalid { .. } => (
                Kind::Invalid,
                "BRANCH_INVALID",
                "choose a name git takes, such as aloft/my-change",
            ),
            Self::BranchTaken { .. } => {
                (Kind::Precondition, "BRANCH_TAKEN", "choose another name with `--branch`")
            }
            Self::Invalid { .. } => (Kind::Invalid, "INVALID_ARGUMENT", HELP),
            Self::NotSaved { .. } => {
                (Kind::NotFound, "NO_SNAPSHOT", "a turn has a diff once it has ended")
            }
            Self::Archive(_) => (
                Kind::Precondition,
                "ARCHIVE_INVALID",
                "use the file `aloft archive` wrote, unchanged and whole",
            ),
            Self::Filling => (Kind::Unavailable, "THREAD_FILLING", "try again in a moment"),
            Self::SafetyNotFound { .. } => (
                Kind::NotFound,
                "NO_SNAPSHOT",
                "`aloft show ID` names those there are, where the workspace was rewound",
            ),
            Self::WorkspaceChanged { slug, .. } => {
                let hint = format!(
                    "send a message first, or let them go with `aloft rewind {slug} … --force`: they are kept in its safety snapshot"
                );
                return (Kind::Precondition, problem("WORKSPACE_CHANGED", text, &hint, false));
            }
            Self::Agent { .. } => {
                (Kind::Unavailable, "AGENT_FAILED", "`aloft retry` tries the turn again")
            }
            Self::NotDone(problem) | Self::Launch(problem) => {
                return (Kind::Precondition, Problem::clone(problem));
            }
            Self::Guest(_) => (Kind::Unavailable, "SANDBOX_GUEST", AGAIN),
            // Whoever met it, and wherever: git and the shells of a sandbox have only this text for it.
            Self::SetUp { .. } | Self::Sandbox(_) | Self::Git(_) if text.contains(NO_ROOM) => {
                (Kind::Exhausted, "DISK_FULL", SANDBOXES_FULL)
            }
            Self::SetUp { .. } => (Kind::Unavailable, "WORKSPACE_FAILED", AGAIN),
            Self::Down(problem) => return (Kind::Unavailable, Problem::clone(problem)),
            Self::NoPrices => (
                Kind::Precondition,
                "NO_PRICES",
                "give models a price in [serve.prices] of the cloud's config.toml, or limit tokens",
            ),
            Self::Ended => (Kind::Unavailable, "CLOUD_STOPPING", "try again in a moment"),
            Self::Scratch { .. } | Self::Store(store::Error::Full(_)) => {
                (Kind::Exhausted, "STORE_FULL", FULL)
            }
            Self::Obstacle(obstacle) => return forges::obstacle_problem(obstacle, text),
            Self::Forges(error) => return forges::account_problem(error, text),
            Self::Same(error) => return error.explain(),
            Self::Key(error) => key_row(error),
            Self::SshKey(error) => ssh_key_row(error),
            Self::NotListening { .. } => {
                (Kind::Unavailable, "NOT_LISTENING", "name a port something inside listens on")
            }
            Self::Store(_) | Self::Authority(_) => {
                (Kind::Internal, "INTERNAL", "`aloft cloud logs` shows what happened")
            }
            Self::Git(error) => return git_problem(error),
            Self::Sandbox(error) => {
                let hint = error.hint().unwrap_or(AGAIN);
                return (Kind::Unavailable, problem(error.code(), text, hint, true));
            }
        };
        let retryable = matches!(kind, Kind::Unavailable | Kind::Exhausted);
        (kind, problem(reason, text, hint, retryable))
    }

    /// What programs want to know beside the text, by name.
    pub fn details(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Refused(Refused::AlreadyAnswered(answer)) => Some(("answer", answer.clone())),
            Self::Same(error) => error.details(),
            _ => None,
        }
    }

    /// The error as people read it: what other modules attempted in vain is said to have failed.
    fn sentence(&self) -> String {
        match self {
            Self::Agent { .. }
            | Self::Guest(_)
            | Self::Scratch { .. }
            | Self::Key(_)
            | Self::Forges(_)
            | Self::SshKey(_)
            | Self::Authority(_)
            | Self::Store(_)
            | Self::Sandbox(_) => format!("failed to {}", whole(self)),
            _ => whole(self),
        }
    }
}

/// The error with all its causes, as one sentence.
pub fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn refused_row(refused: &Refused) -> (Kind, &'static str, &'static str) {
    match refused {
        Refused::TurnActive(_) => (
            Kind::Precondition,
            "TURN_ACTIVE",
            "guide it with `aloft send`, wait with `--queue`, or `aloft stop` it",
        ),
        Refused::TurnChanged { .. } => {
            (Kind::Precondition, "TURN_CHANGED", "look at the thread again")
        }
        Refused::NoTurn => (Kind::Precondition, "NO_TURN", "there is nothing to stop"),
        Refused::AlreadyAnswered(_) => (Kind::Precondition, "ALREADY_ANSWERED", ""),
        Refused::NoQuestion => {
            (Kind::Precondition, "NO_QUESTION", "`aloft show ID` shows open questions")
        }
        Refused::WhichQuestion(_) => {
            (Kind::Invalid, "WHICH_QUESTION", "name one; `aloft show ID` shows them")
        }
        Refused::NoOption { .. } => {
            (Kind::Invalid, "NO_OPTION", "use one of the options, or allow, allow-always, deny")
        }
        Refused::Empty => (Kind::Invalid, "EMPTY_MESSAGE", "say what the agent is to do"),
        Refused::NotQueued(_) => {
            (Kind::NotFound, "NOT_QUEUED", "`aloft queue ID` lists what waits")
        }
        Refused::NothingToRetry => {
            (Kind::Precondition, "NOTHING_TO_RETRY", "send a message instead")
        }
        Refused::Rewinding => {
            (Kind::Precondition, "REWIND_ACTIVE", "wait until it is done; `aloft show ID` tells")
        }
        Refused::PullRequestChanged => {
            (Kind::Precondition, "PULL_REQUEST_CHANGED", "look at it, then try again")
        }
        Refused::Deleting => (Kind::Precondition, "THREAD_DELETING", ""),
        Refused::Title => (Kind::Invalid, "INVALID_ARGUMENT", "give a line of that length"),
    }
}

fn key_row(error: &keys::Error) -> (Kind, &'static str, &'static str) {
    match error {
        keys::Error::UnknownProvider(_) => {
            (Kind::Invalid, "PROVIDER_UNKNOWN", "use anthropic or openai")
        }
        keys::Error::InvalidKey(_) => {
            (Kind::Invalid, "KEY_INVALID", "give the key as the provider shows it")
        }
        keys::Error::InvalidAddress { .. } => {
            (Kind::Invalid, "ADDRESS_INVALID", "give an address such as https://host/v1")
        }
        keys::Error::NoKey(_) => {
            (Kind::NotFound, "NO_MODEL_KEY", "give one with `aloft key set PROVIDER`")
        }
        keys::Error::Sealed { .. } | keys::Error::Unreadable(_) => {
            (Kind::Precondition, "KEY_UNREADABLE", "set it again with `aloft key set PROVIDER`")
        }
        keys::Error::Vault(_) => {
            (Kind::Internal, "INTERNAL", "`aloft cloud logs` shows what happened")
        }
    }
}

fn ssh_key_row(error: &ssh_keys::Error) -> (Kind, &'static str, &'static str) {
    match error {
        ssh_keys::Error::Invalid(_) => {
            (Kind::Invalid, "SSH_KEY_INVALID", "give the line of a .pub file of an ed25519 key")
        }
        ssh_keys::Error::TooMany => {
            (Kind::Exhausted, "SSH_KEYS_TOO_MANY", "revoke those that are not used any more")
        }
        ssh_keys::Error::Unknown(_) => {
            (Kind::NotFound, "SSH_KEY_UNKNOWN", "give it as `ssh-keygen -l` prints it: SHA256:…")
        }
        ssh_keys::Error::Store(store::Error::Full(_)) => (Kind::Exhausted, "STORE_FULL", FULL),
        ssh_keys::Error::Store(_) => {
            (Kind::Internal, "INTERNAL", "`aloft cloud logs` shows what happened")
        }
    }
}

fn git_problem(error: &git::Error) -> (Kind, Problem) {
    let (kind, reason) = match error {
        // Retrying helps nobody before an account is connected.
        error if error.needs_login() => (Kind::Precondition, "FORGE_ACCOUNT_MISSING"),
        git::Error::Fetch { .. } => (Kind::Unavailable, "REPOSITORY_UNREACHABLE"),
        git::Error::Push { .. } => (Kind::Precondition, "PUSH_REFUSED"),
        git::Error::BranchMoved { .. } => (Kind::Precondition, "REMOTE_BRANCH_TAKEN"),
        git::Error::Shallow => (Kind::Precondition, "REPOSITORY_SHALLOW"),
        git::Error::Empty(_) => (Kind::Precondition, "REPOSITORY_EMPTY"),
        git::Error::UnknownRef { .. } => (Kind::NotFound, "REF_UNKNOWN"),
        git::Error::InvalidName { .. } => (Kind::Invalid, "INVALID_ARGUMENT"),
        _ => (Kind::Internal, "GIT_FAILED"),
    };
    let hint = error.hint().unwrap_or_default();
    (kind, problem(reason, format!("failed to {}", whole(error)), &hint, kind == Kind::Unavailable))
}
