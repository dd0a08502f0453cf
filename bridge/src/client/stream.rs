//! A stream of the cloud that ends when its connection is given up.

use std::sync::Arc;

use tokio::sync::watch;
use tonic::{Status, Streaming};

/// What a watching call gives, message by message.
#[derive(Debug)]
pub struct Stream<Message> {
    messages: Streaming<Message>,
    renewals: watch::Receiver<u64>,
    _user: Arc<()>,
}

impl<Message> Stream<Message> {
    pub(super) fn new(
        messages: Streaming<Message>,
        renewals: watch::Receiver<u64>,
        user: Arc<()>,
    ) -> Self {
        Self { messages, renewals, _user: user }
    }

    /// Returns the next message; `None` at the end. Nothing is lost when it is dropped while waiting.
    pub async fn message(&mut self) -> Result<Option<Message>, Status> {
        tokio::select! {
            biased;
            message = self.messages.message() => message,
            _ = self.renewals.changed() => Err(Status::unavailable("the connection was given up")),
        }
    }
}
