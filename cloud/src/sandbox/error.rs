//! What can go wrong with a sandbox, and what a person can do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::sandbox::guest;

/// Why a runtime could not do what it was asked; reads after "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host does not let Aloft make sandboxes.
    #[error("start a sandbox: {0}")]
    Hindered(Box<Hindrance>),
    /// An id, a path or a variable that cannot be used.
    #[error("use {what}: {reason}")]
    Invalid {
        /// What cannot be used.
        what: String,
        /// Why.
        reason: &'static str,
    },
    /// Another operation on the same sandbox has not ended.
    #[error("work on sandbox {id}: another operation on it has not ended")]
    Busy {
        /// The sandbox.
        id: String,
    },
    /// Asked to start what lives.
    #[error("start sandbox {id}: it is running")]
    Running {
        /// The sandbox.
        id: String,
    },
    /// Asked to do something with a sandbox that does not run.
    #[error("{action} sandbox {id}: it is not running")]
    NotRunning {
        /// What was asked.
        action: &'static str,
        /// The sandbox.
        id: String,
    },
    /// Something on disk.
    #[error("{action} {}", path.display())]
    File {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A system call.
    #[error("{action} of sandbox {id}")]
    System {
        /// What was attempted.
        action: &'static str,
        /// The sandbox.
        id: String,
        /// Why not.
        source: io::Error,
    },
    /// It did not come to rest in time.
    #[error("{action} sandbox {id}: not done after {seconds} s")]
    Slow {
        /// What was attempted.
        action: &'static str,
        /// The sandbox.
        id: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Its guest.
    #[error("reach the guest of sandbox {id}")]
    Guest {
        /// The sandbox.
        id: String,
        /// Why not.
        source: guest::Error,
    },
}

/// What keeps a host from making sandboxes, and its mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause} [{code}]")]
pub struct Hindrance {
    /// Stable, upper snake case.
    pub code: &'static str,
    /// What is in the way.
    pub cause: String,
    /// What to do, exactly.
    pub fix: String,
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Hindered(hindrance) => Some(&hindrance.fix),
            _ => None,
        }
    }

    /// Stable, upper snake case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Hindered(hindrance) => hindrance.code,
            Self::Invalid { .. } => "SANDBOX_INVALID",
            Self::Busy { .. } => "SANDBOX_BUSY",
            Self::Running { .. } => "SANDBOX_RUNNING",
            Self::NotRunning { .. } => "SANDBOX_NOT_RUNNING",
            Self::File { .. } | Self::System { .. } => "SANDBOX_HOST",
            Self::Slow { .. } => "SANDBOX_SLOW",
            Self::Guest { .. } => "SANDBOX_GUEST",
        }
    }

    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

impl From<Hindrance> for Error {
    fn from(hindrance: Hindrance) -> Self {
        Self::Hindered(Box::new(hindrance))
    }
}
