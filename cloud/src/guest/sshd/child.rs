//! Starts what a client asks for, in the environment the agent has too.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::unix::pipe;

use crate::guest::kernel;
use crate::guest::processes::{Ending, MARK, Processes};
use crate::guest::sshd::USER;
use crate::guest::sshd::terminal::{self, Terminal, Wish};

/// Begins the names of these processes in the guest.
const PREFIX: &str = "ssh-";

/// Most descriptors the server has open.
const DESCRIPTORS: u64 = 65_536;

/// What a pipe holds, where the kernel allows: more at once is faster.
const PIPE_BYTES: usize = 1024 * 1024;

/// What a client wants to be run.
#[derive(Debug)]
pub(super) enum Task {
    /// A shell to speak with.
    Shell,
    /// A command line, for the shell to read.
    Command(Vec<u8>),
    /// A program by itself.
    Program(PathBuf),
}

/// A process that runs.
#[derive(Debug)]
pub(super) struct Child {
    /// Its name in the guest.
    pub(super) id: String,
    pub(super) ending: Ending,
    pub(super) ends: Ends,
}

/// Our ends of what it reads and writes.
#[derive(Debug)]
pub(super) enum Ends {
    Pipes { stdin: pipe::Sender, stdout: pipe::Receiver, stderr: pipe::Receiver },
    Terminal(Terminal),
}

/// Whether a client may set the variable: not what changes which code is loaded, nor what is the guest's own.
pub(super) fn may_be_set(name: &str, value: &str) -> bool {
    !name.is_empty()
        && !name.contains(['=', '\0'])
        && !value.contains('\0')
        && !name.starts_with("LD_")
        && !name.starts_with("ALOFT_")
}

/// Starts it in `root`, with these variables beside the guest's own.
pub(super) fn start(
    processes: &Processes,
    root: &Path,
    task: &Task,
    variables: &[(String, OsString)],
    terminal: Option<&Wish>,
) -> io::Result<Child> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let id = format!("{PREFIX}{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let (mut command, words) = command(task);
    let folder = if root.is_dir() { root } else { Path::new("/") };
    command.current_dir(folder);
    command.env("USER", USER).env("LOGNAME", USER).envs(variables.iter().map(|(n, v)| (n, v)));
    command.env(MARK, &id);
    kernel::in_new_session(&mut command, terminal.is_some());
    let start = || match terminal {
        Some(wish) => in_terminal(&mut command, wish),
        None => with_pipes(&mut command),
    };
    let (ending, ends) = processes.start_foreign(id.clone(), words, start)?;
    Ok(Child { id, ending, ends })
}

fn command(task: &Task) -> (Command, Vec<String>) {
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let name = Path::new(&shell).file_name().unwrap_or(&shell).to_owned();
    // The agent's variables are those of a login, so is every shell one: a dash before its name says so.
    let mut login = OsString::from("-");
    login.push(&name);
    let mut command = Command::new(&shell);
    match task {
        Task::Shell => {
            command.arg0(&login);
            (command, vec![login.to_string_lossy().into_owned()])
        }
        Task::Command(line) => {
            command.arg0(&login);
            // These do not go by the dash when they are given a command.
            if ["bash", "zsh", "ksh", "fish"].iter().any(|known| *name == **known) {
                command.arg("-l");
            }
            command.arg("-c").arg(OsStr::from_bytes(line));
            let words = [&*login.to_string_lossy(), "-c", &String::from_utf8_lossy(line)];
            (command, words.map(str::to_owned).to_vec())
        }
        Task::Program(path) => (Command::new(path), vec![path.display().to_string()]),
    }
}

fn with_pipes(command: &mut Command) -> io::Result<(Pid, Ends)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let pid = pid_of(&child)?;
    let missing = || io::Error::other("a pipe is missing");
    let stdin: OwnedFd = child.stdin.take().ok_or_else(missing)?.into();
    let stdout: OwnedFd = child.stdout.take().ok_or_else(missing)?.into();
    let stderr: OwnedFd = child.stderr.take().ok_or_else(missing)?.into();
    for pipe in [&stdin, &stdout] {
        // Only so many may be large.
        let _smaller = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
    }
    let ends = Ends::Pipes {
        stdin: pipe::Sender::from_owned_fd(stdin)?,
        stdout: pipe::Receiver::from_owned_fd(stdout)?,
        stderr: pipe::Receiver::from_owned_fd(stderr)?,
    };
    Ok((pid, ends))
}

fn in_terminal(command: &mut Command, wish: &Wish) -> io::Result<(Pid, Ends)> {
    let (ours, theirs) = terminal::open(wish)?;
    let end = || theirs.as_fd().try_clone_to_owned();
    command.stdin(end()?).stdout(end()?).stderr(end()?);
    command.env("TERM", &wish.term).env("SSH_TTY", &ours.name);
    let child = command.spawn()?;
    Ok((pid_of(&child)?, Ends::Terminal(ours)))
}

fn pid_of(child: &std::process::Child) -> io::Result<Pid> {
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("not a process id"))
}

/// Lets the server have as many connections as the system allows. What it starts gets the limit there was.
pub(super) fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    if current.is_some_and(|current| current < wanted) {
        kernel::remember_descriptor_limit(current);
        let _as_it_was = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}
