//! Threads and turns.

use aloft_proto::v1;

use crate::protocol::from_proto::{optional_time, text, time, usage::cost};
use crate::protocol::request::thread::{ThreadCreateResult, ThreadListResult, ThreadReadResult};
use crate::protocol::request::turn::{QueueResult, TurnResult};
use crate::protocol::thread::{
    DiffStat, Issue, Mode, Problem, PullRequest, PullRequestState, Repository, Thread, ThreadState,
    Turn, TurnState, TurnSummary, Usage,
};

impl From<v1::Thread> for Thread {
    fn from(thread: v1::Thread) -> Self {
        Self {
            mode: thread.mode().into(),
            state: thread.state().into(),
            id: thread.id,
            slug: thread.slug,
            owner: thread.owner,
            title: thread.title,
            agent: thread.agent,
            model: text(thread.model),
            repository: thread.repository.unwrap_or_default().into(),
            base_ref: thread.base_ref,
            base_commit: text(thread.base_commit),
            branch: thread.branch,
            environment: thread.environment,
            muted: thread.muted,
            keep: thread.keep,
            step: text(thread.step),
            queue_position: (thread.queue_position > 0).then_some(thread.queue_position),
            last_turn: thread.last_turn.map(Into::into),
            queued: thread.queued,
            diff: thread.diff.unwrap_or_default().into(),
            pull_request: thread.pull_request.map(Into::into),
            issue: thread.issue.map(Into::into),
            usage: thread.usage.unwrap_or_default().into(),
            error: thread.error.map(Into::into),
            create_time: time(thread.create_time),
            update_time: time(thread.update_time),
            expire_time: optional_time(thread.expire_time),
            workspace_path: thread.workspace_path,
            unenforced: thread.unenforced,
        }
    }
}

impl From<v1::ThreadState> for ThreadState {
    fn from(state: v1::ThreadState) -> Self {
        match state {
            v1::ThreadState::Starting => Self::Starting,
            v1::ThreadState::Running => Self::Running,
            v1::ThreadState::RequiresAction => Self::RequiresAction,
            v1::ThreadState::Idle => Self::Idle,
            v1::ThreadState::Paused => Self::Paused,
            v1::ThreadState::Failed => Self::Failed,
            v1::ThreadState::Deleting => Self::Deleting,
            v1::ThreadState::Unspecified => Self::Unknown,
        }
    }
}

impl From<v1::Mode> for Mode {
    fn from(mode: v1::Mode) -> Self {
        match mode {
            v1::Mode::Auto => Self::Auto,
            v1::Mode::Manual => Self::Manual,
            v1::Mode::Unspecified => Self::Unknown,
        }
    }
}

impl From<v1::Repository> for Repository {
    fn from(repository: v1::Repository) -> Self {
        Self { url: text(repository.url), path: text(repository.path), name: repository.name }
    }
}

impl From<v1::TurnSummary> for TurnSummary {
    fn from(turn: v1::TurnSummary) -> Self {
        Self { number: turn.number, state: turn.state().into() }
    }
}

impl From<v1::TurnState> for TurnState {
    fn from(state: v1::TurnState) -> Self {
        match state {
            v1::TurnState::Running => Self::Running,
            v1::TurnState::Completed => Self::Completed,
            v1::TurnState::Interrupted => Self::Interrupted,
            v1::TurnState::Failed => Self::Failed,
            v1::TurnState::Unspecified => Self::Unknown,
        }
    }
}

impl From<v1::DiffStat> for DiffStat {
    fn from(stat: v1::DiffStat) -> Self {
        Self { files: stat.files, additions: stat.additions, deletions: stat.deletions }
    }
}

impl From<v1::Issue> for Issue {
    fn from(v1::Issue { key, url }: v1::Issue) -> Self {
        Self { key, url }
    }
}

impl From<v1::PullRequest> for PullRequest {
    fn from(request: v1::PullRequest) -> Self {
        Self {
            state: match request.state() {
                v1::PullRequestState::Draft => PullRequestState::Draft,
                v1::PullRequestState::Open => PullRequestState::Open,
                v1::PullRequestState::Merged => PullRequestState::Merged,
                v1::PullRequestState::Closed => PullRequestState::Closed,
                v1::PullRequestState::Unspecified => PullRequestState::Unknown,
            },
            url: request.url,
            number: request.number,
            checks: text(request.checks),
            comments: Some(request.comments).filter(|comments| *comments > 0),
        }
    }
}

impl From<v1::Usage> for Usage {
    fn from(usage: v1::Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cost: cost(usage.cost_micros, &usage.currency),
            seconds: usage.seconds,
        }
    }
}

impl From<v1::Problem> for Problem {
    fn from(problem: v1::Problem) -> Self {
        Self {
            reason: problem.reason,
            message: problem.message,
            hint: text(problem.hint),
            retryable: problem.retryable,
        }
    }
}

impl From<v1::Turn> for Turn {
    fn from(turn: v1::Turn) -> Self {
        Self {
            state: turn.state().into(),
            id: turn.id,
            number: turn.number,
            thread_id: turn.thread_id,
            start_time: time(turn.start_time),
            end_time: optional_time(turn.end_time),
            commit: text(turn.commit),
            stopped_by: text(turn.stopped_by),
            error: turn.error.map(Into::into),
        }
    }
}

impl From<v1::ThreadResponse> for ThreadCreateResult {
    fn from(response: v1::ThreadResponse) -> Self {
        Self {
            thread: response.thread.unwrap_or_default().into(),
            cursor: response.cursor,
            left_behind: Vec::new(),
        }
    }
}

impl From<v1::ListThreadsResponse> for ThreadListResult {
    fn from(response: v1::ListThreadsResponse) -> Self {
        Self {
            threads: response.threads.into_iter().map(Into::into).collect(),
            next_page_token: text(response.next_page_token),
            feed: response.feed,
            last_seen: None,
        }
    }
}

impl From<v1::ReadThreadResponse> for ThreadReadResult {
    fn from(response: v1::ReadThreadResponse) -> Self {
        Self {
            thread: response.thread.unwrap_or_default().into(),
            turns: response.turns.into_iter().map(Into::into).collect(),
            items: response.items.into_iter().map(Into::into).collect(),
            has_more: response.has_more,
            cursor: response.cursor,
            last_seen: None,
        }
    }
}

impl From<v1::TurnResponse> for TurnResult {
    fn from(response: v1::TurnResponse) -> Self {
        Self {
            turn: response.turn.map(Into::into),
            cursor: response.cursor,
            item: response.item.map(Into::into),
            kept: false,
        }
    }
}

impl From<v1::ListQueueResponse> for QueueResult {
    fn from(response: v1::ListQueueResponse) -> Self {
        Self { items: response.items.into_iter().map(Into::into).collect() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_thread_leaves_out_what_is_absent() {
        let thread = v1::Thread {
            id: "abc".into(),
            state: v1::ThreadState::RequiresAction.into(),
            mode: v1::Mode::Manual.into(),
            last_turn: Some(v1::TurnSummary {
                number: 2,
                state: v1::TurnState::Running.into(),
                id: "t2".into(),
            }),
            usage: Some(v1::Usage {
                cost_micros: 1_250_000,
                currency: "USD".into(),
                ..Default::default()
            }),
            workspace_path: "/workspace".into(),
            ..Default::default()
        };
        let expected = json!({
            "id": "abc", "slug": "", "owner": "", "title": "", "agent": "", "repository": {"name": ""}, "baseRef": "",
            "branch": "", "environment": "", "mode": "manual", "muted": false, "keep": false,
            "state": "requiresAction", "lastTurn": {"number": 2, "state": "running"}, "queued": 0,
            "diff": {"files": 0, "additions": 0, "deletions": 0},
            "usage": {"inputTokens": 0, "outputTokens": 0, "cost": {"amount": 1.25, "currency": "USD"}, "seconds": 0},
            "createTime": "1970-01-01T00:00:00.000Z", "updateTime": "1970-01-01T00:00:00.000Z",
            "workspacePath": "/workspace",
        });
        assert_eq!(serde_json::to_value(Thread::from(thread)).unwrap(), expected);
    }

    #[test]
    fn a_state_of_a_newer_cloud_is_unknown() {
        assert_eq!(
            Thread::from(v1::Thread { state: 77, ..Default::default() }).state,
            ThreadState::Unknown
        );
        assert_eq!(
            serde_json::from_str::<ThreadState>("\"levitating\"").unwrap(),
            ThreadState::Unknown
        );
    }
}
