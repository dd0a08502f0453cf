//! The lock that lets one process at a time start or end the embedded cloud.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::client::embedded::Error;

/// A held lock; dropping it, or the end of the process, frees it.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, waiting for whoever has it.
    pub(crate) async fn take(path: &Path, patience: Duration) -> Result<Self, Error> {
        let failed = |source| Error::Folder { path: path.to_owned(), source };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(failed)?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                    return Err(Error::Locked { path: path.to_owned() });
                }
                // Waiting in the kernel would take a thread for each waiter and could not be given up.
                Err(TryLockError::WouldBlock) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }
}
