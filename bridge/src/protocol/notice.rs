//! Notices: words to a user, once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::time::Time;

/// A word to a user, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Unique in the cloud.
    pub id: String,
    /// The thread it is about.
    pub thread_id: String,
    /// Why it was posted.
    pub kind: NoticeKind,
    /// One line.
    pub title: String,
    /// More.
    pub body: String,
    /// Read somewhere.
    pub read: bool,
    /// When it was posted.
    pub create_time: Time,
}

/// Why a notice was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoticeKind {
    /// A turn ended.
    Completed,
    /// A question is open.
    NeedsAttention,
    /// A turn or thread failed.
    Failed,
    /// A pull request was opened or changed.
    PullRequest,
    /// A thread will be cleaned up.
    Expiring,
    /// A budget is used up.
    Budget,
    /// A kind this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
