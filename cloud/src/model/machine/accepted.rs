//! What an input did, or why it was not accepted.

use aloft_proto::v1::{Item, LedgerEntry, Notice, Turn, UsageRow, event::Payload};

use crate::model::{machine::Effect, naming::GIVEN_TITLE};

/// What an accepted input did.
#[derive(Debug, Default)]
pub struct Accepted {
    /// Changes for the log, in order.
    pub events: Vec<Record>,
    /// What the world is to do, in order, once the log has the events.
    pub effects: Vec<Effect>,
    /// Words to the thread's owner; without time, and without id but for those that are told once.
    pub notices: Vec<Notice>,
    /// What was used, to be added to what was.
    pub usage: Vec<UsageRow>,
    /// Entries of the ledger, in place of those with the same subject.
    pub ledger: Vec<LedgerEntry>,
    /// The turn a message began or met.
    pub turn: Option<Turn>,
    /// The message that was taken.
    pub item: Option<Item>,
    /// The queue, where its order was what the input was about.
    pub queue: Vec<Item>,
}

impl Accepted {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.notices.is_empty()
            && self.usage.is_empty()
            && self.ledger.is_empty()
    }
}

/// One change for the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its turn; empty outside one.
    pub turn_id: String,
    /// What changed.
    pub payload: Payload,
}

/// Whether the thread may call a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelCall {
    /// It may.
    Go,
    /// Its turn waits at a limit: it may when the turn goes on.
    Wait,
    /// It may not: no turn works, and this limit is reached.
    Refused(String),
}

/// Why an input was not accepted. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A turn runs.
    #[error("turn {0} is running")]
    TurnActive(String),
    /// Another turn than expected runs.
    #[error("turn {expected} is over")]
    TurnChanged {
        /// The turn that was meant.
        expected: String,
    },
    /// No turn runs.
    #[error("no turn is running")]
    NoTurn,
    /// The question has an answer.
    #[error("the question was answered already with {0}")]
    AlreadyAnswered(String),
    /// No such question is open.
    #[error("no such question is open")]
    NoQuestion,
    /// Several questions are open and none was named.
    #[error("{0} questions are open")]
    WhichQuestion(usize),
    /// The question has no such option.
    #[error("the question has no option {option}; it offers {offered}")]
    NoOption {
        /// What was chosen.
        option: String,
        /// What there is.
        offered: String,
    },
    /// The message has no content.
    #[error("the message is empty")]
    Empty,
    /// No such message is queued.
    #[error("no message {0} is queued")]
    NotQueued(String),
    /// The last turn was neither failed nor interrupted.
    #[error("there is no failed or interrupted turn")]
    NothingToRetry,
    /// The workspace is being brought back to a snapshot already.
    #[error("the workspace is being rewound already")]
    Rewinding,
    /// The thread is being removed.
    #[error("the thread is being deleted")]
    Deleting,
    /// The pull request is another one, or the agent was told of it meanwhile.
    #[error("the pull request has changed meanwhile")]
    PullRequestChanged,
    /// The title says nothing, or is too long.
    #[error("a title has 1 to {GIVEN_TITLE} characters")]
    Title,
}
