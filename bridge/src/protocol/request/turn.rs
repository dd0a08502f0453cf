//! Parameters and results of `turn/*`, `queue/*` and `permission/*`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::input::Input;
use crate::protocol::item::Item;
use crate::protocol::request::is_false;
use crate::protocol::thread::Turn;

/// `turn/start`: a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnStartParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
    /// Its parts.
    pub input: Vec<Input>,
    /// After the running turn.
    #[serde(default)]
    pub queue: bool,
}

/// `turn/steer`: a correction of the running turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnSteerParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
    /// Refused with `TURN_CHANGED` when another runs; absent = whichever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_turn_id: Option<String>,
    /// What to do instead.
    pub input: Vec<Input>,
}

/// A turn that began, or a message that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TurnResult {
    /// Absent when the message was queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// The event that says so.
    pub cursor: u64,
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Item>,
    /// The cloud cannot be reached: the message is kept until it is back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub kept: bool,
}

/// `turn/interrupt`: a stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnInterruptParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
    /// Refused with `TURN_CHANGED` when another runs; absent = whichever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_turn_id: Option<String>,
    /// Let the agent wrap up in one short turn first.
    #[serde(default)]
    pub finish: bool,
}

/// Messages waiting for the end of the turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueResult {
    /// In the order they will be sent.
    pub items: Vec<Item>,
}

/// `queue/move`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueMoveParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
    /// The message.
    pub item_id: String,
    /// Its new place, 0 = next.
    pub position: u32,
}

/// `queue/remove`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueRemoveParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
    /// The message.
    pub item_id: String,
}

/// `permission/answer`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionAnswerParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
    /// The question; absent = the only open one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_id: Option<String>,
    /// An option's id, or `allow`, `allow-always`, `deny`.
    pub option_id: String,
}

/// An answer was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerResult {
    /// The cloud cannot be reached: the answer is kept until it is back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub kept: bool,
}
