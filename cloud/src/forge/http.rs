//! Requests to the API of a forge: authorized, repeated only where that is safe, with errors that say what was wrong.
//!
//! Redirects are followed once and only to where the token belongs; so are pages. What a forge keeps [`elsewhere`] is read there
//! without the token.

mod elsewhere;
mod pictures;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::{
    Client, Method, StatusCode, Url,
    header::{
        AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LINK, LOCATION, RETRY_AFTER,
    },
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    clock,
    forge::{Error, Result, http::pictures::Places, picture},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For one request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often something that only reads is asked for.
const TRIES: u32 = 3;
/// Between two tries, the first time.
const PAUSE: Duration = Duration::from_millis(300);
/// The longest time a forge's limit is waited for; beyond it is told.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer, in bytes.
const ANSWER: usize = 16 << 20;
/// Answers that are remembered, and the longest of them, in bytes.
const MARKS: usize = 256;
const REMEMBERED: usize = 256 << 10;
/// The code of an error of GraphQL that says: too many requests.
const LIMITED: &[u8] = b"\"RATELIMITED\"";
/// How much of an odd answer is told.
const DETAIL: usize = 200;

/// The API of one forge.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    base: Url,
    host: String,
    headers: HeaderMap,
    /// Where pictures of the forge are.
    pictures: Places,
    /// How the forge calls the size of a page, and the size that is asked for.
    pub(super) per_page: (&'static str, usize),
    /// What was read before, with its mark: asked with that, what did not change costs nothing.
    read: Mutex<HashMap<String, (HeaderValue, Vec<u8>)>>,
}

/// What is asked for.
struct Want<'a> {
    method: Method,
    body: Option<&'a Value>,
    /// Reads after "failed to …".
    what: &'a str,
    /// No answer of the API, but a picture.
    picture: bool,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Reply<T> {
    /// The body.
    pub(super) body: T,
    /// Of the token, where the forge says: what it may do.
    pub(super) scopes: Option<Vec<String>>,
    /// There is another page.
    pub(super) more: bool,
}

impl Http {
    /// The API at `base`, with a token as its `Authorization`, after a scheme where it has one; `host` is what people call it.
    pub(super) fn new(
        base: &str,
        host: String,
        scheme: &str,
        token: &SecretString,
    ) -> Result<Self> {
        let invalid = |detail: String| Error::InvalidAddress { address: host.clone(), detail };
        let base = Url::parse(base).map_err(|error| invalid(error.to_string()))?;
        let mut secret =
            HeaderValue::from_str(format!("{scheme} {}", token.expose_secret()).trim_start())
                .map_err(|_| Error::TokenRefused {
                    what: "use the token".into(),
                    host: host.clone(),
                })?;
        secret.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, secret);
        let client = client(&host)?;
        Ok(Self {
            client,
            base,
            host,
            headers,
            pictures: Places::default(),
            per_page: ("per_page", 100),
            read: Mutex::default(),
        })
    }

    /// The same with another header.
    pub(super) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// The same with pages of another size, which has another name.
    pub(super) fn paged(mut self, name: &'static str, size: usize) -> Self {
        self.per_page = (name, size);
        self
    }

    /// What people call the forge.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// An address below the base: each part is one segment, whatever is in it.
    pub(super) fn url(&self, parts: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(parts);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Reads something; `what` reads after "failed to …".
    pub(super) async fn get<T: DeserializeOwned>(&self, url: Url, what: &str) -> Result<Reply<T>> {
        self.ask(Method::GET, url, None, what, TRIES).await
    }

    /// Asks in words for something that is only read.
    pub(super) async fn query<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &Value,
        what: &str,
    ) -> Result<Reply<T>> {
        self.ask(Method::POST, url, Some(body), what, TRIES).await
    }

    /// Changes something, once: what comes of a request that broke is for the caller to find out.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: &Value,
        what: &str,
    ) -> Result<Reply<T>> {
        self.ask(method, url, Some(body), what, 1).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
        what: &str,
        tries: u32,
    ) -> Result<Reply<T>> {
        let want = Want { method, body, what, picture: false };
        let (status, headers, bytes) = self.carry(&want, url, tries).await?;
        self.read(status, &headers, &bytes, what)
    }

    async fn carry(
        &self,
        want: &Want<'_>,
        mut url: Url,
        tries: u32,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>)> {
        let what = want.what;
        let (mut failed, mut waited, mut moved) = (0, false, false);
        loop {
            let outcome = self.once(want, &url).await;
            let error = match outcome {
                Ok((status, headers, bytes)) if status.is_success() => {
                    return Ok((status, headers, bytes));
                }
                Ok((status, headers, _)) if status.is_redirection() && !moved => {
                    moved = true;
                    match self.moved(want, &url, &headers) {
                        Some(target) => {
                            url = target;
                            continue;
                        }
                        None => self.odd(what, status, b"it points elsewhere"),
                    }
                }
                Ok((status, headers, bytes)) => {
                    if let Some(wait) = limit(status, &headers, &bytes) {
                        if wait <= PATIENCE && !waited {
                            waited = true;
                            tokio::time::sleep(wait).await;
                            continue;
                        }
                        return Err(Error::RateLimited {
                            what: what.to_owned(),
                            host: self.host.clone(),
                            seconds: wait.as_secs(),
                        });
                    }
                    let error = self.judge(what, status, &bytes);
                    if !status.is_server_error() {
                        return Err(error);
                    }
                    error
                }
                Err(error @ Error::TooLarge { .. }) => return Err(error),
                Err(error) => error,
            };
            failed += 1;
            if failed >= tries {
                return Err(error);
            }
            tracing::debug!(%error, failed, "asking the forge again");
            tokio::time::sleep(PAUSE * 2_u32.pow(failed - 1)).await;
        }
    }

    async fn once(&self, want: &Want<'_>, url: &Url) -> Result<(StatusCode, HeaderMap, Vec<u8>)> {
        let &Want { ref method, body, what, picture } = want;
        let headers = if picture { self.for_picture(url) } else { self.headers.clone() };
        let mut request = self.client.request(method.clone(), url.clone()).headers(headers);
        if let Some(body) = body {
            request = request.json(body);
        }
        let known = match (method, body) {
            (&Method::GET, None) => self.marks().get(url.as_str()).cloned(),
            _ => None,
        };
        if let Some((mark, _)) = &known {
            request = request.header(IF_NONE_MATCH, mark);
        }
        let unreachable = |error: reqwest::Error| Error::Unreachable {
            what: what.to_owned(),
            host: self.host.clone(),
            // The address may hold what should not be told; the cause says more anyway.
            detail: cause(&error.without_url()),
        };
        let most = if picture { picture::LARGEST } else { ANSWER };
        let mut answer = request.send().await.map_err(unreachable)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > most {
                let (what, host) = (what.to_owned(), self.host.clone());
                return Err(Error::TooLarge { what, host, megabytes: most >> 20 });
            }
        }
        if let Some((_, before)) = known.filter(|_| status == StatusCode::NOT_MODIFIED) {
            return Ok((StatusCode::OK, headers, before));
        }
        if let (&Method::GET, true, Some(mark)) = (method, status.is_success(), headers.get(ETAG))
            && bytes.len() <= REMEMBERED
        {
            let mut marks = self.marks();
            if marks.len() >= MARKS {
                marks.clear();
            }
            marks.insert(url.to_string(), (mark.clone(), bytes.clone()));
        }
        Ok((status, headers, bytes))
    }

    fn marks(&self) -> MutexGuard<'_, HashMap<String, (HeaderValue, Vec<u8>)>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T: DeserializeOwned>(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        bytes: &[u8],
        what: &str,
    ) -> Result<Reply<T>> {
        let body = serde_json::from_slice(bytes).map_err(|error| {
            tracing::debug!(%error, "the answer of a forge is not what it should be");
            self.odd(what, status, bytes)
        })?;
        let scopes = headers.get("x-oauth-scopes").and_then(|value| value.to_str().ok());
        let scopes = scopes.map(|list| {
            list.split(',')
                .map(str::trim)
                .filter(|scope| !scope.is_empty())
                .map(Into::into)
                .collect()
        });
        Ok(Reply { body, scopes, more: has_next(headers) })
    }

    /// Where a redirect points, if the token may go there, or is not needed there.
    fn moved(&self, want: &Want<'_>, from: &Url, headers: &HeaderMap) -> Option<Url> {
        let target = from.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
        let may = if want.picture {
            self.has_picture(&target)
        } else {
            target.origin() == self.base.origin()
        };
        may.then_some(target)
    }

    fn judge(&self, what: &str, status: StatusCode, bytes: &[u8]) -> Error {
        let (what, host) = (what.to_owned(), self.host.clone());
        let detail = || said(bytes).unwrap_or_else(|| beginning(bytes));
        match status {
            StatusCode::UNAUTHORIZED => Error::TokenRefused { what, host },
            StatusCode::FORBIDDEN => Error::Denied { what, host, detail: detail() },
            StatusCode::NOT_FOUND | StatusCode::GONE => Error::NotFound { what, host },
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT | StatusCode::BAD_REQUEST => {
                Error::Invalid { what, host, detail: detail() }
            }
            _ => Error::Odd { what, host, status: status.as_u16(), detail: detail() },
        }
    }

    fn odd(&self, what: &str, status: StatusCode, bytes: &[u8]) -> Error {
        Error::Odd {
            what: what.to_owned(),
            host: self.host.clone(),
            status: status.as_u16(),
            detail: beginning(bytes),
        }
    }
}

/// What sends requests to the forge at `host`, and nowhere else.
pub(super) fn client(host: &str) -> Result<Client> {
    Client::builder()
        .user_agent(concat!("aloft/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::none())
        .build()
        .map_err(|error| Error::InvalidAddress {
            address: host.to_owned(),
            detail: error.to_string(),
        })
}

/// How long the forge wants to be left alone.
fn limit(status: StatusCode, headers: &HeaderMap, bytes: &[u8]) -> Option<Duration> {
    // Linear's way to say it.
    let named = status == StatusCode::BAD_REQUEST
        && bytes.windows(LIMITED.len()).any(|part| part == LIMITED);
    if named {
        return Some(Duration::from_secs(60));
    }
    if status != StatusCode::FORBIDDEN && status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let seconds = if let Some(seconds) = number(RETRY_AFTER.as_str()) {
        seconds.max(1)
    } else if number("x-ratelimit-remaining") == Some(0) {
        let reset = number("x-ratelimit-reset").unwrap_or_default();
        reset.saturating_sub(clock::now() / 1_000).max(5)
    } else if status == StatusCode::TOO_MANY_REQUESTS
        || said(bytes).is_some_and(|text| text.contains("rate limit"))
    {
        60
    } else {
        return None;
    };
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

fn has_next(headers: &HeaderMap) -> bool {
    let Some(links) = headers.get(LINK).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let links = links.to_ascii_lowercase();
    links.split(',').any(|link| link.contains("rel=\"next\"") || link.ends_with("rel=next"))
}

/// The words of an error: what it says as a whole, and of each field. GitHub and Forgejo have a sentence in `message` and
/// faults in `errors`; GitLab has a sentence, a list or a list for each field in `message`, or a sentence in `error`; Jira a
/// list in `errorMessages` and a sentence for each field in `errors`; Linear nothing but faults.
fn said(bytes: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let whole = ["message", "error_description", "error", "errorMessages"]
        .into_iter()
        .find_map(|name| value.get(name));
    let mut words = whole.and_then(sentences).unwrap_or_default();
    words.extend(value.get("error").and_then(Value::as_str).map(str::to_owned));
    words.dedup();
    let faults = value.get("errors");
    words
        .extend(faults.filter(|faults| faults.is_object()).and_then(sentences).unwrap_or_default());
    for fault in faults.and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| fault.get(name).and_then(Value::as_str);
        let one = match (text("message"), text("field"), text("code")) {
            (Some(message), _, _) => message.to_owned(),
            (None, Some(field), Some(code)) => format!("{field} is {code}"),
            (None, None, _) | (None, _, None) => fault.as_str().unwrap_or_default().to_owned(),
        };
        words.extend((!one.is_empty()).then_some(one));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

fn sentences(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => Some(list.iter().filter_map(sentences).flatten().collect()),
        Value::Object(fields) => {
            let of_field = |(field, faults): (&String, &Value)| {
                Some(format!("{field} {}", sentences(faults)?.join(", ")))
            };
            Some(fields.iter().filter_map(of_field).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn beginning(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(DETAIL)]);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "nothing".to_owned() } else { text }
}

/// What lies at the bottom of an error of the network.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(next) = deepest.source() {
        deepest = next;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_what_the_forge_said_of_each_field() {
        let body = br#"{"message":"Validation Failed","errors":[{"message":"A pull request already exists for a:b."},{"resource":"PullRequest","field":"head","code":"invalid"}]}"#;
        assert_eq!(
            said(body).unwrap(),
            "Validation Failed; A pull request already exists for a:b.; head is invalid"
        );
        assert_eq!(said(b"<html>"), None);
        let list = br#"{"message":["Another open merge request already exists: !1"]}"#;
        assert_eq!(said(list).unwrap(), "Another open merge request already exists: !1");
        let fields = br#"{"message":{"source_branch":["does not exist"]}}"#;
        assert_eq!(said(fields).unwrap(), "source_branch does not exist");
        let oauth = br#"{"error":"insufficient_scope","error_description":"It needs more."}"#;
        assert_eq!(said(oauth).unwrap(), "It needs more.; insufficient_scope");
        assert_eq!(said(br#"{"error":"Not allowed"}"#).unwrap(), "Not allowed");
        let jira = br#"{"errorMessages":["No right."],"errors":{"body":"is too long"}}"#;
        assert_eq!(said(jira).unwrap(), "No right.; body is too long");
        assert_eq!(said(br#"{"errors":[{"message":"No.","extensions":{}}]}"#).unwrap(), "No.");
        assert_eq!(said(br#"{"errors":{}}"#), None);
        assert_eq!(beginning(b"<html>\n  <p>"), "<html> <p>");
    }

    #[test]
    fn limits_are_read_from_every_header_there_is() {
        let headers = |pairs: &[(&'static str, &str)]| {
            let pair = |(name, value): &(&'static str, &str)| {
                (
                    reqwest::header::HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            };
            pairs.iter().map(pair).collect::<HeaderMap>()
        };
        let seconds = |status: u16, pairs: &[(&'static str, &str)], body: &[u8]| {
            limit(StatusCode::from_u16(status).unwrap(), &headers(pairs), body)
                .map(|wait| wait.as_secs())
        };
        assert_eq!(seconds(429, &[("retry-after", "7")], b""), Some(7));
        assert_eq!(seconds(429, &[], b""), Some(60));
        let limit = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")];
        assert_eq!(seconds(403, &limit, b""), Some(5));
        let odd = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "-9223372036854775808")];
        assert_eq!(seconds(403, &odd, b""), Some(5));
        let secondary = br#"{"message":"You have exceeded a secondary rate limit."}"#;
        assert_eq!(seconds(403, &[], secondary), Some(60));
        assert_eq!(seconds(403, &[("x-ratelimit-remaining", "9")], b"{}"), None);
        assert_eq!(seconds(500, &[("retry-after", "7")], b""), None);
        let graphql =
            br#"{"errors":[{"message":"Slow down.","extensions":{"code":"RATELIMITED"}}]}"#;
        assert_eq!(seconds(400, &[], graphql), Some(60));
        assert_eq!(seconds(400, &[], b"{}"), None);
    }

    #[test]
    fn the_next_page_is_seen_however_it_is_written() {
        for (link, more) in [
            (r#"<https://a/?page=2>; rel="next", <https://a/?page=9>; rel="last""#, true),
            (r#"<https://a/?page=1>; rel="prev", <https://a/?page=2>; REL="NEXT""#, true),
            (r#"<https://a/?page=1>; rel="first""#, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, HeaderValue::from_str(link).unwrap());
            assert_eq!(has_next(&headers), more, "{link}");
        }
    }
}
