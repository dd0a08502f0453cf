//! The connection to a cloud: a socket or a port of this machine, or TLS to another one.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Uri};
use tower::service_fn;

use crate::client::dial::dial;
use crate::client::embedded::Embedded;
use crate::client::line::Peer;
use crate::config::{Address, Config};
use crate::protocol::error::{Code, Error};

/// How long a connection to a port may take. The embedded cloud has its own, longer limit.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a quiet connection is tried, and how long the answer may take, so that a dead one is noticed.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(20));
/// The same where a person would wait for it: a network that comes back is used at once, and not when this ends.
const LIVE_KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(3));

/// What the cloud may send before it is taken, on one stream and on all: less would slow down what comes from far away.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Most bytes of a frame: a piece of a tunnel is one, not several.
const FRAME: u32 = 128 << 10;

/// Why the embedded cloud could not be started the last time; empty once it could.
pub(crate) type StartFailure = Arc<Mutex<Option<Error>>>;

/// What a channel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Calls and streams.
    Live,
    /// Uploads and tunnels, behind which the answer to a try may wait for long.
    Bulk,
}

/// Makes a channel; it connects when it is first used, and says where a connection led.
pub(crate) fn lazy(
    config: &Config,
    start_failure: &StartFailure,
    peer: &Peer,
    purpose: Use,
) -> Result<Channel, Error> {
    match &config.address {
        Address::Embedded => {
            let embedded = Arc::new(Embedded::new(config));
            let start_failure = Arc::clone(start_failure);
            Ok(local().connect_with_connector_lazy(service_fn(move |_: Uri| {
                let embedded = Arc::clone(&embedded);
                let start_failure = Arc::clone(&start_failure);
                async move { started(&embedded, &start_failure).await.map(TokioIo::new) }
            })))
        }
        Address::Unix(path) => {
            let path: Arc<PathBuf> = Arc::new(path.clone());
            Ok(local().connect_with_connector_lazy(service_fn(move |_: Uri| {
                let path = Arc::clone(&path);
                async move { UnixStream::connect(&*path).await.map(TokioIo::new) }
            })))
        }
        Address::Http(url) => Ok(remote(endpoint(url)?, peer, purpose)),
        Address::Https(url) => {
            let roots = ClientTlsConfig::new().with_native_roots();
            let endpoint = endpoint(url)?.tls_config(roots).map_err(|error| {
                Error::new(
                    Code::Internal,
                    "TLS_SETUP",
                    format!("failed to prepare encryption: {error}"),
                )
            })?;
            Ok(match proxy(config, endpoint.uri()) {
                Some(proxy) => timed(endpoint, purpose).connect_with_connector_lazy(proxy),
                None => remote(endpoint, peer, purpose),
            })
        }
    }
}

/// The way through a proxy that the environment asks for: it passes encrypted bytes on and sees none of them.
fn proxy(config: &Config, cloud: &Uri) -> Option<Tunnel<HttpConnector>> {
    let matcher = Matcher::builder()
        .https(config.proxy.as_deref().unwrap_or_default())
        .no(config.no_proxy.as_deref().unwrap_or_default())
        .build();
    let proxy = matcher.intercept(cloud)?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let tunnel = Tunnel::new(proxy.uri().clone(), connector);
    Some(match proxy.basic_auth() {
        Some(word) => tunnel.with_auth(word.clone()),
        None => tunnel,
    })
}

/// A channel over the network.
fn remote(endpoint: Endpoint, peer: &Peer, purpose: Use) -> Channel {
    let peer = Arc::clone(peer);
    timed(endpoint, purpose).connect_with_connector_lazy(service_fn(move |uri: Uri| {
        let peer = Arc::clone(&peer);
        async move {
            let stream = dial(&uri).await?;
            *peer.lock().unwrap_or_else(PoisonError::into_inner) = stream.peer_addr().ok();
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    }))
}

/// How long a network may take.
fn timed(endpoint: Endpoint, purpose: Use) -> Endpoint {
    let (every, patience) = if purpose == Use::Live { LIVE_KEEP_ALIVE } else { KEEP_ALIVE };
    endpoint
        .connect_timeout(CONNECT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .http2_keep_alive_interval(every)
        .keep_alive_timeout(patience)
        // Nobody waits for a connection on which nothing is under way.
        .keep_alive_while_idle(false)
}

/// Connects to the embedded cloud, starting it where it does not run, and remembers why that failed.
async fn started(embedded: &Embedded, start_failure: &StartFailure) -> io::Result<UnixStream> {
    let result = embedded.connect().await;
    let failure = result.as_ref().err().map(Error::from);
    if let Ok(mut last) = start_failure.lock() {
        *last = failure;
    }
    result.map_err(io::Error::other)
}

fn endpoint(url: &str) -> Result<Endpoint, Error> {
    Endpoint::from_shared(url.to_owned()).map_err(|error| {
        Error::new(Code::InvalidParams, "INVALID_CONFIG", format!("failed to use {url}: {error}"))
    })
}

/// The endpoint of a socket: the name only fills the requests' authority.
fn local() -> Endpoint {
    let (every, patience) = KEEP_ALIVE;
    Endpoint::from_static("http://localhost")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .http2_keep_alive_interval(every)
        .keep_alive_timeout(patience)
        .keep_alive_while_idle(true)
}
