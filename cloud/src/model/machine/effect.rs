//! What the world is to do.

use aloft_proto::v1::{Input as Part, Mode, Problem};

use crate::model::machine::{Millis, Rewind};

/// What the world is to do. Each reports back with a [`Fact`].
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Make repository, sandbox, workspace and agent ready: `Started` or `StartFailed`.
    Start,
    /// Break off starting and end all processes: `Suspended`.
    AbortStart,
    /// Start the agent in the living sandbox: `AgentReady` or `AgentFailed`.
    StartAgent,
    /// Give the agent its turn: updates, then `Ended`. `AgentGone` or `SandboxGone` where there is nobody to give it to.
    Prompt {
        /// The turn.
        turn: String,
        /// The messages, in order.
        parts: Vec<Part>,
        /// The agent remembers nothing: tell it what was.
        fresh: bool,
        /// What happened to the workspace since its last turn.
        tell: Vec<String>,
    },
    /// Ask the agent to stop: `Ended` when it does.
    Cancel,
    /// Give the agent a correction by its own steering: `Steered`.
    Steer {
        /// The message.
        item: String,
        /// Its parts.
        parts: Vec<Part>,
    },
    /// Tell the agent the answer.
    Answer {
        /// The runner's name of the question.
        question_id: String,
        /// The option's id; none = cancelled.
        option: Option<String>,
    },
    /// Tell the agent the mode.
    SetMode(Mode),
    /// Tell the agent the model.
    SetModel(String),
    /// End the agent and everything it started: `AgentKilled`.
    KillAgent,
    /// Save the workspace: `Snapshot` or `SnapshotFailed`.
    Snapshot {
        /// The turn it ends.
        turn: String,
        /// Its number.
        number: u32,
    },
    /// See whether files were changed by hand, and save them: `Looked`.
    Look {
        /// The turn that is about to begin.
        turn: String,
        /// Its number.
        number: u32,
    },
    /// Keep what the workspace is and bring it back to a snapshot: `Kept`, then `Rewound` or `NotRewound`.
    Rewind(Rewind),
    /// Find out how the owner's account stands: `Input::Account`.
    CheckBudget,
    /// Stop the agent and everything it started where they are, or let them go on.
    Hold(bool),
    /// Stop all processes where they are: `LeftRunning`, or `NotFrozen` after this activity.
    Freeze(u64),
    /// Let them go on: `SandboxGone` when they do not.
    Thaw,
    /// End all processes, keep the disk: `LeftRunning` where it is not frozen, then `Suspended`.
    Suspend,
    /// Remove everything; the thread is gone afterwards.
    Destroy,
    /// Report `Deadline` at this time.
    Wake {
        /// When.
        at: Millis,
        /// What for.
        deadline: Deadline,
    },
}

impl Effect {
    /// Whether it speaks to what is inside the sandbox.
    pub(super) fn needs_guest(&self) -> bool {
        match self {
            Self::StartAgent
            | Self::Prompt { .. }
            | Self::Cancel
            | Self::Steer { .. }
            | Self::Answer { .. }
            | Self::SetMode(_)
            | Self::SetModel(_)
            | Self::KillAgent
            | Self::Snapshot { .. }
            | Self::Look { .. }
            | Self::Rewind(_) => true,
            Self::Start
            | Self::AbortStart
            | Self::CheckBudget
            | Self::Hold(_)
            | Self::Freeze(_)
            | Self::Thaw
            | Self::Suspend
            | Self::Destroy
            | Self::Wake { .. } => false,
        }
    }
}

/// A time by which something must have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// The agent must have stopped this turn.
    Stop(String),
    /// The agent must have wrapped up in this turn.
    Finish(String),
    /// The snapshot of this stopped turn must be there.
    Snapshot(String),
    /// Nothing happened in this thread for a moment.
    Settle(u64),
    /// Nothing happened in this idle thread since then.
    Idle(u64),
    /// A limit of this turn's budget may be reached, or its day over.
    Budget(String),
}

/// Whether what is inside the sandbox can be reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    /// It can.
    Ready,
    /// It will be.
    Coming,
    /// It cannot, and nothing is on its way: why.
    Down(Problem),
}
