//! What went wrong with a call, whether asking again helps, and what to tell a person.

use std::time::Duration;

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

/// Longest text of an API that is shown.
const MAX_WORDS: usize = 500;

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub(in crate::agent::coder) struct Error {
    pub(in crate::agent::coder) problem: Problem,
    /// In the API's words.
    pub(in crate::agent::coder) words: String,
    /// How long the API asks to wait.
    pub(in crate::agent::coder) wait: Option<Duration>,
}

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::agent::coder) enum Problem {
    /// Asking again may help: too many calls, an overload, a broken line.
    Passing,
    /// The cloud has no key.
    NoKey,
    /// The key is not accepted.
    Key,
    /// The account has no credit.
    Credit,
    /// No such model.
    Model,
    /// The conversation is too long for the model.
    TooLong,
    /// The API or the cloud refuses the call for another reason.
    Refused,
}

impl Error {
    pub(super) fn network(error: reqwest::Error) -> Self {
        let mut words = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            words = cause.to_string();
            source = cause.source();
        }
        // The address may be of use to a stranger.
        drop(error.without_url());
        Self { problem: Problem::Passing, words, wait: None }
    }

    pub(super) fn broken(words: String) -> Self {
        Self { problem: Problem::Passing, words, wait: None }
    }
}

/// The error of an answer that is none.
pub(super) fn of_answer(status: StatusCode, headers: &HeaderMap, body: &str) -> Error {
    let parsed: Value = serde_json::from_str(body).unwrap_or_default();
    // Some servers answer with a list of one.
    let parsed = parsed.get(0).unwrap_or(&parsed);
    let error = if parsed["error"].is_null() { parsed } else { &parsed["error"] };
    let message = error["message"].as_str().or(error.as_str()).unwrap_or(body).trim();
    let codes = ["type", "code", "reason"].map(|field| error[field].as_str().unwrap_or_default());
    let problem = judge(status.as_u16(), &codes, &message.to_lowercase());
    let words: String = if message.is_empty() {
        format!("HTTP {status}")
    } else {
        message.chars().take(MAX_WORDS).collect()
    };
    Error { problem, words, wait: retry_after(headers) }
}

/// The error that an event of a stream is, if it is one.
pub(super) fn of_event(event: &Value) -> Option<Error> {
    let error = event.get("error").filter(|error| !error.is_null())?;
    let message = error["message"].as_str().or(error.as_str()).unwrap_or("the model API failed");
    let codes = ["type", "code", "reason"].map(|field| error[field].as_str().unwrap_or_default());
    // The stream began well, so what is not known better is most likely passing.
    let status = match codes[0] {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "permission_error" => 403,
        _ => error["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500),
    };
    let problem = judge(status, &codes, &message.to_lowercase());
    Some(Error { problem, words: message.chars().take(MAX_WORDS).collect(), wait: None })
}

fn judge(status: u16, codes: &[&str], message: &str) -> Problem {
    let code = |names: &[&str]| codes.iter().any(|code| names.contains(code));
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if code(&["NO_MODEL_KEY"]) {
        return Problem::NoKey;
    }
    if code(&["insufficient_quota", "billing_error"])
        || status == 402
        || says(&["credit balance", "exceeded your current quota"])
    {
        return Problem::Credit;
    }
    if code(&["context_length_exceeded", "request_too_large", "REQUEST_TOO_LARGE"])
        || status == 413
        || (status == 400
            && says(&[
                "prompt is too long",
                "maximum context length",
                "context window",
                "context length",
                "exceed context limit",
                "too many tokens",
                "input is too long",
            ]))
    {
        return Problem::TooLong;
    }
    if code(&["overloaded_error", "rate_limit_error", "api_error"])
        || matches!(status, 408 | 409 | 425 | 429 | 500..)
    {
        return Problem::Passing;
    }
    if code(&["model_not_found"])
        || (matches!(status, 400 | 404)
            && says(&["model"])
            && says(&[
                "not found",
                "not exist",
                "unknown",
                "invalid model",
                "not a valid model",
                "not supported",
            ]))
        || (status == 404 && (message.starts_with("model:") || code(&["not_found_error"])))
    {
        return Problem::Model;
    }
    match status {
        401 => Problem::Key,
        403 if code(&["permission_error"]) && codes.contains(&"UNAUTHENTICATED") => Problem::Key,
        _ => Problem::Refused,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = match number("retry-after-ms") {
        Some(milliseconds) => milliseconds / 1000.0,
        None => number("retry-after")?,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn knows_the_failures_of_both_apis() {
        let anthropic = |kind: &str, message: &str| {
            json!({"type": "error", "error": {"type": kind, "message": message}}).to_string()
        };
        let openai = |code: &str, message: &str| {
            json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}})
                .to_string()
        };
        let cases = [
            (529, anthropic("overloaded_error", "Overloaded"), Problem::Passing),
            (429, anthropic("rate_limit_error", "slow"), Problem::Passing),
            (502, "<html>bad gateway</html>".into(), Problem::Passing),
            (401, anthropic("authentication_error", "invalid x-api-key"), Problem::Key),
            (403, json!({"error": {"type": "permission_error", "reason": "NO_MODEL_KEY", "message": "no key"}}).to_string(), Problem::NoKey),
            (404, anthropic("not_found_error", "model: nope"), Problem::Model),
            (404, openai("model_not_found", "The model `nope` does not exist"), Problem::Model),
            (400, anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"), Problem::TooLong),
            (400, openai("context_length_exceeded", "This model's maximum context length is 8 tokens"), Problem::TooLong),
            (400, anthropic("invalid_request_error", "Your credit balance is too low"), Problem::Credit),
            (429, openai("insufficient_quota", "You exceeded your current quota"), Problem::Credit),
            (400, openai("x", "tools: bad schema"), Problem::Refused),
            (403, anthropic("permission_error", "the budget of this thread is spent"), Problem::Refused),
        ];
        for (status, body, problem) in cases {
            let status = StatusCode::from_u16(status).unwrap();
            let error = of_answer(status, &HeaderMap::new(), &body);
            assert_eq!(error.problem, problem, "{body}");
        }
        let event = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
        assert_eq!(of_event(&event).unwrap().problem, Problem::Passing);
        assert_eq!(of_event(&json!({"choices": []})), None);
    }
}
