//! What can go wrong between this machine's ssh and a sandbox.

use std::io;
use std::path::{Path, PathBuf};

use crate::protocol::error::{Code, Error as ProtocolError};

/// Why ssh cannot be set up or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of ours, or of the person's `~/.ssh`, cannot be used.
    #[error("{attempt} {}: {source}", path.display())]
    Io {
        /// What was tried.
        attempt: &'static str,
        /// What with.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// There is no way to write this path into a config of ssh.
    #[error("name {path} in a config of ssh, which has no way to say some of its characters")]
    Path {
        /// The path.
        path: String,
    },
    /// The program cannot be run.
    #[error("run ssh: {source}")]
    NoSsh {
        /// Why.
        source: io::Error,
    },
    /// ssh refuses the config as it is, without anything of ours.
    #[error("read the config of ssh: {said}")]
    Unreadable {
        /// What ssh said.
        said: String,
    },
    /// ssh does not come to an end with the config as it is.
    #[error("see what ssh makes of its config: it did not end within {seconds} s")]
    Slow {
        /// How long it was given.
        seconds: u64,
    },
    /// A person changed our lines.
    #[error("change {}: line {line} was ours and says now: {text}", file.display())]
    Changed {
        /// The config.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What it says.
        text: String,
    },
    /// The config may not or must not be written.
    #[error("write {}: {source}", file.display())]
    ReadOnly {
        /// The config.
        file: PathBuf,
        /// What to add by hand.
        lines: String,
        /// Why.
        source: io::Error,
    },
    /// After the write ssh did not do what it must; the file is as it was.
    #[error("change {}, which is as it was again: {what}", file.display())]
    Surprise {
        /// The config.
        file: PathBuf,
        /// What ssh did.
        what: String,
    },
    /// The key that is there cannot be read.
    #[error("read the key {}: {problem}", path.display())]
    Key {
        /// The key.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// No key could be made.
    #[error("make a key: {problem}")]
    MakeKey {
        /// Why.
        problem: String,
    },
}

impl Error {
    pub(crate) fn io(attempt: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { attempt, path: path.to_owned(), source }
    }
}

impl From<Error> for ProtocolError {
    fn from(error: Error) -> Self {
        let message = format!("failed to {error}");
        let (reason, hint) = match error {
            Error::Io { .. } => ("LOCAL_IO", None),
            Error::Path { .. } => {
                ("SSH_PATH", Some("set ALOFT_DATA_DIR to a folder with a plain name".to_owned()))
            }
            Error::NoSsh { .. } => {
                ("SSH_MISSING", Some("install OpenSSH's client; on Debian: apt-get install openssh-client".to_owned()))
            }
            Error::Unreadable { .. } => {
                ("SSH_CONFIG_UNREADABLE", Some("correct that line; nothing was changed".to_owned()))
            }
            Error::Slow { .. } => {
                ("SSH_CONFIG_SLOW", Some("look for a slow `Match exec`; nothing was changed".to_owned()))
            }
            Error::Changed { .. } => (
                "SSH_CONFIG_CHANGED",
                Some("take the line and the comment above it out yourself, or restore them; nothing was changed".to_owned()),
            ),
            Error::ReadOnly { lines, .. } => {
                ("SSH_CONFIG_READ_ONLY", Some(format!("add these lines at its top yourself:\n{}", lines.trim_end())))
            }
            Error::Surprise { .. } => {
                ("SSH_CONFIG_REFUSED", Some("`aloft ssh` works without it; `aloft doctor` names what stands in the way".to_owned()))
            }
            Error::Key { .. } => {
                ("SSH_KEY_UNREADABLE", Some("move it away, and a new one is made; it is never overwritten".to_owned()))
            }
            Error::MakeKey { .. } => ("INTERNAL", None),
        };
        let mut converted = Self::new(Code::FailedPrecondition, reason, message);
        converted.hint = hint;
        converted
    }
}
