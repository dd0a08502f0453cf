//! The one way out of the agent's process: a bounded queue and the task that writes it, one JSON object a line.
//!
//! A reader that is slow holds up whoever wants to send; nothing piles up.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _, BufWriter},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// Lines that may wait for the writer: with 32 KiB of output in each, flat memory.
const QUEUE: usize = 32;
/// How long the last lines may take to be read once the input has ended.
const DRAIN: Duration = Duration::from_secs(2);

/// Sends messages to the client; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    lines: mpsc::Sender<Vec<u8>>,
    asked: Arc<Asked>,
}

/// Our requests that wait for an answer.
#[derive(Debug, Default)]
struct Asked {
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
}

/// The writing task.
#[derive(Debug)]
pub(super) struct Writer(JoinHandle<io::Result<()>>);

/// Starts the writer.
pub(super) fn start(output: impl AsyncWrite + Send + Unpin + 'static) -> (Outbox, Writer) {
    let (lines, queue) = mpsc::channel(QUEUE);
    let writer = tokio::spawn(write(output, queue));
    (Outbox { lines, asked: Arc::default() }, Writer(writer))
}

impl Outbox {
    /// Sends one message; waits while the reader is slow. A client that is gone takes nothing, which is no error here:
    /// the end of its input ends us.
    pub(super) async fn send(&self, message: &Value) {
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        let _gone = self.lines.send(line).await;
    }

    pub(super) async fn notify(&self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    pub(super) async fn respond(&self, id: &Value, result: Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "result": result})).await;
    }

    pub(super) async fn refuse(&self, id: &Value, code: i64, message: &str, data: Value) {
        let error = json!({"code": code, "message": message, "data": data});
        self.send(&json!({"jsonrpc": "2.0", "id": id, "error": error})).await;
    }

    /// Sends a request; the receiver gets its `result`, or nothing when it failed.
    pub(super) async fn ask(&self, method: &str, params: Value) -> (u64, oneshot::Receiver<Value>) {
        let id = self.asked.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.waiting().insert(id, answer);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        (id, answered)
    }

    /// The client's answer to one of our requests; `None` = an error.
    pub(super) fn answered(&self, id: u64, result: Option<Value>) {
        let waiting = self.waiting().remove(&id);
        if let (Some(waiting), Some(result)) = (waiting, result) {
            let _nobody_waits = waiting.send(result);
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Value>>> {
        self.asked.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Waits for the last lines, not for ever.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        if let Ok(ended) = tokio::time::timeout(DRAIN, &mut self.0).await {
            ended.unwrap_or_else(|error| Err(io::Error::other(error)))
        } else {
            self.0.abort();
            Ok(())
        }
    }
}

async fn write(
    output: impl AsyncWrite + Send + Unpin,
    mut queue: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let mut output = BufWriter::new(output);
    while let Some(line) = queue.recv().await {
        output.write_all(&line).await?;
        if queue.is_empty() {
            output.flush().await?;
        }
    }
    output.flush().await
}
