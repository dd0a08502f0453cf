//! A thread's log that goes on when the connection breaks: it is opened again after the last cursor seen.

use std::time::Duration;

use aloft_proto::v1;
use tonic::Streaming;

use crate::cli::output::Output;
use crate::client::Client;
use crate::protocol::error::{Code, Error};

/// Pauses between attempts to come back grow up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A thread's log after a cursor, without an end of its own.
#[derive(Debug)]
pub(crate) struct Watch {
    client: Client,
    output: Output,
    thread_id: String,
    cursor: u64,
    fold: bool,
    stream: Option<Streaming<v1::Event>>,
    pause: Duration,
}

impl Watch {
    /// Watches a thread after a cursor. `fold` leaves out appends that a later event holds.
    pub(crate) fn new(
        client: &Client,
        output: Output,
        thread_id: &str,
        after: u64,
        fold: bool,
    ) -> Self {
        Self {
            client: client.clone(),
            output,
            thread_id: thread_id.to_owned(),
            cursor: after,
            fold,
            stream: None,
            pause: FIRST_PAUSE,
        }
    }

    /// Returns the next event, each exactly once; `None` when the thread is gone. Nothing is lost when it is dropped
    /// while waiting.
    pub(crate) async fn next(&mut self) -> Result<Option<v1::Event>, Error> {
        loop {
            let error = match self.step().await {
                Ok(Some(event)) => {
                    self.pause = FIRST_PAUSE;
                    return Ok(Some(event));
                }
                Ok(None) => None,
                Err(error) if error.code == Code::NotFound && self.cursor > 0 => return Ok(None),
                Err(error) if error.code == Code::Unavailable && error.retryable => Some(error),
                Err(error) => return Err(error),
            };
            self.stream = None;
            if let Some(error) = error.filter(|_| self.pause > FIRST_PAUSE) {
                self.output.progress(&format!("connection lost ({error}), trying again"));
            }
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Returns the next new event of the open stream, opening it where there is none; `None` at its end.
    async fn step(&mut self) -> Result<Option<v1::Event>, Error> {
        loop {
            let stream = if let Some(stream) = &mut self.stream {
                stream
            } else {
                let request = v1::WatchThreadRequest {
                    thread_id: self.thread_id.clone(),
                    after: self.cursor,
                    fold: self.fold,
                };
                let opened = self.client.watch_thread(request).await?;
                if self.pause > FIRST_PAUSE * 2 {
                    self.output.progress_ended();
                }
                self.stream.insert(opened)
            };
            match stream.message().await.map_err(|status| self.client.error(status))? {
                Some(event) if event.cursor <= self.cursor => {}
                Some(event) => {
                    self.cursor = event.cursor;
                    return Ok(Some(event));
                }
                None => return Ok(None),
            }
        }
    }
}
