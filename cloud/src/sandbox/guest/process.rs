//! A process inside a sandbox: its input, its output without gaps, its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aloft_proto::guest as proto;
use aloft_proto::guest::process_event::Event as Report;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, DuplexStream};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::StreamReader;
use tokio_util::task::AbortOnDropHandle;

use crate::sandbox::guest::{CALL, CHUNK, Command, Error, Guest, Result};

/// Events that wait for their reader.
const WAITING_EVENTS: usize = 64;

/// Bytes kept of a standard error that nobody reads.
const TAIL: usize = 64 * 1024;

/// How long a broken connection is tried anew before the process counts as lost.
const REATTACH: Duration = Duration::from_secs(10);

/// Something of a process, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Standard output, or the terminal.
    Stdout(Bytes),
    /// Standard error.
    Stderr(Bytes),
    /// So many bytes of output are lost: nobody read them in time.
    Lost(u64),
    /// Its end, after all output.
    Ended(proto::Ended),
}

/// A process inside. It goes on when this is dropped.
#[derive(Debug)]
pub struct Process {
    /// As made by the cloud.
    pub id: String,
    /// Inside the sandbox.
    pub pid: u32,
    /// Its standard input; dropping it is its end.
    pub stdin: Stdin,
    /// Its output and its end. An error is the last thing.
    pub events: mpsc::Receiver<Result<Event>>,
    pump: AbortOnDropHandle<()>,
}

/// Writes to the standard input of a process; an error means that the process no longer reads.
pub type Stdin = DuplexStream;

/// A process as byte streams.
#[derive(Debug)]
pub struct Streams {
    /// As made by the cloud.
    pub id: String,
    /// Its standard input; dropping it is its end.
    pub stdin: Stdin,
    /// Its standard output. Lost bytes and a lost guest are errors.
    pub stdout: StreamReader<ReceiverStream<std::io::Result<Bytes>>, Bytes>,
    /// The end of its standard error.
    pub stderr: Tail,
    /// Keeps the streams flowing.
    pub flow: Flow,
}

/// What carries a process's streams: when it is dropped, they end here.
#[derive(Debug)]
pub struct Flow {
    end: watch::Receiver<End>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

/// What is known of a process's end.
#[derive(Clone, Copy, Debug)]
enum End {
    Open,
    Seen(proto::Ended),
    Lost,
}

/// The last bytes of a standard error.
#[derive(Clone, Debug, Default)]
pub struct Tail(Arc<Mutex<Vec<u8>>>);

impl Guest {
    /// Starts a process with its input open. Its id must be new in this sandbox.
    pub async fn spawn(&self, id: &str, command: &Command) -> Result<Process> {
        self.start(id, command, true).await
    }

    /// Reads a process that was started earlier, from the given offsets of standard output and error.
    pub fn attach(&self, id: &str, stdout: u64, stderr: u64) -> Process {
        self.follow(id, 0, [stdout, stderr], false)
    }

    pub(super) async fn start(&self, id: &str, command: &Command, stdin: bool) -> Result<Process> {
        let request = proto::StartRequest {
            id: id.to_owned(),
            argv: command.argv.clone(),
            cwd: command.cwd.clone(),
            env: command.env.0.clone(),
            env_remove: command.env_remove.clone(),
            pty: command.pty.clone(),
            ring_bytes: command.ring_bytes,
            lossy: command.lossy,
            stdin,
        };
        let started = self.call("start a process", CALL, self.processes().start(request)).await?;
        Ok(self.follow(id, started.pid, [0, 0], stdin))
    }

    fn follow(&self, id: &str, pid: u32, offsets: [u64; 2], stdin: bool) -> Process {
        let (writer, reader) = tokio::io::duplex(CHUNK);
        let (sender, events) = mpsc::channel(WAITING_EVENTS);
        let pump = Pump { guest: self.clone(), id: id.to_owned(), offsets, sender };
        let input = feed(self.clone(), id.to_owned(), reader);
        let pump = AbortOnDropHandle::new(tokio::spawn(async move {
            // Input ends with the process: whoever writes on is told so by a broken pipe.
            let feeding = stdin.then(|| AbortOnDropHandle::new(tokio::spawn(input)));
            pump.run().await;
            drop(feeding);
        }));
        Process { id: id.to_owned(), pid, stdin: writer, events, pump }
    }

    /// Sends a signal to a process's group; `false` when it was gone.
    pub async fn signal(&self, id: &str, signal: i32) -> Result<bool> {
        let request = proto::SignalRequest { id: id.to_owned(), signal };
        Ok(self.call("signal a process", CALL, self.processes().signal(request)).await?.sent)
    }

    /// Ends a process with everything it started; returns when all are gone, and how many there were.
    pub async fn kill(&self, id: &str, grace: Duration) -> Result<u32> {
        let grace_millis = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
        let request = proto::KillRequest { id: id.to_owned(), grace_millis };
        Ok(self.call("kill a process", grace + CALL, self.processes().kill(request)).await?.killed)
    }

    /// Stops a process with everything it started where they are, or lets them go on.
    pub async fn hold(&self, id: &str, held: bool) -> Result<()> {
        let request = proto::HoldRequest { id: id.to_owned(), held };
        self.call("hold a process", CALL, self.processes().hold(request)).await?;
        Ok(())
    }

    /// Ends every process but the guest.
    pub async fn kill_all(&self, grace: Duration) -> Result<u32> {
        self.kill("", grace).await
    }

    /// Gives a process's terminal a new size.
    pub async fn resize(&self, id: &str, rows: u32, columns: u32) -> Result<()> {
        let request = proto::ResizeRequest { id: id.to_owned(), rows, columns };
        self.call("resize a terminal", CALL, self.processes().resize(request)).await?;
        Ok(())
    }

    /// Everything that runs: first what the cloud started, then all else.
    pub async fn list_processes(&self) -> Result<proto::ListResponse> {
        self.call("list processes", CALL, self.processes().list(proto::ListRequest {})).await
    }
}

impl Process {
    /// Splits it into byte streams. The end of standard error is kept aside, so that nobody has to read it.
    pub fn into_streams(self) -> Streams {
        let Self { id, pid: _, stdin, mut events, pump } = self;
        let (stdout, reader) = mpsc::channel(WAITING_EVENTS);
        let (sender, receiver) = watch::channel(End::Open);
        let stderr = Tail::default();
        let tail = stderr.clone();
        let split = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut end = End::Lost;
            while let Some(event) = events.recv().await {
                let item = match event {
                    Ok(Event::Stdout(bytes)) => Ok(bytes),
                    Ok(Event::Stderr(bytes)) => {
                        tail.push(&bytes);
                        continue;
                    }
                    Ok(Event::Lost(bytes)) => {
                        Err(std::io::Error::other(format!("{bytes} bytes of output are lost")))
                    }
                    Ok(Event::Ended(ended)) => {
                        end = End::Seen(ended);
                        continue;
                    }
                    Err(error) => Err(std::io::Error::other(error)),
                };
                // Nobody may want the rest; the end is still to be seen.
                stdout.send(item).await.ok();
            }
            drop(stdout);
            sender.send_replace(end);
        }));
        let stdout = StreamReader::new(ReceiverStream::new(reader));
        let flow = Flow { end: receiver, _tasks: [pump, split] };
        Streams { id, stdin, stdout, stderr, flow }
    }
}

impl Flow {
    /// Waits for the process's end, after all its output was read or let go; `None` when the guest was lost before.
    pub fn ended(&self) -> impl Future<Output = Option<proto::Ended>> + Send + 'static {
        let mut end = self.end.clone();
        async move {
            match end.wait_for(|end| !matches!(end, End::Open)).await.as_deref() {
                Ok(End::Seen(ended)) => Some(*ended),
                _ => None,
            }
        }
    }
}

impl Tail {
    /// As text, broken characters replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        let surplus = kept.len().saturating_sub(TAIL);
        kept.drain(..surplus);
    }
}

/// Reads the events of one process, over as many connections as it takes.
struct Pump {
    guest: Guest,
    id: String,
    offsets: [u64; 2],
    sender: mpsc::Sender<Result<Event>>,
}

impl Pump {
    async fn run(mut self) {
        let mut broken: Option<tokio::time::Instant> = None;
        let error = loop {
            let before = self.offsets;
            match self.read().await {
                Ok(()) => return,
                Err(error)
                    if error.is_gone()
                        || matches!(error, Error::Timeout { .. } | Error::Frozen { .. }) =>
                {
                    if self.offsets != before {
                        broken = None;
                    }
                    let frozen = matches!(error, Error::Frozen { .. });
                    let since = *broken.get_or_insert_with(tokio::time::Instant::now);
                    if !frozen && since.elapsed() > REATTACH {
                        break error;
                    }
                }
                Err(error) => break error,
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
                () = self.sender.closed() => return,
            }
        };
        self.sender.send(Err(error)).await.ok();
    }

    /// Reads until the end of the process or of the connection; `Ok` also when nobody wants more.
    async fn read(&mut self) -> Result<()> {
        let [stdout_offset, stderr_offset] = self.offsets;
        let request = proto::AttachRequest { id: self.id.clone(), stdout_offset, stderr_offset };
        let call = "read a process's output";
        let mut client = self.guest.processes();
        let mut stream = self.guest.call(call, CALL, client.attach(request)).await?;
        loop {
            let event = tokio::select! {
                event = stream.next() => event,
                () = self.sender.closed() => return Ok(()),
            };
            let event = match event {
                Some(event) => event.map_err(|status| Error::from_status(call, status))?,
                // The last message is the process's end, so this is the connection's.
                None => return Err(Error::broken_off(call)),
            };
            let (number, output) = match event.event {
                Some(Report::Stdout(output)) => (0, output),
                Some(Report::Stderr(output)) => (1, output),
                Some(Report::Ended(ended)) => {
                    self.sender.send(Ok(Event::Ended(ended))).await.ok();
                    return Ok(());
                }
                None => continue,
            };
            if !self.take(number, output).await {
                return Ok(());
            }
        }
    }

    /// Passes output on, without what was seen and with word of what is missing; `false` when nobody wants more.
    async fn take(&mut self, number: usize, output: proto::Output) -> bool {
        let expected = self.offsets[number];
        if output.offset > expected
            && self.sender.send(Ok(Event::Lost(output.offset - expected))).await.is_err()
        {
            return false;
        }
        let seen = usize::try_from(expected.saturating_sub(output.offset)).unwrap_or(usize::MAX);
        let fresh = output.data.slice(seen.min(output.data.len())..);
        self.offsets[number] = expected.max(output.offset + output.data.len() as u64);
        if fresh.is_empty() {
            return true;
        }
        let event = if number == 0 { Event::Stdout(fresh) } else { Event::Stderr(fresh) };
        self.sender.send(Ok(event)).await.is_ok()
    }
}

/// Brings what is written to the process. Its pipe may be full for as long as it likes: this ends with the process.
async fn feed(guest: Guest, id: String, mut reader: DuplexStream) {
    let mut buffer = bytes::BytesMut::with_capacity(CHUNK);
    loop {
        let eof = !matches!(reader.read_buf(&mut buffer).await, Ok(length) if length > 0);
        let request = proto::WriteRequest { id: id.clone(), data: buffer.split().freeze(), eof };
        if let Err(status) = guest.processes().write(request).await {
            // Dropping the reader tells the writer.
            tracing::debug!(sandbox = %guest.id, process = id, %status, "the process takes no input");
            return;
        }
        if eof {
            return;
        }
        buffer.reserve(CHUNK);
    }
}
