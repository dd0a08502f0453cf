//! What the world reports of effects, and of itself.

use aloft_proto::v1::{DiffStat, FileDiff, Level, Problem, PullRequest};

use crate::model::{
    machine::Deadline,
    update::{AgentUpdate, Question},
};

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
    /// The thread's pull request is there, as its forge tells it; of its checks it tells nothing.
    PullRequest(PullRequest),
    /// The thread's pull request was looked at.
    Followed(Box<Followed>),
    /// What stands against the pull request was seen to without being asked for, or is left to people.
    FixSeen {
        /// It is to be looked at again.
        due: bool,
        /// What is to be known of it; empty = nothing.
        text: String,
    },
    /// The branch that the pull request goes to has got commits that the thread's branch has not.
    BaseMoved {
        /// Its newest one.
        commit: String,
        /// How much it matters.
        level: Level,
        /// What is said of it, once; empty = nothing.
        text: String,
    },
    /// Something about the pull request is to be known in the thread.
    Told {
        /// How much it matters.
        level: Level,
        /// What.
        text: String,
    },
    /// The sandbox could not be frozen after this activity.
    NotFrozen(u64),
    /// What runs in the background of a sandbox that is being frozen or ended: command lines.
    LeftRunning(Vec<String>),
    /// A deadline passed.
    Deadline(Deadline),
}

/// A look at a pull request.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// As the thread knew it then.
    pub before: PullRequest,
    /// The commit it had pushed last then.
    pub pushed: String,
    /// As it is.
    pub request: PullRequest,
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
