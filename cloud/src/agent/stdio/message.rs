//! The messages of ACP that an agent sends and takes, as far as the built-in agents use them.

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Whether the agent asks before it acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Asks first.
    #[default]
    Manual,
    /// Acts without asking.
    Auto,
}

/// Why a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All done.
    EndTurn,
    /// The model ran out of tokens.
    MaxTokens,
    /// Too many model calls in one turn.
    MaxTurnRequests,
    /// The model refused.
    Refusal,
    /// Stopped.
    Cancelled,
}

/// A part of a prompt or of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// Words.
    Text {
        /// Markdown.
        text: String,
    },
    /// A picture.
    #[serde(rename_all = "camelCase")]
    Image {
        /// For example image/png.
        mime_type: String,
        /// Base64.
        data: String,
    },
    /// A file to look at.
    ResourceLink {
        /// `file://…`.
        uri: String,
        /// For people.
        #[serde(default)]
        name: String,
    },
    /// A file with its content: `{uri, text | blob, mimeType}`.
    Resource {
        /// As it came.
        resource: Value,
    },
    /// A part this agent does not know.
    #[serde(other)]
    Unknown,
}

/// A `session/update`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "sessionUpdate", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Update {
    /// A person's words, told again on load.
    UserMessageChunk {
        /// The words.
        content: Block,
    },
    /// More of the agent's words.
    AgentMessageChunk {
        /// The words.
        content: Block,
        /// Chunks of one message share it.
        #[serde(skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
    },
    /// More of its thoughts.
    AgentThoughtChunk {
        /// The words.
        content: Block,
        /// Chunks of one thought share it.
        #[serde(skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
    },
    /// An action begins.
    ToolCall(ToolCall),
    /// An action changed.
    ToolCallUpdate(ToolCall),
    /// The whole plan.
    Plan {
        /// In order.
        entries: Vec<PlanEntry>,
    },
    /// Tokens in the context.
    UsageUpdate {
        /// In use.
        used: u64,
        /// That fit.
        size: u64,
    },
}

/// An action, or a patch of one: what is absent stays.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolCall {
    /// Its name, unique in the session.
    pub tool_call_id: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What sort of action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// How it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What it shows; replaces what was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<Content>>,
    /// Files it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locations: Option<Vec<Location>>,
    /// Its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_input: Option<Value>,
    /// Its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_output: Option<Value>,
    /// Beyond the protocol: `terminal_info`, `terminal_output_delta`, `terminal_exit`, and ours.
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Value>,
}

/// What sort of action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Reads.
    Read,
    /// Changes files.
    Edit,
    /// Deletes files.
    Delete,
    /// Moves files.
    Move,
    /// Searches.
    Search,
    /// Runs a command.
    Execute,
    /// Thinks.
    Think,
    /// Fetches from elsewhere.
    Fetch,
    /// Anything else, MCP tools among it.
    Other,
}

/// How an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not begun.
    Pending,
    /// In work.
    InProgress,
    /// Done.
    Completed,
    /// Ended in error.
    Failed,
}

/// What an action shows.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Content {
    /// Words or a picture.
    Content {
        /// The part.
        content: Block,
    },
    /// A changed file with its full text.
    Diff {
        /// Absolute.
        path: String,
        /// Before; absent = the file is new.
        old_text: Option<String>,
        /// After.
        new_text: String,
    },
    /// The terminal of a command.
    Terminal {
        /// The same as the action's id.
        terminal_id: String,
    },
}

/// A place in a file.
#[derive(Clone, Debug, Serialize)]
pub struct Location {
    /// Absolute.
    pub path: String,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// A step of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// What is to be done.
    pub content: String,
    /// `high`, `medium` or `low`.
    pub priority: String,
    /// How it stands.
    pub status: PlanStatus,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// Not begun.
    Pending,
    /// In work.
    InProgress,
    /// Done.
    Completed,
}

/// What a person said to a permission request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes, this time.
    AllowOnce,
    /// Yes, from now on.
    AllowAlways,
    /// No.
    Reject,
    /// The question fell away: the turn is being stopped.
    Cancelled,
}

impl Block {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

impl Update {
    /// More of message `message_id`.
    pub fn message(message_id: &str, text: impl Into<String>) -> Self {
        Self::AgentMessageChunk {
            content: Block::text(text),
            message_id: Some(message_id.to_owned()),
        }
    }

    /// More of thought `message_id`.
    pub fn thought(message_id: &str, text: impl Into<String>) -> Self {
        Self::AgentThoughtChunk {
            content: Block::text(text),
            message_id: Some(message_id.to_owned()),
        }
    }
}

impl ToolCall {
    /// A command that begins, or is about to: it shows a terminal that [`ToolCall::output`] fills.
    pub fn command(id: &str, command: &str, cwd: &str, status: Status) -> Self {
        Self {
            tool_call_id: id.to_owned(),
            title: Some(command.to_owned()),
            kind: Some(Kind::Execute),
            status: Some(status),
            content: Some(vec![Content::Terminal { terminal_id: id.to_owned() }]),
            raw_input: Some(json!({"command": command, "cwd": cwd})),
            meta: Some(json!({"terminal_info": {"terminal_id": id, "cwd": cwd}})),
            ..Self::default()
        }
    }

    /// More of what a command printed, byte for byte.
    pub fn output(id: &str, bytes: &[u8]) -> Self {
        let delta = if let Ok(text) = std::str::from_utf8(bytes) {
            json!({"terminal_id": id, "data": text})
        } else {
            let data = base64::engine::general_purpose::STANDARD.encode(bytes);
            json!({"terminal_id": id, "data_base64": data})
        };
        Self {
            tool_call_id: id.to_owned(),
            meta: Some(json!({"terminal_output_delta": delta})),
            ..Self::default()
        }
    }

    /// The end of a command: its exit code, or the name of the signal that ended it.
    pub fn exit(id: &str, exit_code: Option<i32>, signal: Option<&str>) -> Self {
        let done = exit_code == Some(0);
        let exit = json!({"terminal_id": id, "exit_code": exit_code, "signal": signal});
        Self {
            tool_call_id: id.to_owned(),
            status: Some(if done { Status::Completed } else { Status::Failed }),
            meta: Some(json!({"terminal_exit": exit})),
            ..Self::default()
        }
    }

    /// The action stands at `status` now.
    pub fn status(id: &str, status: Status) -> Self {
        Self { tool_call_id: id.to_owned(), status: Some(status), ..Self::default() }
    }

    /// A person said no to the action.
    pub fn declined(id: &str) -> Self {
        Self {
            meta: Some(json!({"aloft": {"declined": true}})),
            ..Self::status(id, Status::Failed)
        }
    }
}
