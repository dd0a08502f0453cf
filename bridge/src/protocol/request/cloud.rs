//! Parameters and results of `agent/*`, `key/*` and `notice/*`, and the state of the cloud itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::notice::Notice;

/// A program that thinks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// As in `--agent`.
    pub name: String,
    /// Can be used now.
    pub usable: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Of the program, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Used when none is named.
    #[serde(default)]
    pub default: bool,
}

/// `key/set`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeySetParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// `anthropic` or `openai`.
    pub provider: String,
    /// The key; kept encrypted, never printed.
    pub value: String,
    /// Another address of the API; absent = the provider's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
}

impl std::fmt::Debug for KeySetParams {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("KeySetParams")
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

/// A model key without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// `anthropic` or `openai`.
    pub provider: String,
    /// `stored` or `environment`.
    pub source: String,
    /// Where it is sent; absent = the provider's own address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Its last four characters.
    pub suffix: String,
}

/// `key/delete` and `key/test`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyParams {
    /// Client-made; not needed for `key/test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// `anthropic` or `openai`.
    pub provider: String,
}

/// `key/test`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyTestResult {
    /// It works.
    pub ok: bool,
    /// What the provider said.
    pub detail: String,
}

/// `notice/list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeListParams {
    /// Only those not read.
    #[serde(default)]
    pub unread: bool,
    /// Absent = 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
}

/// Notices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoticeListResult {
    /// Newest first.
    pub notices: Vec<Notice>,
    /// Subscribe after this to miss nothing.
    pub feed: u64,
}

/// `notice/read`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeReadParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// None = all.
    #[serde(default)]
    pub notice_ids: Vec<String>,
}

/// How the cloud is, as `aloft cloud status --json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloudStatus {
    /// Where it listens.
    pub address: String,
    /// Of the program.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Where it keeps everything.
    pub data_dir: String,
    /// Threads it has.
    pub threads: u32,
    /// Turns that run now.
    pub running_turns: u32,
}

/// One finding of `aloft doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was looked at.
    pub check: String,
    /// As it should be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
