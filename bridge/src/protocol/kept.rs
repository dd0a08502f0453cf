//! What the bridge keeps for a cloud that cannot be reached.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::error::ErrorBody;
use crate::protocol::time::Time;

/// A request that is kept until the cloud can be reached, or that it refused when it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Client-made: the cloud applies it once.
    pub request_id: String,
    /// The thread.
    pub thread_id: String,
    /// Its readable name.
    pub slug: String,
    /// What was asked for, for example `turn/start`.
    pub method: String,
    /// The words of a message, the option of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When it was asked for.
    pub time: Time,
    /// Why the cloud refused it; absent while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorBody>,
}

impl Kept {
    /// Returns what it is, for people.
    pub fn what(&self) -> &'static str {
        match self.method.as_str() {
            "turn/start" | "turn/steer" => "message",
            "turn/interrupt" => "stop",
            "permission/answer" => "answer",
            _ => "change",
        }
    }
}
