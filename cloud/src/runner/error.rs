//! What goes wrong with a request to a thread.

use aloft_proto::v1::Problem;

use crate::{
    model::machine::Refused,
    runner::{Obstacle, rewind},
    store,
};

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thread does not accept it as things stand.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No thread has this id, prefix or slug.
    #[error("there is no thread {name}")]
    ThreadNotFound {
        /// As it was asked for.
        name: String,
    },
    /// Several threads begin like this.
    #[error("{name} may mean {}", candidates.join(", "))]
    ThreadAmbiguous {
        /// As it was asked for.
        name: String,
        /// Those it may mean.
        candidates: Vec<String>,
    },
    /// The thread has no such item.
    #[error("the thread has no item {item}")]
    ItemNotFound {
        /// As it was asked for.
        item: String,
    },
    /// The thread has no such turn.
    #[error("the thread has no turn {number}")]
    TurnNotFound {
        /// As it was asked for.
        number: u32,
    },
    /// The request id was used for another request.
    #[error("request id {id} was used for another request")]
    RequestReused {
        /// The client's name of it.
        id: String,
    },
    /// No agent has this name.
    #[error("there is no agent {name}; known are {}", known.join(", "))]
    AgentUnknown {
        /// As it was asked for.
        name: String,
        /// Those that are known.
        known: Vec<String>,
    },
    /// The agent cannot be used.
    #[error("agent {name} cannot be used: {reason}")]
    AgentUnusable {
        /// The agent.
        name: String,
        /// Why.
        reason: String,
        /// How to mend it.
        hint: String,
    },
    /// No agent can be used by default.
    #[error("no agent can be used: {}", reasons.join("; "))]
    NoAgent {
        /// Why not, one for each.
        reasons: Vec<String>,
    },
    /// The request names no repository.
    #[error("no repository was named")]
    RepositoryMissing,
    /// The cloud has no such uploaded repository.
    #[error("the cloud has no repository {id}")]
    RepositoryUnknown {
        /// As it was asked for.
        id: String,
    },
    /// Git would not take the branch name.
    #[error("{branch} is not a name for a branch")]
    BranchInvalid {
        /// As it was asked for.
        branch: String,
    },
    /// Another thread has the branch.
    #[error("branch {branch} belongs to another thread of this repository")]
    BranchTaken {
        /// As it was asked for.
        branch: String,
    },
    /// A value is not acceptable.
    #[error("{message}")]
    Invalid {
        /// Which and why.
        message: String,
    },
    /// The turn has no snapshot.
    #[error("turn {number} has no snapshot")]
    NotSaved {
        /// The turn.
        number: u32,
    },
    /// The thread is not whole yet.
    #[error("the thread is still being copied")]
    Filling,
    /// There is no such safety snapshot.
    #[error("there is no safety snapshot {number}")]
    SafetyNotFound {
        /// As it was asked for.
        number: u32,
    },
    /// Files were changed by hand, and a rewind would undo that.
    #[error("files were changed by hand since the newest snapshot: {}", rewind::named(files))]
    WorkspaceChanged {
        /// The thread's.
        slug: String,
        /// Those that were changed.
        files: Vec<String>,
    },
    /// A file that is no whole archive; nothing was made of it.
    #[error("the archive cannot be used: {0}")]
    Archive(String),
    /// What was accepted could not be done.
    #[error("{}", .0.message)]
    NotDone(Box<Problem>),
    /// The agent could not be started.
    #[error("start agent {name}: {message}")]
    Agent {
        /// The agent.
        name: String,
        /// Why, with what it printed.
        message: String,
    },
    /// The agent cannot be started on this host.
    #[error("{}", .0.message)]
    Launch(Box<Problem>),
    /// A file that passes through the cloud.
    #[error("keep a snapshot on its way")]
    Scratch {
        /// Why not.
        source: std::io::Error,
    },
    /// The guest failed.
    #[error(transparent)]
    Guest(#[from] crate::sandbox::guest::Error),
    /// A step inside the sandbox failed.
    #[error("{step}: {message}")]
    SetUp {
        /// The step.
        step: String,
        /// What it printed.
        message: String,
    },
    /// The sandbox cannot be reached, and nothing brings it back by itself.
    #[error("{}", .0.message)]
    Down(Box<Problem>),
    /// Nothing inside takes connections there.
    #[error("nothing listens on {address} in the sandbox")]
    NotListening {
        /// As it was asked for.
        address: String,
    },
    /// An SSH key could not be used.
    #[error(transparent)]
    SshKey(#[from] crate::accounts::ssh_keys::Error),
    /// The certificate authority failed.
    #[error(transparent)]
    Authority(#[from] crate::trust::authority::Error),
    /// Money cannot be counted.
    #[error("no model has a price in this cloud, so a limit of money would never be reached")]
    NoPrices,
    /// The thread's task ended while it was asked.
    #[error("the cloud is stopping")]
    Ended,
    /// Something stands between the thread and its remote.
    #[error(transparent)]
    Obstacle(#[from] Obstacle),
    /// An account at a forge could not be used.
    #[error(transparent)]
    Forges(#[from] crate::accounts::forges::Error),
    /// What several waited for failed.
    #[error("{0}")]
    Same(std::sync::Arc<Self>),
    /// A model key could not be used.
    #[error(transparent)]
    Key(#[from] crate::accounts::keys::Error),
    /// The store failed.
    #[error("{0}")]
    Store(#[source] store::Error),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] crate::git::Error),
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] crate::sandbox::Error),
}

impl From<store::Error> for Error {
    /// What a person named wrongly is told as such; the rest is the store's.
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::UnknownThread(name) => Self::ThreadNotFound { name },
            store::Error::UnknownItem { item, .. } => Self::ItemNotFound { item },
            store::Error::PageToken(token) => {
                Self::Invalid { message: format!("pageToken: {token} is not one of a list") }
            }
            error => Self::Store(error),
        }
    }
}
