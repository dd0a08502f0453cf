//! Where forges call when something happened at a repository, if that is configured. Nothing they say is believed: a call that
//! is theirs lets the cloud look at its pull requests at once, with its own accounts.
//!
//! Whoever is not signed is sent away before the body is read, and no body is kept. What came is written down before it is
//! answered, so that it counts once also where the cloud was restarted between.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context;
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_LENGTH},
    routing::post,
};
use futures_util::StreamExt as _;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    clock, config,
    forge::hook::{Call, Judge, SIGNATURE, Verdict},
    runner::Runner,
    store::{self, Store},
};

/// Where they call.
const PATH: &str = "/forge";
/// Bytes of a call that are read: forges send no more.
const LARGEST: usize = 25 << 20;
/// Calls that are read at the same time.
const READERS: usize = 16;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Whose setting it is which calls came: nobody's.
const NOBODY: &str = "";
/// Where it stands.
const CAME: &str = "forgeCall/";

/// The place, bound before anything else is done with it.
#[derive(Debug)]
pub(super) struct ForgeCalls {
    listener: TcpListener,
    judge: Judge,
    store: Arc<dyn Store>,
}

#[derive(Clone)]
struct Desk {
    judge: Arc<Mutex<Judge>>,
    readers: Arc<Semaphore>,
    store: Arc<dyn Store>,
    runner: Runner,
}

impl ForgeCalls {
    /// Listens, or says what is wrong with the settings.
    pub(super) async fn bind(
        settings: &config::ForgeCalls,
        store: Arc<dyn Store>,
    ) -> anyhow::Result<Self> {
        let mut judge = Judge::open(&settings.secret_file)?;
        let mut came = store.settings(NOBODY, CAME).await?;
        came.sort_by_key(|(_, time)| time.clone());
        judge.remember(came.iter().filter_map(|(name, _)| name.strip_prefix(CAME)));
        let address = &settings.listen;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listen on {address} for calls from forges"))?;
        Ok(Self { listener, judge, store })
    }

    /// Takes calls until the cloud stops.
    pub(super) async fn run(self, runner: Runner, stop: CancellationToken) {
        let desk = Desk {
            judge: Arc::new(Mutex::new(self.judge)),
            readers: Arc::new(Semaphore::new(READERS)),
            store: self.store,
            runner,
        };
        let router = Router::new().route(PATH, post(take)).with_state(desk);
        let serving = axum::serve(self.listener, router)
            .with_graceful_shutdown(async move { stop.cancelled().await });
        if let Err(error) = serving.await {
            tracing::error!(%error, "calls from forges are taken no more");
        }
    }
}

async fn take(State(desk): State<Desk>, headers: HeaderMap, body: Body) -> StatusCode {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(call) = desk.judge().hear(text(SIGNATURE)) else {
        return StatusCode::UNAUTHORIZED;
    };
    let length = text(CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<usize>().ok());
    if length.is_some_and(|length| length > LARGEST) {
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    let Ok(_reader) = desk.readers.try_acquire() else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    let call = match tokio::time::timeout(PATIENCE, read(call, body)).await {
        Ok(Ok(call)) => call,
        Ok(Err(status)) => return status,
        Err(_) => return StatusCode::REQUEST_TIMEOUT,
    };
    let verdict = desk.judge().judge(call);
    tracing::debug!(?verdict, "a forge called");
    match verdict {
        Verdict::Good { name, forget } => match desk.keep(&name, forget.as_deref()).await {
            Ok(()) => {
                desk.runner.look_soon();
                StatusCode::ACCEPTED
            }
            Err(error) => {
                tracing::error!(%error, "could not write down that a forge called");
                desk.judge().forget(&name);
                StatusCode::INTERNAL_SERVER_ERROR
            }
        },
        Verdict::Forged => StatusCode::UNAUTHORIZED,
        Verdict::Replayed => StatusCode::CONFLICT,
    }
}

/// Reads a call to its end.
async fn read(mut call: Call, body: Body) -> Result<Call, StatusCode> {
    let mut pieces = pin!(body.into_data_stream());
    let mut length = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| StatusCode::BAD_REQUEST)?;
        length += piece.len();
        if length > LARGEST {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        call.read(&piece);
    }
    Ok(call)
}

impl Desk {
    fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down that a call came, and takes away that another one did.
    async fn keep(&self, name: &str, forget: Option<&str>) -> Result<(), store::Error> {
        let time = clock::now().to_be_bytes().to_vec();
        self.store.put_setting(NOBODY, &format!("{CAME}{name}"), time).await?;
        if let Some(oldest) = forget {
            self.store.delete_setting(NOBODY, &format!("{CAME}{oldest}")).await?;
        }
        Ok(())
    }
}
