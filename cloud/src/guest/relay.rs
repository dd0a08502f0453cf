//! The one loopback port: every connection to it becomes a connection to the cloud's socket, byte for byte.
//!
//! What may pass is decided in the cloud.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Semaphore;

/// Most connections at once; more wait to be accepted.
const CONNECTIONS: usize = 512;

/// How long the cloud's socket may take to accept.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a client that cannot be served is listened to, so that it gets to read why.
const FAREWELL: Duration = Duration::from_secs(1);

const NOT_REACHABLE: &str =
    "The cloud of this sandbox is not reachable now. Try again in a moment.\n";

/// The port, open.
#[derive(Debug)]
pub(super) struct Relay {
    listener: TcpListener,
    socket: Arc<PathBuf>,
}

impl Relay {
    /// Opens the port on loopback, any free one if it is 0. `socket` need not exist yet.
    pub(super) async fn open(port: u16, socket: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        Ok(Self { listener, socket: Arc::new(socket) })
    }

    /// Its number.
    pub(super) fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Relays without end.
    pub(super) async fn run(self) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((client, _)) => {
                    let socket = Arc::clone(&self.socket);
                    tokio::spawn(async move {
                        relay(client, &socket).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of descriptors, or a client that already left: neither ends the port.
                    tracing::debug!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

async fn relay(mut client: TcpStream, socket: &Path) {
    match tokio::time::timeout(CONNECT, UnixStream::connect(socket)).await {
        Ok(Ok(mut cloud)) => {
            let _either_side_left = tokio::io::copy_bidirectional(&mut client, &mut cloud).await;
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "the cloud's socket refused");
            refuse(client).await;
        }
        Err(_) => refuse(client).await,
    }
}

async fn refuse(mut client: TcpStream) {
    let answer = format!(
        "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n{NOT_REACHABLE}",
        NOT_REACHABLE.len(),
    );
    let say = async {
        client.write_all(answer.as_bytes()).await?;
        client.shutdown().await?;
        // Closing with unread bytes resets the connection, and the answer with it.
        let mut unread = [0; 1024];
        while client.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    let _client_left_or_lingers = tokio::time::timeout(FAREWELL, say).await;
}
