//! Parameters and results of `outbox/*`: what the bridge keeps for a cloud that cannot be reached.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::kept::Kept;

/// What is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutboxResult {
    /// In the order in which it will be delivered.
    pub waiting: Vec<Kept>,
    /// What the cloud refused when it came, until a person was told.
    pub refused: Vec<Kept>,
}

/// `outbox/remove`: takes one back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutboxRemoveParams {
    /// Its request's id.
    pub request_id: String,
}
