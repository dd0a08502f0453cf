//! Tries a model key with one tiny call and puts the provider's answer into words.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode, redirect};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::accounts::keys::{ModelKey, Provider};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer of a provider that is looked at, in characters.
const MAX_DETAIL: usize = 300;

/// What came of trying a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The key works.
    pub ok: bool,
    /// In words, for people.
    pub detail: String,
}

/// Calls the API once, with one token of output at most.
pub(super) async fn try_key(key: &ModelKey) -> Verdict {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::none())
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return refused(format!("no HTTP client could be made: {error}")),
    };
    match tiny_call(&client, key).send().await {
        Ok(response) => {
            let status = response.status();
            let body = response.text().await.unwrap_or_default();
            verdict(key, status, &body)
        }
        Err(error) => refused(unreachable(key, &error)),
    }
}

fn tiny_call(client: &reqwest::Client, key: &ModelKey) -> RequestBuilder {
    let secret = key.key.expose_secret();
    let hello = json!([{"role": "user", "content": "Hi"}]);
    match key.provider {
        Provider::Anthropic => client
            .post(format!("{}/v1/messages", key.base_url))
            .header("x-api-key", secret)
            .header("anthropic-version", "2023-06-01")
            .json(&json!({"model": "claude-haiku-4-5", "max_tokens": 1, "messages": hello})),
        Provider::OpenAi => client
            .post(format!("{}/chat/completions", key.base_url))
            .bearer_auth(secret)
            .json(&json!({"model": "gpt-5-mini", "max_completion_tokens": 1, "messages": hello})),
    }
}

fn verdict(key: &ModelKey, status: StatusCode, body: &str) -> Verdict {
    let said = said(key, body);
    let lower = said.to_lowercase();
    let provider = key.provider;
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if status.is_success() {
        return accepted("the key works".to_owned());
    }
    if has(&["insufficient_quota", "credit balance", "billing", "exceeded your current quota"]) {
        return refused(format!(
            "{provider} accepts the key, but its account has no credit: {said}"
        ));
    }
    match status.as_u16() {
        401 => refused(format!("{provider} does not accept the key: {said}")),
        402 => {
            refused(format!("{provider} accepts the key, but its account has no credit: {said}"))
        }
        403 => refused(format!("{provider} does not let this key make calls: {said}")),
        404 | 400 if has(&["model"]) => accepted(format!(
            "the key is accepted; the small model used for this test is not offered there ({said})"
        )),
        400 if has(&["max_tokens", "max_completion_tokens", "output limit"]) => {
            accepted("the key works".to_owned())
        }
        404 => refused(format!(
            "{} answers, but has no model API at this address: {said}",
            key.base_url
        )),
        429 => accepted(format!("the key is accepted; its rate limit is used up now ({said})")),
        300..=399 => refused(format!(
            "{} redirects elsewhere; give the address of the API itself",
            key.base_url
        )),
        code if code >= 500 => refused(format!(
            "{provider} is in trouble (HTTP {code}), so the key could not be judged: {said}"
        )),
        code => refused(format!("{provider} refused the call (HTTP {code}): {said}")),
    }
}

/// The provider's own words, short, and never with the key in them.
fn said(key: &ModelKey, body: &str) -> String {
    let parsed: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let error = parsed.get("error").unwrap_or(&parsed);
    let message = error.get("message").and_then(Value::as_str).unwrap_or(body).trim();
    let kind = ["code", "type"].iter().find_map(|field| error.get(field).and_then(Value::as_str));
    let text = match kind {
        Some(kind) => format!("{message} ({kind})"),
        None if message.is_empty() => "no reason given".to_owned(),
        None => message.to_owned(),
    };
    text.replace(key.key.expose_secret(), "[key]").chars().take(MAX_DETAIL).collect()
}

fn unreachable(key: &ModelKey, error: &reqwest::Error) -> String {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    let what = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
    format!("{} {what}: {reason}", key.base_url)
}

fn accepted(detail: String) -> Verdict {
    Verdict { ok: true, detail }
}

fn refused(detail: String) -> Verdict {
    Verdict { ok: false, detail }
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::StatusCode as Code, routing::post};

    use super::*;
    use crate::accounts::keys::Source;

    fn key(provider: Provider, base_url: &str) -> ModelKey {
        drop(rustls::crypto::ring::default_provider().install_default());
        let (key, base_url) = ("sk-secret-value".into(), base_url.to_owned());
        ModelKey { provider, key, base_url, source: Source::Stored }
    }

    async fn answers(provider: Provider, code: u16, body: &'static str) -> Verdict {
        let answer = move || async move { (Code::from_u16(code).unwrap(), body) };
        let app = Router::new()
            .route("/v1/messages", post(answer))
            .route("/chat/completions", post(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let verdict = try_key(&key(provider, &address)).await;
        server.abort();
        verdict
    }

    #[tokio::test]
    async fn puts_each_answer_into_words() {
        let cases = [
            (Provider::Anthropic, 200, "{}", true, "works"),
            (
                Provider::Anthropic,
                401,
                r#"{"error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
                false,
                "does not accept the key: invalid x-api-key",
            ),
            (
                Provider::Anthropic,
                400,
                r#"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
                false,
                "no credit",
            ),
            (
                Provider::OpenAi,
                429,
                r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#,
                false,
                "no credit",
            ),
            (Provider::OpenAi, 429, r#"{"error":{"message":"slow down"}}"#, true, "rate limit"),
            (
                Provider::OpenAi,
                404,
                r#"{"error":{"message":"The model does not exist","code":"model_not_found"}}"#,
                true,
                "is accepted",
            ),
            (Provider::OpenAi, 404, "nothing here", false, "no model API"),
            (Provider::OpenAi, 503, "", false, "in trouble"),
            (Provider::OpenAi, 401, "bad key sk-secret-value", false, "bad key [key]"),
        ];
        for (provider, code, body, ok, words) in cases {
            let verdict = answers(provider, code, body).await;
            assert_eq!(verdict.ok, ok, "{code} {body}: {}", verdict.detail);
            assert!(verdict.detail.contains(words), "{code} {body}: {}", verdict.detail);
        }
    }

    #[tokio::test]
    async fn says_that_an_address_cannot_be_reached() {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", free.local_addr().unwrap());
        drop(free);
        let verdict = try_key(&key(Provider::OpenAi, &address)).await;
        assert!(!verdict.ok);
        assert!(verdict.detail.contains("cannot be reached"), "{}", verdict.detail);
    }
}
