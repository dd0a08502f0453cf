//! What goes into the thread machine and what comes out of it.

use aloft_proto::v1::{
    DiffStat, FileDiff, Input as Part, Item, LedgerEntry, Mode, Notice, Problem, PullRequest, Turn,
    UsageRow, event::Payload,
};
use serde::{Deserialize, Serialize};

use crate::model::{
    budget::{Account, Kind, Limits},
    machine::Used,
    naming::GIVEN_TITLE,
    update::{AgentUpdate, Question},
};

/// Time of an input: milliseconds since the Unix epoch. The machine has no clock of its own.
pub type Millis = i64;

/// Everything a thread can hear, from people and from the world.
#[derive(Clone, Debug)]
pub enum Input {
    /// A person's message: begins a turn, or waits for the end of the running one.
    Message {
        /// Its parts.
        parts: Vec<Part>,
        /// After the running turn.
        queue: bool,
        /// Who wrote it.
        author: String,
    },
    /// What stands against the pull request, as a message: it begins a turn.
    Fix {
        /// Its parts.
        parts: Vec<Part>,
        /// Who asked for it.
        author: String,
        /// The commit it is about.
        commit: String,
        /// What people said that is in it.
        heard: Vec<String>,
        /// The how-manieth time it is, with nothing said in between.
        attempt: u32,
    },
    /// A correction of the running turn.
    Steer {
        /// The turn it is meant for; empty = whichever runs.
        expected_turn: String,
        /// What to do instead.
        parts: Vec<Part>,
        /// Who wrote it.
        author: String,
    },
    /// Stop the running turn.
    Interrupt {
        /// The turn it is meant for; empty = whichever runs.
        expected_turn: String,
        /// Let the agent wrap up in one short turn first.
        finish: bool,
        /// Who stops it.
        by: String,
    },
    /// Stop the running turn because the host cannot bear it: it fails with this problem.
    Halt(Problem),
    /// The failed or interrupted turn again.
    Retry {
        /// Who asks.
        by: String,
        /// Its messages, as the log has them.
        parts: Vec<Part>,
    },
    /// An answer to an open question.
    Answer {
        /// The question's item; empty = the only open one.
        item: String,
        /// An option's id, or `allow`, `allow-always`, `deny`.
        option: String,
        /// Who answers.
        by: String,
    },
    /// New values of what a person may set.
    Update(Update),
    /// Another place in the queue.
    MoveQueued {
        /// The message.
        item: String,
        /// Its new place, 0 = next.
        position: usize,
    },
    /// Takes a queued message back.
    RemoveQueued {
        /// The message.
        item: String,
    },
    /// End all processes, keep everything.
    Pause {
        /// Who asks.
        by: String,
    },
    /// Bring it back.
    Resume,
    /// Somebody connects to the sandbox: it comes back, and stays until they let go of it.
    Attach,
    /// They let go.
    Detach,
    /// Remove everything of it.
    Delete,
    /// Bring the workspace back to a snapshot.
    Rewind {
        /// Which.
        to: Point,
        /// The commit of that.
        commit: String,
        /// Also when files were changed by hand.
        force: bool,
    },
    /// A model was used.
    Used(Used),
    /// How the owner's account stands: what was asked for by [`Effect::CheckBudget`], or before a call of a model.
    Account(Account),
    /// New limits of the thread's own budget; those neither set nor cleared stay.
    Budget {
        /// Those of a day.
        per_day: bool,
        /// New values.
        set: Limits,
        /// Limits that fall away.
        clear: Vec<Kind>,
    },
    /// It is time to look at the thread's age.
    Review,
    /// What the world reports of an effect.
    Fact(Fact),
    /// The cloud began anew and holds this thread again.
    Restarted {
        /// Its sandbox still lives.
        sandbox: bool,
    },
}

/// A moment a workspace can be brought back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Point {
    /// The end of this turn; 0 = before the first.
    Turn(u32),
    /// What a rewind put aside.
    Safety(u32),
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Turn(0) => write!(f, "before the first turn"),
            Self::Turn(number) => write!(f, "at the end of turn {number}"),
            Self::Safety(number) => write!(f, "at safety snapshot {number}"),
        }
    }
}

impl Input {
    /// Whether somebody uses the thread by it: that makes it young again.
    pub(super) fn is_use(&self) -> bool {
        match self {
            Self::Message { .. }
            | Self::Fix { .. }
            | Self::Steer { .. }
            | Self::Interrupt { .. }
            | Self::Retry { .. }
            | Self::Answer { .. }
            | Self::Update(_)
            | Self::MoveQueued { .. }
            | Self::RemoveQueued { .. }
            | Self::Pause { .. }
            | Self::Resume
            | Self::Rewind { .. }
            | Self::Budget { .. }
            | Self::Attach
            | Self::Detach => true,
            Self::Halt(_)
            | Self::Delete
            | Self::Used(_)
            | Self::Account(_)
            | Self::Review
            | Self::Fact(_)
            | Self::Restarted { .. } => false,
        }
    }
}

/// Files that were changed by hand since the newest snapshot, with a snapshot of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct ByHand {
    /// The snapshot.
    pub commit: String,
    /// Size of the whole change against the base.
    pub diff: DiffStat,
    /// What was changed by hand.
    pub files: Vec<FileDiff>,
}

/// New values of what a person may set; an absent one stays.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// One line.
    pub title: Option<String>,
    /// No notices.
    pub muted: Option<bool>,
    /// In effect at the agent's next question.
    pub mode: Option<Mode>,
    /// In effect at the next turn.
    pub model: Option<String>,
    /// Never cleaned up by age.
    pub keep: Option<bool>,
}

/// What the world reports.
#[derive(Clone, Debug)]
pub enum Fact {
    /// Starting has come this far.
    Step(String),
    /// The base of the thread is known.
    Based {
        /// The commit.
        commit: String,
        /// The branch or ref by name.
        reference: String,
        /// The first snapshot, where changes were carried in.
        carried: Option<String>,
    },
    /// The workspace was there and is not any more: it is made again.
    WorkspaceVanished,
    /// The workspace was made; from now on it is kept.
    WorkspaceMade,
    /// Sandbox, workspace and agent are ready.
    Started {
        /// The agent's session.
        session: Session,
        /// Limits this host does not enforce.
        unenforced: Vec<String>,
    },
    /// Starting failed.
    StartFailed(Problem),
    /// The agent process is there again, in a sandbox that stayed.
    AgentReady(Session),
    /// The agent process could not be started, in a sandbox that stays.
    AgentFailed(Problem),
    /// The agent reported something.
    Agent(AgentUpdate),
    /// The agent asks.
    Asked {
        /// The runner's name of the question.
        question_id: String,
        /// What it asks.
        question: Box<Question>,
    },
    /// A question was answered because the mode became auto.
    Answered {
        /// The runner's name of the question.
        question_id: String,
        /// The option's id.
        option: String,
    },
    /// The agent takes a question back.
    Withdrawn {
        /// The runner's name of the question.
        question_id: String,
    },
    /// The agent ended its turn.
    Ended {
        /// The turn it was given.
        turn: String,
        /// How.
        ending: Ending,
    },
    /// What became of a correction given to the agent's own steering.
    Steered {
        /// The message.
        item: String,
        /// The agent took it in.
        taken: bool,
    },
    /// The agent process is gone, nobody asked it to.
    AgentGone {
        /// The turn it was given last.
        given: String,
        /// How.
        problem: Problem,
    },
    /// The agent and all it started are gone, as asked.
    AgentKilled,
    /// The workspace is saved.
    Snapshot {
        /// The turn it ends.
        turn: String,
        /// Its commit.
        commit: String,
        /// Size of the change against the base.
        diff: DiffStat,
    },
    /// The workspace could not be saved.
    SnapshotFailed {
        /// The turn it was to end.
        turn: String,
        /// Why.
        problem: Problem,
    },
    /// It was looked whether files were changed by hand before this turn.
    Looked {
        /// The turn.
        turn: String,
        /// What was found.
        found: Option<Box<ByHand>>,
    },
    /// What the workspace was is kept in a safety snapshot: the rewind begins.
    Kept,
    /// The workspace is back at the snapshot.
    Rewound {
        /// Size of the change against the base.
        diff: DiffStat,
    },
    /// The workspace was not brought back to the snapshot.
    NotRewound(Problem),
    /// The sandbox is gone, nobody asked it to.
    SandboxGone {
        /// The turn its agent was given last.
        given: String,
        /// How.
        problem: Problem,
    },
    /// The sandbox is suspended, as asked.
    Suspended,
    /// The thread's branch is about to be pushed.
    Pushing {
        /// Where to, without credentials.
        remote: String,
        /// What it will point to.
        commit: String,
    },
    /// The thread's branch was pushed.
    Pushed {
        /// Where to, without credentials.
        remote: String,
        /// What it points to.
        commit: String,
    },
    /// The thread's pull request was opened, or stands otherwise.
    PullRequest(PullRequest),
    /// The sandbox could not be frozen after this activity.
    NotFrozen(u64),
    /// What runs in the background of a sandbox that is being frozen or ended: command lines.
    LeftRunning(Vec<String>),
    /// A deadline passed.
    Deadline(Deadline),
}

/// How an agent ended a turn by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It came to its end.
    Completed,
    /// It stopped because it was asked to.
    Cancelled,
    /// It went wrong.
    Failed(Problem),
}

/// The agent's session, as far as the machine needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The agent's name of it.
    pub id: String,
    /// The agent takes corrections while it works.
    pub steering: bool,
    /// It remembers nothing of this thread: the next prompt tells it what was.
    pub fresh: bool,
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
    Rewind(crate::model::machine::Rewind),
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

/// One change for the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its turn; empty outside one.
    pub turn_id: String,
    /// What changed.
    pub payload: Payload,
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
    /// The title says nothing, or is too long.
    #[error("a title has 1 to {GIVEN_TITLE} characters")]
    Title,
}
