//! What a thread can hear from people and from the world.

use aloft_proto::v1::{Input as Part, Mode, Problem};
use serde::{Deserialize, Serialize};

use crate::model::{
    budget::{Account, Kind, Limits},
    machine::{Fact, Used},
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
        /// What is in it.
        told: Against,
    },
    /// The agent is to write the words of the pull request: begins a turn that is the pull request's own.
    Describe {
        /// What is asked of it.
        parts: Vec<Part>,
        /// Who asked for the pull request.
        author: String,
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

impl Input {
    /// Whether somebody uses the thread by it: that makes it young again.
    pub(super) fn is_use(&self) -> bool {
        match self {
            Self::Fix { told, .. } => told.unasked.is_empty(),
            Self::Message { .. }
            | Self::Describe { .. }
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

/// What stands against a pull request, in one message to its agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Against {
    /// The pull request.
    pub number: u64,
    /// How often the agent had been told of it when this was found out.
    pub times: u32,
    /// The commit it is about.
    pub commit: String,
    /// Its failing checks, by name.
    pub checks: Vec<String>,
    /// What people said.
    pub heard: Vec<String>,
    /// The how-manieth time it is, with nothing said in between.
    pub attempt: u32,
    /// What the thread says of it where nobody asked for it; empty = somebody did.
    pub unasked: String,
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

/// A moment a workspace can be brought back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Point {
    /// The end of this turn; 0 = before the first.
    Turn(u32),
    /// What a rewind put aside.
    Safety(u32),
    /// The newest snapshot with the branch merged in that the pull request goes to.
    Merge,
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Turn(0) => write!(f, "before the first turn"),
            Self::Turn(number) => write!(f, "at the end of turn {number}"),
            Self::Safety(number) => write!(f, "at safety snapshot {number}"),
            Self::Merge => write!(f, "with the branch merged in that the pull request goes to"),
        }
    }
}
