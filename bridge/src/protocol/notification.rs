//! Parameters of the notifications that are no event of a thread's log. Those that are carry an
//! [`Event`](crate::protocol::event::Event).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::kept::Kept;
use crate::protocol::notice::Notice;
use crate::protocol::thread::Thread;

/// `thread/didChange` of the list: any thread is new or changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadChanged {
    /// Number in the feed.
    pub feed: u64,
    /// As it is now.
    pub thread: Thread,
}

/// `thread/didDelete`: a thread is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadDeleted {
    /// Number in the feed.
    pub feed: u64,
    /// The thread.
    pub thread_id: String,
}

/// `notice/didPost`: a notice was posted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoticePosted {
    /// Number in the feed.
    pub feed: u64,
    /// The notice.
    pub notice: Notice,
}

/// `notice/didRead`: a notice was read somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeRead {
    /// Number in the feed.
    pub feed: u64,
    /// The notice.
    pub notice_id: String,
}

/// `connection/didChange`: whether the cloud is heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionChanged {
    /// How the connection stands.
    pub state: ConnectionState,
    /// More, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `outbox/didDeliver` and `outbox/didRefuse`: a request that was kept has reached the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeptTold {
    /// The request; where the cloud refused it, with its error.
    pub kept: Kept,
}

/// How the connection to the cloud stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ConnectionState {
    /// It is there.
    Connected,
    /// It is being made.
    Connecting,
    /// It cannot be made; tried again.
    Offline,
    /// The cloud does not know us.
    Unauthenticated,
    /// A state this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
