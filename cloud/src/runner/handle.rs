//! How everything else speaks to a thread: a cheap clone that hides the thread's task.

use aloft_proto::v1::{Item, Problem, Thread, Turn};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    model::machine::{Input, ModelCall, Used},
    runner::{Attached, Error, problem, request::RequestKey},
};

/// A live thread.
#[derive(Clone, Debug)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    /// The turn waits at its budget.
    at_limit: watch::Receiver<bool>,
}

/// What is asked of a thread's task, with the place its answer goes to.
#[derive(Debug)]
pub(super) enum Ask {
    /// To take an input.
    Apply {
        input: Box<Input>,
        request: Option<RequestKey>,
        reply: oneshot::Sender<Result<Applied, Error>>,
    },
    /// First of all, to go on where another task or cloud left the thread.
    TakeUp { found: Input, reply: oneshot::Sender<Result<(), Error>> },
    /// To bring the sandbox up and keep it.
    Attach { reply: oneshot::Sender<Result<Attached, Error>> },
    /// Whether a model may be called.
    ModelCall { reply: oneshot::Sender<Result<ModelCall, Error>> },
}

impl Ask {
    /// Answers that it cannot be.
    pub(super) fn refuse(self, error: Error) {
        match self {
            Self::Apply { reply, .. } => drop(reply.send(Err(error))),
            Self::TakeUp { reply, .. } => drop(reply.send(Err(error))),
            Self::Attach { reply } => drop(reply.send(Err(error))),
            Self::ModelCall { reply } => drop(reply.send(Err(error))),
        }
    }
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
    /// The messages that wait for the end of the turn, after their order was changed.
    pub queue: Vec<Item>,
}

impl Handle {
    pub(super) fn new(asks: mpsc::Sender<Ask>, at_limit: watch::Receiver<bool>) -> Self {
        Self { asks, at_limit }
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
        let ask = Ask::Apply { input: Box::new(input), request, reply };
        self.asks.send(ask).await.map_err(|_| Error::Ended)?;
        answer.await.map_err(|_| Error::Ended)?
    }

    /// Brings the sandbox up where it is not, and keeps it for as long as the answer is held: an open connection is activity.
    /// A thread that comes to rest just now is [`Error::Ended`]; [`Runner::attach`] begins it again.
    ///
    /// [`Runner::attach`]: crate::runner::Runner::attach
    pub async fn attach(&self) -> Result<Attached, Error> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Attach { reply }).await.map_err(|_| Error::Ended)?;
        answer.await.map_err(|_| Error::Ended)?
    }

    /// Whether the thread may call a model now. Waits for as long as its turn waits at its budget.
    pub async fn may_call_model(&self) -> Result<(), Problem> {
        let mut at_limit = self.at_limit.clone();
        loop {
            match self.ask_model_call().await.map_err(|error| error.explain().1)? {
                ModelCall::Go => return Ok(()),
                ModelCall::Refused(words) => {
                    let message = format!("the budget is used up: {words}");
                    let hint = "raise it with `aloft budget`";
                    return Err(problem("BUDGET_SPENT", message, hint, false));
                }
                ModelCall::Wait => {
                    at_limit
                        .wait_for(|waits| !waits)
                        .await
                        .map_err(|_| Error::Ended.explain().1)?;
                }
            }
        }
    }

    async fn ask_model_call(&self) -> Result<ModelCall, Error> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::ModelCall { reply }).await.map_err(|_| Error::Ended)?;
        answer.await.map_err(|_| Error::Ended)?
    }

    /// Adds to what the thread has used.
    pub async fn record_usage(&self, used: Used) {
        // A thread that ended meanwhile has nobody to tell.
        drop(self.ask(Input::Used(used), None).await);
    }
}
