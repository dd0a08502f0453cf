//! The model gateway: puts the cloud's key in place of the sandbox's token and passes the rest on, both ways, as it comes.

mod headers;
mod held;
mod meter;
mod route;

use std::{error::Error as _, fmt, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream, stream::BoxStream};
use reqwest::redirect;
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;

use crate::{
    accounts::keys::{self, Keys, ModelKey, Provider},
    host::{
        Context, Problem,
        body::{self, drain, limited},
        model::{meter::Meter, route::Route},
        refusal::Shape,
    },
};

/// Longest request passed on: conversations with pictures are large.
const MAX_REQUEST_BYTES: u64 = 64 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest silence of a model API; a model may think that long before its first byte.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a call waits before whoever made it hears that it does.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest error of an API that is looked through for the key.
const MAX_ERROR_BYTES: usize = 1024 * 1024;

/// The model APIs and the keys to them; one for all sandboxes.
#[derive(Clone)]
pub struct Upstream {
    client: reqwest::Client,
    keys: Keys,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Upstream").finish_non_exhaustive()
    }
}

impl Upstream {
    /// Calls the APIs with `keys`. Fails only where the system's certificates cannot be used.
    pub fn new(keys: Keys) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(IDLE_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { client, keys })
    }
}

/// A refusal before or instead of an answer of the API.
struct Refusal(StatusCode, Problem);

impl Refusal {
    fn new(
        status: StatusCode,
        reason: &'static str,
        message: String,
        hint: Option<String>,
    ) -> Self {
        Self(status, Problem { reason, message, hint })
    }

    fn answer(self, provider: Provider, context: &Context) -> Response<Body> {
        let Self(status, problem) = self;
        let shape = match provider {
            Provider::Anthropic => Shape::Anthropic,
            Provider::OpenAi => Shape::OpenAi,
        };
        tracing::info!(
            thread = context.sandbox.thread, %provider, reason = problem.reason, "model call refused"
        );
        shape.refuse(status, &problem)
    }
}

/// Passes one call on.
pub(super) async fn relay(
    request: Request<Body>,
    provider: Provider,
    context: &Arc<Context>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let answer = match admit(&parts, provider, context).await {
        Ok((route, key)) if route.costs => {
            call_once_allowed(parts, body, route, key, context).await
        }
        Ok((route, key)) => call(parts, body, route, key, context).await,
        Err(refusal) => {
            drain(body, MAX_REQUEST_BYTES).await;
            Err(refusal)
        }
    };
    answer.unwrap_or_else(|refusal| refusal.answer(provider, context))
}

/// Makes the call as soon as the thread may; one that must wait for long is told so, where it asked for a stream.
async fn call_once_allowed(
    parts: Parts,
    body: Body,
    route: Route,
    key: ModelKey,
    context: &Arc<Context>,
) -> Result<Response<Body>, Refusal> {
    let mut allowed = Box::pin(allowed(Arc::clone(context)));
    if let Ok(allowed) = tokio::time::timeout(PATIENCE, &mut allowed).await {
        if let Err(refusal) = allowed {
            drain(body, MAX_REQUEST_BYTES).await;
            return Err(refusal);
        }
        return call(parts, body, route, key, context).await;
    }
    let body = whole(body).await?;
    if !held::wants_stream(&body) {
        allowed.await?;
        return call(parts, Body::from(body), route, key, context).await;
    }
    let (provider, context, to) = (key.provider, Arc::clone(context), route.clone());
    let answer = async move {
        let answer = match allowed.await {
            Ok(()) => call(parts, Body::from(body), to, key, &context).await,
            Err(refusal) => Err(refusal),
        };
        answer.unwrap_or_else(|refusal| refusal.answer(provider, &context))
    };
    Ok(held::stream_of(answer, held::BEAT, provider, &route))
}

/// Done when the thread may call a model.
async fn allowed(context: Arc<Context>) -> Result<(), Refusal> {
    let allowed = context.sandbox.gate.may_call_model().await;
    allowed.map_err(|problem| Refusal(StatusCode::FORBIDDEN, problem))
}

/// The whole body of a request: what is told to wait must not be waited for.
async fn whole(body: Body) -> Result<Vec<u8>, Refusal> {
    let mut pieces = std::pin::pin!(limited(body, MAX_REQUEST_BYTES));
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => whole.extend_from_slice(&piece),
            Err(body::Error::TooLarge(limit)) => return Err(too_large(limit)),
            Err(error) => {
                let message = format!("the cloud failed to {error}");
                return Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "INVALID_ARGUMENT",
                    message,
                    None,
                ));
            }
        }
    }
    Ok(whole)
}

/// Whether the call may be made, to where, and with which key.
async fn admit(
    parts: &Parts,
    provider: Provider,
    context: &Context,
) -> Result<(Route, ModelKey), Refusal> {
    let sandbox = &context.sandbox;
    let route = Route::find(provider, &parts.method, parts.uri.path()).ok_or_else(|| {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            format!("{} {} is not relayed to the model API", parts.method, parts.uri.path()),
            Some(format!("relayed are {}", route::KNOWN)),
        )
    })?;
    if length(&parts.headers) > MAX_REQUEST_BYTES {
        return Err(too_large(MAX_REQUEST_BYTES));
    }
    let key = sandbox.upstream.keys.resolve(&sandbox.owner, provider).await;
    let key = key.map_err(|error| no_key(provider, &error))?;
    Ok((route, key))
}

/// How long a request says it is; 0 where it does not.
fn length(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

async fn call(
    parts: Parts,
    body: Body,
    route: Route,
    key: ModelKey,
    context: &Arc<Context>,
) -> Result<Response<Body>, Refusal> {
    let mut url = format!("{}{}", key.base_url, route.path);
    if let Some(query) = parts.uri.query() {
        url.push('?');
        url.push_str(query);
    }
    let headers = headers::upstream(&parts.headers, &context.sandbox.token, &key)
        .ok_or_else(|| no_key(key.provider, &keys::Error::Unreadable(key.provider)))?;
    let request =
        context.sandbox.upstream.client.request(parts.method.clone(), url).headers(headers);
    let request = if parts.method == axum::http::Method::GET {
        request
    } else {
        request.body(reqwest::Body::wrap_stream(limited(body, MAX_REQUEST_BYTES)))
    };
    let upstream = request.send().await.map_err(|error| unreachable(&key, &error))?;
    let status = upstream.status();
    if status.is_redirection() {
        return Err(Refusal::new(
            StatusCode::BAD_GATEWAY,
            "MODEL_UNREACHABLE",
            format!("the model API at {} redirects elsewhere", key.base_url),
            Some(format!("give the address of the API itself: aloft key set {}", key.provider)),
        ));
    }
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers::downstream(upstream.headers(), &key);
    if status.is_success() {
        let meter = Meter::new(key.provider, upstream.headers(), length(&parts.headers));
        let metered = Metered { meter: Some(meter), context: Arc::clone(context) };
        *answer.body_mut() = Body::from_stream(metered.pass(upstream.bytes_stream().boxed()));
    } else {
        answer.headers_mut().remove(header::CONTENT_LENGTH);
        *answer.body_mut() = Body::from(error_body(upstream.bytes_stream(), &key).await);
    }
    Ok(answer)
}

/// An answer on its way down, whose usage is recorded however it ends.
struct Metered {
    meter: Option<Meter>,
    context: Arc<Context>,
}

impl Metered {
    fn pass(
        self,
        pieces: BoxStream<'static, reqwest::Result<Bytes>>,
    ) -> impl Stream<Item = reqwest::Result<Bytes>> + Send {
        stream::unfold((self, pieces), |(mut metered, mut pieces)| async move {
            if let Some(piece) = pieces.next().await {
                if let (Ok(piece), Some(meter)) = (&piece, &mut metered.meter) {
                    meter.feed(piece);
                }
                return Some((piece, (metered, pieces)));
            }
            // Recorded before the sandbox sees the end: no turn ends with usage outstanding.
            if let Some(recording) = metered.record() {
                let _ended = recording.await;
            }
            None
        })
    }

    /// Records what was used, once, in a task of its own: a client that leaves does not end it.
    fn record(&mut self) -> Option<JoinHandle<()>> {
        let usage = self.meter.take().and_then(Meter::finish)?;
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        let context = Arc::clone(&self.context);
        let recording = async move { context.sandbox.gate.record_usage(usage).await };
        Some(self.context.tasks.spawn_on(recording, &runtime))
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        // Not waited for here: the end of the server waits for it.
        drop(self.record());
    }
}

/// The error as it is; only a server that repeats the key has it taken out.
async fn error_body(pieces: impl Stream<Item = reqwest::Result<Bytes>>, key: &ModelKey) -> Vec<u8> {
    let mut pieces = std::pin::pin!(pieces);
    let mut body = Vec::new();
    while let Some(Ok(piece)) = pieces.next().await {
        body.extend_from_slice(&piece);
        if body.len() > MAX_ERROR_BYTES {
            body.truncate(MAX_ERROR_BYTES);
            break;
        }
    }
    match std::str::from_utf8(&body) {
        Ok(text) if text.contains(key.key.expose_secret()) => {
            text.replace(key.key.expose_secret(), "[key]").into_bytes()
        }
        _ => body,
    }
}

fn no_key(provider: Provider, error: &keys::Error) -> Refusal {
    let hint = Some(format!("set one with: aloft key set {provider}"));
    if let keys::Error::NoKey(_) = error {
        let message = format!("this cloud has no model key of {provider}");
        return Refusal::new(StatusCode::FORBIDDEN, "NO_MODEL_KEY", message, hint);
    }
    tracing::error!(%provider, error = error as &dyn std::error::Error, "a model key cannot be used");
    let message = format!("the cloud failed to {error}");
    Refusal::new(StatusCode::FORBIDDEN, "MODEL_KEY_UNUSABLE", message, hint)
}

fn too_large(limit: u64) -> Refusal {
    let message = format!("the request is larger than {} MiB", limit / 1024 / 1024);
    let hint = Some("send smaller pictures, or begin a new thread".to_owned());
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_TOO_LARGE", message, hint)
}

fn unreachable(key: &ModelKey, error: &reqwest::Error) -> Refusal {
    let mut root = error.source();
    while let Some(cause) = root {
        if let Some(body::Error::TooLarge(limit)) = cause.downcast_ref() {
            return too_large(*limit);
        }
        match cause.source() {
            Some(inner) => root = Some(inner),
            None => break,
        }
    }
    let cause = root.map_or_else(|| "no reason known".to_owned(), ToString::to_string);
    let (status, words) = if error.is_timeout() {
        (StatusCode::GATEWAY_TIMEOUT, "does not answer in time")
    } else {
        (StatusCode::BAD_GATEWAY, "cannot be reached")
    };
    Refusal::new(
        status,
        "MODEL_UNREACHABLE",
        format!("the model API at {} {words}: {cause}", key.base_url),
        Some(format!("check it with: aloft key test {}", key.provider)),
    )
}
