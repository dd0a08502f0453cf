//! gRPC records into JSON shapes. Nothing here can fail: what is missing or unknown becomes a default or `Unknown`.

mod cloud;
mod forge;
mod item;
mod thread;
mod usage;

use aloft_proto::v1;

use crate::protocol::event::{Event, EventPayload, Field};
use crate::protocol::notice::{Notice, NoticeKind};
use crate::protocol::time::Time;

impl From<v1::Event> for Event {
    fn from(event: v1::Event) -> Self {
        Self {
            thread_id: event.thread_id,
            cursor: event.cursor,
            time: time(event.time),
            turn_id: text(event.turn_id),
            folded: (event.folded > 0).then_some(event.folded),
            payload: event.payload.map_or(EventPayload::Unknown, Into::into),
        }
    }
}

impl From<v1::event::Payload> for EventPayload {
    fn from(payload: v1::event::Payload) -> Self {
        use v1::event::Payload;
        match payload {
            Payload::ThreadChanged(thread) => Self::ThreadChanged { thread: thread.into() },
            Payload::TurnStarted(turn) => Self::TurnStarted { turn: turn.into() },
            Payload::TurnCompleted(turn) => Self::TurnCompleted { turn: turn.into() },
            Payload::ItemStarted(item) => Self::ItemStarted { item: item.into() },
            Payload::ItemAppended(appended) => Self::ItemAppended {
                field: match appended.field() {
                    v1::Field::Text => Field::Text,
                    v1::Field::Output => Field::Output,
                    v1::Field::Unspecified => Field::Unknown,
                },
                item_id: appended.item_id,
                delta: lossy(&appended.delta),
                offset: appended.offset,
            },
            Payload::ItemCompleted(item) => Self::ItemCompleted { item: item.into() },
            Payload::DiffChanged(diff) => Self::DiffChanged { diff: diff.into() },
        }
    }
}

impl From<v1::Notice> for Notice {
    fn from(notice: v1::Notice) -> Self {
        Self {
            kind: match notice.kind() {
                v1::NoticeKind::Completed => NoticeKind::Completed,
                v1::NoticeKind::NeedsAttention => NoticeKind::NeedsAttention,
                v1::NoticeKind::Failed => NoticeKind::Failed,
                v1::NoticeKind::PullRequest => NoticeKind::PullRequest,
                v1::NoticeKind::Expiring => NoticeKind::Expiring,
                v1::NoticeKind::Budget => NoticeKind::Budget,
                v1::NoticeKind::Unspecified => NoticeKind::Unknown,
            },
            id: notice.id,
            thread_id: notice.thread_id,
            title: notice.title,
            body: notice.body,
            read: notice.read,
            create_time: time(notice.create_time),
        }
    }
}

/// Returns `None` for an empty text, which is how the records say "absent".
fn text(value: String) -> Option<String> {
    (!value.is_empty()).then_some(value)
}

/// Returns UTF-8, with the replacement character for what is not.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns a moment that must be there; the epoch where a record lacks it.
fn time(moment: Option<prost_types::Timestamp>) -> Time {
    optional_time(moment).unwrap_or(Time::EPOCH)
}

/// Returns a moment that may be absent.
fn optional_time(moment: Option<prost_types::Timestamp>) -> Option<Time> {
    moment.and_then(|moment| Time::from_unix(moment.seconds, moment.nanos))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_appended_event_has_the_documented_shape() {
        let event = v1::Event {
            thread_id: "abc".into(),
            cursor: 7,
            time: Some(prost_types::Timestamp { seconds: 0, nanos: 5_000_000 }),
            turn_id: "t1".into(),
            folded: 0,
            raw: "{}".into(),
            payload: Some(v1::event::Payload::ItemAppended(v1::ItemAppended {
                item_id: "i1".into(),
                field: v1::Field::Output.into(),
                delta: bytes::Bytes::from_static(b"a\xffb"),
                offset: 3,
            })),
        };
        let expected = json!({
            "threadId": "abc", "cursor": 7, "time": "1970-01-01T00:00:00.005Z", "turnId": "t1",
            "type": "itemAppended", "itemId": "i1", "field": "output", "delta": "a\u{fffd}b", "offset": 3,
        });
        assert_eq!(serde_json::to_value(Event::from(event)).unwrap(), expected);
    }

    #[test]
    fn what_a_newer_cloud_adds_is_read_as_unknown() {
        let event = Event::from(v1::Event { cursor: 1, ..Default::default() });
        assert_eq!(event.payload, EventPayload::Unknown);
        let notice = Notice::from(v1::Notice { kind: 99, ..Default::default() });
        assert_eq!(notice.kind, NoticeKind::Unknown);
        let written = r#"{"threadId":"a","cursor":2,"time":"2026-01-01T00:00:00.000Z","type":"telepathy","x":{"y":1}}"#;
        let read: Event = serde_json::from_str(written).unwrap();
        assert_eq!(read.payload, EventPayload::Unknown);
    }
}
