//! Parameters and results of `thread/*` and `item/*`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::diff::FileDiff;
use crate::protocol::input::Input;
use crate::protocol::item::Item;
use crate::protocol::request::is_false;
use crate::protocol::thread::{Mode, Thread, ThreadState, Turn, asked_mode, asked_state};
use crate::protocol::time::Time;

/// What is done with uncommitted changes of a local checkout.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "camelCase")]
pub enum Dirty {
    /// They go with the thread.
    Carry,
    /// The thread begins at the commit.
    #[default]
    Ignore,
    /// No thread is made.
    Refuse,
}

/// `thread/create`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadCreateParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Git URL or `OWNER/NAME`. Either this or `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Folder in a local checkout. Either this or `repository`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Branch, tag or commit to begin at; absent = what is checked out, or the default branch.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What is done with uncommitted changes of `path`; absent = `ignore`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dirty: Option<Dirty>,
    /// The thread's own branch; absent = `aloft/<slug>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Name of the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Name of the agent; absent = the first usable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Model; absent = the agent's own choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Absent = `manual`.
    #[serde(default, deserialize_with = "asked_mode", skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// One line; absent = from the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// URL or number of the issue it is about, or its key at a tracker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<String>,
    /// The first message; none = the thread waits.
    #[serde(default)]
    pub input: Vec<Input>,
}

/// A thread, and how far its log is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadCreateResult {
    /// As it is now.
    pub thread: Thread,
    /// Its newest event.
    pub cursor: u64,
    /// Repositories inside the carried one that hold changes of their own: what they have not committed stays behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<String>,
}

/// A thread after a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadResult {
    /// As it is now.
    pub thread: Thread,
    /// The cloud cannot be reached: the request is kept until it is back, and the thread is as it will be.
    #[serde(default, skip_serializing_if = "is_false")]
    pub kept: bool,
}

/// `thread/list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadListParams {
    /// Only threads in this state.
    #[serde(default, deserialize_with = "asked_state", skip_serializing_if = "Option::is_none")]
    pub state: Option<ThreadState>,
    /// Words in title, slug, branch or repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// At most 1000; absent = 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
    /// From the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_token: Option<String>,
}

/// A page of threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadListResult {
    /// Newest first.
    pub threads: Vec<Thread>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// Subscribe after this to miss nothing.
    pub feed: u64,
    /// The cloud cannot be reached: this is what was last seen, then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Time>,
}

/// `thread/read`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadReadParams {
    /// The thread.
    pub thread_id: String,
    /// Items before this one; absent = the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// At most 1000; absent = 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A thread with a page of its items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadReadResult {
    /// As it is now.
    pub thread: Thread,
    /// The turns of these items, oldest first.
    pub turns: Vec<Turn>,
    /// Oldest first.
    pub items: Vec<Item>,
    /// There are items before these.
    pub has_more: bool,
    /// Subscribe after this to miss nothing.
    pub cursor: u64,
    /// The cloud cannot be reached: this is what was last seen, then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Time>,
}

/// `thread/subscribe`: a thread's events, or without `threadId` the list and the notices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeParams {
    /// The thread; absent = the feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// Cursor or feed number known already; 0 = nothing.
    #[serde(default)]
    pub after: u64,
}

/// `thread/unsubscribe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnsubscribeParams {
    /// The thread; absent = the feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
}

/// `thread/update`: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadUpdateParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
    /// One line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// No notices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub muted: Option<bool>,
    /// In effect at the agent's next question.
    #[serde(default, deserialize_with = "asked_mode", skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// In effect at the next model call the agent makes anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Never cleaned up by age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<bool>,
}

/// `thread/rewind`: the workspace back to a snapshot; what it was is kept in a safety snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadRewindParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
    /// To the end of this turn; 0 = before the first. One of `turn` and `safety` is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// To what a rewind put aside, which undoes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety: Option<u32>,
    /// Also when files were changed by hand: these are in the safety snapshot then.
    #[serde(default)]
    pub force: bool,
}

/// `thread/fork`: a new thread that goes on from the end of a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadForkParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread to go on from.
    pub thread_id: String,
    /// From the end of this turn, 0 = before the first; absent = from its newest snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
}

/// `thread/archive`: everything of a thread to one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadArchiveParams {
    /// The thread; no turn of it may run.
    pub thread_id: String,
    /// The file to write; it must not exist.
    pub path: String,
}

/// `thread/restore`: a paused thread from such a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadRestoreParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The file.
    pub path: String,
}

/// `thread/apply` and `thread/checkout`: the thread's work into a local checkout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadLocalParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
    /// Folder in the local checkout; absent = the one the thread began in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Only these of its files (`thread/apply`); none = all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Only this part of the change of these files, in the form of `thread/diff` (`thread/apply`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// Write conflict markers instead of changing nothing (`thread/apply`).
    #[serde(default)]
    pub conflicts: bool,
    /// Name of the local branch; absent = the thread's own (`thread/checkout`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// `thread/apply`: where the changes went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadApplyResult {
    /// As it is now.
    pub thread: Thread,
    /// Files that changed, relative to the root of the checkout.
    pub files: Vec<String>,
    /// Those that now hold conflict markers.
    pub conflicts: Vec<String>,
}

/// `thread/checkout`: which branch holds the commits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadCheckoutResult {
    /// As it is now.
    pub thread: Thread,
    /// The local branch.
    pub branch: String,
    /// Its commit.
    pub commit: String,
}

/// What a diff is against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Against {
    /// The recorded base commit.
    #[default]
    Base,
    /// Where it leaves the base branch as that is now.
    MergeBase,
    /// The last commit of the workspace's branch.
    Uncommitted,
    /// Only what this turn changed.
    Turn(u32),
}

/// `thread/diff`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadDiffParams {
    /// The thread.
    pub thread_id: String,
    /// Absent = `base`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

/// The files of a diff.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadDiffResult {
    /// In the order of their paths, without texts.
    pub files: Vec<FileDiff>,
}

/// `thread/fileDiff`: one file with its texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadFileDiffParams {
    /// The thread.
    pub thread_id: String,
    /// Absent = `base`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
    /// The file, relative to the workspace.
    pub path: String,
}

/// An item of a thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemParams {
    /// The thread.
    pub thread_id: String,
    /// The item.
    pub item_id: String,
}

/// `item/read`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ItemResult {
    /// Whole.
    pub item: Item,
}

/// `item/output`: a page of a command's whole output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemOutputParams {
    /// The thread.
    pub thread_id: String,
    /// A command.
    pub item_id: String,
    /// First byte.
    #[serde(default)]
    pub offset: u64,
    /// Bytes wanted, at most 1 MiB; absent = 64 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemOutputResult {
    /// Exactly what the command printed, in base64.
    pub data: String,
    /// Where the next page begins.
    pub next_offset: u64,
    /// Size so far.
    pub total_bytes: u64,
}
