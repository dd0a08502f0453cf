//! Who comes after a cloud that was killed: ends its sandboxes where no other cloud takes them over in time.
//!
//! A guest that runs ends itself when it hears no cloud for long. One that stands still cannot, so somebody outside must
//! know of the cloud's death and outlive it: a process that waits on a pipe, which costs nothing.

use std::{
    fs::{File, TryLockError},
    io::Read,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::sandbox::bubblewrap::Left;

/// Between looks, once the cloud is gone.
const LOOK: Duration = Duration::from_millis(500);

/// In so many looks in a row somebody must be seen to answer for the sandboxes: a process that dies lets go of the pipe a moment
/// before it lets go of the lock.
const SURE: u32 = 10;

/// How the heir is started.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Locked by the cloud that answers for the sandboxes; its life is the heir's standard input
    #[arg(long, value_name = "PATH")]
    pub lock: PathBuf,
    /// The folder of the sandboxes
    #[arg(long, value_name = "DIR")]
    pub sandboxes: PathBuf,
    /// How long the sandboxes wait for a cloud
    #[arg(long, value_name = "SECONDS")]
    pub grace_seconds: u64,
}

/// Waits for the end of its cloud, then for another, and ends what nobody came back for.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut nothing = [0];
    while std::io::stdin().read(&mut nothing).is_ok_and(|length| length > 0) {}
    let grace = Duration::from_secs(options.grace_seconds);
    let (died, mut held) = (Instant::now(), 0);
    while held < SURE {
        std::thread::sleep(LOOK);
        let Some(left) = Left::find(&options.sandboxes)? else { return Ok(()) };
        let Ok(lock) = File::open(&options.lock) else { return Ok(()) };
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => held += 1,
            Err(TryLockError::Error(error)) => {
                return Err(error).context("take the sandboxes over");
            }
            Ok(()) => {
                held = 0;
                let running = left.running()?;
                if running.is_empty() {
                    return Ok(());
                }
                if died.elapsed() >= grace {
                    // The lock is held until they are gone: a cloud that starts now waits for that.
                    return end(&left, &running);
                }
            }
        }
    }
    Ok(())
}

fn end(left: &Left, running: &[String]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for id in running {
            match left.end(id).await {
                Ok(()) => {
                    tracing::warn!(sandbox = id, "ended: its cloud died and did not come back");
                }
                Err(error) => {
                    tracing::error!(sandbox = id, %error, "could not be ended after its cloud");
                }
            }
        }
    });
    Ok(())
}
