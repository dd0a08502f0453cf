//! Waiting for the lock of an open file or folder; it is let go of with the handle, or with the process.

use std::fs::{File, TryLockError};
use std::io;
use std::time::{Duration, Instant};

/// How often it is tried.
const PAUSE: Duration = Duration::from_millis(5);

/// Takes a lock that others hold for long.
pub(crate) async fn wait(file: &File, patience: Duration) -> io::Result<()> {
    let deadline = Instant::now() + patience;
    while !take(file, deadline)? {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Takes a lock that nobody holds for longer than a few writes.
pub(crate) fn wait_here(file: &File, patience: Duration) -> io::Result<()> {
    let deadline = Instant::now() + patience;
    while !take(file, deadline)? {
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn take(file: &File, deadline: Instant) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::Error(source)) => Err(source),
        Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
            Err(io::Error::new(io::ErrorKind::TimedOut, "another program holds it"))
        }
        Err(TryLockError::WouldBlock) => Ok(false),
    }
}
