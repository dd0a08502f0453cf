//! One session: what a client wishes for, then the process that runs in it, then its end.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aloft_proto::guest::Ended;
use pty_process::{OwnedWritePty, Size};
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelWriteHalf, Sig};
use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio_util::task::AbortOnDropHandle;

use crate::guest::processes::Processes;
use crate::guest::sshd::child::{self, Child, Ends, Task};
use crate::guest::sshd::flow::{self, Backlog, OnDisk};
use crate::guest::sshd::terminal::{Terminal, Wish};

/// What a client is told when its command could not be started: no command's own answer.
const NOT_STARTED: u32 = 229;

/// How long what a process left in its terminal is read after its end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What end of input is to a terminal: Control-D.
const END_OF_TRANSMISSION: &[u8] = b"\x04";

/// Marks what a process wrote to its standard error.
const STDERR: u32 = 1;

/// Variables a client may set at most.
const VARIABLES: usize = 1_024;

/// Where an image has OpenSSH's server of files.
const SFTP_SERVERS: &[&str] = &[
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
];

/// A session in which nothing runs yet.
#[derive(Debug)]
pub(super) struct Session {
    to: Arc<ChannelWriteHalf<Msg>>,
    backlog: Arc<Backlog>,
    /// From the beginning: also requests fill the channel's queue.
    intake: AbortOnDropHandle<()>,
    variables: Vec<(String, OsString)>,
    pub(super) terminal: Option<Wish>,
}

/// A session in which something runs.
#[derive(Debug)]
pub(super) struct Running {
    process: String,
    size: Option<OwnedFd>,
    processes: Arc<Processes>,
}

impl Session {
    pub(super) fn new(channel: Channel<Msg>, on_disk: OnDisk) -> Self {
        let (from, to) = channel.split();
        let (to, backlog) = (Arc::new(to), Arc::new(Backlog::new(on_disk)));
        let intake = flow::intake(from, &backlog, &to);
        Self { to, backlog, intake, variables: Vec::new(), terminal: None }
    }

    /// Sets a variable of what will run; false where it may not be set.
    pub(super) fn set(&mut self, name: &str, value: &str) -> bool {
        let may = self.variables.len() < VARIABLES && child::may_be_set(name, value);
        if may {
            self.add(name, value);
        }
        may
    }

    /// Sets a variable of the server's own.
    pub(super) fn add(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Starts it and attends to it until its end; nothing where it could not be started, of which the client is told.
    pub(super) fn run(
        self,
        task: &Task,
        processes: &Arc<Processes>,
        root: &Path,
        client: Handle,
    ) -> Option<Running> {
        let terminal = self.terminal.as_ref().filter(|_| !matches!(task, Task::Program(_)));
        let started = tokio::task::block_in_place(|| {
            child::start(processes, root, task, &self.variables, terminal)
        });
        let child = match started {
            Ok(child) => child,
            Err(error) => {
                tokio::spawn(self.refuse(error));
                return None;
            }
        };
        let size = match &child.ends {
            Ends::Terminal(terminal) => terminal.size.try_clone().ok(),
            Ends::Pipes { .. } => None,
        };
        let running = Running { process: child.id.clone(), size, processes: Arc::clone(processes) };
        tokio::spawn(self.attend(child, Arc::clone(processes), client));
        Some(running)
    }

    async fn refuse(self, error: io::Error) {
        let text = format!("aloft: failed to start a process in the sandbox: {error}\r\n");
        let _gone = self.to.extended_data_bytes(STDERR, text).await;
        let _gone = self.to.exit_status(NOT_STARTED).await;
        self.close().await;
    }

    /// Moves bytes until the process has ended and said all, or the client is gone.
    async fn attend(self, child: Child, processes: Arc<Processes>, client: Handle) {
        let Child { id, ending, ends } = child;
        let ended = match ends {
            Ends::Pipes { stdin, stdout, stderr } => {
                let backlog = Arc::clone(&self.backlog);
                let input = async move { flow::inward(&backlog, stdin).await };
                let input = AbortOnDropHandle::new(tokio::spawn(input));
                let output = async {
                    let (.., ended) = tokio::join!(
                        flow::outward(stdout, &self.to, None),
                        flow::outward(stderr, &self.to, Some(STDERR)),
                        ending.wait()
                    );
                    ended
                };
                // What was started without a terminal outlives its client: editors start their servers so.
                tokio::select! {
                    ended = output => Some(ended),
                    () = self.backlog.closed() => {
                        flow::linger(input).await;
                        None
                    }
                }
            }
            Ends::Terminal(Terminal { input, output, .. }) => {
                let backlog = Arc::clone(&self.backlog);
                let _input = AbortOnDropHandle::new(tokio::spawn(type_in(backlog, input)));
                let output = async {
                    let screen = flow::outward(output, &self.to, None);
                    tokio::pin!(screen);
                    tokio::select! {
                        () = &mut screen => ending.wait().await,
                        ended = ending.wait() => {
                            let _silent = tokio::time::timeout(LAST_WORDS, screen).await;
                            ended
                        }
                    }
                };
                tokio::select! {
                    ended = output => Some(ended),
                    () = self.backlog.closed() => {
                        let _ended = processes.signal(&id, Signal::HUP.as_raw());
                        None
                    }
                }
            }
        };
        if let Some(ended) = ended {
            self.tell(&client, &ended).await;
            self.close().await;
        }
    }

    async fn tell(&self, client: &Handle, ended: &Ended) {
        if let Some(code) = ended.exit_code {
            let _gone = self.to.exit_status(code.cast_unsigned()).await;
        } else {
            let (name, text) = (signal_name(ended.signal), String::new());
            let _gone =
                client.exit_signal_request(self.to.id(), name, false, text.clone(), text).await;
        }
    }

    /// Says the last byte and closes: whoever waits for the client to close first waits for ever.
    async fn close(self) {
        let _gone = self.to.eof().await;
        let _gone = self.to.close().await;
        drop(self.intake);
    }
}

impl Running {
    /// Changes the size of its terminal.
    pub(super) fn resize(&self, size: Size) {
        if let Some(terminal) = &self.size {
            let _gone = rustix::termios::tcsetwinsize(terminal, size.into());
        }
    }

    /// Sends a signal to its process group.
    pub(super) fn signal(&self, signal: &Sig) {
        if let Some(number) = signal_number(signal) {
            let _ended = self.processes.signal(&self.process, number.as_raw());
        }
    }
}

/// The program of a subsystem, if there is one.
pub(super) fn subsystem(name: &str) -> Option<PathBuf> {
    let known = (name == "sftp").then_some(SFTP_SERVERS)?;
    known.iter().map(PathBuf::from).find(|path| path.exists())
}

async fn type_in(backlog: Arc<Backlog>, mut to: OwnedWritePty) {
    let mut ended = backlog.next().await;
    while let Ok(Some(mut data)) = ended {
        if to.write_all_buf(&mut data).await.is_err() {
            return backlog.abandon();
        }
        ended = backlog.next().await;
    }
    if ended.is_ok() {
        let _ended = to.write_all(END_OF_TRANSMISSION).await;
    }
    backlog.abandon();
}

/// Those the protocol has names for, and those OpenSSH knows beside them.
const SIGNALS: &[(&str, Signal)] = &[
    ("ABRT", Signal::ABORT),
    ("ALRM", Signal::ALARM),
    ("BUS", Signal::BUS),
    ("CHLD", Signal::CHILD),
    ("CONT", Signal::CONT),
    ("FPE", Signal::FPE),
    ("HUP", Signal::HUP),
    ("ILL", Signal::ILL),
    ("INT", Signal::INT),
    ("KILL", Signal::KILL),
    ("PIPE", Signal::PIPE),
    ("QUIT", Signal::QUIT),
    ("SEGV", Signal::SEGV),
    ("STOP", Signal::STOP),
    ("SYS", Signal::SYS),
    ("TERM", Signal::TERM),
    ("TRAP", Signal::TRAP),
    ("TSTP", Signal::TSTP),
    ("TTIN", Signal::TTIN),
    ("TTOU", Signal::TTOU),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
    ("VTALRM", Signal::VTALARM),
    ("WINCH", Signal::WINCH),
    ("XCPU", Signal::XCPU),
    ("XFSZ", Signal::XFSZ),
];

fn signal_name(number: i32) -> Sig {
    let known = SIGNALS.iter().find(|(_, signal)| signal.as_raw() == number);
    // The library sends the name of its own ones and of any other alike.
    Sig::Custom(known.map_or_else(|| format!("{number}@aloft"), |(name, _)| (*name).to_owned()))
}

fn signal_number(signal: &Sig) -> Option<Signal> {
    let name = match signal {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name,
    };
    SIGNALS.iter().find(|(known, _)| *known == name).map(|(_, signal)| *signal)
}
