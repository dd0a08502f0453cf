//! JSON shapes into gRPC records. Reading what a person sent can fail, so these give errors.

use aloft_proto::v1;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::protocol::error::{Code, Error};
use crate::protocol::input::{Input, Range};
use crate::protocol::request::thread::Against;
use crate::protocol::request::usage::{BudgetSetParams, LimitKind};
use crate::protocol::thread::{Mode, ThreadState};

/// Returns a new id for a request that changes something.
pub fn new_request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Converts the parts of a message; images are decoded.
pub fn inputs(parts: Vec<Input>) -> Result<Vec<v1::Input>, Error> {
    let numbered = parts.into_iter().enumerate();
    numbered
        .map(|(number, part)| {
            input(part).map_err(|error| Error {
                message: format!("input[{number}].{}", error.message),
                ..error
            })
        })
        .collect()
}

/// Converts one part of a message.
pub fn input(part: Input) -> Result<v1::Input, Error> {
    use v1::input::Kind;
    let kind = match part {
        Input::Text { text } => Kind::Text(v1::TextInput { text }),
        Input::Image { mime_type, data } => {
            let data = STANDARD.decode(data.trim_end()).map_err(|error| {
                Error::new(
                    Code::InvalidParams,
                    "INVALID_PARAMS",
                    format!("data: the image is not base64: {error}"),
                )
            })?;
            Kind::Image(v1::ImageInput { mime_type, data: data.into() })
        }
        Input::File { path, range, commit } => Kind::File(v1::FileInput {
            path,
            range: range.map(Into::into),
            commit: commit.unwrap_or_default(),
        }),
        Input::Selection { path, range, text, commit } => Kind::Selection(v1::SelectionInput {
            path,
            range: Some(range.into()),
            text,
            commit: commit.unwrap_or_default(),
        }),
        Input::Unknown => {
            let message = "type: this version does not know it";
            return Err(Error::new(Code::InvalidParams, "INVALID_PARAMS", message)
                .with_hint("use text, image, file or selection"));
        }
    };
    Ok(v1::Input { kind: Some(kind) })
}

impl TryFrom<BudgetSetParams> for v1::SetBudgetRequest {
    type Error = Error;

    fn try_from(params: BudgetSetParams) -> Result<Self, Error> {
        let set = v1::Limits {
            tokens: params.tokens,
            cost_micros: scaled("cost", params.cost, 1_000_000.0)?,
            seconds: scaled("minutes", params.minutes, 60.0)?,
            turns: params.turns,
        };
        let clear = params.clear.into_iter().map(|kind| match kind {
            LimitKind::Tokens => v1::LimitKind::Tokens.into(),
            LimitKind::Cost => v1::LimitKind::Cost.into(),
            LimitKind::Minutes => v1::LimitKind::Time.into(),
            LimitKind::Turns => v1::LimitKind::Turns.into(),
        });
        Ok(Self {
            request_id: params.request_id.unwrap_or_default(),
            thread_id: params.thread_id.unwrap_or_default(),
            per_day: params.per_day,
            set: Some(set),
            clear: clear.collect(),
        })
    }
}

/// A number in a smaller unit, of which there are so many in one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it was looked at: not below 0 and not near the end of numbers"
)]
fn scaled(name: &str, value: Option<f64>, units: f64) -> Result<Option<u64>, Error> {
    value
        .map(|value| {
            if (0.0..=1e9).contains(&value) {
                return Ok((value * units).round() as u64);
            }
            let message = format!("{name}: {value} is not a number from 0 to 1,000,000,000");
            Err(Error::new(Code::InvalidParams, "INVALID_PARAMS", message))
        })
        .transpose()
}

impl From<Range> for v1::Range {
    fn from(range: Range) -> Self {
        Self {
            start_line: range.start.line,
            start_character: range.start.character,
            end_line: range.end.line,
            end_character: range.end.character,
        }
    }
}

impl From<Mode> for v1::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Auto => Self::Auto,
            Mode::Manual => Self::Manual,
            Mode::Unknown => Self::Unspecified,
        }
    }
}

impl From<ThreadState> for v1::ThreadState {
    fn from(state: ThreadState) -> Self {
        match state {
            ThreadState::Starting => Self::Starting,
            ThreadState::Running => Self::Running,
            ThreadState::RequiresAction => Self::RequiresAction,
            ThreadState::Idle => Self::Idle,
            ThreadState::Paused => Self::Paused,
            ThreadState::Failed => Self::Failed,
            ThreadState::Deleting => Self::Deleting,
            ThreadState::Unknown => Self::Unspecified,
        }
    }
}

impl From<Against> for v1::get_diff_request::Against {
    fn from(against: Against) -> Self {
        match against {
            Against::Base => Self::Base(true),
            Against::MergeBase => Self::MergeBase(true),
            Against::Uncommitted => Self::Uncommitted(true),
            Against::Turn(number) => Self::Turn(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_parts_both_ways() {
        let parts: Vec<Input> = serde_json::from_value(serde_json::json!([
            {"type": "text", "text": "hi"},
            {"type": "image", "mimeType": "image/png", "data": "iVBORw=="},
            {"type": "file", "path": "a.rs"},
            {"type": "selection", "path": "b.rs", "text": "x", "commit": "abc",
             "range": {"start": {"line": 1, "character": 2}, "end": {"line": 3, "character": 4}}},
        ]))
        .unwrap();
        let records = inputs(parts.clone()).unwrap();
        assert_eq!(records.into_iter().map(Input::from).collect::<Vec<_>>(), parts);
    }

    #[test]
    fn a_part_that_cannot_be_sent_is_refused() {
        let broken = Input::Image { mime_type: "image/png".into(), data: "%%".into() };
        assert_eq!(input(broken).unwrap_err().code, Code::InvalidParams);
        let unknown: Input =
            serde_json::from_value(serde_json::json!({"type": "smell", "x": 1})).unwrap();
        assert_eq!(input(unknown).unwrap_err().reason, "INVALID_PARAMS");
    }
}
