//! Items, their parts, and diffs.

use aloft_proto::v1;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::protocol::diff::{FileDiff, FileStatus};
use crate::protocol::from_proto::{lossy, optional_time, text, time};
use crate::protocol::input::{Input, Position, Range};
use crate::protocol::item::{
    Author, Delivery, Item, ItemKind, ItemState, Level, OptionKind, PermissionOption, PlanStep,
    PlanStepState,
};
use crate::protocol::request::thread::{ItemOutputResult, ItemResult};

impl From<v1::Item> for Item {
    fn from(item: v1::Item) -> Self {
        Self {
            state: match item.state() {
                v1::ItemState::InProgress => ItemState::InProgress,
                v1::ItemState::Completed => ItemState::Completed,
                v1::ItemState::Failed => ItemState::Failed,
                v1::ItemState::Declined => ItemState::Declined,
                v1::ItemState::Unspecified => ItemState::Unknown,
            },
            id: item.id,
            turn_id: text(item.turn_id),
            start_time: time(item.start_time),
            end_time: optional_time(item.end_time),
            kind: item.kind.map_or(ItemKind::Unknown, Into::into),
        }
    }
}

impl From<v1::item::Kind> for ItemKind {
    fn from(kind: v1::item::Kind) -> Self {
        use v1::item::Kind;
        match kind {
            Kind::UserMessage(message) => Self::UserMessage {
                delivery: match message.delivery() {
                    v1::Delivery::Queued => Delivery::Queued,
                    v1::Delivery::Delivered => Delivery::Delivered,
                    v1::Delivery::Used => Delivery::Used,
                    v1::Delivery::Unspecified => Delivery::Unknown,
                },
                input: message.input.into_iter().map(Into::into).collect(),
                author: text(message.author),
            },
            Kind::AgentMessage(message) => Self::AgentMessage { text: message.text },
            Kind::Reasoning(reasoning) => Self::Reasoning { text: reasoning.text },
            Kind::Plan(plan) => {
                Self::Plan { steps: plan.steps.into_iter().map(Into::into).collect() }
            }
            Kind::CommandExecution(command) => Self::CommandExecution {
                command: command.command,
                cwd: command.cwd,
                output: lossy(&command.output),
                output_bytes: command.output_bytes,
                truncated: command.truncated,
                exit_code: command.exit_code,
                signal: text(command.signal),
            },
            Kind::FileChange(change) => Self::FileChange {
                author: match change.author() {
                    v1::Author::Agent => Author::Agent,
                    v1::Author::Person => Author::Person,
                    v1::Author::Unspecified => Author::Unknown,
                },
                changes: change.changes.into_iter().map(Into::into).collect(),
            },
            Kind::ToolCall(call) => Self::ToolCall {
                title: call.title,
                kind: call.kind,
                server: text(call.server),
                tool: text(call.tool),
                arguments: json_or_text(call.arguments),
                result: json_or_text(call.result),
            },
            Kind::Permission(permission) => Self::Permission {
                title: permission.title,
                detail: text(permission.detail),
                options: permission.options.into_iter().map(Into::into).collect(),
                answer: text(permission.answer),
                answered_by: text(permission.answered_by),
                item_id: text(permission.item_id),
            },
            Kind::Notice(notice) => Self::Notice {
                level: match notice.level() {
                    v1::Level::Info => Level::Info,
                    v1::Level::Warning => Level::Warning,
                    v1::Level::Error => Level::Error,
                    v1::Level::Unspecified => Level::Unknown,
                },
                text: notice.text,
                error: notice.error.map(Into::into),
            },
        }
    }
}

impl From<v1::Input> for Input {
    fn from(input: v1::Input) -> Self {
        use v1::input::Kind;
        match input.kind {
            Some(Kind::Text(part)) => Self::Text { text: part.text },
            Some(Kind::Image(part)) => {
                Self::Image { mime_type: part.mime_type, data: STANDARD.encode(&part.data) }
            }
            Some(Kind::File(part)) => Self::File {
                path: part.path,
                range: part.range.map(Into::into),
                commit: text(part.commit),
            },
            Some(Kind::Selection(part)) => Self::Selection {
                path: part.path,
                range: part.range.unwrap_or_default().into(),
                text: part.text,
                commit: text(part.commit),
            },
            None => Self::Unknown,
        }
    }
}

impl From<v1::Range> for Range {
    fn from(range: v1::Range) -> Self {
        Self {
            start: Position { line: range.start_line, character: range.start_character },
            end: Position { line: range.end_line, character: range.end_character },
        }
    }
}

impl From<v1::PlanStep> for PlanStep {
    fn from(step: v1::PlanStep) -> Self {
        Self {
            state: match step.state() {
                v1::PlanStepState::Pending => PlanStepState::Pending,
                v1::PlanStepState::InProgress => PlanStepState::InProgress,
                v1::PlanStepState::Completed => PlanStepState::Completed,
                v1::PlanStepState::Unspecified => PlanStepState::Unknown,
            },
            text: step.text,
        }
    }
}

impl From<v1::PermissionOption> for PermissionOption {
    fn from(option: v1::PermissionOption) -> Self {
        Self {
            kind: match option.kind() {
                v1::OptionKind::AllowOnce => OptionKind::AllowOnce,
                v1::OptionKind::AllowAlways => OptionKind::AllowAlways,
                v1::OptionKind::RejectOnce => OptionKind::RejectOnce,
                v1::OptionKind::RejectAlways => OptionKind::RejectAlways,
                v1::OptionKind::Unspecified => OptionKind::Unknown,
            },
            id: option.id,
            label: option.label,
        }
    }
}

impl From<v1::FileDiff> for FileDiff {
    fn from(diff: v1::FileDiff) -> Self {
        Self {
            status: match diff.status() {
                v1::FileStatus::Added => FileStatus::Added,
                v1::FileStatus::Modified => FileStatus::Modified,
                v1::FileStatus::Deleted => FileStatus::Deleted,
                v1::FileStatus::Renamed => FileStatus::Renamed,
                v1::FileStatus::TypeChanged => FileStatus::TypeChanged,
                v1::FileStatus::Unspecified => FileStatus::Unknown,
            },
            path: diff.path,
            old_path: text(diff.old_path),
            old_mode: text(diff.old_mode),
            new_mode: text(diff.new_mode),
            additions: diff.additions,
            deletions: diff.deletions,
            binary: diff.binary,
            patch: (!diff.patch.is_empty()).then(|| lossy(&diff.patch)),
            old_text: diff.old_text.map(|content| lossy(&content)),
            new_text: diff.new_text.map(|content| lossy(&content)),
        }
    }
}

impl From<v1::GetItemResponse> for ItemResult {
    fn from(response: v1::GetItemResponse) -> Self {
        Self { item: response.item.unwrap_or_default().into() }
    }
}

impl From<v1::ReadItemOutputResponse> for ItemOutputResult {
    fn from(response: v1::ReadItemOutputResponse) -> Self {
        Self {
            data: STANDARD.encode(&response.data),
            next_offset: response.next_offset,
            total_bytes: response.total_bytes,
        }
    }
}

/// Returns the JSON a text holds, or the text itself where it holds none.
fn json_or_text(value: String) -> Option<Value> {
    text(value).map(|value| serde_json::from_str(&value).unwrap_or(Value::String(value)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_command_has_the_documented_shape() {
        let item = v1::Item {
            id: "i".into(),
            turn_id: "t".into(),
            state: v1::ItemState::Completed.into(),
            kind: Some(v1::item::Kind::CommandExecution(v1::CommandExecution {
                command: "ls".into(),
                cwd: "/workspace".into(),
                output: bytes::Bytes::from_static(b"\xf0\x9f\n"),
                output_bytes: 3,
                exit_code: Some(0),
                ..Default::default()
            })),
            ..Default::default()
        };
        let expected = json!({
            "id": "i", "turnId": "t", "state": "completed", "startTime": "1970-01-01T00:00:00.000Z",
            "type": "commandExecution", "command": "ls", "cwd": "/workspace", "output": "\u{fffd}\n",
            "outputBytes": 3, "truncated": false, "exitCode": 0,
        });
        let item = Item::from(item);
        assert_eq!(serde_json::to_value(&item).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Item>(expected).unwrap(), item);
    }

    #[test]
    fn an_item_of_a_newer_cloud_is_unknown() {
        let written = json!({"id": "i", "state": "dreaming", "startTime": "2026-01-01T00:00:00Z", "type": "dream", "depth": 3});
        let item: Item = serde_json::from_value(written).unwrap();
        assert_eq!((item.state, item.kind), (ItemState::Unknown, ItemKind::Unknown));
    }

    #[test]
    fn arguments_are_json_where_they_can_be() {
        let cases =
            [("", None), ("{\"a\":1}", Some(json!({"a": 1}))), ("plain {", Some(json!("plain {")))];
        for (written, expected) in cases {
            assert_eq!(json_or_text(written.into()), expected);
        }
    }
}
