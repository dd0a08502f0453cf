//! A call that waits until it may be made: what keeps its connection alive meanwhile.
//!
//! Agents give a call up whose head, or whose next event, does not come for some minutes, and try it a few times only. So one
//! that asked for a stream gets its head at once, and from time to time an event that says nothing. What went wrong with the
//! call is then told within the stream, for the head was sent.

use std::{future::Future, pin::Pin, time::Duration};

use axum::{
    body::{Body, BodyDataStream},
    http::{HeaderValue, Response, header},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{accounts::keys::Provider, host::model::route::Route};

/// Time between events that say nothing: proxies and agents are patient for at least twice that.
pub(super) const BEAT: Duration = Duration::from_secs(15);
/// Longest error that is told within a stream.
const MAX_ERROR_BYTES: usize = 1024 * 1024;

/// What becomes of the call, once it may be made.
type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Whether this request asks for a stream.
pub(super) fn wants_stream(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Request {
        #[serde(default)]
        stream: bool,
    }
    serde_json::from_slice::<Request>(body).is_ok_and(|request| request.stream)
}

/// A stream that begins at once and goes on with the answer, whenever that comes.
pub(super) fn stream_of(
    answer: impl Future<Output = Response<Body>> + Send + 'static,
    beat: Duration,
    provider: Provider,
    route: &Route,
) -> Response<Body> {
    let kind = Kind::of(provider, route);
    let pieces =
        stream::unfold(State::Waiting(Box::pin(answer)), move |state| next(state, beat, kind));
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

enum State {
    Waiting(Answer),
    Answering(BodyDataStream),
    Over,
}

async fn next(
    state: State,
    beat: Duration,
    kind: Kind,
) -> Option<(Result<Bytes, axum::Error>, State)> {
    match state {
        State::Waiting(mut answer) => match tokio::time::timeout(beat, &mut answer).await {
            Err(_) => Some((Ok(kind.beat()), State::Waiting(answer))),
            Ok(answer) if answer.status().is_success() => {
                let mut pieces = answer.into_body().into_data_stream();
                let first = pieces.next().await?;
                Some((first, State::Answering(pieces)))
            }
            Ok(answer) => {
                let body = axum::body::to_bytes(answer.into_body(), MAX_ERROR_BYTES).await;
                Some((Ok(kind.error(&body.unwrap_or_default())), State::Over))
            }
        },
        State::Answering(mut pieces) => {
            let piece = pieces.next().await?;
            Some((piece, State::Answering(pieces)))
        }
        State::Over => None,
    }
}

/// The form of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Messages,
    Responses,
    Chat,
}

impl Kind {
    fn of(provider: Provider, route: &Route) -> Self {
        match provider {
            Provider::Anthropic => Self::Messages,
            Provider::OpenAi if route.path.ends_with("/responses") => Self::Responses,
            Provider::OpenAi => Self::Chat,
        }
    }

    /// What says nothing. Where the API has an event for that it is taken: some clients wait for events, not for bytes.
    fn beat(self) -> Bytes {
        Bytes::from_static(match self {
            Self::Messages => b"event: ping\ndata: {\"type\":\"ping\"}\n\n",
            Self::Responses => {
                b"event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":0}\n\n"
            }
            Self::Chat => b": the turn waits at its budget\n\n",
        })
    }

    /// An answer that is an error, as an event.
    fn error(self, body: &[u8]) -> Bytes {
        let told = serde_json::from_slice::<Value>(body).ok();
        let error = told.as_ref().map_or(Value::Null, |told| told["error"].clone());
        let error = match error {
            Value::Object(_) => error,
            _ => json!({"type": "api_error", "message": String::from_utf8_lossy(body)}),
        };
        let text = match self {
            Self::Messages => {
                format!("event: error\ndata: {}\n\n", json!({"type": "error", "error": error}))
            }
            Self::Responses => {
                let failed = json!({
                    "type": "response.failed",
                    "sequence_number": 0,
                    "response": {"object": "response", "status": "failed", "output": [], "error": error},
                });
                format!("event: response.failed\ndata: {failed}\n\n")
            }
            Self::Chat => format!("data: {}\n\ndata: [DONE]\n\n", json!({"error": error})),
        };
        Bytes::from(text)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    const BEAT_HERE: Duration = Duration::from_millis(10);

    fn route(path: &str) -> Route {
        Route { path: path.into(), costs: true }
    }

    async fn text(response: Response<Body>) -> String {
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    async fn after(wait: Duration, status: StatusCode, body: &'static str) -> Response<Body> {
        tokio::time::sleep(wait).await;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response
    }

    #[test]
    fn only_what_asks_for_a_stream_gets_one() {
        assert!(wants_stream(br#"{"model":"m","stream":true,"messages":[]}"#));
        for body in [r#"{"stream":false}"#, "{}", r#"{"stream":"x"}"#, "", r#"{"stream":true"#] {
            assert!(!wants_stream(body.as_bytes()), "{body}");
        }
    }

    #[tokio::test]
    async fn a_call_that_waits_says_nothing_now_and_then_and_then_its_answer() {
        let kinds = [
            (Provider::Anthropic, "/v1/messages", "event: ping\n"),
            (Provider::OpenAi, "/responses", "event: keepalive\n"),
            (Provider::OpenAi, "/chat/completions", ": "),
        ];
        for (provider, path, beat) in kinds {
            let late = after(BEAT_HERE * 20, StatusCode::OK, "data: answer\n\n");
            let response = stream_of(late, BEAT_HERE, provider, &route(path));
            assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
            let text = text(response).await;
            let events: Vec<&str> = text.split_inclusive("\n\n").collect();
            assert!(events.len() > 2, "{text}");
            assert!(events[..events.len() - 1].iter().all(|event| event.starts_with(beat)));
            assert_eq!(events.last(), Some(&"data: answer\n\n"));
        }
    }

    #[tokio::test]
    async fn what_goes_wrong_after_the_wait_is_told_in_the_stream() {
        let kinds = [
            (Provider::Anthropic, "/v1/messages", "event: error\n"),
            (Provider::OpenAi, "/responses", "event: response.failed\n"),
            (Provider::OpenAi, "/chat/completions", "data: {\"error\""),
        ];
        for (provider, path, begins) in kinds {
            for body in [r#"{"error":{"type":"overloaded","message":"too much"}}"#, "too much"] {
                let refused = after(BEAT_HERE / 2, StatusCode::SERVICE_UNAVAILABLE, body);
                let text = text(stream_of(refused, BEAT, provider, &route(path))).await;
                assert!(text.starts_with(begins) && text.contains("too much"), "{text}");
            }
        }
    }
}
