//! The client of the daemon inside a sandbox: processes, files and connections.
//!
//! Nothing here waits without end: each call has a time limit, and a frozen sandbox, whose socket would still accept, is
//! known and refused at once. What runs inside outlives a broken connection; output is read again from where it was.

mod dial;
mod files;
mod process;
mod run;
mod ssh;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aloft_proto::guest as proto;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::{Channel, Endpoint};

pub use crate::sandbox::guest::dial::Connection;
pub use crate::sandbox::guest::process::{Event, Flow, Process, Stdin, Streams, Tail};
pub use crate::sandbox::guest::run::Output;

/// Version of the contract that this client speaks.
pub const PROTOCOL: u32 = 1;

/// Time limit of a call that should take no time.
const CALL: Duration = Duration::from_secs(10);

/// How often the guest is told that its cloud lives.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Most bytes of file or input content in one message.
const CHUNK: usize = 256 * 1024;

/// Bytes under way in one stream, and in all together: output that nobody reads must not hold up other calls.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 256 * STREAM_WINDOW;

/// Messages longer than the library's own limit come from listings of large folders.
const LONGEST_MESSAGE: usize = 32 * 1024 * 1024;

/// Result of every call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed; reads after "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer in time.
    #[error("{call}: no answer after {} ms", after.as_millis())]
    Timeout {
        /// What was asked.
        call: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// The sandbox is frozen.
    #[error("{call}: the sandbox is frozen")]
    Frozen {
        /// What was asked.
        call: &'static str,
    },
    /// The guest is gone or cannot be reached.
    #[error("{call}: the guest cannot be reached")]
    Gone {
        /// What was asked.
        call: &'static str,
        /// What the connection said.
        source: Box<tonic::Status>,
    },
    /// The guest knows of no such process, file or listener.
    #[error("{call}: {}", source.message())]
    NotFound {
        /// What was asked.
        call: &'static str,
        /// What the guest said.
        source: Box<tonic::Status>,
    },
    /// The guest said no.
    #[error("{call}: {}", source.message())]
    Refused {
        /// What was asked.
        call: &'static str,
        /// What the guest said.
        source: Box<tonic::Status>,
    },
    /// Another guest answered than the one expected.
    #[error("greet the guest: it is of start {found}, not {expected}")]
    Stale {
        /// Whom we look for.
        expected: u64,
        /// Who answered.
        found: u64,
    },
    /// A file of the host, or the reader or writer given.
    #[error("{action} outside the sandbox")]
    Local {
        /// What was attempted.
        action: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

/// A command to run inside.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// Program and arguments; the program is looked up in the sandbox's PATH.
    pub argv: Vec<String>,
    /// Directory; empty = /workspace.
    pub cwd: String,
    /// Added to the sandbox's variables. May hold secrets: it is shown nowhere.
    pub env: Variables,
    /// Taken from the sandbox's variables.
    pub env_remove: Vec<String>,
    /// A terminal instead of pipes.
    pub pty: Option<proto::Pty>,
    /// Output kept for a reader that comes back, in bytes; 0 = 1 MiB.
    pub ring_bytes: u32,
    /// Drop old output when nobody reads, instead of holding the command up.
    pub lossy: bool,
}

/// Variables of a command; their values are not shown.
#[derive(Clone, Default)]
pub struct Variables(pub std::collections::HashMap<String, String>);

/// The guest of one sandbox. Clones are cheap and share one connection, which is made anew when it breaks.
#[derive(Clone, Debug)]
pub struct Guest {
    channel: Channel,
    socket: Arc<PathBuf>,
    id: Arc<str>,
    incarnation: u64,
    frozen: Arc<AtomicBool>,
}

impl Guest {
    /// The guest that listens at `socket`; nothing is sent yet.
    pub fn new(socket: &Path, id: &str, incarnation: u64) -> Self {
        let path: Arc<PathBuf> = Arc::new(socket.to_owned());
        let socket = Arc::clone(&path);
        let connect = tower::service_fn(move |_| {
            let path = Arc::clone(&path);
            async move {
                Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(path.as_path()).await?))
            }
        });
        // The name is required and means nothing on a socket of this machine.
        let endpoint = Endpoint::from_static("http://guest")
            .connect_timeout(CALL)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let channel = endpoint.connect_with_connector_lazy(connect);
        Self { channel, socket, id: id.into(), incarnation, frozen: Arc::default() }
    }

    /// Asks who it is, and is content only with the guest of this sandbox and this start.
    pub async fn hello(&self, limit: Duration) -> Result<proto::HelloResponse> {
        let request = proto::HelloRequest { protocol: PROTOCOL, sandbox_id: self.id.to_string() };
        let mut client = proto::guest_control_client::GuestControlClient::new(self.channel.clone());
        let answer = self.call("greet the guest", limit, client.hello(request)).await?;
        if answer.incarnation != self.incarnation {
            return Err(Error::Stale { expected: self.incarnation, found: answer.incarnation });
        }
        Ok(answer)
    }

    /// Tells the guest that its cloud lives; answers how many processes it has.
    pub async fn still_here(&self) -> Result<u32> {
        let mut client = proto::guest_control_client::GuestControlClient::new(self.channel.clone());
        let answer = self
            .call("keep the guest alive", CALL, client.keep_alive(proto::KeepAliveRequest {}))
            .await?;
        Ok(answer.processes)
    }

    /// Tells it regularly, until the handle is dropped.
    pub(super) fn keep_alive(&self) -> AbortOnDropHandle<()> {
        let guest = self.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            let mut tick = tokio::time::interval(KEEP_ALIVE);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                if let Err(error) = guest.still_here().await {
                    tracing::debug!(sandbox = %guest.id, %error, "the guest was not told that its cloud lives");
                }
            }
        }))
    }

    /// From now on calls fail at once, or go through again.
    pub(super) fn set_frozen(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::Release);
    }

    /// Tells two guests apart in logs.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn processes(&self) -> proto::guest_process_client::GuestProcessClient<Channel> {
        proto::guest_process_client::GuestProcessClient::new(self.channel.clone())
            .max_decoding_message_size(LONGEST_MESSAGE)
    }

    fn files(&self) -> proto::guest_files_client::GuestFilesClient<Channel> {
        proto::guest_files_client::GuestFilesClient::new(self.channel.clone())
            .max_decoding_message_size(LONGEST_MESSAGE)
    }

    /// Awaits an answer, within the limit and only if one can come.
    async fn call<T>(
        &self,
        call: &'static str,
        limit: Duration,
        answer: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    ) -> Result<T> {
        if self.frozen.load(Ordering::Acquire) {
            return Err(Error::Frozen { call });
        }
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer
                .map(tonic::Response::into_inner)
                .map_err(|status| Error::from_status(call, status)),
            Err(_) => Err(Error::Timeout { call, after: limit }),
        }
    }
}

impl Error {
    fn from_status(call: &'static str, status: tonic::Status) -> Self {
        let source = Box::new(status);
        match source.code() {
            // What the connection, not the guest, says when it breaks.
            tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::Cancelled => {
                Self::Gone { call, source }
            }
            tonic::Code::NotFound => Self::NotFound { call, source },
            _ => Self::Refused { call, source },
        }
    }

    /// A stream that ended before what it was to tell: to its reader, a connection that broke.
    fn broken_off(call: &'static str) -> Self {
        let source = Box::new(tonic::Status::unavailable("the stream ended too early"));
        Self::Gone { call, source }
    }

    /// Whether the connection broke, and not the request.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Command {
    /// A command with nothing out of the ordinary.
    pub fn new(argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}
