//! Parameters and results of the JSON-RPC requests. `protocol::method` says which belong to which name.
//!
//! `request_id` is made by the client; the bridge makes one where it is absent. `thread_id` may be an id, a unique prefix
//! of one, a slug or `@last`.

pub mod cloud;
pub mod forge;
pub mod outbox;
pub mod ssh;
pub mod thread;
pub mod turn;
pub mod usage;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A result that says no more than that it worked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Empty {}

/// Where a log is after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CursorResult {
    /// The newest event.
    pub cursor: u64,
    /// The cloud cannot be reached: the request is kept until it is back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub kept: bool,
}

/// A result that is left out where it says nothing.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

/// A thread, by one of its names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadParams {
    /// The thread.
    pub thread_id: String,
}

/// Something done to a thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadActionParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
}
