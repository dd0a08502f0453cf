//! Headers of a relayed call: what belongs to one hop or to one side's secrets stays behind.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};

use crate::accounts::keys::{ModelKey, Provider};

const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Of one connection, not of the message.
const HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Of the sandbox alone. Without `accept-encoding` the answer comes plain, and its tokens can be counted.
const SANDBOX: [HeaderName; 9] = [
    header::HOST,
    header::AUTHORIZATION,
    header::COOKIE,
    header::EXPECT,
    header::ACCEPT_ENCODING,
    header::FORWARDED,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("proxy-connection"),
];

/// What goes to the API, with the cloud's key; nothing if the key cannot stand in a header.
pub(super) fn upstream(
    request: &HeaderMap,
    token: &SecretString,
    key: &ModelKey,
) -> Option<HeaderMap> {
    let mut headers = passed_on(request, token);
    for name in &SANDBOX {
        headers.remove(name);
    }
    let secret = key.key.expose_secret();
    let (name, value) = match key.provider {
        Provider::Anthropic => (HeaderName::from_static("x-api-key"), secret.to_owned()),
        Provider::OpenAi => (header::AUTHORIZATION, format!("Bearer {secret}")),
    };
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    headers.insert(name, value);
    if key.provider == Provider::Anthropic && !headers.contains_key("anthropic-version") {
        headers.insert("anthropic-version", HeaderValue::from_static(ANTHROPIC_VERSION));
    }
    Some(headers)
}

/// What goes to the sandbox.
pub(super) fn downstream(answer: &HeaderMap, key: &ModelKey) -> HeaderMap {
    let mut headers = passed_on(answer, &key.key);
    headers.remove(header::SET_COOKIE);
    headers
}

/// All headers but those of the hop and those that hold `secret`.
fn passed_on(headers: &HeaderMap, secret: &SecretString) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let secret = secret.expose_secret().as_bytes();
    let holds_secret = |value: &HeaderValue| {
        !secret.is_empty() && value.as_bytes().windows(secret.len()).any(|part| part == secret)
    };
    headers
        .iter()
        .filter(|(name, value)| {
            !HOP.contains(name) && !named.contains(name) && !holds_secret(value)
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::keys::Source;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn swaps_the_token_for_the_key() {
        let key = ModelKey {
            provider: Provider::Anthropic,
            key: "real".into(),
            base_url: String::new(),
            source: Source::Stored,
        };
        let request = map(&[
            ("authorization", "Bearer token-1"),
            ("x-api-key", "token-1"),
            ("x-other", "so token-1 it is"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("accept-encoding", "gzip"),
            ("anthropic-beta", "b"),
            ("content-length", "3"),
        ]);
        let headers = upstream(&request, &"token-1".into(), &key).unwrap();
        let expected = map(&[
            ("x-api-key", "real"),
            ("anthropic-beta", "b"),
            ("content-length", "3"),
            ("anthropic-version", "2023-06-01"),
        ]);
        assert_eq!(headers, expected);
        let answer = map(&[("x-echo", "real"), ("set-cookie", "a=b"), ("request-id", "r")]);
        assert_eq!(downstream(&answer, &key), map(&[("request-id", "r")]));
    }
}
