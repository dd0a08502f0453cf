//! Where forges call when something happened at a repository, if that is configured. Nothing they say is believed: a call that
//! is theirs lets the cloud look at its pull requests at once, with its own accounts.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    config,
    forge::hook::{Judge, SIGNATURE, Verdict},
    runner::Runner,
};

/// Where they call.
const PATH: &str = "/forge";
/// Bytes of a call that are read: forges send no more.
const LARGEST: usize = 25 << 20;

/// The place, bound before anything else is done with it.
#[derive(Debug)]
pub(super) struct ForgeCalls {
    listener: TcpListener,
    judge: Judge,
}

#[derive(Clone)]
struct Desk {
    judge: Arc<Mutex<Judge>>,
    runner: Runner,
}

impl ForgeCalls {
    /// Listens, or says what is wrong with the settings.
    pub(super) async fn bind(settings: &config::ForgeCalls) -> anyhow::Result<Self> {
        let judge = Judge::open(&settings.secret_file)?;
        let address = &settings.listen;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listen on {address} for calls from forges"))?;
        Ok(Self { listener, judge })
    }

    /// Takes calls until the cloud stops.
    pub(super) async fn run(self, runner: Runner, stop: CancellationToken) {
        let desk = Desk { judge: Arc::new(Mutex::new(self.judge)), runner };
        let router = Router::new()
            .route(PATH, post(take))
            .layer(DefaultBodyLimit::max(LARGEST))
            .with_state(desk);
        let serving = axum::serve(self.listener, router)
            .with_graceful_shutdown(async move { stop.cancelled().await });
        if let Err(error) = serving.await {
            tracing::error!(%error, "calls from forges are taken no more");
        }
    }
}

async fn take(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let verdict = desk.judge.lock().unwrap_or_else(PoisonError::into_inner).judge(signature, &body);
    tracing::debug!(?verdict, "a forge called");
    match verdict {
        Verdict::Good => {
            desk.runner.look_soon();
            StatusCode::ACCEPTED
        }
        Verdict::Forged => StatusCode::UNAUTHORIZED,
        Verdict::Replayed => StatusCode::CONFLICT,
    }
}
