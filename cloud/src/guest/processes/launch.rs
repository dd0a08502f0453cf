//! Turns a start request into a running process and our ends of its pipes or its terminal.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

use aloft_proto::guest::{Pty, StartRequest};
use pty_process::{OwnedReadPty, OwnedWritePty, Size};
use rustix::process::Pid;
use tokio::net::unix::pipe;

use crate::guest::kernel;
use crate::guest::refusal::Refusal;

/// Carries the id of a process to everything it starts, so that a kill finds what left its session.
pub(in crate::guest) const MARK: &str = "ALOFT_PROCESS";

/// A process that runs.
pub(super) struct Launched {
    pub(super) pid: Pid,
    pub(super) ends: Ends,
}

/// Our ends of what a process reads and writes.
pub(super) enum Ends {
    Pipes { stdin: Option<pipe::Sender>, stdout: pipe::Receiver, stderr: pipe::Receiver },
    Terminal { input: OwnedWritePty, output: OwnedReadPty, size: OwnedFd },
}

/// Starts what is asked, in `root` unless it says where.
///
/// Returns before anything can have reaped it: on the one thread of the guest, that is before the next await.
pub(super) fn launch(request: &StartRequest, root: &Path) -> Result<Launched, Refusal> {
    let (program, arguments) = request
        .argv
        .split_first()
        .filter(|(program, _)| !program.is_empty())
        .ok_or_else(|| Refusal::Invalid { what: "argv", why: "it names no program".into() })?;
    let directory = root.join(&request.cwd);
    if !directory.is_dir() {
        return Err(Refusal::DirectoryNotFound(directory.display().to_string()));
    }
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&directory);
    set_environment(&mut command, request)?;
    kernel::in_new_session(&mut command, request.pty.is_some());
    let started = match &request.pty {
        Some(pty) => in_terminal(&mut command, pty),
        None => with_pipes(&mut command, request.stdin),
    };
    started.map_err(|source| start_refusal(request, program, &directory, source))
}

/// A size of a terminal, as far as terminals can be large.
pub(super) fn size(rows: u32, columns: u32) -> Size {
    let clamp = |value: u32, default: u16| {
        if value == 0 { default } else { u16::try_from(value).unwrap_or(u16::MAX) }
    };
    Size::new(clamp(rows, 24), clamp(columns, 80))
}

fn set_environment(command: &mut Command, request: &StartRequest) -> Result<(), Refusal> {
    let is_name = |name: &str| !name.is_empty() && !name.contains(['=', '\0']);
    if let Some(name) = request.env.keys().chain(&request.env_remove).find(|name| !is_name(name)) {
        return Err(Refusal::Invalid {
            what: "env",
            why: format!("{name:?} is not the name of a variable"),
        });
    }
    for name in &request.env_remove {
        command.env_remove(name);
    }
    if let Some(pty) = &request.pty {
        command.env("TERM", if pty.term.is_empty() { "xterm-256color" } else { &pty.term });
    }
    command.envs(&request.env).env(MARK, &request.id);
    Ok(())
}

fn with_pipes(command: &mut Command, stdin: bool) -> io::Result<Launched> {
    command
        .stdin(if stdin { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let pid = pid_of(&child)?;
    let missing = || io::Error::other("a pipe is missing");
    let stdin =
        child.stdin.take().map(|stdin| pipe::Sender::from_owned_fd(stdin.into())).transpose()?;
    let stdout = pipe::Receiver::from_owned_fd(child.stdout.take().ok_or_else(missing)?.into())?;
    let stderr = pipe::Receiver::from_owned_fd(child.stderr.take().ok_or_else(missing)?.into())?;
    Ok(Launched { pid, ends: Ends::Pipes { stdin, stdout, stderr } })
}

fn in_terminal(command: &mut Command, pty: &Pty) -> io::Result<Launched> {
    let other = |error: pty_process::Error| match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(error) => error.into(),
        error => io::Error::other(error),
    };
    let (ours, theirs) = pty_process::open().map_err(other)?;
    ours.resize(size(pty.rows, pty.columns)).map_err(other)?;
    let end = || theirs.as_fd().try_clone_to_owned();
    command.stdin(end()?).stdout(end()?).stderr(end()?);
    let for_size = ours.as_fd().try_clone_to_owned()?;
    let child = command.spawn()?;
    let (output, input) = ours.into_split();
    Ok(Launched { pid: pid_of(&child)?, ends: Ends::Terminal { input, output, size: for_size } })
}

fn pid_of(child: &std::process::Child) -> io::Result<Pid> {
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("not a process id"))
}

fn start_refusal(
    request: &StartRequest,
    program: &str,
    directory: &Path,
    source: io::Error,
) -> Refusal {
    let not_found = |hint| Refusal::ProgramNotFound { program: program.into(), hint };
    match source.kind() {
        io::ErrorKind::NotFound if !program.contains('/') => not_found(" in PATH"),
        io::ErrorKind::NotFound if directory.join(program).is_file() => {
            not_found(" (its interpreter is missing)")
        }
        io::ErrorKind::NotFound => not_found(""),
        // The search goes on past a folder it may not enter, and then says that instead of not found.
        io::ErrorKind::PermissionDenied
            if !program.contains('/') && !is_in_path(request, program) =>
        {
            not_found(" in PATH")
        }
        _ => Refusal::Start { program: program.into(), source },
    }
}

fn is_in_path(request: &StartRequest, program: &str) -> bool {
    let path = request
        .env
        .get("PATH")
        .map(OsString::from)
        .or_else(|| std::env::var_os("PATH"))
        .unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
