//! Messages of people: the next turn, the queue, corrections.

use aloft_proto::v1::{Delivery, Input as Part, Item, TurnState, item::Kind};

use crate::model::{
    machine::{Accepted, Agent, Deadline, Effect, Machine, Millis, Phase, Refused, STOP_GRACE},
    time::timestamp,
};

impl Machine {
    pub(super) fn message(
        &mut self,
        now: Millis,
        parts: Vec<Part>,
        queue: bool,
        author: &str,
        out: &mut Accepted,
    ) -> Result<(), Refused> {
        check(&parts)?;
        match &self.turn {
            Some(running) if !queue => return Err(Refused::TurnActive(running.turn.id.clone())),
            Some(_) => {
                let id = self.add_message(now, parts, author, out);
                self.memory.queue.push(id);
            }
            None => {
                let id = self.add_message(now, parts, author, out);
                self.memory.held = false;
                self.begin(now, vec![id], true, out);
                out.turn = self.turn().cloned();
            }
        }
        Ok(())
    }

    pub(super) fn retry(
        &mut self,
        now: Millis,
        by: &str,
        parts: Vec<Part>,
        out: &mut Accepted,
    ) -> Result<(), Refused> {
        let ended = self.last.as_ref().map(aloft_proto::v1::Turn::state);
        match (&self.turn, ended) {
            (None, _) if self.memory.describes => Err(Refused::NothingToRetry),
            (Some(running), _) => Err(Refused::TurnActive(running.turn.id.clone())),
            (None, Some(TurnState::Failed | TurnState::Interrupted)) => {
                self.retrying = true;
                let begun = self.message(now, parts, false, by, out);
                self.retrying = false;
                begun
            }
            (None, _) => Err(Refused::NothingToRetry),
        }
    }

    /// Corrects the running turn: by the agent's own steering where it has one, else by a stop and a next turn.
    pub(super) fn steer(
        &mut self,
        now: Millis,
        expected: &str,
        parts: Vec<Part>,
        author: &str,
        out: &mut Accepted,
    ) -> Result<(), Refused> {
        check(&parts)?;
        self.expect_turn(expected)?;
        let Some(phase) = self.turn.as_ref().map(|running| running.phase) else {
            return self.message(now, parts, false, author, out);
        };
        let id = self.add_message(now, parts.clone(), author, out);
        out.turn = self.turn().cloned();
        match phase {
            // Words of a pull request are no answer to it: it comes after them.
            Phase::Waiting | Phase::Prompted if self.memory.describes => self.comes_next(id),
            // The agent has nothing yet: it gets both at once.
            Phase::Waiting => self.memory.messages.push(id),
            Phase::Prompted if self.has_ended() => self.comes_next(id),
            Phase::Prompted if self.steers() => {
                out.effects.push(Effect::Steer { item: id.clone(), parts });
                if let Some(running) = &mut self.turn {
                    running.steering.push(id.clone());
                }
                self.memory.messages.push(id);
            }
            Phase::Prompted => {
                self.guide(now, author, out);
                self.comes_next(id);
            }
            Phase::Guided | Phase::Stopping | Phase::Killing | Phase::Saving => {
                // It is newer than a pause that the turn was stopped for.
                self.memory.pause = false;
                self.comes_next(id);
            }
        }
        Ok(())
    }

    /// The agent did or did not take a correction by its own steering.
    pub(super) fn steered(&mut self, now: Millis, id: &str, taken: bool, out: &mut Accepted) {
        let Some(running) = &mut self.turn else { return };
        let Some(at) = running.steering.iter().position(|known| known == id) else { return };
        running.steering.remove(at);
        let (turn, phase) = (running.turn.id.clone(), running.phase);
        let ending = if running.steering.is_empty() { running.ending.take() } else { None };
        let has_ended = ending.is_some() || running.ending.is_some();
        if taken {
            let events = self.transcript.deliver(id, Delivery::Delivered, timestamp(now));
            self.log_all(events, out);
        } else {
            let author = self.transcript.message(id).map(author_of).unwrap_or_default();
            self.comes_next(id.to_owned());
            if has_ended && self.finishing.as_deref() == Some(id) {
                // It has come to its end already.
                self.drop_guide(now, id, out);
            } else if matches!(phase, Phase::Stopping | Phase::Killing) {
                // It was said before the stop.
                self.memory.guides.retain(|known| known != id);
                self.memory.queue.insert(0, id.to_owned());
            } else if phase == Phase::Prompted && !has_ended {
                self.guide(now, &author, out);
            }
        }
        if let Some(ending) = ending {
            self.ended(now, &turn, ending, out);
        }
    }

    /// A message of the running turn, or a new one, is given to the agent next, in the order they were said.
    pub(super) fn comes_next(&mut self, id: String) {
        let number = |id: &str| id.trim_start_matches('i').parse::<u64>().unwrap_or_default();
        self.memory.messages.retain(|known| *known != id);
        let guides = &mut self.memory.guides;
        let later = guides.iter().position(|known| number(known) > number(&id));
        guides.insert(later.unwrap_or(guides.len()), id);
    }

    /// A correction is of no use any more.
    pub(super) fn drop_guide(&mut self, now: Millis, id: &str, out: &mut Accepted) {
        let Some(at) = self.memory.guides.iter().position(|known| known == id) else { return };
        self.memory.guides.remove(at);
        let events = self.transcript.take_back(id, timestamp(now));
        self.log_all(events, out);
    }

    pub(super) fn move_queued(&mut self, id: &str, position: usize) -> Result<(), Refused> {
        let at = self.queued_at(id)?;
        let id = self.memory.queue.remove(at);
        self.memory.queue.insert(position.min(self.memory.queue.len()), id);
        Ok(())
    }

    pub(super) fn remove_queued(
        &mut self,
        now: Millis,
        id: &str,
        out: &mut Accepted,
    ) -> Result<(), Refused> {
        let at = self.queued_at(id)?;
        let id = self.memory.queue.remove(at);
        let events = self.transcript.take_back(&id, timestamp(now));
        self.log_all(events, out);
        Ok(())
    }

    pub(super) fn expect_turn(&self, expected: &str) -> Result<(), Refused> {
        if expected.is_empty() || self.turn().is_some_and(|turn| turn.id == expected) {
            return Ok(());
        }
        Err(Refused::TurnChanged { expected: expected.to_owned() })
    }

    /// The parts of these messages, in order.
    pub(super) fn parts_of(&self, ids: &[String]) -> Vec<Part> {
        let messages = ids.iter().filter_map(|id| self.transcript.message(id));
        messages
            .flat_map(|item| match &item.kind {
                Some(Kind::UserMessage(message)) => message.input.clone(),
                _ => Vec::new(),
            })
            .collect()
    }

    /// Asks the agent to stop so that a correction can follow.
    fn guide(&mut self, now: Millis, by: &str, out: &mut Accepted) {
        self.withdraw_questions(now, out);
        let Some(running) = &mut self.turn else { return };
        running.phase = Phase::Guided;
        by.clone_into(&mut running.turn.stopped_by);
        let deadline = Deadline::Stop(running.turn.id.clone());
        out.effects.push(Effect::Cancel);
        out.effects.push(Effect::Wake { at: now + STOP_GRACE, deadline });
    }

    /// The agent has ended the turn, which waits for an answer to a correction.
    fn has_ended(&self) -> bool {
        self.turn.as_ref().is_some_and(|running| running.ending.is_some())
    }

    fn steers(&self) -> bool {
        matches!(&self.agent, Agent::Ready(session) if session.steering)
    }

    fn queued_at(&self, id: &str) -> Result<usize, Refused> {
        self.memory
            .queue
            .iter()
            .position(|known| known == id)
            .ok_or_else(|| Refused::NotQueued(id.to_owned()))
    }

    fn add_message(
        &mut self,
        now: Millis,
        parts: Vec<Part>,
        author: &str,
        out: &mut Accepted,
    ) -> String {
        let (id, events) =
            self.transcript.user_message(parts, author, Delivery::Queued, timestamp(now));
        self.log_all(events, out);
        out.item = self.transcript.message(&id).cloned();
        id
    }
}

fn author_of(item: &Item) -> String {
    match &item.kind {
        Some(Kind::UserMessage(message)) => message.author.clone(),
        _ => String::new(),
    }
}

fn check(parts: &[Part]) -> Result<(), Refused> {
    use aloft_proto::v1::input::Kind as Of;
    let has_content = parts.iter().any(|part| match &part.kind {
        Some(Of::Text(text)) => !text.text.trim().is_empty(),
        Some(Of::Image(image)) => !image.data.is_empty(),
        Some(Of::File(_) | Of::Selection(_)) => true,
        None => false,
    });
    if has_content { Ok(()) } else { Err(Refused::Empty) }
}
