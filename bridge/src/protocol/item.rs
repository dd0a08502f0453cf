//! Items: the visible things of a thread.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::diff::FileDiff;
use crate::protocol::input::Input;
use crate::protocol::thread::Problem;
use crate::protocol::time::Time;

/// One visible thing in a thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Unique in its thread.
    pub id: String,
    /// Its turn; absent outside one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<String>,
    /// How it stands.
    pub state: ItemState,
    /// When it began.
    pub start_time: Time,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Time>,
    /// What it is.
    #[serde(flatten)]
    pub kind: ItemKind,
}

/// How an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ItemState {
    /// Still changing.
    InProgress,
    /// Done.
    Completed,
    /// Ended in error.
    Failed,
    /// A person said no.
    Declined,
    /// A state this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// What an item is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ItemKind {
    /// A person's message.
    UserMessage {
        /// Its parts.
        input: Vec<Input>,
        /// How far it has come.
        delivery: Delivery,
        /// Who wrote it.
        #[serde(skip_serializing_if = "Option::is_none")]
        author: Option<String>,
    },
    /// The agent's words.
    AgentMessage {
        /// Markdown.
        text: String,
    },
    /// The agent's thoughts.
    Reasoning {
        /// Markdown.
        text: String,
    },
    /// The agent's plan.
    Plan {
        /// In order.
        steps: Vec<PlanStep>,
    },
    /// A command.
    CommandExecution {
        /// As a person would type it.
        command: String,
        /// Where it ran.
        cwd: String,
        /// The last 64 KiB, UTF-8 with replacement; all of it by `item/output`.
        output: String,
        /// Size of the whole output in bytes.
        output_bytes: u64,
        /// `output` is not all of it.
        truncated: bool,
        /// Absent while it runs and after a signal.
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        /// Name of the signal that ended it.
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<String>,
    },
    /// A change of files.
    FileChange {
        /// As the agent reported them; the exact ones come from `thread/diff`.
        changes: Vec<FileDiff>,
        /// Who made them.
        author: Author,
    },
    /// Any other action of the agent.
    ToolCall {
        /// For people.
        title: String,
        /// `read`, `search`, `fetch`, `think`, `delete`, `move`, `switch_mode` or `other`.
        kind: String,
        /// The MCP server it went to.
        #[serde(skip_serializing_if = "Option::is_none")]
        server: Option<String>,
        /// The tool's name.
        #[serde(skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
        /// What it was called with.
        #[serde(skip_serializing_if = "Option::is_none")]
        arguments: Option<serde_json::Value>,
        /// What it answered: JSON, or a string.
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<serde_json::Value>,
    },
    /// A question to a person.
    Permission {
        /// What the agent wants to do.
        title: String,
        /// The command, or the diff.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        /// The answers on offer.
        options: Vec<PermissionOption>,
        /// The option chosen; `cancelled` when the question fell away.
        #[serde(skip_serializing_if = "Option::is_none")]
        answer: Option<String>,
        /// Who chose it.
        #[serde(skip_serializing_if = "Option::is_none")]
        answered_by: Option<String>,
        /// The item it asks about, where there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        item_id: Option<String>,
    },
    /// A word from the cloud.
    Notice {
        /// How much it matters.
        level: Level,
        /// For people.
        text: String,
        /// Why what was asked for was not done.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Problem>,
    },
    /// A kind this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Delivery {
    /// Waits for its turn.
    Queued,
    /// Given to the agent.
    Delivered,
    /// The agent took it in.
    Used,
    /// Something this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanStep {
    /// What is to be done.
    pub text: String,
    /// How it stands.
    pub state: PlanStepState,
}

/// State of a step of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PlanStepState {
    /// Not begun.
    Pending,
    /// In work.
    InProgress,
    /// Done.
    Completed,
    /// A state this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// Who changed files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Author {
    /// The agent.
    Agent,
    /// A person, by SSH or before the thread began.
    Person,
    /// Somebody this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// One answer on offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PermissionOption {
    /// The agent's own name of it.
    pub id: String,
    /// For people.
    pub label: String,
    /// What it means.
    pub kind: OptionKind,
}

/// What an answer to a permission means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OptionKind {
    /// Yes, this time.
    AllowOnce,
    /// Yes, from now on.
    AllowAlways,
    /// No, this time.
    RejectOnce,
    /// No, from now on.
    RejectAlways,
    /// Something this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// Good to know.
    Info,
    /// Something is not as expected.
    Warning,
    /// Something failed.
    Error,
    /// A level this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
