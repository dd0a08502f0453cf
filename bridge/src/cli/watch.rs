//! A thread's log, and the feed, that go on when the connection breaks: they are opened again after the last number seen.

use aloft_proto::v1;
use aloft_proto::v1::feed_event::Payload;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::output::Output;
use crate::client::{Client, Stream};
use crate::protocol::error::{Code, Error};

/// A thread's log after a cursor, without an end of its own.
#[derive(Debug)]
pub(crate) struct Watch {
    client: Client,
    output: Output,
    thread_id: String,
    cursor: u64,
    fold: bool,
    stream: Option<Stream<v1::Event>>,
    failures: u32,
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
            failures: 0,
        }
    }

    /// Returns the next event, each exactly once; `None` when the thread is gone. Nothing is lost when it is dropped
    /// while waiting.
    pub(crate) async fn next(&mut self) -> Result<Option<v1::Event>, Error> {
        loop {
            let error = match self.step().await {
                Ok(Some(event)) => {
                    self.failures = 0;
                    return Ok(Some(event));
                }
                Ok(None) => None,
                Err(error) if error.code == Code::NotFound && self.cursor > 0 => return Ok(None),
                Err(error) if error.code == Code::Unavailable && error.retryable => Some(error),
                Err(error) => return Err(error),
            };
            self.stream = None;
            if let Some(error) = error.filter(|_| self.failures > 0) {
                self.output.progress(&format!("connection lost ({error}), trying again"));
            }
            self.failures += 1;
            self.client.rest(self.failures).await;
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
                if self.failures > 1 {
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

/// Tells each change of the lists after a number, until the person leaves.
pub(crate) async fn each_change(
    context: &Context,
    mut feed: u64,
    mut tell: impl AsyncFnMut(&Payload) -> Result<(), Failure>,
) -> Outcome {
    let mut failures = 0;
    loop {
        let before = feed;
        match changes(context, &mut feed, &mut tell).await {
            Err(Failure::Error(error)) if error.code == Code::Unavailable && error.retryable => {
                tracing::debug!(%error, "the feed broke, opening it again");
                failures = if feed > before { 1 } else { failures + 1 };
                context.client.rest(failures).await;
            }
            ended => return ended,
        }
    }
}

async fn changes(
    context: &Context,
    feed: &mut u64,
    tell: &mut impl AsyncFnMut(&Payload) -> Result<(), Failure>,
) -> Outcome {
    let mut stream = context.client.watch_feed(v1::WatchFeedRequest { after: *feed }).await?;
    let mut leaving = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let event = tokio::select! {
            event = stream.message() => event.map_err(|status| context.client.error(status))?,
            _ = &mut leaving => return Ok(Exit::Done),
        };
        let Some(event) = event else {
            return Err(context.client.error(tonic::Status::unavailable("the feed ended")).into());
        };
        if let Some(payload) = &event.payload {
            tell(payload).await?;
        }
        *feed = event.feed;
    }
}
