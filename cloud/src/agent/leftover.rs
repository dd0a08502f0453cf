//! What a stopped command leaves running although its process group is ended: processes that began a session of their own.
//!
//! Each command gets a mark in its environment, which everything it starts inherits. A stop of the whole thread needs none
//! of this, since the guest ends all that the agent started; a correction stops one command and keeps the agent.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

/// The variable that holds the mark.
pub const VARIABLE: &str = "ALOFT_COMMAND";

/// How long the search goes on while something new is found.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(10);

/// A mark that no other command has.
pub fn mark() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Ends everything with this mark.
pub async fn end(mark: &str) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let found = marked(mark);
        if found.is_empty() {
            return;
        }
        for pid in found {
            // An error means that it is gone.
            kill_process(pid, Signal::KILL).ok();
        }
        sleep(LOOK).await;
    }
}

/// Processes whose environment has the mark. A dead one that waits for its parent shows no environment.
fn marked(mark: &str) -> Vec<Pid> {
    let wanted = format!("{VARIABLE}={mark}");
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let environment = std::fs::read(entry.path().join("environ")).ok()?;
            environment.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes()).then_some(pid)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[tokio::test]
    async fn a_process_in_a_session_of_its_own_is_found_by_its_mark() {
        let (ours, other) = (mark(), mark());
        let start = |mark: &str| {
            let mut command = Command::new("setsid");
            command.args(["sleep", "1000"]).env(VARIABLE, mark).stdin(Stdio::null());
            command.spawn().unwrap()
        };
        let (mut stopped, mut kept) = (start(&ours), start(&other));
        end(&ours).await;
        assert!(!stopped.wait().unwrap().success());
        assert!(kept.try_wait().unwrap().is_none());
        kept.kill().unwrap();
        kept.wait().unwrap();
    }
}
