//! One task per live thread: it owns the thread's machine, writes what the machine decides and performs its effects.
//!
//! [`Runner`] holds the live threads and begins a task for a thread when somebody asks for it; [`Handle`] is how everything
//! else speaks to one. A task reads its thread from the store when it begins, so it may end whenever the thread is at rest.
//!
//! A thread's own socket for its sandbox is bound here and handed up: the runner yields [`Opened`], `server` gives it to
//! `host`.

mod agent;
mod archive;
mod attach;
mod budgets;
mod by_hand;
mod create;
mod diff;
mod disk;
mod driver;
mod effects;
mod fix;
mod follow;
mod fork;
mod handle;
mod issue;
mod janitor;
mod jobs;
mod marks;
mod obstacle;
mod preamble;
mod problem;
mod pull_request;
mod redaction;
mod repositories;
mod request;
mod rewind;
mod snapshot;
mod start;
mod steps;
mod uploads;

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aloft_fault::pass;
use aloft_proto::v1::{Item, Problem, Thread, ThreadState, item::Kind};
use futures_util::FutureExt as _;
use secrecy::SecretString;
use tokio::{
    net::UnixListener,
    sync::{mpsc, oneshot, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    accounts::{forges::Forges, keys::Keys},
    acp::known::HostAgents,
    config::Config,
    git::{mirror::Mirrors, snapshot::Snapshots},
    model::machine::{Input, Machine, Refused},
    sandbox::{Runtime, Sandbox},
    store::{self, Store, ThreadRow},
};

pub use crate::{clock::now, git::snapshot::Export};

pub use self::{
    archive::ARCHIVE_LIMIT,
    attach::Attached,
    budgets::{Budgets, Change as BudgetChange},
    create::Create,
    fix::Fixing,
    handle::{Applied, Handle},
    obstacle::Obstacle,
    problem::{Kind as ErrorKind, problem, whole},
    pull_request::{Propose, Proposed},
    repositories::RepositoryQuery,
    request::RequestKey,
    uploads::Upload,
};

/// How long a graceful end of the cloud waits for its threads.
const STOP_TIME: Duration = Duration::from_secs(10);
/// Between the break of a thread's task and taking the thread up again.
const BROKEN: Duration = Duration::from_secs(1);

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thread does not accept it as things stand.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No thread has this id, prefix or slug.
    #[error("there is no thread {name}")]
    ThreadNotFound {
        /// As it was asked for.
        name: String,
    },
    /// Several threads begin like this.
    #[error("{name} may mean {}", candidates.join(", "))]
    ThreadAmbiguous {
        /// As it was asked for.
        name: String,
        /// Those it may mean.
        candidates: Vec<String>,
    },
    /// The thread has no such item.
    #[error("the thread has no item {item}")]
    ItemNotFound {
        /// As it was asked for.
        item: String,
    },
    /// The thread has no such turn.
    #[error("the thread has no turn {number}")]
    TurnNotFound {
        /// As it was asked for.
        number: u32,
    },
    /// The request id was used for another request.
    #[error("request id {id} was used for another request")]
    RequestReused {
        /// The client's name of it.
        id: String,
    },
    /// No agent has this name.
    #[error("there is no agent {name}; known are {}", known.join(", "))]
    AgentUnknown {
        /// As it was asked for.
        name: String,
        /// Those that are known.
        known: Vec<String>,
    },
    /// The agent cannot be used.
    #[error("agent {name} cannot be used: {reason}")]
    AgentUnusable {
        /// The agent.
        name: String,
        /// Why.
        reason: String,
        /// How to mend it.
        hint: String,
    },
    /// No agent can be used by default.
    #[error("no agent can be used: {}", reasons.join("; "))]
    NoAgent {
        /// Why not, one for each.
        reasons: Vec<String>,
    },
    /// The request names no repository.
    #[error("no repository was named")]
    RepositoryMissing,
    /// The cloud has no such uploaded repository.
    #[error("the cloud has no repository {id}")]
    RepositoryUnknown {
        /// As it was asked for.
        id: String,
    },
    /// Git would not take the branch name.
    #[error("{branch} is not a name for a branch")]
    BranchInvalid {
        /// As it was asked for.
        branch: String,
    },
    /// Another thread has the branch.
    #[error("branch {branch} belongs to another thread of this repository")]
    BranchTaken {
        /// As it was asked for.
        branch: String,
    },
    /// A value is not acceptable.
    #[error("{message}")]
    Invalid {
        /// Which and why.
        message: String,
    },
    /// The turn has no snapshot.
    #[error("turn {number} has no snapshot")]
    NotSaved {
        /// The turn.
        number: u32,
    },
    /// The thread is not whole yet.
    #[error("the thread is still being copied")]
    Filling,
    /// There is no such safety snapshot.
    #[error("there is no safety snapshot {number}")]
    SafetyNotFound {
        /// As it was asked for.
        number: u32,
    },
    /// Files were changed by hand, and a rewind would undo that.
    #[error("files were changed by hand since the newest snapshot: {}", rewind::named(files))]
    WorkspaceChanged {
        /// The thread's.
        slug: String,
        /// Those that were changed.
        files: Vec<String>,
    },
    /// A file that is no whole archive; nothing was made of it.
    #[error("the archive cannot be used: {0}")]
    Archive(String),
    /// What was accepted could not be done.
    #[error("{}", .0.message)]
    NotDone(Box<Problem>),
    /// The agent could not be started.
    #[error("start agent {name}: {message}")]
    Agent {
        /// The agent.
        name: String,
        /// Why, with what it printed.
        message: String,
    },
    /// The agent cannot be started on this host.
    #[error("{}", .0.message)]
    Launch(Box<Problem>),
    /// A file that passes through the cloud.
    #[error("keep a snapshot on its way")]
    Scratch {
        /// Why not.
        source: std::io::Error,
    },
    /// The guest failed.
    #[error(transparent)]
    Guest(#[from] crate::sandbox::guest::Error),
    /// A step inside the sandbox failed.
    #[error("{step}: {message}")]
    SetUp {
        /// The step.
        step: String,
        /// What it printed.
        message: String,
    },
    /// The sandbox cannot be reached, and nothing brings it back by itself.
    #[error("{}", .0.message)]
    Down(Box<Problem>),
    /// Nothing inside takes connections there.
    #[error("nothing listens on {address} in the sandbox")]
    NotListening {
        /// As it was asked for.
        address: String,
    },
    /// An SSH key could not be used.
    #[error(transparent)]
    SshKey(#[from] crate::accounts::ssh_keys::Error),
    /// The certificate authority failed.
    #[error(transparent)]
    Authority(#[from] crate::trust::authority::Error),
    /// Money cannot be counted.
    #[error("no model has a price in this cloud, so a limit of money would never be reached")]
    NoPrices,
    /// The thread's task ended while it was asked.
    #[error("the cloud is stopping")]
    Ended,
    /// Something stands between the thread and its remote.
    #[error(transparent)]
    Obstacle(#[from] Obstacle),
    /// An account at a forge could not be used.
    #[error(transparent)]
    Forges(#[from] crate::accounts::forges::Error),
    /// What several waited for failed.
    #[error("{0}")]
    Same(std::sync::Arc<Self>),
    /// A model key could not be used.
    #[error(transparent)]
    Key(#[from] crate::accounts::keys::Error),
    /// The store failed.
    #[error("{0}")]
    Store(#[source] store::Error),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] crate::git::Error),
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] crate::sandbox::Error),
}

impl From<store::Error> for Error {
    /// What a person named wrongly is told as such; the rest is the store's.
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::UnknownThread(name) => Self::ThreadNotFound { name },
            store::Error::UnknownItem { item, .. } => Self::ItemNotFound { item },
            store::Error::PageToken(token) => {
                Self::Invalid { message: format!("pageToken: {token} is not one of a list") }
            }
            error => Self::Store(error),
        }
    }
}

/// What a runner stands on.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Rows and logs.
    pub store: Arc<dyn Store>,
    /// Sandboxes.
    pub runtime: Arc<dyn Runtime>,
    /// Repositories.
    pub mirrors: Arc<Mirrors>,
    /// Snapshots of threads.
    pub snapshots: Arc<Snapshots>,
    /// Model keys.
    pub keys: Keys,
    /// Accounts at forges.
    pub forges: Forges,
    /// Agents of this host.
    pub agents: Arc<HostAgents>,
    /// What is allowed.
    pub budgets: Arc<Budgets>,
    /// What was configured.
    pub config: Arc<Config>,
    /// Where bundles pass through.
    pub scratch: PathBuf,
    /// Limits that this host does not hold sandboxes to.
    pub unenforced: Arc<[String]>,
}

/// The socket of a sandbox, opened for `host` to serve.
#[derive(Debug)]
pub struct Opened {
    /// Its thread.
    pub thread: Thread,
    /// How to reach the thread.
    pub handle: Handle,
    /// The socket.
    pub listener: UnixListener,
    /// What the sandbox must show.
    pub token: SecretString,
    /// The thread's bare repository.
    pub repository: PathBuf,
    /// Ends the service.
    pub closed: CancellationToken,
}

/// All live threads.
#[derive(Clone, Debug)]
pub struct Runner {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    parts: Parts,
    live: Mutex<HashMap<String, Handle>>,
    /// Held while a repository is looked up and, where there is none, made.
    repositories: tokio::sync::Mutex<()>,
    /// Held while a thread that nobody holds is taken up.
    taking_up: tokio::sync::Mutex<()>,
    /// Repositories of accounts, as they were read lately.
    lists: repositories::Lists,
    /// Pull requests that are being made, by thread.
    proposals: Mutex<HashMap<String, pull_request::Work>>,
    opened: mpsc::Sender<Opened>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Runner {
    /// A runner over these parts; sockets of sandboxes come out of the receiver.
    pub fn new(parts: Parts) -> (Self, mpsc::Receiver<Opened>) {
        let (opened, sockets) = mpsc::channel(16);
        let shared = Shared {
            parts,
            live: Mutex::default(),
            repositories: tokio::sync::Mutex::default(),
            taking_up: tokio::sync::Mutex::default(),
            lists: repositories::Lists::default(),
            proposals: Mutex::default(),
            opened,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        (Self { shared: Arc::new(shared) }, sockets)
    }

    /// What the runner stands on.
    pub fn parts(&self) -> &Parts {
        &self.shared.parts
    }

    /// Takes up every thread where the last cloud left it: turns that ran are interrupted, sandboxes that live are kept.
    pub async fn boot(&self) -> Result<(), Error> {
        pass!("boot.before");
        let rows = self.parts().store.all_threads().await?;
        let known: HashSet<&str> = rows.iter().map(|row| row.thread.id.as_str()).collect();
        self.clear_leftovers(&known).await?;
        let mut alive = HashSet::new();
        for listed in self.parts().runtime.list().await? {
            if !known.contains(listed.id.as_str()) {
                tracing::warn!(sandbox = listed.id, "removing a sandbox no thread has");
                self.parts().runtime.destroy(&listed.id).await?;
            } else if listed.running {
                alive.insert(listed.id);
            }
        }
        for row in rows {
            if driver::memory(&row).filling {
                self.take_back(&row.thread.id).await;
                continue;
            }
            if is_settled(&row.thread) && !alive.contains(&row.thread.id) {
                continue;
            }
            let id = row.thread.id.clone();
            // One that cannot be taken up keeps nobody else from going on; it is tried again when somebody asks for it.
            if let Err(error) = self.take_up(row).await {
                tracing::error!(thread = id, error = whole(&error), "could not take up a thread");
            }
            pass!("boot.thread");
        }
        pass!("boot.after");
        Ok(())
    }

    /// Goes on with a thread that nobody holds although it was at work: what its last holder left is looked at, not believed.
    async fn take_up(&self, row: ThreadRow) -> Result<Handle, Error> {
        let id = row.thread.id.clone();
        let _one_at_a_time = self.shared.taking_up.lock().await;
        if let Some(handle) = self.live(&id) {
            return Ok(handle);
        }
        let sandbox = self.find_sandbox(&id).await?;
        let found = Input::Restarted { sandbox: sandbox.is_some() };
        let machine = driver::restore(self.parts(), row).await?;
        let (reply, taken) = oneshot::channel();
        let handle = self.begin(&id, machine, sandbox, Some(handle::Ask::TakeUp { found, reply }));
        taken.await.map_err(|_| Error::Ended)??;
        Ok(handle)
    }

    /// The same after the thread's task broke.
    async fn take_up_broken(&self, id: &str) {
        tokio::select! {
            () = self.shared.stop.cancelled() => return,
            // One that breaks again and again does not keep the cloud busy.
            () = tokio::time::sleep(BROKEN) => {}
        }
        let taken = async {
            match self.parts().store.thread(id).await? {
                Some((row, _)) => self.take_up(row).await.map(drop),
                None => Ok(()),
            }
        };
        if let Err(error) = taken.await {
            tracing::error!(thread = id, error = whole(&error), "could not take up a thread");
        }
    }

    /// Removes repositories that a crash left unfinished, or without the row of whom they belonged to.
    async fn clear_leftovers(&self, threads: &HashSet<&str>) -> Result<(), Error> {
        let Parts { store, mirrors, snapshots, .. } = self.parts();
        snapshots.clear_leftovers(threads.iter().map(|id| (*id).to_owned()).collect()).await?;
        let mut known = HashSet::new();
        for id in mirrors.list().await? {
            if store.repository(&id).await?.is_some() {
                known.insert(id);
            }
        }
        Ok(mirrors.clear_leftovers(known).await?)
    }

    /// The sandbox an earlier cloud left running; one that does not answer is ended.
    async fn find_sandbox(&self, id: &str) -> Result<Option<Sandbox>, Error> {
        match self.parts().runtime.attach(id).await {
            Ok(sandbox) => Ok(sandbox),
            Err(error) => {
                tracing::warn!(
                    thread = id,
                    error = whole(&error),
                    "a sandbox could not be reached"
                );
                self.parts().runtime.suspend(id).await?;
                Ok(None)
            }
        }
    }

    /// The thread of this id, prefix or slug, with the newest cursor of its log.
    pub async fn find(&self, owner: &str, name: &str) -> Result<(Thread, u64), Error> {
        only_one(self.parts().store.find_thread(owner, name).await?, name)
    }

    /// Gives a thread an input once, however often the request comes.
    pub async fn apply(
        &self,
        owner: &str,
        name: &str,
        input: Input,
        request: Option<RequestKey>,
    ) -> Result<Applied, Error> {
        if let Some(known) = self.remembered(request.as_ref()).await? {
            return Ok(known);
        }
        let (thread, _) = self.find(owner, name).await?;
        let input = self.complete_input(&thread.id, input).await?;
        let mut again = true;
        loop {
            let answer = self.handle(&thread.id).await?.ask(input.clone(), request.clone()).await;
            match answer {
                // The task came to rest just now; another begins.
                Err(Error::Ended) if again && !self.shared.stop.is_cancelled() => again = false,
                Err(Error::Store(store::Error::RequestExists(_))) => {
                    return self.remembered(request.as_ref()).await?.ok_or(Error::Ended);
                }
                Err(Error::Refused(Refused::NoQuestion)) => {
                    return Err(self.answered(&thread.id, &input).await?);
                }
                answer => return answer,
            }
        }
    }

    /// A handle to a thread, whose task begins where there is none.
    pub async fn handle(&self, id: &str) -> Result<Handle, Error> {
        if let Some(handle) = self.live(id) {
            return Ok(handle);
        }
        let Some((row, _)) = self.parts().store.thread(id).await? else {
            return Err(Error::ThreadNotFound { name: id.to_owned() });
        };
        if driver::memory(&row).filling {
            return Err(Error::Filling);
        }
        if !is_settled(&row.thread) {
            return self.take_up(row).await;
        }
        let machine = driver::restore(self.parts(), row).await?;
        Ok(self.begin(id, machine, None, None))
    }

    /// Ends every task and suspends every sandbox.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout(STOP_TIME, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!("some threads did not end in time");
        }
        match self.parts().runtime.list().await {
            Ok(listed) => {
                for sandbox in listed.into_iter().filter(|listed| listed.running) {
                    if let Err(error) = self.parts().runtime.suspend(&sandbox.id).await {
                        tracing::error!(
                            sandbox = sandbox.id,
                            error = whole(&error),
                            "could not suspend"
                        );
                    }
                }
            }
            Err(error) => tracing::error!(error = whole(&error), "could not list sandboxes"),
        }
    }

    fn live(&self, id: &str) -> Option<Handle> {
        let live = self.shared.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.get(id).filter(|handle| !handle.is_closed()).cloned()
    }

    /// Begins the task of a thread, unless somebody else just did.
    fn begin(
        &self,
        id: &str,
        machine: Machine,
        sandbox: Option<Sandbox>,
        first: Option<handle::Ask>,
    ) -> Handle {
        let mut live = self.shared.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = live.get(id).filter(|handle| !handle.is_closed()) {
            return handle.clone();
        }
        let (asks, inbox) = mpsc::channel(64);
        // Before anybody else can ask: there is room.
        first.map(|ask| asks.try_send(ask));
        let (at_limit, seen) = watch::channel(false);
        let handle = Handle::new(asks, seen);
        live.insert(id.to_owned(), handle.clone());
        drop(live);
        let driver = driver::Driver::new(
            self.parts().clone(),
            machine,
            sandbox,
            handle.clone(),
            at_limit,
            self.shared.opened.clone(),
            self.shared.stop.child_token(),
        );
        let (runner, id) = (self.clone(), id.to_owned());
        self.shared.tasks.spawn(async move {
            let broke = AssertUnwindSafe(Box::pin(driver.run(inbox))).catch_unwind().await.is_err();
            {
                let mut live = runner.shared.live.lock().unwrap_or_else(PoisonError::into_inner);
                if live.get(&id).is_some_and(Handle::is_closed) {
                    live.remove(&id);
                }
            }
            if broke {
                tracing::error!(thread = id, "a thread's task broke; it is taken up again");
                runner.take_up_broken(&id).await;
            }
        });
        handle
    }

    async fn remembered(&self, request: Option<&RequestKey>) -> Result<Option<Applied>, Error> {
        let Some(request) = request else { return Ok(None) };
        let Some(known) = self.parts().store.request(&request.owner, &request.id).await? else {
            return Ok(None);
        };
        request.check(&known)?;
        driver::decode_answer(&known).map(Some)
    }

    /// Fills in what only the log knows.
    async fn complete_input(&self, thread: &str, input: Input) -> Result<Input, Error> {
        let Input::Retry { by, .. } = input else { return Ok(input) };
        let Some((row, _)) = self.parts().store.thread(thread).await? else {
            return Err(Error::ThreadNotFound { name: thread.to_owned() });
        };
        let mut parts = Vec::new();
        for id in driver::memory(&row).messages {
            if let Some(Item { kind: Some(Kind::UserMessage(message)), .. }) =
                self.parts().store.item(thread, &id).await?
            {
                parts.extend(message.input);
            }
        }
        Ok(Input::Retry { by, parts })
    }

    /// Why no question was open: it may have its answer already.
    async fn answered(&self, thread: &str, input: &Input) -> Result<Error, Error> {
        if let Input::Answer { item, .. } = input
            && let Some(Item { kind: Some(Kind::Permission(asked)), .. }) =
                self.parts().store.item(thread, item).await?
            && !asked.answer.is_empty()
        {
            return Ok(Refused::AlreadyAnswered(asked.answer).into());
        }
        Ok(Refused::NoQuestion.into())
    }
}

/// The thread that was found under a name, with the newest cursor of its log; an error where it is none or several.
pub fn only_one(found: store::Found, name: &str) -> Result<(Thread, u64), Error> {
    match found {
        store::Found::One(row, cursor) => Ok((row.thread, cursor)),
        store::Found::None => Err(Error::ThreadNotFound { name: name.to_owned() }),
        store::Found::Ambiguous(candidates) => {
            Err(Error::ThreadAmbiguous { name: name.to_owned(), candidates })
        }
    }
}

/// Whether nothing of a thread is at work, so that nobody need hold it.
fn is_settled(thread: &Thread) -> bool {
    matches!(thread.state(), ThreadState::Paused | ThreadState::Failed)
}
