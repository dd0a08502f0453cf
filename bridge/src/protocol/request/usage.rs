//! Parameters and results of `usage/*` and `budget/*`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::thread::Cost;
use crate::protocol::time::Time;

/// `usage/read`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageReadParams {
    /// The last so many days, today included; absent = 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// Only this thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
}

/// What was used, as `aloft usage --json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageResult {
    /// The first day, as `2026-01-31`; days are those of UTC.
    pub from: String,
    /// Today.
    pub to: String,
    /// All of it.
    pub total: UsageSum,
    /// By day, oldest first.
    pub days: Vec<DayUsage>,
    /// By thread, the one that used most tokens first.
    pub threads: Vec<ThreadUsage>,
    /// By agent, the one that used most tokens first.
    pub agents: Vec<AgentUsage>,
    /// By model, the one that used most tokens first.
    pub models: Vec<ModelUsage>,
    /// Turns, pull requests and resumes, oldest first.
    pub entries: Vec<LedgerEntry>,
    /// Subscribe after this to miss no change: each changes a thread.
    pub feed: u64,
}

/// A sum of what was used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageSum {
    /// Calls of models that were answered.
    pub calls: u64,
    /// Tokens sent, cached ones included.
    pub input_tokens: u64,
    /// Those of them that were read from a cache.
    pub cached_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
    /// Money; absent where nothing had a price. Of several currencies the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Tokens of models without a price: `cost` does not count them.
    pub unpriced_tokens: u64,
    /// Time in which turns worked.
    pub seconds: u64,
    /// Turns.
    pub turns: u64,
    /// Pull requests.
    pub pull_requests: u64,
    /// Resumes of paused threads.
    pub resumes: u64,
}

/// What was used on one day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DayUsage {
    /// As `2026-01-31`.
    pub day: String,
    /// What was used.
    pub used: UsageSum,
}

/// What one thread used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadUsage {
    /// The thread.
    pub thread_id: String,
    /// Its slug; absent when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Its title; absent when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it used.
    pub used: UsageSum,
}

/// What the threads of one agent used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentUsage {
    /// The agent.
    pub agent: String,
    /// What they used.
    pub used: UsageSum,
}

/// What one model was used for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelUsage {
    /// As its API names it.
    pub model: String,
    /// What was used.
    pub used: UsageSum,
}

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// What it is for.
    pub kind: LedgerKind,
    /// The thread; it may be gone.
    pub thread_id: String,
    /// `turn/N`, `pullRequestWords/N`, `pullRequest/N` or `resume/N`: the Nth of its thread, there once.
    pub subject: String,
    /// Its agent.
    pub agent: String,
    /// When it was first written.
    pub time: Time,
    /// Of a turn, also one for the words of a pull request: what it has used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<crate::protocol::thread::Usage>,
}

/// What an entry of the ledger is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LedgerKind {
    /// A turn; one that is tried again is the same.
    Turn,
    /// A pull request.
    PullRequest,
    /// A turn in which the agent wrote the words of a pull request.
    PullRequestWords,
    /// A paused thread was woken by a message.
    ResumeByMessage,
    /// A paused thread was woken by hand or by SSH.
    ResumeByPerson,
    /// A kind this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// `budget/read`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetReadParams {
    /// The thread; absent = the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
}

/// `budget/set`. What is neither set nor cleared stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetSetParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread; absent = the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// The limits of a day.
    #[serde(default)]
    pub per_day: bool,
    /// Tokens sent and received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Money, in the currency of the cloud's prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Time in which turns work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
    /// Turns begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<u64>,
    /// Limits that fall away.
    #[serde(default)]
    pub clear: Vec<LimitKind>,
}

/// What a limit is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LimitKind {
    /// Tokens sent and received.
    Tokens,
    /// Money.
    Cost,
    /// Time in which turns work.
    Minutes,
    /// Turns begun.
    Turns,
}

/// A budget with what was used of it, as `aloft budget --json` prints it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// The thread; absent = the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// Of the thread over its whole life, or of each thread that has no such limit of its own.
    pub total: Limits,
    /// Of the thread on each day, or of all threads together.
    pub per_day: Limits,
    /// Of a thread: the default, which counts too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultBudget>,
    /// By the thread over its whole life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<Spent>,
    /// By the thread today, or by all threads together.
    pub used_today: Spent,
    /// By all threads together today.
    pub all_used_today: Spent,
    /// Today, as `2026-01-31`; days are those of UTC.
    pub day: String,
}

/// The budget of threads that have none of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefaultBudget {
    /// Of each thread that has no such limit of its own.
    pub total: Limits,
    /// Of all threads together on each day.
    pub per_day: Limits,
}

/// How much is allowed; an absent limit is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Tokens sent and received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Time in which turns work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
    /// Turns begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<u64>,
}

/// What was used of a budget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Spent {
    /// Tokens sent and received.
    pub tokens: u64,
    /// Money; absent where nothing has a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Time in which turns worked.
    pub minutes: f64,
    /// Turns begun.
    pub turns: u64,
}
