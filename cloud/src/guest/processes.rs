//! The processes of the sandbox: starts them, keeps them by id, hears of their ends, reaps what nobody else reaps.
//!
//! All children are reaped in one place, [`Processes::reap`], because a stray that became ours can end at any time and
//! a second waiter would take its end from the first. Reaping and starting exclude each other, so no end can be heard
//! before the process is known here.

mod kill;
mod launch;
mod output;
mod ownership;
mod pump;
mod ring;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aloft_proto::guest::{Ended, Process as ProcessInfo, StartRequest, WriteRequest};
use rustix::process::{Pid, Signal};
use tokio::sync::{mpsc, oneshot};

use crate::guest::processes::launch::{Ends, launch};
use crate::guest::processes::output::{Output, Which};
use crate::guest::processes::pump::Input;
use crate::guest::refusal::Refusal;
use crate::guest::{kernel, proc};

pub(super) use crate::guest::processes::launch::MARK;
pub(super) use crate::guest::processes::output::Reader;

/// How many ended processes are kept for a reader that comes back.
const ENDED_KEPT: usize = 64;

/// Output kept when a start does not say.
const RING_BYTES: usize = 1024 * 1024;

/// Bounds of what a start may say.
const RING_BYTES_RANGE: std::ops::RangeInclusive<usize> = 4 * 1024..=16 * 1024 * 1024;

/// Most that one write may bring.
const WRITE_BYTES: usize = 1024 * 1024;

/// Every process the cloud started and that is still remembered.
#[derive(Debug)]
pub(super) struct Processes {
    root: PathBuf,
    /// Whether nothing lives here but what the guest started.
    alone: bool,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<String, Arc<Process>>,
    running: HashMap<i32, Arc<Process>>,
    /// Ids in the order of their ends.
    ended: VecDeque<String>,
}

/// A process the cloud started.
#[derive(Debug)]
struct Process {
    id: String,
    argv: Vec<String>,
    pid: Pid,
    output: Arc<Output>,
    input: Option<mpsc::Sender<Input>>,
    /// Our end of its terminal while it runs, to change the size.
    terminal: Option<Mutex<Option<OwnedFd>>>,
}

/// How a process that somebody else reads and writes will end.
#[derive(Debug)]
pub(super) struct Ending(Arc<Output>);

impl Ending {
    /// Waits for it.
    pub(super) async fn wait(&self) -> Ended {
        self.0.ended().await
    }
}

impl Processes {
    /// Processes start in `root` unless their start says where. To be called before anything was started.
    pub(super) fn new(root: PathBuf) -> Self {
        let own = std::process::id().cast_signed();
        let alone =
            proc::processes().is_ok_and(|look| look.all.keys().all(|pid| *pid == own || *pid == 1));
        Self { root, alone, table: Mutex::default() }
    }

    /// Starts a process and what moves its bytes; the number it has inside.
    pub(super) fn start(&self, request: StartRequest) -> Result<u32, Refusal> {
        if request.id.is_empty() || request.id.contains('\0') {
            return Err(Refusal::Invalid {
                what: "id",
                why: "it is empty or has a zero byte".into(),
            });
        }
        let mut table = self.lock();
        if table.by_id.contains_key(&request.id) {
            return Err(Refusal::ProcessExists(request.id));
        }
        let launched = launch(&request, &self.root)?;
        let ring_bytes = match request.ring_bytes as usize {
            0 => RING_BYTES,
            bytes => bytes.clamp(*RING_BYTES_RANGE.start(), *RING_BYTES_RANGE.end()),
        };
        let output = Arc::new(Output::new(ring_bytes, request.lossy));
        let (asked, inputs) = mpsc::channel(1);
        let (input, terminal) = match launched.ends {
            Ends::Pipes { stdin, stdout, stderr } => {
                tokio::spawn(pump::outward(Arc::clone(&output), Which::Stdout, stdout));
                tokio::spawn(pump::outward(Arc::clone(&output), Which::Stderr, stderr));
                let input = stdin.map(|stdin| {
                    tokio::spawn(pump::inward(Arc::clone(&output), inputs, stdin, false));
                    asked
                });
                (input, None)
            }
            Ends::Terminal { input, output: screen, size } => {
                output.close(Which::Stderr);
                tokio::spawn(pump::outward(Arc::clone(&output), Which::Stdout, screen));
                tokio::spawn(pump::inward(Arc::clone(&output), inputs, input, true));
                (Some(asked), Some(Mutex::new(Some(size))))
            }
        };
        let StartRequest { id, argv, .. } = request;
        let process =
            Arc::new(Process { id: id.clone(), argv, pid: launched.pid, output, input, terminal });
        table.running.insert(launched.pid.as_raw_nonzero().get(), Arc::clone(&process));
        table.by_id.insert(id, process);
        Ok(launched.pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// Reads its output from an offset of each stream, then its end.
    pub(super) fn attach(&self, id: &str, offsets: [u64; 2]) -> Result<Reader, Refusal> {
        Reader::new(Arc::clone(&self.find(id)?.output), offsets)
    }

    /// Writes to its standard input; done when its pipe has taken all of it.
    pub(super) async fn write(&self, request: WriteRequest) -> Result<(), Refusal> {
        let WriteRequest { id, data, eof } = request;
        if data.len() > WRITE_BYTES {
            let why = format!("{} bytes are more than {WRITE_BYTES}", data.len());
            return Err(Refusal::Invalid { what: "data", why });
        }
        let process = self.find(&id)?;
        let refusal = |id| {
            if process.output.has_ended() {
                Refusal::ProcessEnded(id)
            } else {
                Refusal::InputClosed(id)
            }
        };
        let Some(input) = &process.input else { return Err(refusal(id)) };
        let (taken, answer) = oneshot::channel();
        let sent = input.send(Input { data, end: eof, taken }).await.is_ok();
        match answer.await {
            Ok(Ok(())) if sent => Ok(()),
            _ => Err(refusal(id)),
        }
    }

    /// Changes the size of its terminal.
    pub(super) fn resize(&self, id: &str, rows: u32, columns: u32) -> Result<(), Refusal> {
        let process = self.find(id)?;
        let terminal = process.terminal.as_ref().ok_or_else(|| Refusal::NoTerminal(id.into()))?;
        let terminal = terminal.lock().unwrap_or_else(PoisonError::into_inner);
        let terminal = terminal.as_ref().ok_or_else(|| Refusal::ProcessEnded(id.into()))?;
        rustix::termios::tcsetwinsize(terminal, launch::size(rows, columns).into())
            .map_err(|_| Refusal::ProcessEnded(id.into()))
    }

    /// Sends a signal to its process group. False if it has ended.
    pub(super) fn signal(&self, id: &str, number: i32) -> Result<bool, Refusal> {
        let signal = Signal::from_named_raw(number).ok_or_else(|| Refusal::Invalid {
            what: "signal",
            why: format!("{number} is not the number of a signal"),
        })?;
        // Until it is reaped its number stands for nothing else, and the lock keeps it from being reaped.
        let table = self.lock();
        let process = table.by_id.get(id).ok_or_else(|| Refusal::UnknownProcess(id.into()))?;
        Ok(!process.output.has_ended()
            && rustix::process::kill_process_group(process.pid, signal).is_ok())
    }

    /// How many run.
    pub(super) fn running(&self) -> usize {
        self.lock().running.len()
    }

    /// Those the cloud started, then everything else below the guest.
    pub(super) fn list(&self) -> Result<(Vec<ProcessInfo>, Vec<ProcessInfo>), Refusal> {
        let table = self.lock();
        let info = |process: &Arc<Process>| ProcessInfo {
            id: process.id.clone(),
            pid: process.pid.as_raw_nonzero().get().unsigned_abs(),
            argv: process.argv.clone(),
            running: !process.output.has_ended(),
            parent: 0,
        };
        let mut started: Vec<ProcessInfo> = table.by_id.values().map(info).collect();
        started.sort_by(|one, other| one.id.cmp(&other.id));
        let mut others: Vec<ProcessInfo> =
            ownership::below_guest(&proc::processes().map_err(Refusal::Processes)?.all)
                .filter(|seen| !seen.zombie && !table.running.contains_key(&seen.pid))
                .map(|seen| ProcessInfo {
                    id: String::new(),
                    pid: seen.pid.unsigned_abs(),
                    argv: proc::command_line(seen.pid),
                    running: true,
                    parent: seen.parent.unsigned_abs(),
                })
                .collect();
        others.sort_by_key(|other| other.pid);
        Ok((started, others))
    }

    /// Starts a process whose bytes somebody else moves, under a name of its own; how it ends is told by what comes back.
    ///
    /// May be called on any thread: no end is heard of while `start` runs.
    pub(super) fn start_foreign<T>(
        &self,
        id: String,
        argv: Vec<String>,
        start: impl FnOnce() -> io::Result<(Pid, T)>,
    ) -> io::Result<(Ending, T)> {
        let mut table = self.lock();
        let (pid, with) = start()?;
        let output = Arc::new(Output::new(0, true));
        output.close(Which::Stdout);
        output.close(Which::Stderr);
        let ending = Ending(Arc::clone(&output));
        let process =
            Arc::new(Process { id: id.clone(), argv, pid, output, input: None, terminal: None });
        table.running.insert(pid.as_raw_nonzero().get(), Arc::clone(&process));
        table.by_id.insert(id, process);
        Ok((ending, with))
    }

    /// Takes note of every child that has ended.
    pub(super) fn reap(&self) {
        // Held all the time: a process that is being started on another thread is known before its end is heard.
        let mut table = self.lock();
        while let Some(reaped) = kernel::reap() {
            let Some(process) = table.running.remove(&reaped.pid.as_raw_nonzero().get()) else {
                continue;
            };
            if let Some(terminal) = &process.terminal {
                terminal.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
            process.output.end(Ended {
                exit_code: reaped.exit_code,
                signal: reaped.signal,
                user_micros: reaped.user_micros,
                system_micros: reaped.system_micros,
                max_rss_bytes: reaped.max_rss_bytes,
            });
            table.ended.push_back(process.id.clone());
            table.forget_oldest();
        }
    }

    fn find(&self, id: &str) -> Result<Arc<Process>, Refusal> {
        self.lock().by_id.get(id).cloned().ok_or_else(|| Refusal::UnknownProcess(id.into()))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Keeps only so many that have ended; those that nobody has read to the end go last.
    fn forget_oldest(&mut self) {
        if self.ended.len() <= ENDED_KEPT {
            return;
        }
        let read = |id: &String| self.by_id.get(id).is_none_or(|process| process.output.is_read());
        let index = self.ended.iter().position(read).unwrap_or(0);
        let forgotten = self.ended.remove(index).and_then(|id| self.by_id.remove(&id));
        if let Some(process) = forgotten {
            process.output.abandon();
        }
    }
}
