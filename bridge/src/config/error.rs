//! What can be wrong with a configuration.

use std::io;
use std::path::PathBuf;

use crate::protocol::error::{Code, Error as ProtocolError};

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing says where this user's files live.
    #[error("find the home folder of this user")]
    NoHome,
    /// The file is there, but cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("understand {}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// An editor sent something else than it should.
    #[error("understand the editor's options: {source}")]
    Options {
        /// Which, and why.
        source: serde_path_to_error::Error<serde_json::Error>,
    },
    /// Neither a configured name nor an address.
    #[error("use the cloud {text:?}: {problem}")]
    Address {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The token of a cloud cannot be read.
    #[error("read the token in {}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<Error> for ProtocolError {
    fn from(error: Error) -> Self {
        let hint = match &error {
            Error::NoHome => "set HOME, or ALOFT_CONFIG_DIR and ALOFT_DATA_DIR",
            Error::Address { .. } => {
                "give https://HOST, http://127.0.0.1:PORT, unix:PATH, or a name under [clouds] in config.toml"
            }
            Error::Read { .. } | Error::Token { .. } => "see who may read it: ls -ld",
            Error::Parse { .. } => "correct that line, or move the file away",
            Error::Options { .. } => "correct it in the editor's settings",
        };
        let cause = std::error::Error::source(&error)
            .filter(|_| !matches!(error, Error::Parse { .. } | Error::Options { .. }));
        let message = match cause {
            Some(cause) => format!("failed to {error}: {cause}"),
            None => format!("failed to {error}").trim_end().to_owned(),
        };
        Self::new(Code::InvalidParams, "INVALID_CONFIG", message).with_hint(hint)
    }
}
