//! The way of a turn: begun, given to the agent, stopped or ended, saved, completed.

use aloft_proto::v1::{
    Delivery, DiffStat, Input as Part, ItemState, LedgerKind, Level, NoticeKind, Problem,
    TextInput, Turn, TurnState, TurnSummary, event::Payload, input,
};

use crate::model::{
    machine::{
        Accepted, Agent, Allowance, Deadline, Effect, Ending, FINISH_GRACE, Look, Machine, Millis,
        Outcome, Phase, Refused, Running, SNAPSHOT_GRACE, STOP_GRACE, Sandbox, Saved,
    },
    time::timestamp,
};

/// What an agent is told that is to wrap up.
const WRAP_UP: &str = "Please stop here: leave the work in a clean state and say in a few sentences what is done and what is not. \
                       Start nothing new.";

/// How often a turn waits for another agent or sandbox where the one before was gone before it had the turn.
const AGAIN: u32 = 2;

impl Machine {
    /// Begins a turn with these messages; the agent gets it as soon as it is ready. `rested`: nothing ran just before.
    pub(super) fn begin(
        &mut self,
        now: Millis,
        messages: Vec<String>,
        rested: bool,
        out: &mut Accepted,
    ) {
        self.activity += 1;
        self.memory.turns += 1;
        let number = self.memory.turns;
        let mut turn = Turn {
            id: format!("t{number}"),
            number,
            thread_id: self.thread.id.clone(),
            start_time: Some(timestamp(now)),
            ..Turn::default()
        };
        turn.set_state(TurnState::Running);
        let events = self.transcript.begin_turn(&turn.id, timestamp(now));
        self.log_all(events, out);
        self.memory.messages = messages;
        self.memory.prompted = false;
        self.memory.outcome = None;
        self.memory.again = std::mem::take(&mut self.retrying);
        self.memory.describes = self.describing;
        self.thread.last_turn =
            Some(TurnSummary { number, state: TurnState::Running.into(), id: turn.id.clone() });
        // A workspace that is made for this turn, or was saved just now, nobody else has touched.
        let untouched = !rested || !self.memory.workspace || self.memory.unsaved;
        let look = if untouched { Look::Done } else { Look::Wanted };
        self.turn = Some(Running {
            turn: turn.clone(),
            phase: Phase::Waiting,
            look,
            again: 0,
            steering: Vec::new(),
            ending: None,
            allowance: Allowance::default(),
        });
        self.log(Payload::TurnStarted(turn), out);
        self.deliver(now, Delivery::Queued, out);
        if self.finishing.is_some() {
            self.finish_by(now, out);
        }
        if !self.is_limited() {
            self.clear(now, out);
        }
        self.advance(now, out);
    }

    /// Takes the waiting turn one step nearer to the agent.
    pub(super) fn advance(&mut self, now: Millis, out: &mut Accepted) {
        let waiting = self.turn.as_ref().is_some_and(|running| running.phase == Phase::Waiting);
        if !waiting || self.saving.is_some() || self.killing || !self.is_cleared(out) {
            return;
        }
        let mut looking = false;
        if let Some(running) = &mut self.turn
            && self.sandbox == Sandbox::Up
            && self.memory.rewind.is_none()
        {
            if running.look == Look::Wanted {
                running.look = Look::UnderWay;
                let (turn, number) = (running.turn.id.clone(), running.turn.number);
                out.effects.push(Effect::Look { turn, number });
            }
            looking = running.look == Look::UnderWay;
        }
        let busy = looking || self.memory.rewind.is_some();
        match (self.sandbox, &self.agent) {
            (Sandbox::Absent, _) => {
                self.charge_resume(now, LedgerKind::ResumeByMessage, out);
                self.start(out);
            }
            (Sandbox::Starting | Sandbox::Stopping, _) | (Sandbox::Up, Agent::Starting) => {}
            (Sandbox::Up, Agent::Ready(_)) if busy => {}
            (Sandbox::Up, Agent::Absent) => {
                self.agent = Agent::Starting;
                self.launched = (self.thread.mode(), self.thread.model.clone());
                out.effects.push(Effect::StartAgent);
            }
            (Sandbox::Up, Agent::Ready(session)) => {
                let fresh = session.fresh;
                self.prompt(now, fresh, out);
            }
        }
    }

    fn prompt(&mut self, now: Millis, fresh: bool, out: &mut Accepted) {
        if let Agent::Ready(session) = &mut self.agent {
            session.fresh = false;
        }
        self.memory.prompted = true;
        let parts = self.parts_of(&self.memory.messages);
        let Some(running) = &mut self.turn else { return };
        running.phase = Phase::Prompted;
        out.effects.push(Effect::Prompt {
            turn: running.turn.id.clone(),
            parts,
            // The first turn of a thread has nothing before it to tell.
            fresh: fresh && running.turn.number > 1,
            tell: self.memory.tell.clone(),
        });
        self.deliver(now, Delivery::Delivered, out);
    }

    /// The turn is as it was before it was given to an agent that never had it; false where that was tried often enough.
    pub(super) fn take_again(&mut self, now: Millis, given: &str, out: &mut Accepted) -> bool {
        let Some(running) = self.turn.as_mut().filter(|running| running.turn.id != given) else {
            return false;
        };
        if !matches!(running.phase, Phase::Waiting | Phase::Prompted) || running.again == AGAIN {
            return false;
        }
        running.again += 1;
        running.phase = Phase::Waiting;
        // They are messages of the turn like any other.
        running.steering.clear();
        if running.look == Look::UnderWay && self.sandbox != Sandbox::Up {
            running.look = Look::Wanted;
        }
        self.memory.prompted = false;
        // A crash must find them as they are: given to nobody.
        self.deliver(now, Delivery::Queued, out);
        true
    }

    pub(super) fn interrupt(
        &mut self,
        now: Millis,
        expected: &str,
        finish: bool,
        by: &str,
        out: &mut Accepted,
    ) -> Result<(), Refused> {
        self.expect_turn(expected)?;
        let Some(running) = &self.turn else { return Err(Refused::NoTurn) };
        out.turn = Some(running.turn.clone());
        if !finish || running.phase != Phase::Prompted || self.memory.describes {
            self.stop(now, by, out);
            return Ok(());
        }
        if self.finishing.is_none() {
            self.finish_by(now, out);
            self.steer(now, expected, vec![words(WRAP_UP)], by, out)?;
            self.finishing = out.item.as_ref().map(|item| item.id.clone());
        }
        Ok(())
    }

    /// Stops the running turn, which fails.
    pub(super) fn halt(
        &mut self,
        now: Millis,
        problem: Problem,
        out: &mut Accepted,
    ) -> Result<(), Refused> {
        if self.turn.is_none() {
            return Err(Refused::NoTurn);
        }
        self.end(now, "cloud", Some(problem), out);
        Ok(())
    }

    /// Stops the running turn when the agent does not wrap up in time.
    fn finish_by(&self, now: Millis, out: &mut Accepted) {
        let deadline = Deadline::Finish(self.turn_id());
        out.effects.push(Effect::Wake { at: now + FINISH_GRACE, deadline });
    }

    /// Stops the running turn: asked first, then ended with everything it started.
    pub(super) fn stop(&mut self, now: Millis, by: &str, out: &mut Accepted) {
        self.end(now, by, None, out);
    }

    /// The same, as a failure where there is a problem.
    fn end(&mut self, now: Millis, by: &str, problem: Option<Problem>, out: &mut Accepted) {
        // A turn of the cloud's own, which it ends itself, is nothing that people wanted to stop.
        if by != "cloud" || !self.memory.describes {
            self.hold_back(now, out);
        }
        self.withdraw_questions(now, out);
        let starting = matches!(self.sandbox, Sandbox::Starting);
        let Some(running) = &mut self.turn else { return };
        let turn = running.turn.id.clone();
        if running.phase != Phase::Stopping && running.phase != Phase::Killing {
            by.clone_into(&mut running.turn.stopped_by);
        }
        // What ends already says why it does.
        let outcome = &mut self.memory.outcome;
        let says_why = outcome
            .as_ref()
            .is_some_and(|known| running.phase == Phase::Killing || known.problem.is_some());
        if problem.is_some() || !says_why {
            let failed = problem.is_some();
            *outcome = Some(Outcome {
                state: if failed { TurnState::Failed } else { TurnState::Interrupted },
                stopped_by: running.turn.stopped_by.clone(),
                problem,
            });
        }
        match running.phase {
            Phase::Waiting if starting => {
                running.phase = Phase::Killing;
                self.sandbox = Sandbox::Stopping;
                out.effects.push(Effect::AbortStart);
            }
            Phase::Waiting if self.sandbox == Sandbox::Up => self.kill(out),
            Phase::Waiting => self.complete(now, None, out),
            // It has nothing more to ask of the agent.
            Phase::Prompted if running.ending.is_some() => self.kill(out),
            Phase::Prompted => {
                running.phase = Phase::Stopping;
                out.effects.push(Effect::Cancel);
                out.effects
                    .push(Effect::Wake { at: now + STOP_GRACE, deadline: Deadline::Stop(turn) });
            }
            Phase::Guided => running.phase = Phase::Stopping,
            Phase::Stopping | Phase::Killing => {}
            Phase::Saving => {
                let deadline = Deadline::Snapshot(turn);
                out.effects.push(Effect::Wake { at: now + SNAPSHOT_GRACE, deadline });
            }
        }
    }

    /// What was to come after the turn waits for a person's next message, corrections first; words of the cloud's own fall
    /// away.
    fn hold_back(&mut self, now: Millis, out: &mut Accepted) {
        self.memory.held = true;
        if let Some(wrap_up) = self.finishing.take() {
            self.drop_guide(now, &wrap_up, out);
        }
        let guides = std::mem::take(&mut self.memory.guides);
        self.memory.queue.splice(0..0, guides);
    }

    /// The agent ended a turn by itself.
    pub(super) fn ended(&mut self, now: Millis, turn: &str, ending: Ending, out: &mut Accepted) {
        let Some(running) = self.turn.as_mut().filter(|running| running.turn.id == turn) else {
            return;
        };
        // What came too late for it is not known yet: it must not count as used.
        if matches!(running.phase, Phase::Prompted | Phase::Guided) && !running.steering.is_empty()
        {
            running.ending = Some(ending);
            return;
        }
        let by = running.turn.stopped_by.clone();
        // It had its prompt, so it knows.
        self.memory.tell.clear();
        match running.phase {
            Phase::Stopping => self.kill(out),
            Phase::Guided => self.settle(now, TurnState::Interrupted, by, None, out),
            Phase::Prompted => match ending {
                Ending::Completed => {
                    self.settle(now, TurnState::Completed, String::new(), None, out);
                }
                Ending::Cancelled => {
                    self.settle(now, TurnState::Interrupted, "agent".to_owned(), None, out);
                }
                Ending::Failed(problem) => {
                    self.settle(now, TurnState::Failed, String::new(), Some(problem), out);
                }
            },
            Phase::Waiting | Phase::Killing | Phase::Saving => {}
        }
    }

    /// Ends the agent and everything it started.
    pub(super) fn kill(&mut self, out: &mut Accepted) {
        if let Some(running) = &mut self.turn {
            running.phase = Phase::Killing;
        }
        self.agent = Agent::Absent;
        if !std::mem::replace(&mut self.killing, true) {
            out.effects.push(Effect::KillAgent);
        }
    }

    pub(super) fn killed(&mut self, now: Millis, out: &mut Accepted) {
        if !std::mem::take(&mut self.killing) {
            return;
        }
        if self.turn.is_none() {
            self.go_back(out);
            self.rest(now, out);
        }
        self.advance(now, out);
        let Some(running) = self.turn.as_ref().filter(|running| running.phase == Phase::Killing)
        else {
            return;
        };
        let outcome = self.memory.outcome.clone().unwrap_or_else(|| Outcome {
            state: TurnState::Interrupted,
            stopped_by: running.turn.stopped_by.clone(),
            problem: None,
        });
        self.settle(now, outcome.state, outcome.stopped_by, outcome.problem, out);
    }

    /// The agent no longer works on the turn: closes what it left open and saves the workspace.
    pub(super) fn settle(
        &mut self,
        now: Millis,
        state: TurnState,
        stopped_by: String,
        problem: Option<Problem>,
        out: &mut Accepted,
    ) {
        self.withdraw_questions(now, out);
        let left = match state {
            TurnState::Completed => ItemState::Completed,
            TurnState::Unspecified
            | TurnState::Running
            | TurnState::Interrupted
            | TurnState::Failed => ItemState::Failed,
        };
        // Nobody will say any more whether the agent took them in. Who corrected it is heard; who stopped it is obeyed.
        let unanswered = self.turn.as_mut().map(|running| std::mem::take(&mut running.steering));
        if state == TurnState::Completed || !self.memory.guides.is_empty() {
            for id in unanswered.into_iter().flatten() {
                self.comes_next(id);
            }
        }
        self.deliver(now, Delivery::Used, out);
        let events = self.transcript.end_turn(left, timestamp(now));
        self.log_all(events, out);
        let up = self.sandbox == Sandbox::Up;
        let Some(running) = &mut self.turn else { return };
        running.phase = Phase::Saving;
        // On disk before the saving begins: a crash meanwhile changes nothing about it.
        self.memory.outcome = Some(Outcome { state, stopped_by, problem });
        let (turn, number) = (running.turn.id.clone(), running.turn.number);
        if !up || !self.memory.workspace || self.memory.rewind.is_some() {
            self.complete(now, None, out);
            return;
        }
        self.saving = Some(turn.clone());
        out.effects.push(Effect::Snapshot { turn: turn.clone(), number });
        if state == TurnState::Interrupted {
            let deadline = Deadline::Snapshot(turn);
            out.effects.push(Effect::Wake { at: now + SNAPSHOT_GRACE, deadline });
        }
    }

    pub(super) fn saved(
        &mut self,
        now: Millis,
        turn: &str,
        commit: String,
        diff: DiffStat,
        out: &mut Accepted,
    ) {
        if self.saving.as_deref() != Some(turn) {
            return;
        }
        self.saving = None;
        let number = turn.trim_start_matches('t').parse().unwrap_or_default();
        self.memory.unsaved = false;
        self.now_at(Saved { number, commit: commit.clone() }, diff, out);
        let waits = self
            .turn
            .as_ref()
            .is_some_and(|running| running.turn.id == turn && running.phase == Phase::Saving);
        if waits {
            self.complete(now, Some(commit), out);
        } else {
            // It was reported without its snapshot, which came late: the same record again, now whole.
            if let Some(last) = self.last.as_mut().filter(|last| last.id == turn) {
                last.commit = commit;
                let whole = last.clone();
                self.log(Payload::TurnCompleted(whole), out);
            }
            self.after_late_snapshot(now, out);
        }
    }

    /// The turn was reported without its snapshot, which nothing waits for any more.
    fn after_late_snapshot(&mut self, now: Millis, out: &mut Accepted) {
        self.go_back(out);
        self.advance(now, out);
        if self.turn.is_none() {
            self.rest(now, out);
            self.rest_after_turn(now, out);
        }
    }

    /// The workspace is what this snapshot holds.
    pub(super) fn now_at(&mut self, saved: Saved, diff: DiffStat, out: &mut Accepted) {
        self.memory.snapshot = Some(saved);
        if self.thread.diff.replace(diff) != Some(diff) {
            self.log(Payload::DiffChanged(diff), out);
        }
    }

    pub(super) fn not_saved(
        &mut self,
        now: Millis,
        turn: &str,
        problem: &Problem,
        out: &mut Accepted,
    ) {
        if self.saving.as_deref() != Some(turn) {
            return;
        }
        self.saving = None;
        self.say_not_saved(now, &problem.message, out);
        if self
            .turn
            .as_ref()
            .is_some_and(|running| running.turn.id == turn && running.phase == Phase::Saving)
        {
            self.complete(now, None, out);
        } else {
            self.after_late_snapshot(now, out);
        }
    }

    /// A word in the thread that the turn has no snapshot.
    pub(super) fn say_not_saved(&mut self, now: Millis, why: &str, out: &mut Accepted) {
        let text = format!("The workspace was not saved at the end of the turn: {why}");
        self.say(now, Level::Warning, text, out);
    }

    /// Reports the end of the turn and goes on to what waits.
    pub(super) fn complete(&mut self, now: Millis, commit: Option<String>, out: &mut Accepted) {
        self.close_time(now, out);
        let Some(Running { mut turn, .. }) = self.turn.take() else { return };
        let outcome = self.memory.outcome.take();
        self.used_at(now);
        let outcome = outcome.unwrap_or(Outcome {
            state: TurnState::Interrupted,
            stopped_by: turn.stopped_by.clone(),
            problem: None,
        });
        self.deliver(now, Delivery::Used, out);
        let events = self.transcript.end_turn(ItemState::Failed, timestamp(now));
        self.log_all(events, out);
        turn.set_state(outcome.state);
        turn.stopped_by = outcome.stopped_by;
        turn.error = outcome.problem;
        turn.end_time = Some(timestamp(now));
        turn.commit = commit.unwrap_or_default();
        self.memory.unsaved |= self.memory.prompted && turn.commit.is_empty();
        self.thread.last_turn = Some(TurnSummary {
            number: turn.number,
            state: outcome.state.into(),
            id: turn.id.clone(),
        });
        self.log(Payload::TurnCompleted(turn.clone()), out);
        match outcome.state {
            // Of the pull request it is told what became of that.
            _ if self.memory.describes => {}
            TurnState::Completed => self.post(NoticeKind::Completed, "is done", "", out),
            TurnState::Failed => {
                self.memory.held = true;
                let why =
                    turn.error.as_ref().map(|problem| problem.message.clone()).unwrap_or_default();
                self.post(NoticeKind::Failed, "failed", &why, out);
            }
            TurnState::Unspecified | TurnState::Running | TurnState::Interrupted => {}
        }
        self.last = Some(turn);
        if self.memory.guides.is_empty() && self.finishing.take().is_some() {
            self.memory.held = true;
        }
        self.next(now, out);
        self.rest_after_turn(now, out);
    }

    /// What comes after a turn.
    pub(super) fn next(&mut self, now: Millis, out: &mut Accepted) {
        if self.memory.pause {
            self.suspend(now, out);
            return;
        }
        if !self.memory.guides.is_empty() {
            let guides = std::mem::take(&mut self.memory.guides);
            self.memory.held = false;
            self.begin(now, guides, false, out);
        } else if !self.memory.held && !self.memory.queue.is_empty() {
            let message = self.memory.queue.remove(0);
            self.begin(now, vec![message], false, out);
        } else {
            self.rest(now, out);
        }
    }

    /// Tells how far the turn's messages have come.
    fn deliver(&mut self, now: Millis, delivery: Delivery, out: &mut Accepted) {
        for id in self.memory.messages.clone() {
            let events = self.transcript.deliver(&id, delivery, timestamp(now));
            self.log_all(events, out);
        }
    }
}

/// Words as a message.
fn words(text: &str) -> Part {
    Part { kind: Some(input::Kind::Text(TextInput { text: text.to_owned() })) }
}
