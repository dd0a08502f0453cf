//! Threads and turns.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::protocol::time::Time;

/// One conversation with one agent, with its sandbox, branch, state and log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Thread {
    /// Unique in the cloud.
    pub id: String,
    /// Readable and unique.
    pub slug: String,
    /// The user it belongs to; `local` in an embedded cloud.
    pub owner: String,
    /// One line.
    pub title: String,
    /// Name of the agent.
    pub agent: String,
    /// Model the agent uses; absent = the agent's own choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Where the code comes from.
    pub repository: Repository,
    /// The ref the thread began at, as it was asked for.
    pub base_ref: String,
    /// The commit every diff is against; absent until it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_commit: Option<String>,
    /// The thread's own branch.
    pub branch: String,
    /// Name of the environment.
    pub environment: String,
    /// Whether the agent asks first.
    pub mode: Mode,
    /// No notices of this thread.
    pub muted: bool,
    /// Never cleaned up by age.
    pub keep: bool,
    /// What it is doing.
    pub state: ThreadState,
    /// Of `starting`: the step in work, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Place among threads waiting to start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_position: Option<u32>,
    /// The newest turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_turn: Option<TurnSummary>,
    /// Messages waiting for the end of the turn.
    pub queued: u32,
    /// Size of the change against the base commit.
    pub diff: DiffStat,
    /// The pull request, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequest>,
    /// The issue it began with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<Issue>,
    /// What it has used so far.
    pub usage: Usage,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
    /// When it was created.
    pub create_time: Time,
    /// When it last changed.
    pub update_time: Time,
    /// When it is cleaned up; absent = never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<Time>,
    /// The checkout inside the sandbox.
    pub workspace_path: String,
    /// Limits this host cannot enforce on its sandbox.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unenforced: Vec<String>,
}

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ThreadState {
    /// Repository, sandbox, workspace and agent are being made ready.
    Starting,
    /// A turn runs.
    Running,
    /// A turn waits for a person.
    RequiresAction,
    /// Ready for the next message.
    Idle,
    /// No process; everything on disk is kept.
    Paused,
    /// Sandbox or set-up broke; `error` says why.
    Failed,
    /// Being removed.
    Deleting,
    /// A state this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// Whether an agent asks before it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Acts without asking: the sandbox is the guard.
    Auto,
    /// Asks a person first.
    Manual,
    /// A mode this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// Reads a state that is asked for. One that nobody knows is an error here: taken as none, it would ask for all.
pub(crate) fn asked_state<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<ThreadState>, D::Error> {
    let state = Option::deserialize(value)?;
    if state == Some(ThreadState::Unknown) {
        return Err(D::Error::custom("there is no such state of a thread"));
    }
    Ok(state)
}

/// Reads a mode that is asked for. One that nobody knows is an error here: taken as none, it would be the default.
pub(crate) fn asked_mode<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Mode>, D::Error> {
    let mode = Option::deserialize(value)?;
    if mode == Some(Mode::Unknown) {
        return Err(D::Error::custom("expected auto or manual"));
    }
    Ok(mode)
}

/// A source of code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// Where it is fetched from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The checkout it was uploaded from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Short, for people.
    pub name: String,
}

/// The newest turn, in a list.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnSummary {
    /// 1 for the first.
    pub number: u32,
    /// How it stands.
    pub state: TurnState,
}

/// Size of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiffStat {
    /// Files changed.
    pub files: u32,
    /// Lines added.
    pub additions: u64,
    /// Lines deleted.
    pub deletions: u64,
}

/// An issue at a forge or a tracker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    /// What people call it there: `12`, `ENG-12`.
    pub key: String,
    /// Its page.
    pub url: String,
}

/// A pull request of a thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PullRequest {
    /// Its page at the forge.
    pub url: String,
    /// Its number there.
    pub number: u64,
    /// How it stands.
    pub state: PullRequestState,
    /// Sum of its checks: `pending`, `passing` or `failing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<String>,
    /// How often somebody said something to it; absent = never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments: Option<u64>,
}

/// State of a pull request at its forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PullRequestState {
    /// Open, not for review yet.
    Draft,
    /// Open for review.
    Open,
    /// Merged.
    Merged,
    /// Closed without a merge.
    Closed,
    /// A state this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// Tokens, money and time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Tokens sent to models.
    pub input_tokens: u64,
    /// Tokens received from models.
    pub output_tokens: u64,
    /// Money, where a price is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Time in turns.
    pub seconds: u64,
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// In units of the currency.
    pub amount: f64,
    /// ISO 4217.
    pub currency: String,
}

/// Something that went wrong, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `UPPER_SNAKE`, listed in docs/errors.md.
    pub reason: String,
    /// What happened, to what.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The same request may work later.
    #[serde(default)]
    pub retryable: bool,
}

/// From an accepted input to the agent's stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    /// Unique in its thread.
    pub id: String,
    /// 1 for the first.
    pub number: u32,
    /// Its thread.
    pub thread_id: String,
    /// How it stands.
    pub state: TurnState,
    /// When its input was accepted.
    pub start_time: Time,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Time>,
    /// Snapshot of the workspace at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Who stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<String>,
    /// Why it failed or was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// How a turn stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TurnState {
    /// Not ended.
    Running,
    /// The agent came to its end.
    Completed,
    /// Stopped, or cut by a crash.
    Interrupted,
    /// The agent reported or made an error.
    Failed,
    /// A state this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
