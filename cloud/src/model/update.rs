//! What an agent reports of its work, free of the protocol it was reported in.

use aloft_proto::v1::{FileDiff, ItemState, PermissionOption, PlanStep};
use bytes::Bytes;

/// One report of an agent.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentUpdate {
    /// More of the agent's words. Another `message` begins a new item.
    Message {
        /// The agent's own name of the message, where it has one.
        message: Option<String>,
        /// What is added.
        text: String,
    },
    /// More of the agent's thoughts. Another `message` begins a new item.
    Reasoning {
        /// The agent's own name of the thought, where it has one.
        message: Option<String>,
        /// What is added.
        text: String,
    },
    /// The whole plan as it is now.
    Plan(Vec<PlanStep>),
    /// An action began or changed.
    Tool(Box<ToolUpdate>),
    /// A word of the agent about itself that is neither message nor action.
    Notice(String),
    /// The agent named the thread.
    Title(String),
    /// Tokens in its context; informational, the model gateway counts what is used.
    Context {
        /// Tokens in use.
        used: u64,
        /// Tokens that fit.
        size: u64,
    },
    /// Something this version does not know, by the name of its kind: its raw JSON is kept, nothing else happens.
    Unknown(String),
}

/// A patch of one action: an absent field stays as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolUpdate {
    /// The agent's own name of the action.
    pub key: String,
    /// What the action is.
    pub kind: Option<ToolKind>,
    /// For people.
    pub title: Option<String>,
    /// The tool's name.
    pub tool: Option<String>,
    /// The MCP server it went to.
    pub server: Option<String>,
    /// How it stands.
    pub state: Option<ItemState>,
    /// Of a command: what a person would type.
    pub command: Option<String>,
    /// Of a command: where it ran.
    pub cwd: Option<String>,
    /// Of a command: what it printed.
    pub output: Option<OutputUpdate>,
    /// Of a command: how it ended.
    pub exit_code: Option<i32>,
    /// Of a command: the signal that ended it.
    pub signal: Option<String>,
    /// Of an edit: the files it changed, as the agent reported them.
    pub changes: Option<Vec<FileDiff>>,
    /// JSON of its arguments.
    pub arguments: Option<String>,
    /// JSON or text of its result.
    pub result: Option<String>,
}

/// What an action does, and so which item shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolKind {
    /// A command: a `commandExecution` item.
    Execute,
    /// A change of files: a `fileChange` item.
    Edit,
    /// Anything else: a `toolCall` item of this kind.
    Other(&'static str),
}

/// How a command's output changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputUpdate {
    /// More of it.
    Append(Bytes),
    /// The whole of it so far; where it begins with what was known, only the rest is new.
    Replace(Bytes),
}

/// A question of the agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// The agent's own name of the action it asks about.
    pub key: String,
    /// What it wants to do.
    pub title: String,
    /// The command, or the diff.
    pub detail: String,
    /// The answers on offer, as the agent gave them.
    pub options: Vec<PermissionOption>,
    /// What the question says of the action itself.
    pub tool: ToolUpdate,
}
