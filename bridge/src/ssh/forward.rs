//! A port of a sandbox on this machine: listens here, and carries each connection through a tunnel of its own.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use aloft_proto::v1::tunnel_header::Target;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::protocol::error::{Code, Error};
use crate::ssh::Tunnel;

/// Connections at once.
const AT_ONCE: usize = 512;

/// A port that is brought here.
#[derive(Debug)]
pub struct Forward {
    client: Client,
    thread: String,
    port: u16,
    local: u16,
    listeners: Vec<TcpListener>,
}

impl Forward {
    /// Listens on a port of this machine: the one asked for, else the same as in the sandbox, else any that is free.
    pub async fn listen(
        client: Client,
        thread: String,
        port: u16,
        local: Option<u16>,
    ) -> Result<Self, Error> {
        let first =
            match (local, TcpListener::bind((Ipv4Addr::LOCALHOST, local.unwrap_or(port))).await) {
                (_, Ok(listener)) => Ok(listener),
                (None, Err(_)) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await,
                (Some(_), Err(error)) => Err(error),
            };
        let taken = |error: std::io::Error| {
            let message = format!(
                "failed to listen on port {} of this machine: {error}",
                local.unwrap_or(port)
            );
            Error::new(Code::FailedPrecondition, "PORT_TAKEN", message)
                .with_hint("name another one, or 0 for any that is free")
        };
        let first = first.map_err(taken)?;
        let local = first.local_addr().map_err(taken)?.port();
        // Some programs try this one first for `localhost`; where there is none, they come back.
        let second = TcpListener::bind((Ipv6Addr::LOCALHOST, local)).await.ok();
        Ok(Self {
            client,
            thread,
            port,
            local,
            listeners: std::iter::once(first).chain(second).collect(),
        })
    }

    /// Returns the port on this machine.
    pub fn local(&self) -> u16 {
        self.local
    }

    /// Serves connections for ever; tells why one could not be made.
    pub async fn run(self, tell: impl Fn(&Error) + Clone + Send + 'static) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = accept(&self.listeners).await;
            while connections.try_join_next().is_some() {}
            let Some((stream, peer)) = accepted else { continue };
            if connections.len() >= AT_ONCE {
                tracing::warn!(port = self.port, "too many connections, one is refused");
                continue;
            }
            tracing::debug!(%peer, port = self.port, "a connection through the forward");
            let (client, thread, target) =
                (self.client.clone(), self.thread.clone(), Target::Port(self.port.into()));
            let tell = tell.clone();
            connections.spawn(async move {
                if let Err(error) = serve(&client, &thread, target, stream).await {
                    tell(&error);
                }
            });
        }
    }
}

async fn accept(listeners: &[TcpListener]) -> Option<(TcpStream, SocketAddr)> {
    let accepts = listeners.iter().map(|listener| Box::pin(listener.accept()));
    let (accepted, ..) = futures_util::future::select_all(accepts).await;
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::debug!(%error, "a connection could not be taken");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            None
        }
    }
}

async fn serve(
    client: &Client,
    thread: &str,
    target: Target,
    stream: TcpStream,
) -> Result<(), Error> {
    stream.set_nodelay(true).ok();
    let tunnel = Tunnel::open(client, thread, target, None, |_| ()).await?;
    let (read, write) = stream.into_split();
    tunnel.carry(read, write).await
}
