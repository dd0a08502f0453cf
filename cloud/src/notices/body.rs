//! What a webhook is sent: the notice as the bridge prints it, and what its thread is.

use aloft_proto::v1::{Notice, NoticeKind, Thread, ThreadState, TurnState};
use prost_types::Timestamp;
use serde::Serialize;

/// The whole of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    /// For those who hear of several things at one address.
    r#type: &'static str,
    notice: NoticeJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<ThreadJson>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NoticeJson {
    id: String,
    thread_id: String,
    kind: &'static str,
    title: String,
    body: String,
    read: bool,
    create_time: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThreadJson {
    id: String,
    slug: String,
    owner: String,
    title: String,
    agent: String,
    repository: String,
    branch: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_turn: Option<TurnJson>,
    diff: DiffJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_request: Option<String>,
}

#[derive(Debug, Serialize)]
struct TurnJson {
    number: u32,
    state: &'static str,
}

#[derive(Debug, Serialize)]
struct DiffJson {
    files: u32,
    additions: u64,
    deletions: u64,
}

impl Body {
    /// What is said of a notice; its thread may be gone.
    pub(super) fn new(notice: Notice, thread: Option<Thread>) -> Self {
        let kind = match notice.kind() {
            NoticeKind::Completed => "completed",
            NoticeKind::NeedsAttention => "needsAttention",
            NoticeKind::Failed => "failed",
            NoticeKind::PullRequest => "pullRequest",
            NoticeKind::Expiring => "expiring",
            NoticeKind::Budget => "budget",
            NoticeKind::Unspecified => "unknown",
        };
        Self {
            r#type: "notice",
            notice: NoticeJson {
                id: notice.id,
                thread_id: notice.thread_id,
                kind,
                title: notice.title,
                body: notice.body,
                read: notice.read,
                create_time: rfc3339(notice.create_time),
            },
            thread: thread.map(Into::into),
        }
    }
}

impl From<Thread> for ThreadJson {
    fn from(thread: Thread) -> Self {
        let state = match thread.state() {
            ThreadState::Starting => "starting",
            ThreadState::Running => "running",
            ThreadState::RequiresAction => "requiresAction",
            ThreadState::Idle => "idle",
            ThreadState::Paused => "paused",
            ThreadState::Failed => "failed",
            ThreadState::Deleting => "deleting",
            ThreadState::Unspecified => "unknown",
        };
        let last_turn = thread.last_turn.map(|turn| TurnJson {
            number: turn.number,
            state: match turn.state() {
                TurnState::Running => "running",
                TurnState::Completed => "completed",
                TurnState::Interrupted => "interrupted",
                TurnState::Failed => "failed",
                TurnState::Unspecified => "unknown",
            },
        });
        let diff = thread.diff.unwrap_or_default();
        Self {
            id: thread.id,
            slug: thread.slug,
            owner: thread.owner,
            title: thread.title,
            agent: thread.agent,
            repository: thread.repository.unwrap_or_default().name,
            branch: thread.branch,
            state,
            last_turn,
            diff: DiffJson {
                files: diff.files,
                additions: diff.additions,
                deletions: diff.deletions,
            },
            pull_request: thread.pull_request.map(|request| request.url),
        }
    }
}

/// A moment as the public interface writes it: RFC 3339, UTC, with milliseconds.
fn rfc3339(moment: Option<Timestamp>) -> String {
    let moment = moment.unwrap_or_default();
    let time = time::OffsetDateTime::from_unix_timestamp(moment.seconds)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = time.time().as_hms();
    let milli = moment.nanos / 1_000_000;
    format!("{}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", time.date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_interface_does() {
        let moment = Timestamp { seconds: 1_769_862_896, nanos: 789_999_999 };
        assert_eq!(rfc3339(Some(moment)), "2026-01-31T12:34:56.789Z");
        assert_eq!(rfc3339(None), "1970-01-01T00:00:00.000Z");
    }
}
