//! Connections a client makes to what listens inside, and those that come back to it from inside.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use russh::server::{ChannelOpenHandle, Handle, Msg};
use russh::{Channel, ChannelOpenFailure};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::task::AbortOnDropHandle;

use crate::guest::sshd::flow::{self, OnDisk};

/// How long what listens may take to accept.
const CONNECT: Duration = Duration::from_secs(10);

/// How long to wait after an accept that failed, of descriptors for one.
const AGAIN: Duration = Duration::from_millis(50);

/// What one client has had listen inside; none of it listens on once this is dropped.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    tcp: HashMap<(String, u32), AbortOnDropHandle<()>>,
    unix: HashMap<String, UnixForward>,
}

/// A socket that listens, and whose path goes with it.
#[derive(Debug)]
struct UnixForward {
    path: PathBuf,
    _task: AbortOnDropHandle<()>,
}

/// Where a client wants to be connected to.
#[derive(Debug)]
pub(super) enum Target {
    /// Host and port.
    Tcp(String, u32),
    /// Path of a socket.
    Unix(String),
}

/// Connects a channel that is being opened, in a task of its own.
pub(super) fn connect(
    target: Target,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    on_disk: OnDisk,
) {
    tokio::spawn(async move {
        match target {
            Target::Tcp(host, port) => {
                let connect = async {
                    let port = u16::try_from(port).map_err(|_| io::ErrorKind::InvalidInput)?;
                    let stream = TcpStream::connect((host.as_str(), port)).await?;
                    stream.set_nodelay(true)?;
                    Ok(stream)
                };
                accept(connect, channel, reply, on_disk).await;
            }
            Target::Unix(path) => {
                accept(UnixStream::connect(path), channel, reply, on_disk).await;
            }
        }
    });
}

async fn accept<S: AsyncRead + AsyncWrite>(
    connect: impl Future<Output = io::Result<S>>,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    on_disk: OnDisk,
) {
    if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT, connect).await {
        reply.accept().await;
        flow::join(channel, stream, on_disk).await;
    } else {
        reply.reject(ChannelOpenFailure::ConnectFailed).await;
    }
}

impl Listeners {
    /// Listens on a port of loopback, whatever address was named, and hands what comes to the client; the port.
    pub(super) async fn listen_tcp(
        &mut self,
        address: &str,
        port: u32,
        client: Handle,
        on_disk: OnDisk,
    ) -> io::Result<u32> {
        let number = u16::try_from(port).map_err(|_| io::ErrorKind::InvalidInput)?;
        let listener = TcpListener::bind(("127.0.0.1", number)).await?;
        let port = u32::from(listener.local_addr()?.port());
        // Those that say `localhost` may mean either.
        let second = TcpListener::bind(("::1", listener.local_addr()?.port())).await.ok();
        let named = address.to_owned();
        let task = tokio::spawn(async move {
            loop {
                let accepted = match &second {
                    Some(second) => tokio::select! {
                        accepted = listener.accept() => accepted,
                        accepted = second.accept() => accepted,
                    },
                    None => listener.accept().await,
                };
                let Ok((stream, peer)) = accepted else {
                    tokio::time::sleep(AGAIN).await;
                    continue;
                };
                let _only_slower = stream.set_nodelay(true);
                let (client, named) = (client.clone(), named.clone());
                let (peer, peer_port) = (peer.ip().to_string(), u32::from(peer.port()));
                let on_disk = OnDisk::clone(&on_disk);
                tokio::spawn(async move {
                    let open = client.channel_open_forwarded_tcpip(named, port, peer, peer_port);
                    if let Ok(channel) = open.await {
                        flow::join(channel, stream, on_disk).await;
                    }
                });
            }
        });
        self.tcp.insert((address.to_owned(), port), AbortOnDropHandle::new(task));
        Ok(port)
    }

    /// Stops it; false = there was none.
    pub(super) fn cancel_tcp(&mut self, address: &str, port: u32) -> bool {
        self.tcp.remove(&(address.to_owned(), port)).is_some()
    }

    /// Listens at a path, for this user only, and hands what comes to the client.
    pub(super) fn listen_unix(
        &mut self,
        path: &str,
        client: Handle,
        on_disk: OnDisk,
    ) -> io::Result<()> {
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let named = path.to_owned();
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(AGAIN).await;
                    continue;
                };
                let (client, named) = (client.clone(), named.clone());
                let on_disk = OnDisk::clone(&on_disk);
                tokio::spawn(async move {
                    if let Ok(channel) = client.channel_open_forwarded_streamlocal(named).await {
                        flow::join(channel, stream, on_disk).await;
                    }
                });
            }
        });
        let forward = UnixForward { path: path.into(), _task: AbortOnDropHandle::new(task) };
        self.unix.insert(path.to_owned(), forward);
        Ok(())
    }

    /// Stops it; false = there was none.
    pub(super) fn cancel_unix(&mut self, path: &str) -> bool {
        self.unix.remove(path).is_some()
    }
}

impl Drop for UnixForward {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}
