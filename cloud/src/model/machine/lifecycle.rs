//! The sandbox's way: started, suspended, lost, brought back, removed; and the world's reports.

use aloft_proto::v1::{ItemState, LedgerKind, Level, NoticeKind, Problem, ThreadState, TurnState};

use crate::model::{
    machine::{
        Accepted, Agent, Deadline, Effect, Ending, Fact, Machine, Millis, Outcome, Phase, Sandbox,
        Saved, Session,
    },
    time::timestamp,
};

impl Machine {
    pub(super) fn start(&mut self, out: &mut Accepted) {
        self.thread.error = None;
        self.memory.resume = false;
        self.memory.pause = false;
        self.memory.incarnation += 1;
        self.launched = (self.thread.mode(), self.thread.model.clone());
        self.down(Sandbox::Starting);
        out.effects.push(Effect::Start);
    }

    pub(super) fn pause(&mut self, now: Millis, by: &str, out: &mut Accepted) {
        self.memory.resume = false;
        self.memory.pause = true;
        if self.turn.is_some() {
            self.stop(now, by, out);
        } else {
            self.suspend(now, out);
        }
    }

    pub(super) fn suspend(&mut self, now: Millis, out: &mut Accepted) {
        self.leave_rewind(now, "PAUSED", "the thread was paused", out);
        if self.frozen {
            // What stands still cannot be asked: it is as it was when it was frozen.
            self.name_ended_jobs(now, out);
        }
        match self.sandbox {
            Sandbox::Starting => out.effects.push(Effect::AbortStart),
            Sandbox::Up => out.effects.push(Effect::Suspend),
            Sandbox::Absent => return self.memory.pause = false,
            Sandbox::Stopping => return,
        }
        self.down(Sandbox::Stopping);
    }

    /// Nothing lives in the sandbox from here on.
    fn down(&mut self, sandbox: Sandbox) {
        self.sandbox = sandbox;
        self.agent = Agent::Absent;
        self.frozen = false;
        self.killing = false;
    }

    pub(super) fn resume(&mut self, now: Millis, out: &mut Accepted) {
        self.activity += 1;
        match self.sandbox {
            Sandbox::Absent => {
                self.charge_resume(now, LedgerKind::ResumeByPerson, out);
                self.start(out);
            }
            // It comes back as soon as it is down.
            Sandbox::Stopping => {
                self.memory.resume = true;
                self.memory.pause = false;
            }
            Sandbox::Starting => {}
            // It is newer than a pause that the turn is being stopped for.
            Sandbox::Up if self.turn.is_some() => self.memory.pause = false,
            Sandbox::Up => self.rest(now, out),
        }
    }

    /// One more holds the sandbox. A pause of a person still ends it: whoever holds it sees it go.
    pub(super) fn attach(&mut self, now: Millis, out: &mut Accepted) {
        self.attached += 1;
        self.resume(now, out);
    }

    pub(super) fn detach(&mut self, now: Millis, out: &mut Accepted) {
        self.attached = self.attached.saturating_sub(1);
        if self.turn.is_none() && !self.deleting {
            self.rest(now, out);
        }
    }

    /// A sandbox on its way down starts again afterwards.
    pub(super) fn comes_back(&self) -> bool {
        self.memory.resume
            || self.memory.rewind.as_ref().is_some_and(|rewind| !rewind.kept)
            || self.turn.as_ref().is_some_and(|running| running.phase == Phase::Waiting)
    }

    pub(super) fn delete(&mut self, out: &mut Accepted) {
        if !self.deleting {
            self.deleting = true;
            out.effects.push(Effect::Destroy);
        }
    }

    pub(super) fn fact(&mut self, now: Millis, fact: Fact, out: &mut Accepted) {
        if self.deleting {
            return;
        }
        match fact {
            Fact::Step(step) => {
                if self.sandbox == Sandbox::Starting {
                    self.thread.step = step;
                }
            }
            Fact::Based { commit, reference, carried } => {
                self.thread.base_commit = commit;
                if self.thread.base_ref.is_empty() {
                    self.thread.base_ref = reference;
                }
                if let Some(commit) = carried {
                    self.memory.snapshot = Some(Saved { number: 0, commit });
                }
            }
            Fact::WorkspaceVanished => self.workspace_vanished(now, out),
            Fact::WorkspaceMade => self.memory.workspace = true,
            Fact::Started { session, unenforced } => self.started(now, session, unenforced, out),
            Fact::StartFailed(problem) => self.start_failed(now, problem, out),
            Fact::AgentReady(session) => self.agent_ready(now, session, out),
            Fact::AgentFailed(problem) => {
                self.agent = Agent::Absent;
                self.settle(now, TurnState::Failed, String::new(), Some(problem), out);
            }
            Fact::Agent(update) => {
                let events = self.transcript.apply(update, timestamp(now));
                self.log_all(events, out);
            }
            Fact::Asked { question_id, question } => self.asked(now, question_id, *question, out),
            Fact::Answered { question_id, option } => {
                self.answered(now, &question_id, &option, out);
            }
            Fact::Withdrawn { question_id } => self.withdrawn(now, &question_id, out),
            Fact::Ended { turn, ending } => self.ended(now, &turn, ending, out),
            Fact::Steered { item, taken } => self.steered(now, &item, taken, out),
            Fact::AgentGone { given, problem } => self.agent_gone(now, &given, problem, out),
            Fact::AgentKilled => self.killed(now, out),
            Fact::Snapshot { turn, commit, diff } => self.saved(now, &turn, commit, diff, out),
            Fact::SnapshotFailed { turn, problem } => self.not_saved(now, &turn, &problem, out),
            Fact::Looked { turn, found } => self.looked(now, &turn, found, out),
            Fact::Kept => self.kept(),
            Fact::Rewound { diff } => self.rewound(now, diff, out),
            Fact::NotRewound(problem) => self.not_rewound(now, problem, out),
            Fact::SandboxGone { given, problem } => {
                self.sandbox_gone(now, &given, problem, out);
            }
            Fact::Suspended => self.suspended(now, out),
            Fact::Pushing { commit } => self.pushing(commit),
            Fact::Pushed { remote, commit } => self.pushed(now, &remote, commit, out),
            Fact::PullRequest(request) => self.proposed(now, request, out),
            Fact::Followed(seen) => self.followed(now, &seen, out),
            Fact::FixSeen { due, text } => self.fix_seen(now, due, text, out),
            Fact::BaseMoved { commit, level, text } => {
                self.base_moved(now, commit, level, text, out);
            }
            Fact::Told { level, text } => self.say(now, level, text, out),
            Fact::NotFrozen(activity) => self.not_frozen(activity),
            Fact::LeftRunning(jobs) => self.left_running(now, jobs, out),
            Fact::Deadline(deadline) => self.deadline(now, &deadline, out),
        }
    }

    fn workspace_vanished(&mut self, now: Millis, out: &mut Accepted) {
        self.memory.workspace = false;
        self.memory.unsaved = false;
        let from = match &self.memory.snapshot {
            Some(Saved { number: 0, .. }) => "from what it began with".to_owned(),
            Some(saved) => format!("from the snapshot of turn {}", saved.number),
            None => "from its base commit".to_owned(),
        };
        let text = format!(
            "The sandbox's files were gone from the cloud's disk. The workspace is made again {from}; \
             what was changed after that, and what was in HOME, is lost."
        );
        self.say(now, Level::Warning, text, out);
    }

    fn started(
        &mut self,
        now: Millis,
        session: Session,
        unenforced: Vec<String>,
        out: &mut Accepted,
    ) {
        if self.sandbox != Sandbox::Starting {
            return;
        }
        self.sandbox = Sandbox::Up;
        self.woke();
        self.thread.unenforced = unenforced;
        self.thread.step.clear();
        self.go_back(out);
        self.agent_ready(now, session, out);
        if self.turn.is_none() {
            self.next(now, out);
        }
    }

    fn agent_ready(&mut self, now: Millis, session: Session, out: &mut Accepted) {
        self.memory.session = Some(session.id.clone());
        self.agent = Agent::Ready(session);
        self.set_anew(out);
        self.advance(now, out);
    }

    fn start_failed(&mut self, now: Millis, problem: Problem, out: &mut Accepted) {
        if self.sandbox != Sandbox::Starting {
            return;
        }
        self.sandbox = Sandbox::Absent;
        self.leave_rewind(now, &problem.reason, &problem.message, out);
        self.thread.error = Some(problem.clone());
        if self.turn.is_some() {
            let (state, stopped_by) = (TurnState::Failed, String::new());
            self.memory.outcome = Some(Outcome { state, stopped_by, problem: Some(problem) });
            self.complete(now, None, out);
        } else {
            self.post(NoticeKind::Failed, "could not start", &problem.message, out);
        }
    }

    /// The agent went away by itself: what it left behind is ended too.
    fn agent_gone(&mut self, now: Millis, given: &str, problem: Problem, out: &mut Accepted) {
        if self.agent == Agent::Absent {
            return;
        }
        self.agent = Agent::Absent;
        if self.take_again(now, given, out) {
            self.advance(now, out);
            return;
        }
        let Some(running) = &mut self.turn else { return };
        match running.phase {
            Phase::Waiting | Phase::Prompted => {
                let (state, problem) = match running.ending.take() {
                    // It had come to its end before.
                    Some(Ending::Completed) => (TurnState::Completed, None),
                    Some(Ending::Failed(before)) => (TurnState::Failed, Some(before)),
                    Some(Ending::Cancelled) | None => (TurnState::Failed, Some(problem)),
                };
                self.memory.outcome = Some(Outcome { state, stopped_by: String::new(), problem });
                self.kill(out);
            }
            Phase::Guided | Phase::Stopping => self.kill(out),
            Phase::Killing | Phase::Saving => {}
        }
    }

    fn sandbox_gone(&mut self, now: Millis, given: &str, problem: Problem, out: &mut Accepted) {
        if self.sandbox != Sandbox::Up {
            return;
        }
        self.down(Sandbox::Absent);
        self.fell_asleep();
        self.saving = None;
        self.leave_rewind(now, &problem.reason, &problem.message, out);
        self.memory.jobs.clear();
        let again = self.take_again(now, given, out);
        let then = if again { "it is started again" } else { "the next message brings it back" };
        let text = format!("The sandbox ended unexpectedly ({}); {then}.", problem.message);
        self.say(now, Level::Warning, text, out);
        if again {
            self.advance(now, out);
        } else if self.turn.is_some() {
            // How it ends may be decided already; that it was saved is not.
            let decided =
                self.memory.outcome.take().filter(|outcome| outcome.state != TurnState::Completed);
            let Outcome { state, stopped_by, problem } = decided.unwrap_or_else(|| Outcome {
                state: TurnState::Interrupted,
                stopped_by: String::new(),
                problem: Some(problem),
            });
            self.memory.held |= !self.memory.describes;
            self.settle(now, state, stopped_by, problem, out);
        }
    }

    fn suspended(&mut self, now: Millis, out: &mut Accepted) {
        if self.sandbox != Sandbox::Stopping {
            return;
        }
        self.sandbox = Sandbox::Absent;
        self.fell_asleep();
        self.saving = None;
        match self.turn.as_ref().map(|running| running.phase) {
            Some(Phase::Waiting) => self.advance(now, out),
            Some(_) => self.complete(now, None, out),
            None => {}
        }
        self.memory.pause = false;
        // The end of a turn may have begun the next one, which starts it by itself. One that was stopped while it started is
        // not what a rewind waited for.
        if self.sandbox == Sandbox::Absent && self.comes_back() {
            let by_message = self.turn.is_some();
            let kind =
                if by_message { LedgerKind::ResumeByMessage } else { LedgerKind::ResumeByPerson };
            self.charge_resume(now, kind, out);
            self.start(out);
        }
    }

    fn deadline(&mut self, now: Millis, deadline: &Deadline, out: &mut Accepted) {
        let running = |id: &String, phase: fn(Phase) -> bool| {
            self.turn.as_ref().is_some_and(|running| running.turn.id == *id && phase(running.phase))
        };
        match deadline {
            Deadline::Stop(turn) => {
                if running(turn, |phase| matches!(phase, Phase::Guided | Phase::Stopping)) {
                    self.kill(out);
                }
            }
            Deadline::Finish(turn) => {
                if running(turn, |phase| matches!(phase, Phase::Waiting | Phase::Prompted)) {
                    let by = match self.turn() {
                        Some(turn) if !self.memory.describes && !turn.stopped_by.is_empty() => {
                            turn.stopped_by.clone()
                        }
                        _ => "cloud".to_owned(),
                    };
                    self.stop(now, &by, out);
                }
            }
            Deadline::Snapshot(turn) => {
                if running(turn, |phase| phase == Phase::Saving) {
                    self.complete(now, None, out);
                }
            }
            Deadline::Budget(turn) => {
                if running(turn, |phase| matches!(phase, Phase::Waiting | Phase::Prompted)) {
                    out.effects.push(Effect::CheckBudget);
                }
            }
            Deadline::Settle(activity) => self.settle_down(*activity, out),
            Deadline::Idle(activity) => self.idle(now, *activity, out),
        }
    }

    /// The cloud began anew: nothing is believed that is not seen.
    pub(super) fn restarted(&mut self, now: Millis, sandbox: bool, out: &mut Accepted) {
        if self.deleting {
            out.effects.push(Effect::Destroy);
            return;
        }
        self.sandbox = if sandbox { Sandbox::Up } else { Sandbox::Absent };
        let wanted = self.memory.resume || self.thread.state() == ThreadState::Starting;
        if !sandbox {
            self.fell_asleep();
        }
        // An agent whose cloud is gone ends with everything it started.
        self.name_ended_jobs(now, out);
        match self.turn.as_mut().map(|running| running.phase) {
            // Nothing was given to the agent yet: the turn goes on where it was.
            // Nobody waits for the words of a pull request any more.
            Some(Phase::Waiting) if self.memory.outcome.is_none() && !self.memory.describes => {
                // A question it waited with is asked anew.
                let events = self.transcript.close_all(ItemState::Failed, timestamp(now));
                self.log_all(events, out);
                let turn = self.turn_id();
                let events = self.transcript.begin_turn(&turn, timestamp(now));
                self.log_all(events, out);
                if sandbox {
                    self.start(out);
                } else {
                    self.advance(now, out);
                }
            }
            Some(_) => {
                // What ended it is known where that was decided before: it is only saved anew.
                let outcome = self.memory.outcome.get_or_insert_with(|| Outcome {
                    state: TurnState::Interrupted,
                    stopped_by: String::new(),
                    problem: Some(cloud_restarted()),
                });
                let completed = outcome.state == TurnState::Completed;
                self.memory.held |= !completed && !self.memory.describes;
                if let Some(running) = &mut self.turn {
                    running.phase = Phase::Killing;
                }
                let events = self.transcript.close_all(ItemState::Failed, timestamp(now));
                self.log_all(events, out);
                if sandbox && self.memory.workspace {
                    self.kill(out);
                } else if sandbox {
                    // Half a workspace is of no use.
                    self.suspend(now, out);
                } else {
                    if completed {
                        self.say_not_saved(now, "the cloud and the sandbox ended before", out);
                    }
                    self.complete(now, None, out);
                }
            }
            None => {
                let events = self.transcript.close_all(ItemState::Failed, timestamp(now));
                self.log_all(events, out);
                match (sandbox, &self.memory.rewind) {
                    (false, None) if !wanted => {}
                    (false, _) => self.start(out),
                    (true, _) if self.memory.pause || !self.memory.workspace => {
                        self.suspend(now, out);
                        self.memory.resume = wanted;
                    }
                    // What is left to do follows when the old agent is gone.
                    (true, _) => self.kill(out),
                }
            }
        }
    }
}

fn cloud_restarted() -> Problem {
    Problem {
        reason: "CLOUD_RESTARTED".to_owned(),
        message: "the cloud ended while the turn ran".to_owned(),
        hint: "send a message, or `aloft retry`, to go on".to_owned(),
        retryable: true,
    }
}
