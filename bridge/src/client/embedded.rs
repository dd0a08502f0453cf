//! The embedded cloud: found where it runs, started where it does not, replaced where it is older than this bridge.
//!
//! However many processes start it at once, one does, under a file lock; the others find its socket. A running cloud is
//! one that answers `GetStatus`: a socket file alone proves nothing. The cloud is a session of its own, so that it
//! outlives the editor; its environment, with the model keys in it, is that of whoever started it.

mod detach;
mod error;
mod lock;
mod log;
mod probe;

use std::path::{Path, PathBuf};
use std::time::Duration;

use aloft_fault::pass;
use tokio::net::UnixStream;
use tokio::time::Instant;

use aloft_proto::v1;

use crate::client::embedded::lock::Lock;
use crate::client::embedded::probe::Found;
use crate::config::Config;

pub use error::Error;

/// How long a cloud may take from its start to its first answer.
const START: Duration = Duration::from_secs(15);
/// How long a cloud may take from `Shutdown` to its end.
const END: Duration = Duration::from_secs(20);
/// Name of the program.
const PROGRAM: &str = "aloft-cloud";

/// The embedded cloud of one data folder.
#[derive(Clone, Debug)]
pub struct Embedded {
    socket: PathBuf,
    data: PathBuf,
    /// The program, where it is configured.
    program: Option<PathBuf>,
    /// Version of this bridge: an older cloud is replaced.
    version: String,
    /// How long one that listens and does not answer is waited for.
    patience: Duration,
}

impl Embedded {
    /// Names the cloud of this configuration; nothing is started yet.
    pub fn new(config: &Config) -> Self {
        Self {
            socket: config.directories.cloud_socket(),
            data: config.directories.cloud(),
            program: config.cloud_program.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            patience: END,
        }
    }

    /// Returns the socket it listens on.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns the file that holds what the cloud said.
    pub fn log(&self) -> PathBuf {
        log::path(&self.data)
    }

    /// Returns how the cloud is, or `None` where it does not run. Starts nothing. One that is on its way in or out is
    /// waited for; one that never answers is an error, for it may be at work all the same.
    pub async fn status(&self) -> Result<Option<v1::GetStatusResponse>, Error> {
        let deadline = Instant::now() + self.patience;
        loop {
            match probe::probe(&self.socket).await {
                Found::Running(status) => return Ok(Some(status)),
                Found::Nothing => return Ok(None),
                Found::Silent if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Found::Silent => return Err(Error::Silent { socket: self.socket.clone() }),
            }
        }
    }

    /// Returns a connection to the cloud, starting it where it does not run.
    pub async fn connect(&self) -> Result<UnixStream, Error> {
        self.ensure().await?;
        UnixStream::connect(&self.socket)
            .await
            .map_err(|source| Error::Connect { socket: self.socket.clone(), source })
    }

    /// Makes sure that a cloud of this version runs; says how it is.
    pub async fn ensure(&self) -> Result<v1::GetStatusResponse, Error> {
        if let Found::Running(status) = probe::probe(&self.socket).await
            && !is_older(&status.version, &self.version)
        {
            return Ok(status);
        }
        self.prepare_folders()?;
        let _lock = Lock::take(&self.data.join("start.lock"), START + END).await?;
        pass!("bridge.cloud.locked");
        while let Some(status) = self.status().await? {
            if !is_older(&status.version, &self.version) {
                return Ok(status);
            }
            if !self.end(true).await? {
                tracing::warn!(
                    cloud = status.version,
                    bridge = self.version,
                    "the embedded cloud is older and a turn runs: it is used as it is; `aloft cloud stop` ends it"
                );
                return Ok(status);
            }
        }
        self.start().await
    }

    /// Ends the cloud and waits until its process is gone. Tells whether one ran.
    pub async fn stop(&self) -> Result<bool, Error> {
        if self.status().await?.is_none() {
            return Ok(false);
        }
        let _lock = Lock::take(&self.data.join("start.lock"), START + END).await?;
        self.end(false).await
    }

    /// Asks the cloud to end and waits for it. False where it runs on because a turn does.
    async fn end(&self, only_when_idle: bool) -> Result<bool, Error> {
        let Some(status) = self.status().await? else { return Ok(true) };
        if !probe::shutdown(&self.socket, only_when_idle).await? {
            return Ok(false);
        }
        let deadline = Instant::now() + END;
        while detach::is_alive(status.pid) {
            if Instant::now() > deadline {
                return Err(Error::DoesNotEnd { pid: status.pid });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(true)
    }

    /// Starts the program and waits for its first answer. The caller holds the lock.
    async fn start(&self) -> Result<v1::GetStatusResponse, Error> {
        let program = self.find_program()?;
        // Nothing answers there and the lock is ours: what is left is the socket file of a cloud that was killed.
        match std::fs::remove_file(&self.socket) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Folder { path: self.socket.clone(), source });
            }
            _ => {}
        }
        let (output, before) = log::open(&self.data)?;
        tracing::debug!(program = %program.display(), socket = %self.socket.display(), "starting the embedded cloud");
        let mut child = detach::spawn(&program, &self.socket, &self.data, output)?;
        pass!("bridge.cloud.spawned");
        let failed = |what: String| Error::Start {
            what,
            log: log::path(&self.data),
            lines: log::since(&self.data, before),
        };
        let deadline = Instant::now() + START;
        let mut pause = Duration::from_millis(2);
        loop {
            if let Found::Running(status) = probe::probe(&self.socket).await {
                detach::reap_later(child);
                return Ok(status);
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(failed(format!("it ended at once ({status})")));
            }
            if Instant::now() > deadline {
                detach::kill(&mut child);
                return Err(failed(format!("it did not answer within {START:?}")));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    fn prepare_folders(&self) -> Result<(), Error> {
        detach::private_folder(&self.data)?;
        match self.socket.parent() {
            Some(parent) => detach::private_folder(parent),
            None => Ok(()),
        }
    }

    /// Finds the program: configured, beside this one, in `PATH`.
    fn find_program(&self) -> Result<PathBuf, Error> {
        if let Some(program) = &self.program {
            return if program.is_file() {
                Ok(program.clone())
            } else {
                Err(Error::NoProgram { looked: program.clone() })
            };
        }
        let beside = std::env::current_exe()
            .ok()
            .and_then(|own| own.parent().map(|folder| folder.join(PROGRAM)));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let in_path = std::env::split_paths(&path).map(|folder| folder.join(PROGRAM));
        beside
            .clone()
            .into_iter()
            .chain(in_path)
            .find(|candidate| candidate.is_file())
            .ok_or_else(|| Error::NoProgram { looked: beside.unwrap_or_else(|| PROGRAM.into()) })
    }
}

/// Tells whether `version` is before `own`; one that cannot be read is not.
fn is_older(version: &str, own: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        text.split(['-', '+']).next()?.split('.').map(|part| part.parse().ok()).collect()
    };
    matches!((numbers(version), numbers(own)), (Some(version), Some(own)) if version < own)
}

#[cfg(test)]
mod tests;
