//! How a command ends: well, with a code of its own, or with an error that `main` tells.

use std::io;

use crate::protocol::error::{Code, Error};

/// What a command gives back.
pub(crate) type Outcome = Result<Exit, Failure>;

/// How a command that has told everything ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// The checks of `doctor` or a key test did not all pass, or nothing was listed as accounts could not be asked.
    Failed,
    /// The cloud cannot be reached: what was printed is what was last seen, or what was awaited is not known.
    Unreachable,
    /// The awaited turn or its thread failed.
    TurnFailed,
    /// A question is open and nobody is here to answer it.
    NeedsAnswer,
    /// The person went away with Ctrl-C; the thread goes on.
    Left,
}

impl Exit {
    /// Returns the exit code of the process.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Unreachable => 4,
            Self::TurnFailed => 5,
            Self::NeedsAnswer => 6,
            Self::Left => 130,
        }
    }
}

/// Why a command did not end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// To be told, with its exit code.
    Error(Error),
    /// Standard output cannot be written; a reader that went away is no error.
    Output(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<crate::config::Error> for Failure {
    fn from(error: crate::config::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<crate::ssh::Error> for Failure {
    fn from(error: crate::ssh::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<crate::client::embedded::Error> for Failure {
    fn from(error: crate::client::embedded::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<crate::checkout::Error> for Failure {
    fn from(error: crate::checkout::Error) -> Self {
        Self::Error(error.into())
    }
}

/// Makes the error of a command line that asks for nothing possible.
pub(crate) fn usage(message: impl Into<String>, hint: &str) -> Failure {
    Failure::Error(Error::new(Code::InvalidParams, "USAGE", message).with_hint(hint))
}

/// Makes the error of a local file that cannot be used.
pub(crate) fn local(attempt: &str, path: &std::path::Path, error: &io::Error) -> Failure {
    Failure::Error(Error::local(attempt, path, error))
}
