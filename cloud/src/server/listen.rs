//! Where a cloud listens: a unix socket of its user, or TCP.

use std::{
    fmt,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, bail};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Router, TcpIncoming};

/// Longest path a unix socket takes everywhere, in bytes.
const SOCKET_PATH: usize = 100;

/// Where a cloud listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `unix:PATH`: whoever may open it is the one user.
    Unix(PathBuf),
    /// `HOST:PORT`.
    Tcp(SocketAddr),
}

/// A bound address.
#[derive(Debug)]
pub(super) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() || path.len() > SOCKET_PATH {
                return Err(format!("a socket's path has 1 to {SOCKET_PATH} bytes"));
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        text.parse().map(Self::Tcp).map_err(|_| "expected unix:PATH or ADDRESS:PORT".to_owned())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
        }
    }
}

impl Address {
    /// Removes the socket, at the end.
    pub(super) fn remove(&self) {
        if let Self::Unix(path) = self
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::debug!(%error, "the socket was gone");
        }
    }
}

impl Listener {
    pub(super) async fn bind(address: &Address) -> anyhow::Result<Self> {
        match address {
            Address::Unix(path) => bind_unix(path).await.map(Self::Unix),
            Address::Tcp(address) if address.ip().is_loopback() => {
                let listener = TcpListener::bind(address).await;
                Ok(Self::Tcp(listener.with_context(|| format!("listen on {address}"))?))
            }
            Address::Tcp(address) => {
                bail!(
                    "{address} is open to others, and this cloud has no users to tell apart; listen on 127.0.0.1"
                )
            }
        }
    }

    pub(super) async fn serve(self, server: Router, stop: CancellationToken) -> anyhow::Result<()> {
        let stopped = stop.cancelled_owned();
        match self {
            Self::Unix(listener) => {
                server
                    .serve_with_incoming_shutdown(UnixListenerStream::new(listener), stopped)
                    .await?;
            }
            Self::Tcp(listener) => {
                let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
                server.serve_with_incoming_shutdown(incoming, stopped).await?;
            }
        }
        Ok(())
    }
}

pub(super) async fn bind_unix(path: &Path) -> anyhow::Result<UnixListener> {
    let shown = path.display();
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    }
    if UnixStream::connect(path).await.is_ok() {
        bail!("something listens on {shown} already");
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("remove the old socket {shown}"));
        }
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path).with_context(|| format!("listen on {shown}"))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("close {shown} to others"))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_as_it_is_shown() {
        for text in ["unix:/run/aloft/cloud.sock", "127.0.0.1:7419", "[::1]:7419"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for bad in ["", "unix:", "localhost", "7419"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
