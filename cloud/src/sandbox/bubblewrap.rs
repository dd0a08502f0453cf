//! Sandboxes on this machine, made by bubblewrap: a child process with namespaces, a user and limits of its own.
//!
//! The sandbox outlives the cloud: what is needed to find it again lies on disk, and its guest holds the listening
//! socket. One trust domain per kernel: this holds back agents, not an attacker with a hole in the kernel.

mod arguments;
mod groups;
mod hindrance;
mod layout;
mod left;
mod probe;
mod process;
mod seccomp;
mod spawn;
mod start;
mod stop;
mod users;

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::sandbox::bubblewrap::arguments::Host;
use crate::sandbox::bubblewrap::groups::Groups;
use crate::sandbox::bubblewrap::layout::{Home, Layout, Record, remove_file};
pub use crate::sandbox::bubblewrap::left::Left;
pub use crate::sandbox::bubblewrap::users::Ranges;
use crate::sandbox::bubblewrap::users::Users;
use crate::sandbox::guest::Guest;
use crate::sandbox::{Error, Exit, Listed, Report, Result, Runtime, Sandbox, Spec};

/// How long a guest that lives may take to answer a new cloud.
const ATTACH: Duration = Duration::from_secs(5);

/// How long a sandbox waits for its cloud where nobody said otherwise.
pub const OUTLIVE: Duration = Duration::from_secs(300);

/// Options of bubblewrap without which no sandbox is made.
const NEEDED: &[&str] = &[
    "--args",
    "--info-fd",
    "--seccomp",
    "--size",
    "--perms",
    "--ro-bind-try",
    "--unshare-cgroup-try",
    "--remount-ro",
];

/// Where and how sandboxes are made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory of all sandboxes. Started by root, every directory above it must let other users pass.
    pub root: PathBuf,
    /// The bwrap program; `None` = the one in PATH.
    pub bubblewrap: Option<PathBuf>,
    /// The program that is the guest; `None` = the running one.
    pub program: Option<PathBuf>,
    /// User ids for sandboxes when started by root. Two clouds on one machine must not share any.
    pub ranges: Ranges,
    /// How long a sandbox waits for its cloud to come back after it died.
    pub outlive: Duration,
}

/// Makes sandboxes with bubblewrap. Clones share everything.
#[derive(Clone, Debug)]
pub struct Bubblewrap {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    layout: Layout,
    users: Users,
    groups: Groups,
    program: PathBuf,
    /// As root, each sandbox is a user of its own.
    own_users: bool,
    tool: OnceLock<Tool>,
    living: Mutex<HashMap<String, Living>>,
    busy: Mutex<HashSet<String>>,
}

/// The installed bubblewrap.
#[derive(Clone, Debug)]
struct Tool {
    path: PathBuf,
    host: Host,
}

/// A sandbox that this process knows to run.
#[derive(Debug)]
struct Living {
    /// As on disk, from where it may vanish.
    record: Record,
    guest: Guest,
    exit: watch::Receiver<Option<Exit>>,
    _watch: AbortOnDropHandle<()>,
}

/// Says that an operation on one sandbox is under way.
#[derive(Debug)]
struct Busy {
    shared: Arc<Shared>,
    id: String,
}

impl Options {
    /// With everything but the directory as usual.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            bubblewrap: None,
            program: None,
            ranges: Ranges::default(),
            outlive: OUTLIVE,
        }
    }
}

impl Bubblewrap {
    /// Prepares the directory of sandboxes and finds out what this host grants. Reads and writes files; starts nothing.
    pub fn open(options: Options) -> Result<Self> {
        let own_users = rustix::process::geteuid().is_root();
        let layout = Layout::prepare(&options.root, own_users)?;
        let users = Users::new(layout.users(), own_users.then_some(options.ranges))?;
        let running = Path::new("/proc/self/exe");
        let program = layout.keep_program(options.program.as_deref().unwrap_or(running))?;
        let groups = Groups::find(layout.owner()?);
        let shared = Shared {
            options,
            layout,
            users,
            groups,
            program,
            own_users,
            tool: OnceLock::new(),
            living: Mutex::default(),
            busy: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The directory of a sandbox on the host, whether it exists or not. Nothing in it is to be trusted or run.
    pub fn directory(&self, id: &str) -> Result<PathBuf> {
        Ok(self.shared.layout.home(id)?.directory)
    }

    /// Does one operation on one sandbox, to its end also when the caller goes away.
    fn exclusively<T, F>(
        &self,
        id: &str,
        work: impl FnOnce(Arc<Shared>, Home) -> F,
    ) -> BoxFuture<'static, Result<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let begun = self.shared.layout.home(id).and_then(|home| {
            let busy = Shared::begin(&self.shared, id)?;
            Ok((busy, work(Arc::clone(&self.shared), home)))
        });
        async move {
            let (busy, work) = begun?;
            let work = async move {
                let done = work.await;
                drop(busy);
                done
            };
            joined(tokio::spawn(work).await)?
        }
        .boxed()
    }
}

impl Runtime for Bubblewrap {
    fn probe(&self) -> BoxFuture<'_, Result<Report>> {
        probe::probe(self).boxed()
    }

    fn start(&self, spec: &Spec) -> BoxFuture<'_, Result<Sandbox>> {
        let spec = spec.clone();
        let id = spec.id.clone();
        self.exclusively(&id, |shared, home| start::sandbox(shared, home, spec))
    }

    fn attach(&self, id: &str) -> BoxFuture<'_, Result<Option<Sandbox>>> {
        let name = id.to_owned();
        self.exclusively(id, |shared, home| attach(shared, home, name))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>>> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let mut ids = shared.layout.ids()?;
            // Of a removal that did not come to its end, the user may be the last thing left.
            ids.extend(shared.users.taken()?.into_iter().map(|(_, id)| id));
            ids.sort_unstable();
            ids.dedup();
            let listed = |id: String| {
                let record = shared.layout.home(&id)?.record();
                Ok(Listed { id, running: record.is_some_and(|record| record.init.lives()) })
            };
            ids.into_iter().map(listed).collect()
        })
        .boxed()
    }

    fn has_workspace(&self, id: &str) -> Result<bool> {
        Ok(self.shared.layout.home(id)?.workspace().is_dir())
    }

    fn freeze(&self, id: &str) -> BoxFuture<'_, Result<()>> {
        let name = id.to_owned();
        self.exclusively(id, |shared, home| stop::set_frozen(shared, home, name, true))
    }

    fn thaw(&self, id: &str) -> BoxFuture<'_, Result<()>> {
        let name = id.to_owned();
        self.exclusively(id, |shared, home| stop::set_frozen(shared, home, name, false))
    }

    fn suspend(&self, id: &str) -> BoxFuture<'_, Result<()>> {
        let name = id.to_owned();
        self.exclusively(id, |shared, home| stop::suspend(shared, home, name))
    }

    fn destroy(&self, id: &str) -> BoxFuture<'_, Result<()>> {
        let name = id.to_owned();
        self.exclusively(id, |shared, home| stop::destroy(shared, home, name))
    }

    fn listen(&self, id: &str) -> BoxFuture<'_, Result<UnixListener>> {
        let name = id.to_owned();
        self.exclusively(id, |shared, home| async move {
            blocking(move || {
                home.create(shared.users.assign(&name)?)?;
                let socket = home.relay_socket();
                remove_file(&socket)?;
                let listener =
                    UnixListener::bind(&socket).map_err(Error::file("listen at", &socket))?;
                // The directory above keeps everyone else away.
                let mode = std::fs::Permissions::from_mode(0o666);
                std::fs::set_permissions(&socket, mode)
                    .map_err(Error::file("change the mode of", &socket))?;
                Ok(listener)
            })
            .await
        })
    }
}

impl Shared {
    /// Whether a sandbox is held to its number of processes by a limit it sets itself: without a group for that, where the kernel
    /// counts for each user namespace by itself, or the sandbox is a user of its own.
    fn limits_itself(&self) -> bool {
        self.groups.processes.is_none() && (self.own_users || counts_per_namespace())
    }

    fn begin(shared: &Arc<Self>, id: &str) -> Result<Busy> {
        if !lock(&shared.busy).insert(id.to_owned()) {
            return Err(Error::Busy { id: id.to_owned() });
        }
        Ok(Busy { shared: Arc::clone(shared), id: id.to_owned() })
    }

    /// The installed bubblewrap, looked for until it is found.
    fn tool(&self) -> Result<&Tool> {
        if let Some(tool) = self.tool.get() {
            return Ok(tool);
        }
        let path =
            self.options.bubblewrap.clone().or_else(in_path).ok_or_else(hindrance::missing)?;
        let help = std::process::Command::new(&path)
            .arg("--help")
            .stdin(std::process::Stdio::null())
            .output();
        let help = help.map_err(|_| hindrance::missing())?;
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        if let Some(option) = NEEDED.iter().find(|option| !help.contains(*option)) {
            return Err(hindrance::too_old(option).into());
        }
        Ok(self.tool.get_or_init(|| Tool { path, host: Host::look(&help) }))
    }

    fn living(&self) -> MutexGuard<'_, HashMap<String, Living>> {
        lock(&self.living)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        lock(&self.shared.busy).remove(&self.id);
    }
}

/// Finds a sandbox that lives; thaws it, since its guest must answer.
async fn attach(shared: Arc<Shared>, home: Home, id: String) -> Result<Option<Sandbox>> {
    let Some(record) = home.record().filter(|record| record.init.lives()) else { return Ok(None) };
    let known = shared.living().get(&id).map(|living| (living.guest.clone(), living.exit.clone()));
    let (guest, exit) = if let Some(known) = known {
        known
    } else {
        let guest = Guest::new(&home.guest_socket(), &id, record.incarnation);
        let Some(exit) = start::watch_known(&shared, &id, &guest, &record)? else {
            return Ok(None);
        };
        (guest, exit)
    };
    stop::set_frozen(shared, home, id.clone(), false).await?;
    guest.hello(ATTACH).await.map_err(|source| Error::Guest { id: id.clone(), source })?;
    Ok(Some(Sandbox::new(id, record.incarnation, guest, exit)))
}

fn in_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = [PathBuf::from("/usr/bin"), PathBuf::from("/usr/local/bin")];
    std::env::split_paths(&path).chain(usual).map(|directory| directory.join("bwrap")).find(
        |program| {
            std::fs::metadata(program).is_ok_and(|metadata| {
                metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
            })
        },
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does what blocks on a thread for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    // A listener needs the runtime that will serve it.
    let runtime = tokio::runtime::Handle::current();
    joined(
        tokio::task::spawn_blocking(move || {
            let _inside = runtime.enter();
            work()
        })
        .await,
    )?
}

/// A panic goes on in the caller; only the end of the whole runtime is an error.
fn joined<T>(joined: Result<T, tokio::task::JoinError>) -> Result<T> {
    joined.map_err(|error| {
        if error.is_panic() {
            std::panic::resume_unwind(error.into_panic());
        }
        Error::System {
            action: "finish the work",
            id: String::new(),
            source: std::io::Error::other(error),
        }
    })
}

/// Whether the kernel counts the processes of a user for each user namespace by itself: 5.14 and newer.
fn counts_per_namespace() -> bool {
    let system = rustix::system::uname();
    let release = system.release().to_str().unwrap_or_default();
    let mut numbers = release
        .split(|next: char| !next.is_ascii_digit())
        .map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(14))
}
