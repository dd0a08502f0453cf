//! Events: the durable changes of a thread's log, as `follow --json` prints them and notifications carry them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::item::Item;
use crate::protocol::thread::{DiffStat, Thread, Turn};
use crate::protocol::time::Time;

/// One durable change in a thread's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its thread.
    pub thread_id: String,
    /// Its number in the thread: 1 for the first.
    pub cursor: u64,
    /// When it was written.
    pub time: Time,
    /// Its turn; absent outside one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<String>,
    /// Events before it that were left out because a later one holds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folded: Option<u64>,
    /// What changed.
    #[serde(flatten)]
    pub payload: EventPayload,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[expect(
    clippy::large_enum_variant,
    reason = "an event is converted, written and dropped; none are kept"
)]
pub enum EventPayload {
    /// The thread changed.
    ThreadChanged {
        /// As it is now.
        thread: Thread,
    },
    /// A turn began.
    TurnStarted {
        /// As it is now.
        turn: Turn,
    },
    /// A turn ended.
    TurnCompleted {
        /// As it is now.
        turn: Turn,
    },
    /// An item began, or changed as a whole: it replaces what was known of it.
    ItemStarted {
        /// As it is now.
        item: Item,
    },
    /// Text was added to an item.
    ItemAppended {
        /// The item.
        item_id: String,
        /// Which text grew.
        field: Field,
        /// What was added, UTF-8 with replacement.
        delta: String,
        /// Bytes that were there before it.
        #[serde(default)]
        offset: u64,
    },
    /// An item ended; this is authoritative.
    ItemCompleted {
        /// As it is now.
        item: Item,
    },
    /// The change against the base has a new size.
    DiffChanged {
        /// The new size.
        diff: DiffStat,
    },
    /// Something this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

impl EventPayload {
    /// Returns the name of the JSON-RPC notification that carries it, or `None` where there is none.
    pub fn notification(&self) -> Option<&'static str> {
        match self {
            Self::ThreadChanged { .. } => Some("thread/didChange"),
            Self::TurnStarted { .. } => Some("turn/didStart"),
            Self::TurnCompleted { .. } => Some("turn/didComplete"),
            Self::ItemStarted { .. } => Some("item/didStart"),
            Self::ItemAppended { .. } => Some("item/didAppend"),
            Self::ItemCompleted { .. } => Some("item/didComplete"),
            Self::DiffChanged { .. } => Some("thread/didChangeDiff"),
            Self::Unknown => None,
        }
    }
}

/// Which text of an item grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Field {
    /// Words of a message or of reasoning.
    Text,
    /// Output of a command.
    Output,
    /// Something this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
