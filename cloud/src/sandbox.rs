//! Runtimes that start and stop sandboxes, and the client of the guest inside.
//!
//! A [`Runtime`] owns the life of sandboxes: their directories, their users, their processes and their limits. It runs
//! nothing in them: commands, files and connections go through [`guest::Guest`]. It never reads the agent's tree, and
//! what the state of a thread is, the runner decides.
//!
//! ```text
//!   start ─► running ◄── freeze / thaw ──► frozen
//!     ▲         │ suspend (or its own end)   │
//!     └──── suspended ◄──────────────────────┘      destroy, from everywhere: nothing is left
//! ```

pub mod bubblewrap;
mod error;
pub mod guest;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

pub use crate::sandbox::error::{Error, Hindrance};
use crate::sandbox::guest::Guest;

/// The loopback port inside every sandbox that leads to its cloud.
pub const RELAY_PORT: u16 = 3128;

/// Result of everything a runtime does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Starts, stops and finds sandboxes on one kind of machine.
///
/// Only one operation at a time runs on one sandbox; a second one is refused with [`Error::Busy`].
pub trait Runtime: Send + Sync + Debug + 'static {
    /// Really starts one sandbox, looks at it from inside and removes it. An error names the fix.
    fn probe(&self) -> BoxFuture<'_, Result<Report>>;

    /// Creates what is missing on disk, starts the sandbox and waits until its guest answers: creating and resuming
    /// are the same. A living sandbox of the same id is [`Error::Running`].
    fn start(&self, spec: &Spec) -> BoxFuture<'_, Result<Sandbox>>;

    /// Finds a sandbox that outlived its cloud; `None` when it does not run.
    fn attach(&self, id: &str) -> BoxFuture<'_, Result<Option<Sandbox>>>;

    /// Everything of which something is on disk.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>>>;

    /// Whether the workspace is on disk: somebody may have removed it from outside.
    fn has_workspace(&self, id: &str) -> Result<bool>;

    /// Stops all its processes where they are; returns when they have really stopped.
    fn freeze(&self, id: &str) -> BoxFuture<'_, Result<()>>;

    /// Lets a frozen sandbox go on; returns when it does.
    fn thaw(&self, id: &str) -> BoxFuture<'_, Result<()>>;

    /// Ends all its processes and keeps its directories; returns when they are gone. One that does not run is fine.
    fn suspend(&self, id: &str) -> BoxFuture<'_, Result<()>>;

    /// Ends all its processes and removes everything of it. One that is not there is fine.
    fn destroy(&self, id: &str) -> BoxFuture<'_, Result<()>>;

    /// Listens on the socket that the sandbox sees as `/run/aloft/cloud.sock`; creates its directory when missing.
    /// Only that sandbox can reach it. Listening again replaces the socket, also under a running sandbox.
    fn listen(&self, id: &str) -> BoxFuture<'_, Result<UnixListener>>;
}

/// What a sandbox is made of. It holds no secrets.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// Id of its thread.
    pub id: String,
    /// Number of this start, larger than that of any earlier start: a guest left over from one is not taken for it.
    pub incarnation: u64,
    /// Bare repository, seen read-only at `/srv/aloft/mirror.git`.
    pub mirror: Option<PathBuf>,
    /// More to see read-only: path on the host, absolute path inside.
    pub read_only: Vec<(PathBuf, PathBuf)>,
    /// Variables beside the standard ones.
    pub env: BTreeMap<String, String>,
    /// What it may use.
    pub limits: Limits,
    /// Allows sandboxes inside the sandbox, for agents that bring their own.
    pub nested: bool,
}

/// What a sandbox may use; 0 = not limited. See [`Report::unenforced`] for what the host cannot hold it to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory of all processes together, in bytes.
    pub memory_bytes: u64,
    /// Processes and threads at once.
    pub processes: u32,
    /// CPU time, in thousandths of one core.
    pub cpu_milli: u32,
    /// Largest single file, in bytes.
    pub file_bytes: u64,
}

/// A running sandbox. Clones are cheap; dropping all of them does not end it.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// Id of its thread.
    pub id: String,
    /// As given in [`Spec::incarnation`].
    pub incarnation: u64,
    /// Runs things inside.
    pub guest: Guest,
    exit: watch::Receiver<Option<Exit>>,
    // Held, not read: the guest ends itself when it hears nothing of its cloud.
    _keep_alive: Arc<AbortOnDropHandle<()>>,
}

/// How a sandbox ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The last lines it wrote to its standard error; often empty.
    pub detail: String,
}

/// One line of [`Runtime::list`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Id of its thread.
    pub id: String,
    /// Its processes live.
    pub running: bool,
}

/// What [`Runtime::probe`] saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Each thing looked at.
    pub checks: Vec<Check>,
    /// Limits that this host does not hold sandboxes to: `memory`, `processes`, `cpu`, `disk`, each with a reason.
    pub unenforced: Vec<String>,
}

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// It is as it should be.
    pub ok: bool,
    /// What was seen.
    pub detail: String,
    /// What to do about it; empty when it is as it should be.
    pub hint: String,
}

impl Sandbox {
    fn new(
        id: String,
        incarnation: u64,
        guest: Guest,
        exit: watch::Receiver<Option<Exit>>,
    ) -> Self {
        let keep_alive = Arc::new(guest.keep_alive());
        Self { id, incarnation, guest, exit, _keep_alive: keep_alive }
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await.ok().and_then(|exit| exit.clone());
        ended.unwrap_or_else(|| Exit { detail: String::new() })
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.exit.borrow().is_some()
    }
}
