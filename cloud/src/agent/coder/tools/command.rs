//! Runs a command for the model: a process group of its own, output shown as it comes, nothing left running behind it.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde::Deserialize;
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe::Receiver,
    process::Child,
    time::{Instant, sleep, timeout_at},
};

use crate::agent::{
    coder::{
        approvals::Sort,
        tools::{Call, Outcome},
    },
    leftover,
    stdio::{
        message::{Status, ToolCall, Update},
        session::Session,
    },
};

/// Longest time a command may be given.
pub(super) const MAX_SECONDS: u64 = 3600;
const DEFAULT_SECONDS: u64 = 120;
/// How long a command that is ended may take to end by itself.
const GRACE: Duration = Duration::from_millis(300);
const LOOK: Duration = Duration::from_millis(10);
/// How long output is awaited once the command has ended.
const LINGER: Duration = Duration::from_millis(100);
/// Output sent at once.
const CHUNK: usize = 32 * 1024;
/// What the model is given of the beginning and of the end of the output.
const KEPT_HEAD: usize = 10_000;
const KEPT_TAIL: usize = 30_000;

#[derive(Deserialize)]
struct Arguments {
    command: String,
    timeout_seconds: Option<u64>,
}

/// How a command ended.
enum End {
    Exited(ExitStatus),
    TimedOut(u64),
    Stopped,
}

/// Beginning and end of the output; what is between is only counted.
#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    tail: Vec<u8>,
    left_out: usize,
}

/// A process group, killed when dropped.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // Most often nothing of it is left.
        let _gone = kill_process_group(self.0, Signal::KILL);
    }
}

pub(super) async fn run(call: &Call<'_>) -> Result<String, Outcome> {
    let arguments: Arguments = call.arguments()?;
    let session = call.session;
    let cwd = session.cwd().display().to_string();
    let action = ToolCall::command(&call.id, &arguments.command, &cwd, Status::Pending);
    session.update(Update::ToolCall(action.clone())).await;
    if let Err(outcome) = call.approvals.ask(session, Sort::Command, &action).await {
        if outcome == Outcome::Stopped {
            let failed = ToolCall::status(&call.id, Status::Failed);
            session.update(Update::ToolCallUpdate(failed)).await;
        }
        return Err(outcome);
    }
    let begun = ToolCall::status(&call.id, Status::InProgress);
    session.update(Update::ToolCallUpdate(begun)).await;
    let mark = leftover::mark();
    let (mut child, mut output) = match start(session, &arguments.command, &mark) {
        Ok(started) => started,
        Err(error) => {
            let failed = ToolCall::status(&call.id, Status::Failed);
            session.update(Update::ToolCallUpdate(failed)).await;
            return Err(Outcome::Failed(format!("the command cannot be started: {error}")));
        }
    };
    let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).map(Group);
    let seconds = arguments.timeout_seconds.unwrap_or(DEFAULT_SECONDS).clamp(1, MAX_SECONDS);
    let mut kept = Kept::default();
    let end = tokio::select! {
        biased;
        () = session.stopped() => End::Stopped,
        () = sleep(Duration::from_secs(seconds)) => End::TimedOut(seconds),
        ended = follow(call, &mut child, &mut output, &mut kept) => match ended {
            Ok(status) => End::Exited(status),
            Err(error) => return Err(Outcome::Failed(format!("the command was lost: {error}"))),
        },
    };
    if let (End::Stopped | End::TimedOut(_), Some(group)) = (&end, &group) {
        end_group(group.0, &mut child).await;
        leftover::end(&mark).await;
    }
    drop(group);
    report(call, &end, &kept).await
}

fn start(session: &Session, command: &str, mark: &str) -> io::Result<(Child, Receiver)> {
    let (reader, writer) = io::pipe()?;
    let shell = if std::path::Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    let child = tokio::process::Command::new(shell)
        .arg("-c")
        .arg(command)
        .current_dir(session.cwd())
        .env(leftover::VARIABLE, mark)
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs([("PAGER", "cat"), ("GIT_PAGER", "cat")])
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok((child, Receiver::from_owned_fd(reader.into())?))
}

/// Shows the output until the command has ended.
async fn follow(
    call: &Call<'_>,
    child: &mut Child,
    output: &mut Receiver,
    kept: &mut Kept,
) -> io::Result<ExitStatus> {
    let mut pending = Vec::new();
    let mut open = true;
    let status = loop {
        pending.reserve(CHUNK);
        tokio::select! {
            biased;
            read = output.read_buf(&mut pending), if open => {
                open = read? > 0;
                show(call, &mut pending, kept, !open).await;
            }
            status = child.wait() => break status?,
        }
    };
    let until = Instant::now() + LINGER;
    while open {
        pending.reserve(CHUNK);
        match timeout_at(until, output.read_buf(&mut pending)).await {
            Ok(read) => {
                open = read? > 0;
                show(call, &mut pending, kept, !open).await;
            }
            Err(_) => break,
        }
    }
    show(call, &mut pending, kept, true).await;
    Ok(status)
}

/// Half a character at the end waits for its other half, unless this is `all`.
async fn show(call: &Call<'_>, pending: &mut Vec<u8>, kept: &mut Kept, all: bool) {
    let mut end = pending.len();
    if !all
        && let Err(error) = std::str::from_utf8(pending)
        && error.error_len().is_none()
    {
        end = error.valid_up_to();
    }
    kept.add(&pending[..end]);
    for chunk in pending[..end].chunks(CHUNK) {
        call.session.update(Update::ToolCallUpdate(ToolCall::output(&call.id, chunk))).await;
    }
    pending.drain(..end);
}

/// Asked first, then by force.
async fn end_group(group: Pid, child: &mut Child) {
    let _gone = kill_process_group(group, Signal::TERM);
    let deadline = Instant::now() + GRACE;
    // Its leader has to be waited for, else the group seems to live on.
    let _late = timeout_at(deadline, child.wait()).await;
    while Instant::now() < deadline && test_kill_process_group(group).is_ok() {
        sleep(LOOK).await;
    }
    let _gone = kill_process_group(group, Signal::KILL);
}

async fn report(call: &Call<'_>, end: &End, kept: &Kept) -> Result<String, Outcome> {
    let output = kept.text();
    let (exit_code, signal) = match end {
        End::Exited(status) => (status.code(), status.signal()),
        End::TimedOut(_) | End::Stopped => (None, Some(Signal::TERM.as_raw())),
    };
    let signal = signal.map(signal_name);
    let exit = ToolCall::exit(&call.id, exit_code, signal.as_deref());
    call.session.update(Update::ToolCallUpdate(exit)).await;
    match end {
        End::Stopped => Err(Outcome::Stopped),
        End::TimedOut(seconds) => Err(Outcome::Failed(format!(
            "{output}\n(ended after {seconds} seconds; give timeout_seconds if it needs longer)"
        ))),
        End::Exited(_) => match (exit_code, signal) {
            (Some(0), _) if output.is_empty() => Ok("(no output, exit code 0)".to_owned()),
            (Some(0), _) => Ok(output),
            (Some(code), _) => Err(Outcome::Failed(format!("{output}\n(exit code {code})"))),
            (None, signal) => {
                let signal = signal.unwrap_or_else(|| "an unknown signal".to_owned());
                Err(Outcome::Failed(format!("{output}\n(ended by {signal})")))
            }
        },
    }
}

impl Kept {
    fn add(&mut self, bytes: &[u8]) {
        let room = KEPT_HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        self.tail.extend_from_slice(&bytes[room..]);
        // Cut seldom, so that a flood of output costs little.
        if self.tail.len() > 2 * KEPT_TAIL {
            let surplus = self.tail.len() - KEPT_TAIL;
            self.tail.drain(..surplus);
            self.left_out += surplus;
        }
    }

    fn text(&self) -> String {
        let surplus = self.tail.len().saturating_sub(KEPT_TAIL);
        let tail = String::from_utf8_lossy(&self.tail[surplus..]);
        let head = String::from_utf8_lossy(&self.head);
        match self.left_out + surplus {
            0 => {
                let whole = [&self.head[..], &self.tail[..]].concat();
                String::from_utf8_lossy(&whole).trim_end().to_owned()
            }
            left_out => {
                format!("{head}\n[… {left_out} bytes left out …]\n{}", tail.trim_end())
            }
        }
    }
}

fn signal_name(number: i32) -> String {
    match number {
        1 => "SIGHUP".to_owned(),
        2 => "SIGINT".to_owned(),
        6 => "SIGABRT".to_owned(),
        9 => "SIGKILL".to_owned(),
        11 => "SIGSEGV".to_owned(),
        13 => "SIGPIPE".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_beginning_and_end() {
        let mut kept = Kept::default();
        kept.add(b"begin ");
        for _ in 0..10_000 {
            kept.add(b"0123456789");
        }
        kept.add(b" end\n");
        let text = kept.text();
        assert!(text.starts_with("begin 0123") && text.ends_with("789 end"), "{text}");
        assert!(text.contains(&format!("{} bytes left out", 100_011 - KEPT_HEAD - KEPT_TAIL)));
        let mut short = Kept::default();
        short.add("ä\n".as_bytes());
        assert_eq!(short.text(), "ä");
    }
}
