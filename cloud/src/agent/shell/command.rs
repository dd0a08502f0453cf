//! Runs one command: a process group of its own, output byte for byte as it comes, an end that is told, a stop that works.
//!
//! Standard output and error share one pipe, so their order is kept. Memory stays flat: nothing is read faster than the
//! client takes it.

use std::{
    io,
    os::unix::process::ExitStatusExt as _,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::{
    io::AsyncReadExt as _,
    net::unix::pipe::Receiver,
    process::Child,
    time::{Instant, sleep},
};

use crate::agent::{
    leftover,
    shell::script::Command,
    stdio::{
        message::{ToolCall, Update},
        session::Session,
    },
};

/// Output sent at once.
const CHUNK: usize = 32 * 1024;
/// How long a stopped command may take to end by itself.
const GRACE: Duration = Duration::from_secs(1);
/// How long output is awaited from what a command left running behind it.
const LINGER: Duration = Duration::from_millis(200);
/// How often a stopped group is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How a command ended.
#[derive(Debug)]
pub enum Outcome {
    /// By itself.
    Exited(i32),
    /// By a signal that was not ours.
    Signaled(String),
    /// By us; the signal it died of.
    Stopped(Option<String>),
    /// Never began.
    NotStarted(io::Error),
}

/// A command that runs.
struct Running {
    child: Child,
    group: Option<Pid>,
    /// In the environment of everything it starts.
    mark: String,
    output: Receiver,
}

/// Output that waits to be sent: at most a chunk, and never half a character where that can be helped.
#[derive(Default)]
struct Pending(Vec<u8>);

/// Runs `command` in the session's folder of work, reporting its output as action `id`.
pub async fn run(session: &Session, id: &str, command: &Command) -> Outcome {
    let mut running = match Running::start(session, command) {
        Ok(running) => running,
        Err(error) => return Outcome::NotStarted(error),
    };
    let group = running.group;
    let finished = tokio::select! {
        status = running.follow(session, id) => Some(status),
        () = end_when_stopped(session, group) => None,
    };
    if session.is_stopped() {
        if let Some(group) = group {
            end_group(group).await;
        }
        leftover::end(&running.mark).await;
        let status = running.child.wait().await.ok();
        return Outcome::Stopped(status.and_then(|status| status.signal()).map(signal_name));
    }
    match finished {
        Some(Ok(status)) => match (status.code(), status.signal()) {
            (Some(code), _) => Outcome::Exited(code),
            (None, signal) => Outcome::Signaled(signal.map(signal_name).unwrap_or_default()),
        },
        Some(Err(error)) => Outcome::NotStarted(error),
        None => Outcome::Stopped(None),
    }
}

/// Waits for the stop, then ends the whole group, asked first and then by force; then leaves its last output a moment to
/// be taken.
async fn end_when_stopped(session: &Session, group: Option<Pid>) {
    session.stopped().await;
    let Some(group) = group else { return };
    end_group(group).await;
    sleep(LINGER).await;
}

/// Returns when nothing of the group runs any more.
async fn end_group(group: Pid) {
    for signal in [Signal::TERM, Signal::KILL] {
        if kill_process_group(group, signal).is_err() {
            return;
        }
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && is_alive(group) {
            sleep(LOOK).await;
        }
    }
}

/// Whether a process of the group runs. One that is dead and waits for its parent counts for a signal, but not here.
fn is_alive(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return test_kill_process_group(group).is_ok();
    };
    let group = group.as_raw_nonzero().to_string();
    processes.flatten().any(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // The name in parentheses may hold anything; state, parent and group follow it.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let state = fields.next();
        fields.nth(1) == Some(group.as_str()) && !matches!(state, Some("Z" | "X"))
    })
}

impl Running {
    fn start(session: &Session, command: &Command) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let mark = leftover::mark();
        let child = tokio::process::Command::new(command.interpreter[0])
            .args(&command.interpreter[1..])
            .arg(&command.text)
            .current_dir(session.cwd())
            .env(leftover::VARIABLE, &mark)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let output = Receiver::from_owned_fd(reader.into())?;
        Ok(Self { child, group, mark, output })
    }

    /// Sends its output until it has ended and nothing more comes.
    async fn follow(&mut self, session: &Session, id: &str) -> io::Result<ExitStatus> {
        let mut pending = Pending::default();
        let mut open = true;
        let status = loop {
            tokio::select! {
                biased;
                read = self.output.read_buf(pending.space()), if open => {
                    open = read? > 0;
                    pending.send(session, id, !open).await;
                }
                status = self.child.wait() => break status?,
            }
        };
        let until = Instant::now() + LINGER;
        while open {
            let read = self.output.read_buf(pending.space());
            match tokio::time::timeout_at(until, read).await {
                Ok(read) => {
                    open = read? > 0;
                    pending.send(session, id, !open).await;
                }
                Err(_) => break,
            }
        }
        pending.send(session, id, true).await;
        if open {
            self.leave_behind();
        }
        Ok(status)
    }

    /// What still holds the pipe goes on, and would be killed by a write to a closed one.
    fn leave_behind(&mut self) {
        let Ok((reader, _)) = io::pipe() else { return };
        let Ok(unused) = Receiver::from_owned_fd(reader.into()) else { return };
        let mut output = std::mem::replace(&mut self.output, unused);
        tokio::spawn(async move {
            let mut bytes = vec![0; 4096];
            while output.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
        });
    }
}

impl Pending {
    /// Where to read to.
    fn space(&mut self) -> &mut Vec<u8> {
        self.0.reserve(CHUNK);
        &mut self.0
    }

    /// Sends what is there. Half a character at the end waits for its other half, unless this is `all`.
    async fn send(&mut self, session: &Session, id: &str, all: bool) {
        let mut end = self.0.len();
        if !all
            && let Err(error) = std::str::from_utf8(&self.0)
            && error.error_len().is_none()
        {
            end = error.valid_up_to();
        }
        for chunk in self.0[..end].chunks(CHUNK) {
            session.update(Update::ToolCallUpdate(ToolCall::output(id, chunk))).await;
        }
        self.0.drain(..end);
    }
}

fn signal_name(number: i32) -> String {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    let name = usize::try_from(number - 1).ok().and_then(|index| NAMES.get(index));
    name.map_or_else(|| format!("signal {number}"), |name| format!("SIG{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_their_usual_names() {
        assert_eq!(
            [1, 9, 15, 31, 40].map(signal_name),
            ["SIGHUP", "SIGKILL", "SIGTERM", "SIGSYS", "signal 40"]
        );
    }
}
