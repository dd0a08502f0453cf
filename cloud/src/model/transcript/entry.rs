//! One open item: what it is beside its record, and how it ends.

use aloft_proto::v1::{Delivery, Item, ItemState, OptionKind, event::Payload, item::Kind};
use prost_types::Timestamp;

use crate::model::transcript::{CANCELLED, output::Output};

/// An open item.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) role: Role,
    /// The agent's name of the action or of the message; the question's id.
    pub(super) key: String,
    /// The record, without its output.
    pub(super) item: Item,
    /// Of a command.
    pub(super) output: Output,
    /// A person said no to it.
    pub(super) declined: bool,
}

/// What an item is to the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Person,
    Message,
    Reasoning,
    Plan,
    Action,
    Question,
    /// Complete from its beginning.
    Whole,
}

impl Entry {
    pub(super) fn new(
        role: Role,
        key: String,
        id: String,
        turn_id: String,
        kind: Kind,
        now: Timestamp,
    ) -> Self {
        let item = Item {
            id,
            turn_id,
            state: ItemState::InProgress.into(),
            start_time: Some(now),
            end_time: None,
            kind: Some(kind),
        };
        Self { role, key, item, output: Output::default(), declined: false }
    }

    /// An open item of the log. The agent that knew its key is gone.
    pub(super) fn restored(mut item: Item) -> Self {
        let role = match &item.kind {
            Some(Kind::UserMessage(_)) => Role::Person,
            Some(Kind::AgentMessage(_)) => Role::Message,
            Some(Kind::Reasoning(_)) => Role::Reasoning,
            Some(Kind::Plan(_)) => Role::Plan,
            Some(Kind::Permission(_)) => Role::Question,
            Some(Kind::CommandExecution(_) | Kind::FileChange(_) | Kind::ToolCall(_)) => {
                Role::Action
            }
            Some(Kind::Notice(_)) | None => Role::Whole,
        };
        let mut output = Output::default();
        if let Some(Kind::CommandExecution(command)) = &mut item.kind {
            output = Output::restored(&std::mem::take(&mut command.output), command.output_bytes);
        }
        // No agent gives this name to a message or an action.
        let key = format!("\0{}", item.id);
        Self { role, key, item, output, declined: false }
    }

    /// A message that waits for its turn.
    pub(super) fn is_queued(&self) -> bool {
        matches!(&self.item.kind, Some(Kind::UserMessage(message)) if message.delivery() == Delivery::Queued)
    }

    /// The end of a turn does not end it.
    pub(super) fn outlasts_turns(&self) -> bool {
        self.role == Role::Whole || self.is_queued()
    }

    /// The record as it is now, for the log.
    pub(super) fn record(&self) -> Item {
        let mut item = self.item.clone();
        if let Some(Kind::CommandExecution(command)) = &mut item.kind {
            self.output.fill(command);
        }
        item
    }

    pub(super) fn started(&self) -> Payload {
        Payload::ItemStarted(self.record())
    }

    /// How it ends when what it belongs to ends in `state`.
    pub(super) fn final_state(&mut self, state: ItemState) -> ItemState {
        match self.role {
            Role::Action if self.declined => ItemState::Declined,
            Role::Action => state,
            Role::Question => {
                self.answer(CANCELLED, "");
                ItemState::Completed
            }
            Role::Person | Role::Message | Role::Reasoning | Role::Plan | Role::Whole => {
                ItemState::Completed
            }
        }
    }

    /// Writes the answer into a permission; gives the item it is about, and whether the answer is a "no".
    pub(super) fn answer(&mut self, option_id: &str, by: &str) -> Option<(String, bool)> {
        let Some(Kind::Permission(permission)) = &mut self.item.kind else { return None };
        option_id.clone_into(&mut permission.answer);
        by.clone_into(&mut permission.answered_by);
        let option = permission.options.iter().find(|option| option.id == option_id);
        let no = option.is_some_and(|option| {
            matches!(option.kind(), OptionKind::RejectOnce | OptionKind::RejectAlways)
        });
        Some((permission.item_id.clone(), no))
    }

    pub(super) fn complete(&mut self, state: ItemState, now: Timestamp) -> Payload {
        if let Some(Kind::UserMessage(message)) = &mut self.item.kind
            && state == ItemState::Completed
        {
            message.delivery = Delivery::Used.into();
        }
        self.item.state = state.into();
        self.item.end_time = Some(now);
        Payload::ItemCompleted(self.record())
    }
}
