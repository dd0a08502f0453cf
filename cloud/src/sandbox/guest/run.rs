//! Runs a command inside to its end and collects what it says.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::sandbox::guest::process::{Event, Process};
use crate::sandbox::guest::{Command, Error, Guest, Result};

/// Between SIGTERM and SIGKILL for a command that takes too long.
const GRACE: Duration = Duration::from_secs(1);

/// What a command left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Absent after a signal.
    pub exit_code: Option<i32>,
    /// The signal that ended it; 0 = none.
    pub signal: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// One of them was longer than allowed: its beginning is here, the rest was dropped.
    pub truncated: bool,
}

impl Output {
    /// Whether it ended with exit code 0.
    pub fn success(&self) -> bool {
        self.exit_code == Some(0)
    }
}

impl Guest {
    /// Runs a command to its end. At most `cap` bytes are kept of each of its outputs. When the time is over, or this
    /// future is dropped, the command is killed with everything it started.
    pub async fn run(
        &self,
        command: &Command,
        stdin: &[u8],
        limit: Duration,
        cap: usize,
    ) -> Result<Output> {
        self.run_as(format!("run-{}", Uuid::new_v4().simple()), command, stdin, limit, cap).await
    }

    /// The same under this name, by which others find it.
    pub async fn run_as(
        &self,
        id: String,
        command: &Command,
        stdin: &[u8],
        limit: Duration,
        cap: usize,
    ) -> Result<Output> {
        let mut guard = KillOnDrop { guest: self.clone(), id: Some(id.clone()) };
        let process = self.start(&id, command, !stdin.is_empty()).await?;
        let collected = tokio::time::timeout(limit, collect(process, stdin, cap)).await;
        // What it left in the background goes on.
        guard.id = None;
        if let Ok(output) = collected {
            return output;
        }
        self.kill(&id, GRACE).await?;
        Err(Error::Timeout { call: "run a command", after: limit })
    }
}

async fn collect(process: Process, input: &[u8], cap: usize) -> Result<Output> {
    let Process { mut stdin, mut events, .. } = process;
    let mut output = Output::default();
    let feed = async {
        // A command may end without having read all of it.
        stdin.write_all(input).await.ok();
        drop(stdin);
    };
    let drain = async {
        while let Some(event) = events.recv().await {
            match event? {
                Event::Stdout(bytes) => {
                    output.truncated |= !append(&mut output.stdout, &bytes, cap);
                }
                Event::Stderr(bytes) => {
                    output.truncated |= !append(&mut output.stderr, &bytes, cap);
                }
                Event::Lost(_) => output.truncated = true,
                Event::Ended(ended) => {
                    output.exit_code = ended.exit_code;
                    output.signal = ended.signal;
                    return Ok(());
                }
            }
        }
        Err(Error::broken_off("run a command"))
    };
    tokio::join!(feed, drain).1?;
    Ok(output)
}

/// Keeps as much as there is room for; `false` when some was dropped.
fn append(kept: &mut Vec<u8>, bytes: &[u8], cap: usize) -> bool {
    let room = cap.saturating_sub(kept.len()).min(bytes.len());
    kept.extend_from_slice(&bytes[..room]);
    room == bytes.len()
}

/// Ends a command whose caller went away.
struct KillOnDrop {
    guest: Guest,
    id: Option<String>,
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let guest = self.guest.clone();
        // Ends by the time limit of the call.
        runtime.spawn(async move {
            if let Err(error) = guest.kill(&id, Duration::ZERO).await {
                tracing::debug!(sandbox = guest.id(), %error, "a command without a caller was not killed");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::sandbox::guest::run::append;

    #[test]
    fn output_is_cut_at_its_cap() {
        let mut kept = Vec::new();
        assert!(append(&mut kept, b"abc", 5));
        assert!(!append(&mut kept, b"def", 5));
        assert!(!append(&mut kept, b"g", 5));
        assert!(append(&mut kept, b"", 5));
        assert_eq!(kept, b"abcde");
    }
}
