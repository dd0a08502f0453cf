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
            // The agent has nothing yet: it gets both at once.
            Phase::Waiting => self.memory.messages.push(id),
            Phase::Prompted if self.steers() => {
                out.effects.push(Effect::Steer { item: id.clone(), parts });
                self.memory.messages.push(id);
            }
            Phase::Prompted => {
                self.guide(now, author, out);
                self.memory.guides.push(id);
            }
            Phase::Guided | Phase::Stopping | Phase::Killing | Phase::Saving => {
                self.memory.guides.push(id);
            }
        }
        Ok(())
    }

    /// The agent did or did not take a correction by its own steering.
    pub(super) fn steered(&mut self, now: Millis, id: &str, taken: bool, out: &mut Accepted) {
        let Some(at) = self.memory.messages.iter().position(|known| known == id) else { return };
        let Some(phase) = self.turn.as_ref().map(|running| running.phase) else { return };
        if taken {
            let events = self.transcript.deliver(id, Delivery::Delivered, timestamp(now));
            self.log_all(events, out);
            return;
        }
        self.memory.messages.remove(at);
        let author = self.transcript.message(id).map(author_of).unwrap_or_default();
        self.memory.guides.push(id.to_owned());
        if phase == Phase::Prompted {
            self.guide(now, &author, out);
        }
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
