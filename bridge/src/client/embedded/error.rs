//! Why the embedded cloud could not be started or ended.

use std::io;
use std::path::{Path, PathBuf};

use crate::protocol::error::{Code, Error as ProtocolError};

/// Why the embedded cloud could not be started or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program is nowhere.
    #[error("find aloft-cloud: it is neither {} nor in PATH", looked.display())]
    NoProgram {
        /// The first place looked at.
        looked: PathBuf,
    },
    /// A folder or file of it cannot be made.
    #[error("prepare {}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder for sockets belongs to somebody else or is open to others.
    #[error("use {}: it belongs to another user or others may write into it", path.display())]
    Unsafe {
        /// Which.
        path: PathBuf,
    },
    /// Another process kept the start to itself for too long.
    #[error("wait for another process that starts the embedded cloud (its lock is {})", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// The program cannot be run.
    #[error("run {}: {source}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program ran, but no cloud came up.
    #[error("start the embedded cloud: {what}{}", quoted(lines))]
    Start {
        /// What happened.
        what: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        lines: String,
    },
    /// Something listens, but does not answer.
    #[error("talk to the embedded cloud: something listens at {}, but does not answer", socket.display())]
    Silent {
        /// Its socket.
        socket: PathBuf,
    },
    /// The connection broke right after the start.
    #[error("connect to {}: {source}", socket.display())]
    Connect {
        /// Its socket.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was asked to end and refused.
    #[error("stop the embedded cloud: {status}")]
    Shutdown {
        /// What it said.
        status: Box<tonic::Status>,
    },
    /// It was asked to end and does not.
    #[error("stop the embedded cloud: process {pid} does not end")]
    DoesNotEnd {
        /// Its process.
        pid: u32,
    },
}

impl From<&Error> for ProtocolError {
    fn from(error: &Error) -> Self {
        let (reason, hint) = match error {
            Error::NoProgram { .. } => {
                ("CLOUD_NOT_INSTALLED", "install aloft-cloud beside aloft, or set ALOFT_CLOUD to another cloud".to_owned())
            }
            Error::Start { log, .. } => ("CLOUD_START_FAILED", after_start(log)),
            Error::Silent { .. } | Error::DoesNotEnd { .. } | Error::Shutdown { .. } => {
                ("CLOUD_SILENT", "see `aloft cloud logs`; end its process if it hangs".to_owned())
            }
            Error::Folder { .. } | Error::Unsafe { .. } => {
                ("CLOUD_FOLDER", "make the folder writable for you alone, or set ALOFT_DATA_DIR and ALOFT_RUNTIME_DIR".to_owned())
            }
            Error::Locked { .. } | Error::Spawn { .. } | Error::Connect { .. } => {
                ("CLOUD_START_FAILED", "run `aloft doctor`".to_owned())
            }
        };
        let mut converted =
            Self::new(Code::Unavailable, reason, format!("failed to {error}")).with_hint(hint);
        converted.retryable = matches!(error, Error::Connect { .. } | Error::Locked { .. });
        converted
    }
}

impl From<Error> for ProtocolError {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

/// What helps where the cloud ended at once: a disk without room is told apart, for then its log tells nothing.
fn after_start(log: &Path) -> String {
    match (rustix::fs::statvfs(log), log.parent()) {
        (Ok(disk), Some(folder)) if disk.f_bavail == 0 => {
            format!("the disk of {} is full: free space there", folder.display())
        }
        _ => format!("the whole log is {}", log.display()),
    }
}

fn quoted(lines: &str) -> String {
    if lines.is_empty() { String::new() } else { format!("; it said:\n{lines}") }
}
