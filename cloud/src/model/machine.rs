//! The thread machine: what a thread may hear in which state, and what follows.
//!
//! It is pure. [`Machine::accept`] takes an input and the time and gives the changes for the log and the effects for the world,
//! or refuses and changes nothing. The runner writes the changes before it performs the effects, and each effect reports back
//! with a [`Fact`].
//!
//! ```text
//!   create ─► STARTING ─► IDLE ◄─────────► RUNNING ◄─► REQUIRES_ACTION      FAILED: starting went wrong; says why; a message or resume tries again
//!               ▲          │ ▲  turn ends                                   DELETING: everything is being removed
//!     resume,   │     idle ▼ │
//!     message   └───────  PAUSED
//! ```
//!
//! A state is never set: it is derived from the running turn, the sandbox and the agent. A turn goes through these phases:
//!
//! ```text
//!   Waiting ─► Prompted ─────────► Saving ─► completed       (the agent came to its end, or failed)
//!      │          ├─ steer ─► Guided ──┘ ▲                   (the agent was asked to stop for a correction)
//!      │          └─ stop ──► Stopping ─► Killing            (asked, then ended with everything it started)
//!      └─ stop ─► the start is broken off
//! ```
//!
//! Waiting and Prompted turns are held at a limit of their budget and go on when it is raised.

mod accepted;
mod age;
mod allowance;
mod effect;
mod fact;
mod input;
mod ledger;
mod lifecycle;
mod messages;
mod pull_request;
mod questions;
mod rest;
mod rewind;
mod turns;

#[cfg(test)]
mod tests;

use aloft_proto::v1::{
    Item, Level, Mode, Notice, NoticeKind, Problem, Thread, ThreadState, Turn, TurnState,
    event::Payload,
};
use serde::{Deserialize, Serialize};

pub use self::{
    accepted::{Accepted, ModelCall, Record, Refused},
    age::Told,
    effect::{Access, Deadline, Effect},
    fact::{ByHand, Ending, Fact, Followed, Session},
    input::{Against, Input, Millis, Point, Update},
    ledger::{Tally, TurnUse, Used},
    pull_request::{About, Fix, Pushed},
    rest::{AfterTurn, Resting, SETTLE},
};
use crate::model::{
    machine::allowance::{Allowance, Clearance, Purse},
    time::{millis, timestamp},
    transcript::Transcript,
};

/// How long an agent has to stop by itself before it is ended.
pub const STOP_GRACE: Millis = 1_200;
/// How long an agent has to wrap up.
pub const FINISH_GRACE: Millis = 120_000;
/// How long an agent has to write the words of a pull request, its start included.
pub const DESCRIBE_GRACE: Millis = 120_000;
/// How long a stopped turn waits for its snapshot before it is reported without one.
pub const SNAPSHOT_GRACE: Millis = 1_200;

/// One thread.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each holds or not whatever the others do")]
pub struct Machine {
    thread: Thread,
    memory: Memory,
    turn: Option<Running>,
    /// The newest ended turn.
    last: Option<Turn>,
    transcript: Transcript,
    sandbox: Sandbox,
    agent: Agent,
    /// The living sandbox stands still.
    frozen: bool,
    /// The agent is being ended with everything it started.
    killing: bool,
    /// The turn whose snapshot is being made.
    saving: Option<String>,
    /// The message by which the agent is to wrap up; afterwards the thread rests.
    finishing: Option<String>,
    deleting: bool,
    /// Connections into the sandbox that are open or wait for it.
    attached: u32,
    /// Rises with every input that makes the thread live; an idle deadline of another value is stale.
    activity: u64,
    /// How the thread rests.
    resting: Resting,
    /// What is known of the budget.
    purse: Purse,
    /// Since when the turn works.
    clock: Option<Millis>,
    /// The turn that begins tries the one before it again.
    retrying: bool,
    /// The turn that begins writes the words of the pull request.
    describing: bool,
    /// Mode and model that the agent on its way was started with: they may have been changed since.
    launched: (Mode, String),
}

/// What a machine must know again after a restart and no event says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each holds or not whatever the others do")]
pub struct Memory {
    /// The agent's session.
    pub session: Option<String>,
    /// Items so far.
    pub items: u64,
    /// Turns so far.
    pub turns: u32,
    /// Messages for the end of the turn, in order: their items.
    pub queue: Vec<String>,
    /// Corrections that run before the queue, as one turn.
    pub guides: Vec<String>,
    /// Messages of the newest turn.
    pub messages: Vec<String>,
    /// The newest turn was given to the agent.
    pub prompted: bool,
    /// The queue waits for a person's next message.
    pub held: bool,
    /// The workspace is on disk.
    pub workspace: bool,
    /// The newest snapshot of a turn.
    pub snapshot: Option<Saved>,
    /// A commit to lay over the base when the workspace is made.
    pub carry: Option<String>,
    /// Sandbox starts so far: tells an old guest from a new one.
    pub incarnation: u64,
    /// It is to come back as soon as it is down.
    pub resume: bool,
    /// A person paused it: it goes down as soon as the turn has ended.
    pub pause: bool,
    /// How the newest turn will end, once something has decided that.
    pub outcome: Option<Outcome>,
    /// The newest turn tries the one before it again.
    pub again: bool,
    /// The newest turn writes the words of the pull request.
    pub describes: bool,
    /// What was used and what is allowed.
    pub tally: Tally,
    /// Background jobs in the sandbox, as the thread was told of them.
    pub jobs: Vec<String>,
    /// Everything is being removed.
    pub deleting: bool,
    /// It is being filled from another thread or an archive; what is unfinished after a crash is removed.
    pub filling: bool,
    /// The workspace is being brought back to a snapshot.
    pub rewind: Option<Rewind>,
    /// Safety snapshots so far.
    pub safeties: u32,
    /// What changed in the workspace since the newest snapshot may be the agent's: its turn was not saved.
    pub unsaved: bool,
    /// What the agent is told with its next turn.
    pub tell: Vec<String>,
    /// What the thread's branch is called in snapshots of the threads it came from.
    pub former_branches: Vec<String>,
    /// It is removed because nobody used it.
    pub expired: bool,
    /// When somebody used it last.
    pub used: Millis,
    /// How far its owner was told that it will be removed.
    pub told: Told,
    /// What was pushed of it.
    pub pushed: Pushed,
    /// What the agent was told of its pull request.
    pub fix: Fix,
    /// The issue that its pull request closes, as the forge writes it; empty = none.
    pub closes: String,
    /// The issue it began with, wherever that is kept.
    pub about: About,
    /// Commits of the branch that its pull request goes to: what of them is merged into its own is no work of the thread.
    pub upstreams: Vec<String>,
}

/// A rewind under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewind {
    /// The item that tells of it.
    pub item: String,
    /// Where to.
    pub to: Point,
    /// The commit of that.
    pub commit: String,
    /// Also when files were changed by hand.
    pub force: bool,
    /// What was there is kept: from now on it is done to its end, whatever happens.
    pub kept: bool,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The turn it ended; 0 = before the first.
    pub number: u32,
    /// Its commit.
    pub commit: String,
}

/// The rows a machine is made from again.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The thread's row.
    pub thread: Thread,
    /// What else it knew.
    pub memory: Memory,
    /// The newest turn.
    pub turn: Option<Turn>,
    /// Items in progress, with all their text.
    pub open: Vec<Item>,
}

#[derive(Clone, Debug)]
struct Running {
    turn: Turn,
    phase: Phase,
    look: Look,
    /// How often the agent or the sandbox was gone before the agent had it.
    again: u32,
    /// Corrections that the agent has not answered yet whether it takes them in.
    steering: Vec<String>,
    /// How the agent ended it, while such an answer is due.
    ending: Option<Ending>,
    allowance: Allowance,
}

/// How a turn ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What it is then.
    pub state: TurnState,
    /// Who stopped it, where somebody did.
    pub stopped_by: String,
    /// What went wrong, where something did.
    pub problem: Option<Problem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// For sandbox, agent or the snapshot before it.
    Waiting,
    Prompted,
    /// Asked to stop for a correction.
    Guided,
    /// Asked to stop by a person.
    Stopping,
    /// Being ended with everything it started.
    Killing,
    /// Its snapshot is being made.
    Saving,
}

/// Whether files were changed by hand is looked at before the agent gets a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Wanted,
    UnderWay,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sandbox {
    Absent,
    Starting,
    Up,
    /// Going down; afterwards it starts again when something waits for it.
    Stopping,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Agent {
    Absent,
    Starting,
    Ready(Session),
}

impl Machine {
    /// A new thread. Its first input should be [`Input::Resume`] or a message: either begins to start it.
    pub fn new(thread: Thread, carry: Option<String>, resting: Resting) -> Self {
        let memory = Memory { carry, ..Memory::default() };
        Self::restore(Stored { thread, memory, turn: None, open: Vec::new() }, resting)
    }

    /// A thread as it was stored. Its next input must be [`Input::Restarted`], unless it is new.
    pub fn restore(stored: Stored, resting: Resting) -> Self {
        let Stored { thread, mut memory, turn, open } = stored;
        if memory.used == 0 {
            memory.used = thread.update_time.as_ref().map(millis).unwrap_or_default();
        }
        let running =
            turn.as_ref().filter(|turn| turn.state() == TurnState::Running).map(|turn| Running {
                turn: turn.clone(),
                phase: if memory.prompted { Phase::Prompted } else { Phase::Waiting },
                look: Look::Wanted,
                again: 0,
                steering: Vec::new(),
                ending: None,
                allowance: Allowance::default(),
            });
        let of_turn = running.as_ref().map(|running| running.turn.id.as_str()).unwrap_or_default();
        // A thread of before there was a tally.
        let seconds = thread.usage.as_ref().map_or(0, |usage| usage.seconds);
        memory.tally.millis = memory.tally.millis.max(seconds.saturating_mul(1_000));
        Self {
            transcript: Transcript::restore(open, memory.items, of_turn),
            last: turn.filter(|turn| turn.state() != TurnState::Running),
            turn: running,
            sandbox: Sandbox::Absent,
            agent: Agent::Absent,
            frozen: false,
            killing: false,
            saving: None,
            finishing: None,
            deleting: memory.deleting,
            attached: 0,
            activity: 0,
            resting,
            purse: Purse::default(),
            clock: None,
            retrying: false,
            describing: false,
            launched: (thread.mode(), thread.model.clone()),
            thread,
            memory,
        }
    }

    /// The thread as people see it.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// What must be stored beside the events.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The running turn.
    pub fn turn(&self) -> Option<&Turn> {
        self.turn.as_ref().map(|running| &running.turn)
    }

    /// Messages that wait for the end of the turn, in order.
    pub fn queue(&self) -> impl Iterator<Item = &Item> {
        self.memory.queue.iter().filter_map(|id| self.transcript.message(id))
    }

    /// Nothing runs and nothing is kept in memory for it: its task may end until somebody asks for it again.
    pub fn at_rest(&self) -> bool {
        self.turn.is_none()
            && self.sandbox == Sandbox::Absent
            && self.saving.is_none()
            && self.attached == 0
            && !self.deleting
    }

    /// Whether what is inside the sandbox can be reached.
    pub fn access(&self) -> Access {
        let problem = |reason: &str, message: &str| Problem {
            reason: reason.to_owned(),
            message: message.to_owned(),
            hint: "`aloft resume`, a message or another connection brings it back".to_owned(),
            retryable: true,
        };
        match self.sandbox {
            _ if self.deleting => {
                Access::Down(problem("THREAD_DELETING", "the thread is being deleted"))
            }
            Sandbox::Up => Access::Ready,
            Sandbox::Starting => Access::Coming,
            Sandbox::Stopping if self.comes_back() => Access::Coming,
            Sandbox::Absent | Sandbox::Stopping => Access::Down(
                self.thread
                    .error
                    .clone()
                    .unwrap_or_else(|| problem("SANDBOX_PAUSED", "the thread was paused")),
            ),
        }
    }

    /// Takes an input at a time: what follows, or why not. A refused input changes nothing.
    pub fn accept(&mut self, now: Millis, input: Input) -> Result<Accepted, Refused> {
        if self.deleting
            && !matches!(
                input,
                Input::Fact(_) | Input::Restarted { .. } | Input::Delete | Input::Detach
            )
        {
            return Err(Refused::Deleting);
        }
        let before = self.thread.clone();
        let mut out = Accepted::default();
        let uses = input.is_use();
        let orders = matches!(input, Input::MoveQueued { .. } | Input::RemoveQueued { .. });
        match input {
            Input::Message { parts, queue, author } => {
                self.message(now, parts, queue, &author, &mut out)?;
            }
            Input::Fix { parts, author, told } => {
                self.fix(now, parts, &author, told, &mut out)?;
            }
            Input::Describe { parts, author } => self.describe(now, parts, &author, &mut out)?,
            Input::Steer { expected_turn, parts, author } => {
                self.steer(now, &expected_turn, parts, &author, &mut out)?;
            }
            Input::Interrupt { expected_turn, finish, by } => {
                self.interrupt(now, &expected_turn, finish, &by, &mut out)?;
            }
            Input::Halt(problem) => self.halt(now, problem, &mut out)?,
            Input::Retry { by, parts } => self.retry(now, &by, parts, &mut out)?,
            Input::Answer { item, option, by } => {
                self.answer(now, &item, &option, &by, &mut out)?;
            }
            Input::Update(update) => self.update(update, &mut out)?,
            Input::MoveQueued { item, position } => self.move_queued(&item, position)?,
            Input::RemoveQueued { item } => self.remove_queued(now, &item, &mut out)?,
            Input::Pause { by } => self.pause(now, &by, &mut out),
            Input::Resume => self.resume(now, &mut out),
            Input::Attach => self.attach(now, &mut out),
            Input::Detach => self.detach(now, &mut out),
            Input::Delete => self.delete(&mut out),
            Input::Rewind { to, commit, force } => {
                self.rewind(now, to, commit, force, &mut out)?;
            }
            Input::Used(used) => self.used(now, used, &mut out),
            Input::Account(account) => self.account(now, &account, &mut out),
            Input::Budget { per_day, set, clear } => {
                self.set_budget(per_day, set, &clear, &mut out);
            }
            Input::Fact(fact) => self.fact(now, fact, &mut out),
            Input::Restarted { sandbox } => self.restarted(now, sandbox, &mut out),
            Input::Review => self.review(now, &mut out),
        }
        if uses {
            self.used_at(now);
        }
        self.thaw_for(now, &mut out);
        self.publish(now, &before, &mut out);
        if orders {
            out.queue = self.queue().cloned().collect();
        }
        Ok(out)
    }

    /// What the thread does, from what there is.
    fn state(&self) -> ThreadState {
        if self.deleting {
            return ThreadState::Deleting;
        }
        match (&self.turn, self.sandbox) {
            (Some(_), _) if self.is_at_limit() => ThreadState::RequiresAction,
            (Some(running), Sandbox::Absent | Sandbox::Starting | Sandbox::Stopping)
                if running.phase == Phase::Waiting =>
            {
                ThreadState::Starting
            }
            (Some(_), _) if self.transcript.questions().next().is_some() => {
                ThreadState::RequiresAction
            }
            (Some(_), _) => ThreadState::Running,
            (None, Sandbox::Starting) => ThreadState::Starting,
            (None, Sandbox::Stopping) if self.comes_back() => ThreadState::Starting,
            // Paused is what has no process any more.
            (None, Sandbox::Up | Sandbox::Stopping) => ThreadState::Idle,
            (None, Sandbox::Absent) if self.thread.error.is_some() => ThreadState::Failed,
            (None, Sandbox::Absent) => ThreadState::Paused,
        }
    }

    /// Brings the public record and the memory up to date and says so where it changed.
    fn publish(&mut self, now: Millis, before: &Thread, out: &mut Accepted) {
        let state = self.state();
        self.thread.set_state(state);
        let works = state != ThreadState::RequiresAction
            && self
                .turn
                .as_ref()
                .is_some_and(|running| running.allowance.clearance == Clearance::Given);
        match (self.clock, works) {
            (None, true) => self.clock = Some(now),
            (Some(_), false) => self.close_time(now, out),
            (None, false) | (Some(_), true) => {}
        }
        if state != ThreadState::Starting {
            self.thread.step.clear();
        }
        self.thread.queued = u32::try_from(self.memory.queue.len()).unwrap_or(u32::MAX);
        self.memory.items = self.transcript.last();
        self.memory.deleting = self.deleting;
        self.show_end();
        if self.thread != *before {
            self.thread.update_time = Some(timestamp(now));
            self.log(Payload::ThreadChanged(self.thread.clone()), out);
        }
        // A turn that waits at its budget has a notice of its own.
        if state == ThreadState::RequiresAction
            && before.state() != ThreadState::RequiresAction
            && !self.is_at_limit()
        {
            self.post(NoticeKind::NeedsAttention, "needs an answer", "", out);
        }
    }

    fn turn_id(&self) -> String {
        self.turn.as_ref().map(|running| running.turn.id.clone()).unwrap_or_default()
    }

    /// Adds a change to the log.
    fn log(&self, payload: Payload, out: &mut Accepted) {
        let turn_id = match &payload {
            Payload::ItemStarted(item) | Payload::ItemCompleted(item) => item.turn_id.clone(),
            Payload::TurnStarted(turn) | Payload::TurnCompleted(turn) => turn.id.clone(),
            Payload::ItemAppended(_) => self.transcript.turn().to_owned(),
            Payload::ThreadChanged(_) | Payload::DiffChanged(_) => self.turn_id(),
        };
        out.events.push(Record { turn_id, payload });
    }

    fn log_all(&self, payloads: Vec<Payload>, out: &mut Accepted) {
        for payload in payloads {
            self.log(payload, out);
        }
    }

    /// A word in the thread itself.
    fn say(&mut self, now: Millis, level: Level, text: String, out: &mut Accepted) {
        let events = self.transcript.notice(level, text, timestamp(now));
        self.log_all(events, out);
    }

    /// A word to the thread's owner, which a mute may keep back later.
    fn post(&self, kind: NoticeKind, what: &str, body: &str, out: &mut Accepted) {
        let mut notice = Notice {
            thread_id: self.thread.id.clone(),
            title: format!("{} {what}", self.thread.title),
            body: body.to_owned(),
            ..Notice::default()
        };
        notice.set_kind(kind);
        out.notices.push(notice);
    }
}
