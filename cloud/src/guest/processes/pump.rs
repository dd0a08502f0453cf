//! Moves bytes between the pipes or the terminal of a process and what is kept of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::guest::processes::output::{Output, Which};

/// How much is taken from a pipe at once; two such buffers per process.
const READ_BYTES: usize = 32 * 1024;

/// After a process ended, its output is over when what it left behind is silent for so long.
const SILENCE: Duration = Duration::from_millis(200);

/// After a process ended, what it left behind and is never silent is waited for so long in all...
const AFTERWARDS: Duration = Duration::from_secs(1);

/// ...or for so many bytes, which is what a pipe can hold: by then the process's own are read.
const AFTERWARDS_BYTES: usize = 1024 * 1024;

/// What end of input is to a terminal: Control-D.
const END_OF_TRANSMISSION: &[u8] = b"\x04";

/// Something for standard input, answered when the process's pipe has taken it.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) data: Bytes,
    pub(super) end: bool,
    pub(super) taken: oneshot::Sender<Result<(), ()>>,
}

/// Reads a stream of a process to its end, never faster than it may.
///
/// A daemon that the process left behind may hold the pipe open for ever. Then the stream is over soon after the
/// process, and what the daemon says is read into nothing, so that its writes do not fail.
pub(super) async fn outward(output: Arc<Output>, which: Which, mut source: impl AsyncRead + Unpin) {
    let mut buffer = vec![0; READ_BYTES].into_boxed_slice();
    let mut afterwards = (Duration::ZERO, 0);
    let open = loop {
        let room = output.room(which).await.min(buffer.len());
        let begin = Instant::now();
        let read = tokio::select! {
            biased;
            read = source.read(&mut buffer[..room]) => read,
            () = silence_after_end(&output) => break true,
        };
        let Ok(count @ 1..) = read else { break false };
        output.push(which, &buffer[..count]);
        if output.has_ended() {
            afterwards = (afterwards.0 + begin.elapsed(), afterwards.1 + count);
            if afterwards.0 > AFTERWARDS || afterwards.1 > AFTERWARDS_BYTES {
                break true;
            }
        }
    };
    output.close(which);
    if open {
        drop(output);
        while let Ok(1..) = source.read(&mut buffer).await {}
    }
}

/// Writes to the standard input of a process what is asked, in order, until it has ended or its input is closed.
pub(super) async fn inward(
    output: Arc<Output>,
    mut asked: mpsc::Receiver<Input>,
    mut sink: impl AsyncWrite + Unpin,
    terminal: bool,
) {
    loop {
        let input = tokio::select! {
            input = asked.recv() => input,
            _ = output.ended() => None,
        };
        let Some(input) = input else { return };
        let written = tokio::select! {
            written = sink.write_all(&input.data) => written.map_err(|_| ()),
            _ = output.ended() => Err(()),
        };
        let over = written.is_err() || input.end;
        if terminal && input.end {
            let _closed_meanwhile = sink.write_all(END_OF_TRANSMISSION).await;
        }
        if over && !terminal {
            drop(sink);
            let _caller_gone = input.taken.send(written);
            return;
        }
        let _caller_gone = input.taken.send(written);
    }
}

async fn silence_after_end(output: &Output) {
    output.ended().await;
    tokio::time::sleep(SILENCE).await;
}
