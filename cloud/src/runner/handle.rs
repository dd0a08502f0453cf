//! How everything else speaks to a thread: a cheap clone that hides the thread's task.

use aloft_proto::v1::{Item, Problem, Thread, Turn};
use tokio::sync::{mpsc, oneshot};

use crate::{
    model::machine::Input,
    runner::{Error, request::RequestKey},
};

/// A live thread.
#[derive(Clone, Debug)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
}

/// An input with the place its answer goes to.
#[derive(Debug)]
pub(super) struct Ask {
    pub input: Input,
    pub request: Option<RequestKey>,
    pub reply: oneshot::Sender<Result<Applied, Error>>,
}

/// What an input did, once it is on disk.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The thread as it is now.
    pub thread: Thread,
    /// The newest event of its log.
    pub cursor: u64,
    /// The turn a message began or met.
    pub turn: Option<Turn>,
    /// The message that was taken.
    pub item: Option<Item>,
    /// Messages that wait for the end of the turn.
    pub queue: Vec<Item>,
}

impl Handle {
    pub(super) fn new(asks: mpsc::Sender<Ask>) -> Self {
        Self { asks }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.asks.is_closed()
    }

    /// Gives the thread an input and waits until what it changed is on disk.
    pub(super) async fn ask(
        &self,
        input: Input,
        request: Option<RequestKey>,
    ) -> Result<Applied, Error> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask { input, request, reply }).await.map_err(|_| Error::Ended)?;
        answer.await.map_err(|_| Error::Ended)?
    }

    /// Whether the thread may call a model now.
    #[expect(clippy::unused_async, reason = "budgets will ask the thread's task")]
    pub async fn may_call_model(&self) -> Result<(), Problem> {
        Ok(())
    }

    /// Adds to what the thread has used.
    pub async fn record_usage(&self, input_tokens: u64, output_tokens: u64) {
        // A thread that ended meanwhile has nobody to tell.
        drop(self.ask(Input::Used { input_tokens, output_tokens }, None).await);
    }
}
