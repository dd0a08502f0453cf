//! NDJSON JSON-RPC with an agent's process: bytes in, bytes out, one message at a time.
//!
//! Nothing here trusts the agent: a line may be long (up to [`MAX_LINE`]), broken UTF-8 or no JSON at all, and an id may be
//! of any type. Reading and writing go on together, and every wait may be dropped without losing a byte.

use std::io;

use bytes::{Buf as _, BytesMut};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Longest line, in bytes: agents put whole files into one.
pub(super) const MAX_LINE: usize = 64 * 1024 * 1024;
/// Bytes that may wait for an agent that does not read; beyond them nothing more is read from it either.
const MAX_WAITING: usize = 4 * 1024 * 1024;
/// Bytes read at once.
const READ: usize = 64 * 1024;

/// Why nothing more can be heard of the agent.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the agent's output ended")]
    Ended,
    #[error("the agent sent a line longer than {} MiB", MAX_LINE / 1024 / 1024)]
    LongLine,
    #[error("read from the agent: {0}")]
    Read(#[source] io::Error),
    #[error("write to the agent: {0}")]
    Write(#[source] io::Error),
}

/// One message of the agent.
#[derive(Debug)]
pub(super) enum Incoming {
    /// It wants an answer with this id.
    Request { id: Value, method: String, params: Value, raw: String },
    /// It tells something.
    Notification { method: String, params: Value, raw: String },
    /// It answers our request of this id.
    Response { id: u64, result: Result<Value, Value> },
}

/// The two pipes.
#[derive(Debug)]
pub(super) struct Link<R, W> {
    from_agent: R,
    to_agent: W,
    read: BytesMut,
    /// Bytes of `read` known to hold no line end.
    searched: usize,
    unsent: BytesMut,
    unflushed: bool,
    next_id: u64,
    not_json: u64,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Link<R, W> {
    pub(super) fn new(from_agent: R, to_agent: W) -> Self {
        Self {
            from_agent,
            to_agent,
            read: BytesMut::new(),
            searched: 0,
            unsent: BytesMut::new(),
            unflushed: false,
            next_id: 0,
            not_json: 0,
        }
    }

    /// Lines that were no JSON so far.
    pub(super) fn not_json(&self) -> u64 {
        self.not_json
    }

    /// Queues a request and gives its id.
    pub(super) fn request(&mut self, method: &str, params: &Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.queue(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// Queues a notification.
    pub(super) fn notify(&mut self, method: &str, params: &Value) {
        self.queue(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Queues the answer to a request of the agent.
    pub(super) fn respond(&mut self, id: &Value, result: &Value) {
        self.queue(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
    }

    /// Queues a refusal of a request of the agent.
    pub(super) fn refuse(&mut self, id: &Value, code: i64, message: &str) {
        let error = json!({"code": code, "message": message});
        self.queue(&json!({"jsonrpc": "2.0", "id": id, "error": error}));
    }

    /// Writes what is queued and, with `listen`, waits for the next message. Without it this never ends, except in error.
    pub(super) async fn next(&mut self, listen: bool) -> Result<Incoming, Broken> {
        loop {
            let listen = listen && self.unsent.len() < MAX_WAITING;
            if listen && let Some(message) = self.take_message()? {
                return Ok(message);
            }
            let (write, flush) = (!self.unsent.is_empty(), self.unflushed);
            self.read.reserve(READ);
            tokio::select! {
                pushed = push(&mut self.to_agent, &self.unsent), if write || flush => {
                    let written = pushed.map_err(Broken::Write)?;
                    self.unsent.advance(written);
                    self.unflushed = written > 0;
                }
                count = self.from_agent.read_buf(&mut self.read), if listen => {
                    if count.map_err(Broken::Read)? == 0 {
                        return Err(Broken::Ended);
                    }
                }
                else => std::future::pending().await,
            }
        }
    }

    fn queue(&mut self, message: &Value) {
        self.unsent.extend_from_slice(message.to_string().as_bytes());
        self.unsent.extend_from_slice(b"\n");
    }

    /// The next whole message of what was read.
    fn take_message(&mut self) -> Result<Option<Incoming>, Broken> {
        loop {
            let found = self.read[self.searched..].iter().position(|byte| *byte == b'\n');
            let Some(found) = found else {
                self.searched = self.read.len();
                return if self.searched > MAX_LINE { Err(Broken::LongLine) } else { Ok(None) };
            };
            let end = self.searched + found;
            self.searched = 0;
            if end > MAX_LINE {
                return Err(Broken::LongLine);
            }
            let line = self.read.split_to(end + 1);
            let line = String::from_utf8_lossy(line.trim_ascii());
            if line.is_empty() {
                continue;
            }
            match parse(&line) {
                Some(message) => return Ok(Some(message)),
                None => self.not_json = self.not_json.saturating_add(1),
            }
        }
    }
}

/// Writes some of `unsent`, or flushes when there is nothing to write; gives what was written.
async fn push(to_agent: &mut (impl AsyncWrite + Unpin), unsent: &[u8]) -> io::Result<usize> {
    if unsent.is_empty() {
        return to_agent.flush().await.map(|()| 0);
    }
    match to_agent.write(unsent).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}

/// A line as a message; `None` = it is none.
fn parse(line: &str) -> Option<Incoming> {
    let Ok(Value::Object(mut message)) = serde_json::from_str(line) else { return None };
    let id = message.remove("id").filter(|id| !id.is_null());
    match (message.remove("method"), id) {
        (Some(Value::String(method)), id) => {
            let params = message.remove("params").unwrap_or_default();
            let raw = line.to_owned();
            Some(match id {
                Some(id) => Incoming::Request { id, method, params, raw },
                None => Incoming::Notification { method, params, raw },
            })
        }
        (None, Some(id)) => {
            let result = match message.remove("error").filter(|error| !error.is_null()) {
                Some(error) => Err(error),
                None => Ok(message.remove("result").unwrap_or_default()),
            };
            Some(Incoming::Response { id: id.as_u64()?, result })
        }
        _ => None,
    }
}
