//! Turns an agent's reports into the items and events of a thread's log.
//!
//! A [`Transcript`] owns the open items of one thread: one for each action of the agent, at most one message or thought,
//! one plan a turn, one for each open question. It keeps the log well formed whatever the agent sends: an item is started
//! before anything is added to it, its text is what was added, it ends once, and nothing follows. An `item_started` of an
//! item that is open already replaces what was known of it.
//!
//! Time comes in from outside and the numbering can be restored, so the same reports always give the same events. What is
//! stored, and when appends are gathered, is left to the runner, with [`merge()`] to gather them.

mod entry;
mod merge;
mod output;
mod tool;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use aloft_proto::v1::{
    AgentMessage, Author, Delivery, Field, FileChange, FileDiff, Input, Item, ItemAppended,
    ItemState, Level, NoticeItem, Permission, Plan, PlanStep, Problem, Reasoning, UserMessage,
    event::Payload, item::Kind,
};
use prost_types::Timestamp;

pub use crate::model::transcript::merge::merge;
use crate::model::{
    transcript::entry::{Entry, Role},
    update::{AgentUpdate, Question},
};

/// The answer of a question that fell away.
pub const CANCELLED: &str = "cancelled";

/// The open items of a thread.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    /// Number of the last item made.
    last: u64,
    /// The turn items belong to; empty outside one.
    turn: String,
    /// In the order they began.
    open: Vec<Entry>,
    /// Actions of this turn that have ended, so that what still comes of them does not begin them anew; with their items.
    ended: HashMap<String, String>,
}

impl Transcript {
    /// Goes on with the items that are open in the log, after `last` items were made, in this turn (empty outside one).
    pub fn restore(open: Vec<Item>, last: u64, turn: &str) -> Self {
        let open = open.into_iter().map(Entry::restored).collect();
        Self { last, open, turn: turn.to_owned(), ..Self::default() }
    }

    /// How many items were made: the highest number of an item's id.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The turn that items belong to; empty outside one.
    pub fn turn(&self) -> &str {
        &self.turn
    }

    /// The open questions, oldest first: the name of each and its item.
    pub fn questions(&self) -> impl Iterator<Item = (&str, &Item)> {
        let open = self.open.iter().filter(|entry| entry.role == Role::Question);
        open.map(|entry| (entry.key.as_str(), &entry.item))
    }

    /// A person's message, while it is open.
    pub fn message(&self, item_id: &str) -> Option<&Item> {
        let is_it = |entry: &&Entry| entry.role == Role::Person && entry.item.id == item_id;
        self.open.iter().find(is_it).map(|entry| &entry.item)
    }

    /// Takes back a message that was not delivered.
    pub fn take_back(&mut self, item_id: &str, now: Timestamp) -> Vec<Payload> {
        let is_it = |entry: &Entry| entry.is_queued() && entry.item.id == item_id;
        let Some(index) = self.open.iter().position(is_it) else { return Vec::new() };
        vec![self.open.remove(index).complete(ItemState::Declined, now)]
    }

    /// A turn begins: from here on items belong to it.
    pub fn begin_turn(&mut self, turn: &str, now: Timestamp) -> Vec<Payload> {
        let mut events = Vec::new();
        self.close_words(now, &mut events);
        turn.clone_into(&mut self.turn);
        self.ended.clear();
        events
    }

    /// The turn ends: [`Transcript::close_all`], and what comes now belongs to no turn.
    pub fn end_turn(&mut self, state: ItemState, now: Timestamp) -> Vec<Payload> {
        let events = self.close_all(state, now);
        self.turn.clear();
        events
    }

    /// Closes what is open: actions end in `state`, questions as [`CANCELLED`], words and the plan as they are. Messages
    /// that wait for their turn stay, and notices of what is under way beside it.
    pub fn close_all(&mut self, state: ItemState, now: Timestamp) -> Vec<Payload> {
        let (waiting, open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.open).into_iter().partition(Entry::outlasts_turns);
        self.open = waiting;
        let mut events = Vec::new();
        for mut entry in open {
            let state = entry.final_state(state);
            self.remember(&entry);
            events.push(entry.complete(state, now));
        }
        events
    }

    /// What the agent did or said. A title, the context's size and what is unknown make no item.
    pub fn apply(&mut self, update: AgentUpdate, now: Timestamp) -> Vec<Payload> {
        let mut events = Vec::new();
        match update {
            AgentUpdate::Message { message, text } => {
                self.words(Role::Message, message.unwrap_or_default(), &text, now, &mut events);
            }
            AgentUpdate::Reasoning { message, text } => {
                self.words(Role::Reasoning, message.unwrap_or_default(), &text, now, &mut events);
            }
            AgentUpdate::Plan(steps) => self.plan(steps, now, &mut events),
            AgentUpdate::Tool(tool) => {
                self.tool(*tool, now, &mut events);
            }
            AgentUpdate::Notice(text) => return self.notice(Level::Info, text, now),
            AgentUpdate::Title(_) | AgentUpdate::Context { .. } | AgentUpdate::Unknown(_) => {}
        }
        events
    }

    /// The agent asks a person: a permission item, beside the item of the action it asks about.
    pub fn ask(&mut self, question_id: &str, question: Question, now: Timestamp) -> Vec<Payload> {
        let mut events = Vec::new();
        let mut tool = question.tool;
        // It waits for the answer, whatever it says of itself.
        tool.state = None;
        let about = self.tool(tool, now, &mut events).unwrap_or_default();
        let permission = Permission {
            title: question.title,
            detail: question.detail,
            options: question.options,
            item_id: about,
            ..Permission::default()
        };
        self.start(
            Role::Question,
            question_id.to_owned(),
            Kind::Permission(permission),
            now,
            &mut events,
        );
        events
    }

    /// A person answered, or [`CANCELLED`]. A "no" marks the action as declined. Nothing, when the question is not open.
    pub fn answer(
        &mut self,
        question_id: &str,
        option_id: &str,
        by: &str,
        now: Timestamp,
    ) -> Vec<Payload> {
        let asks = |entry: &Entry| entry.role == Role::Question && entry.key == question_id;
        let Some(index) = self.open.iter().position(asks) else { return Vec::new() };
        let mut entry = self.open.remove(index);
        if let Some((about, true)) = entry.answer(option_id, by) {
            let action =
                self.open.iter_mut().find(|entry| !about.is_empty() && entry.item.id == about);
            if let Some(action) = action {
                action.declined = true;
            }
        }
        vec![entry.complete(ItemState::Completed, now)]
    }

    /// A person's message, with the id of its item. It is closed by [`Transcript::deliver`] or taken back.
    pub fn user_message(
        &mut self,
        input: Vec<Input>,
        author: &str,
        delivery: Delivery,
        now: Timestamp,
    ) -> (String, Vec<Payload>) {
        let message = UserMessage { input, author: author.to_owned(), delivery: delivery.into() };
        let mut events = Vec::new();
        // It belongs to no turn until it is delivered: the turn that runs may not be its own.
        let turn = std::mem::take(&mut self.turn);
        let id =
            self.start(Role::Person, String::new(), Kind::UserMessage(message), now, &mut events);
        self.turn = turn;
        (id, events)
    }

    /// A person's message came further; delivered, it belongs to the turn of now, and used, it is closed.
    pub fn deliver(&mut self, item_id: &str, delivery: Delivery, now: Timestamp) -> Vec<Payload> {
        let is_it = |entry: &Entry| entry.role == Role::Person && entry.item.id == item_id;
        let Some(index) = self.open.iter().position(is_it) else { return Vec::new() };
        let entry = &mut self.open[index];
        let Some(Kind::UserMessage(message)) = &mut entry.item.kind else { return Vec::new() };
        message.delivery = delivery.into();
        self.turn.clone_into(&mut entry.item.turn_id);
        if delivery == Delivery::Used {
            return vec![self.open.remove(index).complete(ItemState::Completed, now)];
        }
        vec![entry.started()]
    }

    /// A word from the cloud.
    pub fn notice(&mut self, level: Level, text: String, now: Timestamp) -> Vec<Payload> {
        self.whole(Kind::Notice(NoticeItem { level: level.into(), text, error: None }), now)
    }

    /// A word from the cloud about something that takes a while: it stays open until [`Transcript::end_notice`].
    pub fn begin_notice(
        &mut self,
        level: Level,
        text: String,
        now: Timestamp,
    ) -> (Item, Vec<Payload>) {
        let kind = Kind::Notice(NoticeItem { level: level.into(), text, error: None });
        let mut events = Vec::new();
        let turn = std::mem::take(&mut self.turn);
        self.start(Role::Whole, String::new(), kind, now, &mut events);
        self.turn = turn;
        let item = self.open.last().map(Entry::record).unwrap_or_default();
        (item, events)
    }

    /// What came of it; with an error it failed.
    pub fn end_notice(
        &mut self,
        item_id: &str,
        text: String,
        error: Option<Problem>,
        now: Timestamp,
    ) -> Vec<Payload> {
        let is_it = |entry: &Entry| entry.role == Role::Whole && entry.item.id == item_id;
        let Some(index) = self.open.iter().position(is_it) else { return Vec::new() };
        let mut entry = self.open.remove(index);
        let (state, level) = match error {
            None => (ItemState::Completed, Level::Info),
            Some(_) => (ItemState::Failed, Level::Error),
        };
        entry.item.kind = Some(Kind::Notice(NoticeItem { level: level.into(), text, error }));
        vec![entry.complete(state, now)]
    }

    /// Files changed, as somebody found out afterwards.
    pub fn file_change(
        &mut self,
        changes: Vec<FileDiff>,
        author: Author,
        now: Timestamp,
    ) -> Vec<Payload> {
        self.whole(Kind::FileChange(FileChange { changes, author: author.into() }), now)
    }

    /// An item that is complete from its beginning.
    fn whole(&mut self, kind: Kind, now: Timestamp) -> Vec<Payload> {
        let mut events = Vec::new();
        self.start(Role::Whole, String::new(), kind, now, &mut events);
        events.extend(self.open.pop().map(|mut entry| entry.complete(ItemState::Completed, now)));
        events
    }

    fn words(
        &mut self,
        role: Role,
        key: String,
        text: &str,
        now: Timestamp,
        events: &mut Vec<Payload>,
    ) {
        if text.is_empty() {
            return;
        }
        let goes_on = self.open.iter().rposition(|entry| entry.role == role && entry.key == key);
        let index = goes_on.unwrap_or_else(|| {
            let kind = match role {
                Role::Reasoning => Kind::Reasoning(Reasoning::default()),
                _ => Kind::AgentMessage(AgentMessage::default()),
            };
            self.start(role, key, kind, now, events);
            self.open.len() - 1
        });
        let entry = &mut self.open[index];
        let Some(
            Kind::AgentMessage(AgentMessage { text: known })
            | Kind::Reasoning(Reasoning { text: known }),
        ) = &mut entry.item.kind
        else {
            return;
        };
        events.push(Payload::ItemAppended(ItemAppended {
            item_id: entry.item.id.clone(),
            field: Field::Text.into(),
            delta: text.to_owned().into(),
            offset: known.len() as u64,
        }));
        known.push_str(text);
    }

    fn plan(&mut self, steps: Vec<PlanStep>, now: Timestamp, events: &mut Vec<Payload>) {
        let plan = Plan { steps };
        match self.open.iter_mut().find(|entry| entry.role == Role::Plan) {
            Some(entry) => {
                let kind = Some(Kind::Plan(plan));
                if entry.item.kind != kind {
                    entry.item.kind = kind;
                    events.push(entry.started());
                }
            }
            None if plan.steps.is_empty() => {}
            None => {
                self.start(Role::Plan, String::new(), Kind::Plan(plan), now, events);
            }
        }
    }

    /// Begins an item; words end where another item begins.
    fn start(
        &mut self,
        role: Role,
        key: String,
        kind: Kind,
        now: Timestamp,
        events: &mut Vec<Payload>,
    ) -> String {
        self.close_words(now, events);
        self.last += 1;
        let id = format!("i{}", self.last);
        let entry = Entry::new(role, key, id.clone(), self.turn.clone(), kind, now);
        events.push(entry.started());
        self.open.push(entry);
        id
    }

    fn close_words(&mut self, now: Timestamp, events: &mut Vec<Payload>) {
        let is_words = |entry: &Entry| matches!(entry.role, Role::Message | Role::Reasoning);
        while let Some(index) = self.open.iter().position(is_words) {
            events.push(self.open.remove(index).complete(ItemState::Completed, now));
        }
    }

    fn remember(&mut self, entry: &Entry) {
        if entry.role == Role::Action && !entry.key.is_empty() {
            self.ended.insert(entry.key.clone(), entry.item.id.clone());
        }
    }
}
