//! A scripted model server for Anthropic Messages, `OpenAI` Chat and `OpenAI` Responses.
//!
//! It has no state: the script travels in the person's message, `MARK [{"tool":"shell","cmd":"…"},{"text":"done"}]`, and the
//! step is the number of tool results after the last message that holds it. So retries, new processes and resumed sessions get
//! the same step. Every request is kept for assertions.
//!
//! | step | answer |
//! |---|---|
//! | `{"tool":"shell","cmd":…}` | a call of the agent's own shell tool |
//! | `{"tool":"write","path":…,"content":…}` | a call of its own write tool |
//! | `{"text":…}` | words; with `"chunks":N,"pauseMs":M` slowly |
//! | `{"fail":STATUS}` | an error of the API |
//! | `{"recall":PREFIX}` | the first word of the conversation that begins with PREFIX, from before the script |

mod answer;
mod request;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
    routing::any,
};
use serde_json::Value;

/// A running model server; it ends when it is dropped.
#[derive(Debug)]
pub struct ModelServer {
    /// Where it listens: loopback.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _runtime: tokio::runtime::Runtime,
}

/// A request it got.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Path and query.
    pub path: String,
    /// The `authorization` or `x-api-key` header.
    pub key: String,
    /// All values of its headers.
    pub headers: Vec<String>,
    /// The body.
    pub body: Value,
}

/// The key that the cloud must use upstream, and no sandbox may see.
pub const UPSTREAM_KEY: &str = "sk-upstream-canary-5f1d9c";

impl Default for ModelServer {
    fn default() -> Self {
        Self::new()
    }
}

impl ModelServer {
    /// Starts it on a free port.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let router = Router::new().route("/{*path}", any(answer)).with_state(Arc::clone(&seen));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, seen, _runtime: runtime }
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The base address for Anthropic clients.
    pub fn anthropic(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base address for `OpenAI` clients.
    pub fn openai(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

async fn answer(
    State(seen): State<Arc<Mutex<Vec<Seen>>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = uri.to_string();
    let key = header("authorization").or_else(|| header("x-api-key")).unwrap_or_default();
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(Seen {
        path,
        key,
        headers: headers
            .values()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect(),
        body: body.clone(),
    });
    answer::to(uri.path(), &request::Request::read(uri.path(), &body))
}
