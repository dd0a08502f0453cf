//! The JSON-RPC front for editors: a language server on standard input and output.
//!
//! The only place that names the language server library. Its handlers return as soon as the cloud has accepted what was
//! asked; what becomes of it is a notification. Where things stand with the cloud, and the cursors, are the mirror's.

mod cloud;
mod forge;
mod frames;
mod front;
mod lane;
mod local;
mod notices;
mod outbox;
mod progress;
mod ssh;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod threads;
mod turns;
mod usage;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tower_lsp::Server;

use crate::config::Config;
use crate::lsp::lane::Lane;
use crate::stdio;

/// Requests worked on at once. Far more than an editor sends: at the library's own bound of four, four slow ones stop
/// everything behind them.
const AT_ONCE: usize = 1024;
/// Bytes gathered before they are written: a burst of events becomes few writes.
const WRITE_BUFFER: usize = 1 << 16;

/// Serves one editor on standard input and output until it says `exit` or goes away.
pub fn run(config: Config) -> ExitCode {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match built {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "failed to start the runtime");
            return ExitCode::FAILURE;
        }
    };
    // On a thread of the runtime, where the connection to the cloud is too: a request changes threads less often.
    let serving = runtime.spawn(async { serve(config, stdio::input(), stdio::output()).await });
    let clean = runtime.block_on(serving).unwrap_or_default();
    // A thread of the runtime may wait for input that never comes.
    runtime.shutdown_background();
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Serves one editor on these streams. False when it said `exit` without `shutdown`, which the protocol calls an error.
async fn serve<I, O>(config: Config, input: I, output: O) -> bool
where
    I: AsyncRead + Send + Unpin + 'static,
    O: AsyncWrite + Send + 'static,
{
    let (updates, queue) = lane::queue();
    let abrupt = Arc::new(AtomicBool::new(false));
    let (service, socket) = front::build(config, updates);
    let service = front::Leniently::new(service, Arc::clone(&abrupt));
    let output = BufWriter::with_capacity(WRITE_BUFFER, output);
    Server::new(frames::lenient(input), output, Lane::new(socket, queue))
        .concurrency_level(AT_ONCE)
        .serve(service)
        .await;
    !abrupt.load(Ordering::Relaxed)
}
