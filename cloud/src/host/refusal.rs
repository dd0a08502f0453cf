//! Refusals in the shape that whoever asked understands.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde_json::json;

use crate::host::Problem;

/// The shape of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An error of Anthropic's API.
    Anthropic,
    /// An error of `OpenAI`'s API.
    OpenAi,
    /// Text, which git shows to its user.
    Git,
    /// Our own.
    Plain,
}

impl Shape {
    /// A refusal. The clients of both APIs show `message` to people, so the hint is a part of it.
    pub(super) fn refuse(self, status: StatusCode, problem: &Problem) -> Response<Body> {
        let Problem { reason, message, hint } = problem;
        let words = match hint {
            Some(hint) => format!("{message}; {hint}"),
            None => message.clone(),
        };
        let kind = kind(status);
        let body = match self {
            Self::Anthropic => json!({
                "type": "error",
                "error": {"type": kind, "message": words, "reason": reason, "hint": hint},
            }),
            Self::OpenAi => json!({
                "error": {"message": words, "type": kind, "param": null, "code": reason, "hint": hint},
            }),
            Self::Git => return with_challenge(text(status, format!("{words}\n")), status),
            Self::Plain => json!({"error": {"reason": reason, "message": message, "hint": hint}}),
        };
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if status.is_client_error() {
            // Both client libraries heed it: asking again does not help.
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        response
    }
}

/// An answer of plain text.
pub(super) fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// Without the challenge git would not send the credential it has.
fn with_challenge(mut response: Response<Body>, status: StatusCode) -> Response<Body> {
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"git\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 | 405 => "not_found_error",
        413 => "request_too_large",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
