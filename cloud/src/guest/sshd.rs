//! The sandbox's SSH server: the person's own way in, with the agent's own eyes.
//!
//! The cloud tells who may enter and as which host the server shows itself ([`access`]); it relays bytes it cannot read.
//! The server has threads of its own, which exist once somebody entered: a busy transfer holds up nothing else of the
//! guest. Nothing a client does may hurt another channel: what a channel receives is taken in at once and waits in
//! [`flow`], in bounded memory, for whoever reads it.

mod access;
mod agent_socket;
mod child;
mod connection;
mod cut;
mod flow;
mod forward;
mod session;
mod settings;
mod terminal;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aloft_proto::guest::ConfigureSshRequest;
use russh::server;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::guest::processes::Processes;
use crate::guest::refusal::Refusal;
use crate::guest::sshd::access::Access;
use crate::guest::sshd::agent_socket::AgentSocket;
use crate::guest::sshd::connection::Connection;
use crate::guest::sshd::cut::Cut;

/// The login name; there is no other user inside.
pub(super) const USER: &str = "agent";

/// Says that SSH is spoken by two pipes: the end to read from and the end to write to come with it. It is answered by the same
/// once they are taken, and the connection stands for them from then on.
pub(super) const PIPES: u8 = 1;

/// Threads that encrypt and move bytes.
const THREADS: usize = 2;

/// What is read from a client at once. Memory that no packet was in yet is none.
const READ: usize = 128 * 1024;

/// What may be on its way to a client; the kernel gives as much of it as it allows.
const SENT: usize = 4 * 1024 * 1024;

/// How long a client may take to prove who it is.
const LOGIN: Duration = Duration::from_secs(60);

/// How long a client that is shown out may take to leave by itself.
const FAREWELL: Duration = Duration::from_millis(500);

/// The server; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Sshd(Arc<Shared>);

/// How a client's bytes come in and go out.
#[derive(Debug)]
pub(super) enum Way {
    /// Both by one socket.
    Socket(net::UnixStream),
    /// By two pipes of a caller that is in this machine, and that says by its socket, without a word, that it is still there.
    Pipes { input: OwnedFd, output: OwnedFd, caller: net::UnixStream },
}

/// What all connections stand on.
#[derive(Debug)]
struct Shared {
    access: Access,
    processes: Arc<Processes>,
    agent_socket: AgentSocket,
    /// Where shells start.
    root: PathBuf,
    runtime: OnceLock<Option<Runtime>>,
}

impl Sshd {
    /// A server that lets nobody in yet.
    pub(super) fn new(processes: Arc<Processes>, root: PathBuf) -> Self {
        Self(Arc::new(Shared {
            access: Access::default(),
            processes,
            agent_socket: AgentSocket::default(),
            root,
            runtime: OnceLock::new(),
        }))
    }

    /// Takes over who may enter; how many connections were closed because of it.
    pub(super) fn configure(&self, request: &ConfigureSshRequest) -> Result<usize, Refusal> {
        self.0.access.replace(request)
    }

    /// Serves a connection on a thread of the server.
    pub(super) fn serve(&self, way: Way) {
        let Some(runtime) = self.0.runtime() else { return };
        let shared = Arc::clone(&self.0);
        runtime.spawn(async move {
            if let Err(error) = shared.serve_way(way).await {
                tracing::debug!(%error, "an SSH connection ended");
            }
        });
    }

    /// Ends every connection; what hangs is left behind.
    pub(super) fn end(&self) {
        self.0.access.close_all();
        self.0.agent_socket.close();
    }
}

impl Shared {
    fn runtime(&self) -> Option<&Runtime> {
        let start = || {
            child::raise_descriptor_limit();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(THREADS)
                .thread_name("sshd")
                .enable_all()
                .thread_keep_alive(Duration::from_secs(2))
                .build();
            runtime.inspect_err(|error| tracing::error!(%error, "no threads for SSH")).ok()
        };
        self.runtime.get_or_init(start).as_ref()
    }

    async fn serve_way(self: Arc<Self>, way: Way) -> Result<(), russh::Error> {
        let cut = CancellationToken::new();
        match way {
            Way::Socket(stream) => {
                // While one side waits for a processor the other works on.
                let _only_slower = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SENT);
                self.serve(Cut::new(UnixStream::from_std(stream)?, cut.clone()), cut).await
            }
            Way::Pipes { input, output, caller } => {
                let mut caller = UnixStream::from_std(caller)?;
                let input = pipe::Receiver::from_owned_fd(input)?;
                let output = pipe::Sender::from_owned_fd(output)?;
                caller.write_all(&[PIPES]).await?;
                let leaves = async {
                    // It says nothing more, but is gone.
                    let _end = caller.read(&mut [0]).await;
                    cut.cancel();
                    std::future::pending::<()>().await;
                };
                let stream = Cut::joined(tokio::io::join(input, output), cut.clone());
                tokio::select! {
                    ended = self.serve(stream, cut.clone()) => ended,
                    () = leaves => Ok(()),
                }
            }
        }
    }

    async fn serve(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        cut: CancellationToken,
    ) -> Result<(), russh::Error> {
        let Some(config) = self.access.server() else {
            return Err(io::Error::other("the server is not configured yet").into());
        };
        let stream = BufReader::with_capacity(READ, stream);
        let entry = self.access.enter(cut.clone());
        let number = entry.number();
        let handler = Connection::new(Arc::clone(&self), entry);
        let begun = tokio::time::timeout(LOGIN, server::run_stream(config, stream, handler)).await;
        let running = begun.map_err(|_| russh::Error::ConnectionTimeout)??;
        self.access.begun(number, running.handle());
        let login = async {
            tokio::time::sleep(LOGIN).await;
            if !self.access.is_known(number) {
                cut.cancel();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = running => ended,
            () = login => Ok(()),
        }
    }
}
