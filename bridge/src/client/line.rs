//! The line to a cloud: the connection in use, which can be given up for a fresh one, and what wakes those who wait.
//!
//! Short calls and streams share one connection that is tried often, so that a dead one is noticed within seconds. Uploads
//! have another: on a slow network they fill it, and an answer to a try would wait behind them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use crate::client::Transport;
use crate::client::bearer::Bearer;
use crate::client::channel::{self, StartFailure, Use};
use crate::config::Config;
use crate::protocol::error::Error;

/// Where the last connection led.
pub(crate) type Peer = Arc<Mutex<Option<SocketAddr>>>;

/// The line.
#[derive(Debug)]
pub(super) struct Line {
    config: Config,
    bearer: Bearer,
    start_failure: StartFailure,
    peer: Peer,
    live: Mutex<Transport>,
    bulk: OnceLock<Transport>,
    /// How often the connection was given up.
    renewals: watch::Sender<u64>,
    /// How often those who wait were woken.
    wakes: watch::Sender<u64>,
    /// Held by everything that is under way.
    users: Arc<()>,
}

impl Line {
    pub(super) fn new(config: &Config, start_failure: StartFailure) -> Result<Self, Error> {
        let bearer = Bearer::new(config.token.clone())?;
        let peer = Peer::default();
        let channel = channel::lazy(config, &start_failure, &peer, Use::Live)?;
        Ok(Self {
            live: Mutex::new(with_token(channel, &bearer)),
            bulk: OnceLock::new(),
            config: config.clone(),
            bearer,
            start_failure,
            peer,
            renewals: watch::Sender::new(0),
            wakes: watch::Sender::new(0),
            users: Arc::default(),
        })
    }

    /// The connection for calls and streams.
    pub(super) fn live(&self) -> Transport {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The connection for uploads and tunnels.
    pub(super) fn bulk(&self) -> Transport {
        let make = || channel::lazy(&self.config, &self.start_failure, &self.peer, Use::Bulk);
        match self.bulk.get() {
            Some(transport) => transport.clone(),
            None => match make() {
                Ok(channel) => self.bulk.get_or_init(|| with_token(channel, &self.bearer)).clone(),
                // The same settings made the other one.
                Err(_) => self.live(),
            },
        }
    }

    /// Gives the connection up: what is under way on it is begun again on a fresh one.
    pub(super) fn renew(&self) {
        match channel::lazy(&self.config, &self.start_failure, &self.peer, Use::Live) {
            Ok(channel) => {
                *self.live.lock().unwrap_or_else(PoisonError::into_inner) =
                    with_token(channel, &self.bearer);
                self.renewals.send_modify(|count| *count += 1);
            }
            Err(error) => tracing::warn!(%error, "no fresh connection can be made"),
        }
    }

    /// A receiver that changes when the connection is given up.
    pub(super) fn renewals(&self) -> watch::Receiver<u64> {
        self.renewals.subscribe()
    }

    /// Wakes those who wait before they try again.
    pub(super) fn wake(&self) {
        self.wakes.send_modify(|count| *count += 1);
    }

    /// Waits this long, or until there is a reason to try at once: then true.
    pub(super) async fn rest(&self, pause: Duration) -> bool {
        let mut wakes = self.wakes.subscribe();
        tokio::time::timeout(pause, wakes.changed()).await.is_ok()
    }

    /// What is under way holds this.
    pub(super) fn user(&self) -> Arc<()> {
        Arc::clone(&self.users)
    }

    /// Whether anything is under way.
    pub(super) fn is_used(&self) -> bool {
        Arc::strong_count(&self.users) > 1
    }

    /// Where the last connection led; `None` before the first and for sockets.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_token(channel: Channel, bearer: &Bearer) -> Transport {
    InterceptedService::new(channel, bearer.clone())
}
