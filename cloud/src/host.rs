//! What one sandbox may ask of its cloud, over the one HTTP socket it has.
//!
//! `/model` relays to the configured model APIs, `/git` serves the thread's own repository, anything else is egress. Each
//! sandbox has a server of its own that knows one token. Whether a call is allowed and what is done with its usage is the
//! [`Gate`]'s affair; the byte relay inside the sandbox is the guest's.

mod access;
pub(crate) mod body;
mod egress;
pub(crate) mod git;
mod model;
mod refusal;
#[cfg(test)]
mod tests;

pub use self::model::Upstream;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request, Response},
};
use futures_util::future::BoxFuture;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use secrecy::SecretString;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{accounts::keys::Provider, host::refusal::Shape};

/// Connections one sandbox may hold open; more of them wait.
const MAX_CONNECTIONS: usize = 256;
/// How long a request's head may take, and how long a connection may lie idle before it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest head of a request.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// How long calls that still run are waited for at the end.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
/// Wait after a failed accept, which is most often a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Of whom a socket is, and what it may reach.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// Its thread.
    pub thread: String,
    /// Whose keys it uses.
    pub owner: String,
    /// What the sandbox must show with every request.
    pub token: SecretString,
    /// The repository it may fetch from and push to.
    pub git: GitRepo,
    /// Who judges its model calls.
    pub gate: Arc<dyn Gate>,
    /// The model APIs.
    pub upstream: Upstream,
}

/// The repository of a thread.
#[derive(Clone, Debug)]
pub struct GitRepo {
    /// Its bare repository.
    pub path: PathBuf,
    /// The one branch that may be pushed, without `refs/heads/`.
    pub branch: String,
}

/// Judges the model calls of one thread and hears what they used.
pub trait Gate: Send + Sync + fmt::Debug {
    /// Asked before each call that costs; may wait, for example until a budget is raised.
    fn may_call_model(&self) -> BoxFuture<'_, Result<(), Problem>>;
    /// Told after each call, also of one that was cut short; done when it is accounted for.
    fn record_usage(&self, usage: UsageRecord) -> BoxFuture<'_, ()>;
}

/// Why a request is refused, in words for the agent and the person who watches it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// `UPPER_SNAKE`.
    pub reason: &'static str,
    /// What is the matter.
    pub message: String,
    /// What a person may do about it.
    pub hint: Option<String>,
}

/// What one model call used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRecord {
    /// Whose API.
    pub provider: Provider,
    /// The model, as the answer named it.
    pub model: String,
    /// Tokens of input, those read from or written to a cache included.
    pub input_tokens: u64,
    /// Those of the input that were read from a cache.
    pub cached_tokens: u64,
    /// Those of the input that were written to a cache.
    pub cache_write_tokens: u64,
    /// Tokens of output, thoughts included.
    pub output_tokens: u64,
}

/// What every request of one sandbox shares.
struct Context {
    sandbox: Sandbox,
    /// Records of usage that outlive their request.
    tasks: TaskTracker,
}

/// Serves one sandbox on its socket until `shutdown`; calls that run then get a short while to end.
pub async fn serve(listener: UnixListener, sandbox: Sandbox, shutdown: CancellationToken) {
    let context = Arc::new(Context { sandbox, tasks: TaskTracker::new() });
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (listener.accept().await, place)
            } => accepted,
        };
        match accepted {
            (Ok((stream, _)), Ok(place)) => {
                let serving = connection(stream, Arc::clone(&context), shutdown.clone());
                connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            (Err(error), _) => {
                tracing::warn!(thread = context.sandbox.thread, %error, "a sandbox's socket accepts nothing");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            (_, Err(_)) => break,
        }
    }
    connections.close();
    connections.wait().await;
    context.tasks.close();
    if tokio::time::timeout(SHUTDOWN_GRACE, context.tasks.wait()).await.is_err() {
        tracing::warn!(thread = context.sandbox.thread, "some usage of models was not recorded");
    }
}

async fn connection(stream: UnixStream, context: Arc<Context>, shutdown: CancellationToken) {
    let service = service_fn(|request: Request<Incoming>| {
        let context = Arc::clone(&context);
        async move { Ok::<_, std::convert::Infallible>(answer(request.map(Body::new), &context).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(SHUTDOWN_GRACE, connection.as_mut()).await.ok()
        }
    };
    if let Some(Err(error)) = ended {
        tracing::debug!(thread = context.sandbox.thread, %error, "a sandbox's connection broke off");
    }
}

async fn answer(request: Request<Body>, context: &Arc<Context>) -> Response<Body> {
    // Programs that send even loopback addresses through a proxy arrive here with a whole address.
    let local =
        request.uri().authority().is_none_or(|authority| egress::is_loopback(authority.host()));
    if request.method() == Method::CONNECT || !local {
        return egress::refuse(request.uri());
    }
    let path = request.uri().path();
    let shape = match path {
        _ if path.starts_with("/model/anthropic") => Shape::Anthropic,
        _ if path.starts_with("/model/openai") => Shape::OpenAi,
        _ if path.starts_with("/git/") => Shape::Git,
        _ => Shape::Plain,
    };
    if let Err(problem) = access::check(request.headers(), &context.sandbox.token) {
        return shape.refuse(axum::http::StatusCode::UNAUTHORIZED, &problem);
    }
    match shape {
        Shape::Anthropic => model::relay(request, Provider::Anthropic, context).await,
        Shape::OpenAi => model::relay(request, Provider::OpenAi, context).await,
        Shape::Git => git::serve(request, &context.sandbox).await,
        Shape::Plain => shape.refuse(
            axum::http::StatusCode::NOT_FOUND,
            &Problem {
                reason: "NOT_FOUND",
                message: format!("nothing is served at {path}"),
                hint: Some(
                    "there is /model/anthropic, /model/openai/v1 and /git/workspace.git".into(),
                ),
            },
        ),
    }
}
