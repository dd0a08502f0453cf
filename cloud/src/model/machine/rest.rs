//! Rest: what becomes of a sandbox nobody works in. It is frozen soon after the turn and suspended after the idle time; whatever
//! needs what is inside thaws it again, by one rule.

use aloft_proto::v1::Level;

use crate::model::machine::{Accepted, Agent, Deadline, Effect, Machine, Millis, Sandbox};

/// How long after a turn the sandbox is frozen: agents write down what they will want to know again, and a message that follows at
/// once finds everything awake.
pub const SETTLE: Millis = 1_000;

/// How a thread rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// What happens at the end of a turn.
    pub after_turn: AfterTurn,
    /// How long it may be idle before it is suspended.
    pub idle: Millis,
    /// How long nobody may use it before it is removed; 0 = it is kept.
    pub remove_after: Millis,
}

/// What becomes of the sandbox at the end of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterTurn {
    /// Its processes stand still and take no processor time.
    #[default]
    Freeze,
    /// Its processes end.
    Suspend,
    /// Its processes run on until the idle time is over.
    Run,
}

impl Machine {
    /// Lets the thread rest when nothing happens in it; one that somebody holds does not.
    pub(super) fn rest(&mut self, now: Millis, out: &mut Accepted) {
        self.activity += 1;
        if self.is_limited() {
            out.effects.push(Effect::CheckBudget);
        }
        if !self.unused() {
            return;
        }
        if self.resting.after_turn == AfterTurn::Freeze && !self.frozen {
            let (at, deadline) = (now + SETTLE, Deadline::Settle(self.activity));
            out.effects.push(Effect::Wake { at, deadline });
        }
        let at = now.saturating_add(self.resting.idle);
        out.effects.push(Effect::Wake { at, deadline: Deadline::Idle(self.activity) });
    }

    /// A turn has ended and nothing follows it: where that is all a sandbox is for, it need not wait for the idle time.
    pub(super) fn rest_after_turn(&self, now: Millis, out: &mut Accepted) {
        if self.resting.after_turn == AfterTurn::Suspend && self.unused() {
            let (at, deadline) = (now + SETTLE, Deadline::Idle(self.activity));
            out.effects.push(Effect::Wake { at, deadline });
        }
    }

    /// The turn has been over for long enough.
    pub(super) fn settle_down(&mut self, activity: u64, out: &mut Accepted) {
        if activity == self.activity && !self.frozen && self.unused() {
            self.frozen = true;
            out.effects.push(Effect::Freeze(activity));
        }
    }

    /// The thread has been idle for long enough.
    pub(super) fn idle(&mut self, now: Millis, activity: u64, out: &mut Accepted) {
        if activity == self.activity && self.unused() {
            self.suspend(now, out);
        }
    }

    /// The sandbox could not be frozen: it runs on until it is suspended.
    pub(super) fn not_frozen(&mut self, activity: u64) {
        if activity == self.activity {
            self.frozen = false;
        }
    }

    /// What still runs although no turn does, seen before it is frozen or ends.
    pub(super) fn left_running(&mut self, now: Millis, jobs: Vec<String>, out: &mut Accepted) {
        if self.sandbox == Sandbox::Stopping {
            self.memory.jobs = jobs;
            self.name_ended_jobs(now, out);
        } else if self.memory.jobs != jobs {
            if !jobs.is_empty() {
                let text = format!(
                    "Left running in the background: {}. While nobody uses the thread it stands still; it goes on with the \
                     next message or connection, and ends when the thread is paused.",
                    jobs.join(", ")
                );
                self.say(now, Level::Info, text, out);
            }
            self.memory.jobs = jobs;
        }
    }

    /// Names the background jobs that end, or have ended, with the sandbox.
    pub(super) fn name_ended_jobs(&mut self, now: Millis, out: &mut Accepted) {
        let jobs = std::mem::take(&mut self.memory.jobs);
        if !jobs.is_empty() {
            let text = format!(
                "Ended in the background, with the sandbox: {}. Files are kept.",
                jobs.join(", ")
            );
            self.say(now, Level::Info, text, out);
        }
    }

    /// The one place that makes a frozen sandbox usable: before the effects of an input that needs it.
    pub(super) fn thaw_for(&mut self, now: Millis, out: &mut Accepted) {
        if !self.frozen || self.sandbox != Sandbox::Up {
            return;
        }
        let used =
            self.attached > 0 || self.turn.is_some() || out.effects.iter().any(Effect::needs_guest);
        if used {
            self.frozen = false;
            out.effects.insert(0, Effect::Thaw);
            // What needed it may be done at once.
            if self.unused() {
                self.rest(now, out);
            }
        }
    }

    /// Nothing goes on in the living sandbox.
    fn unused(&self) -> bool {
        self.sandbox == Sandbox::Up
            && self.turn.is_none()
            && self.attached == 0
            && self.saving.is_none()
            && self.memory.rewind.is_none()
            && !self.killing
            && self.agent != Agent::Starting
            && !self.deleting
    }
}
