//! Checks the token that a sandbox shows.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;
use secrecy::{ExposeSecret, SecretString};

use crate::host::Problem;

/// Lets a request pass that shows `token` as Bearer, as `x-api-key` or as the password of basic authentication.
pub(super) fn check(headers: &HeaderMap, token: &SecretString) -> Result<(), Problem> {
    let shown = shown(headers);
    if shown.is_empty() {
        return Err(problem("the request shows no token".to_owned()));
    }
    // All of them are compared, and by their hashes, so that no time tells anything of the token.
    let expected = digest::digest(&digest::SHA256, token.expose_secret().as_bytes());
    let mut found = false;
    for candidate in shown {
        let hash = digest::digest(&digest::SHA256, &candidate);
        found |= constant_time_eq(hash.as_ref(), expected.as_ref());
    }
    if found { Ok(()) } else { Err(problem("this is not the token of this sandbox".to_owned())) }
}

fn problem(message: String) -> Problem {
    Problem {
        reason: "UNAUTHENTICATED",
        message,
        hint: Some(
            "send ALOFT_MODEL_TOKEN as Bearer token, as x-api-key or as basic password".into(),
        ),
    }
}

fn shown(headers: &HeaderMap) -> Vec<Vec<u8>> {
    let mut shown = Vec::new();
    for name in [header::AUTHORIZATION, header::PROXY_AUTHORIZATION] {
        for value in headers.get_all(&name) {
            let Ok(value) = value.to_str() else { continue };
            let Some((scheme, credential)) = value.trim().split_once(' ') else { continue };
            if scheme.eq_ignore_ascii_case("bearer") {
                shown.push(credential.trim().as_bytes().to_vec());
            } else if scheme.eq_ignore_ascii_case("basic")
                && let Ok(pair) = STANDARD.decode(credential.trim())
                && let Some(colon) = pair.iter().position(|byte| *byte == b':')
            {
                shown.push(pair[colon + 1..].to_vec());
            }
        }
    }
    shown.extend(headers.get_all("x-api-key").iter().map(|value| value.as_bytes().to_vec()));
    shown
}

fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn passes(name: &'static str, value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        check(&headers, &"token-1".into()).is_ok()
    }

    #[test]
    fn takes_the_token_in_three_forms_and_no_other() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        assert!(passes("authorization", "Bearer token-1"));
        assert!(passes("authorization", "bearer  token-1 "));
        assert!(passes("authorization", &basic("aloft:token-1")));
        assert!(passes("authorization", &basic(":token-1")));
        assert!(passes("x-api-key", "token-1"));
        for value in
            ["Bearer token-2", "Bearer token-11", "token-1", "Bearer", "Digest token-1", "Basic !!"]
        {
            assert!(!passes("authorization", value), "{value}");
        }
        assert!(!passes("authorization", &basic("token-1:")));
        assert!(!passes("x-api-key", "token-"));
        assert!(!passes("cookie", "token-1"));
    }
}
