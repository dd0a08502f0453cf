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
mod batch;
mod boot;
mod branches;
mod budgets;
mod by_hand;
mod comment;
mod create;
mod diff;
mod disk;
mod driver;
mod effects;
mod error;
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
mod series;
mod signature;
mod snapshot;
mod start;
mod steps;
mod stored;
mod unasked;
mod uploads;

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aloft_proto::v1::{Item, Thread, item::Kind};
use futures_util::FutureExt as _;
use secrecy::SecretString;
use tokio::{
    net::UnixListener,
    sync::{mpsc, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    accounts::{forges::Forges, keys::Keys},
    acp::known::HostAgents,
    config::Config,
    git::{mirror::Mirrors, snapshot::Snapshots},
    model::{
        machine::{Input, Machine, Refused},
        naming,
    },
    sandbox::{Runtime, Sandbox},
    store::{self, Store},
};

pub use crate::{clock::now, git::snapshot::Export};

pub use self::{
    archive::ARCHIVE_LIMIT,
    attach::Attached,
    branches::{BranchPage, BranchQuery},
    budgets::{Budgets, Change as BudgetChange},
    comment::Commented,
    create::Create,
    error::Error,
    fix::Fixing,
    handle::{Applied, Handle},
    obstacle::Obstacle,
    problem::{Kind as ErrorKind, problem, whole},
    pull_request::{Propose, Proposed},
    repositories::{RepositoryPage, RepositoryQuery},
    request::RequestKey,
    series::Series,
    uploads::Upload,
};

/// How long a graceful end of the cloud waits for its threads.
const STOP_TIME: Duration = Duration::from_secs(10);

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
    /// Comments that are being made.
    comments: comment::Gates,
    /// A forge said that something happened.
    look_soon: tokio::sync::Notify,
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
            comments: comment::Gates::default(),
            look_soon: tokio::sync::Notify::new(),
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
        if stored::memory(&row).filling {
            return Err(Error::Filling);
        }
        if !boot::is_settled(&row.thread) {
            return self.take_up(row).await;
        }
        let machine = stored::restore(self.parts(), row).await?;
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
        stored::decode_answer(&known).map(Some)
    }

    /// Fills in what only the log knows.
    async fn complete_input(&self, thread: &str, input: Input) -> Result<Input, Error> {
        let Input::Retry { by, .. } = input else { return Ok(input) };
        let Some((row, _)) = self.parts().store.thread(thread).await? else {
            return Err(Error::ThreadNotFound { name: thread.to_owned() });
        };
        let mut parts = Vec::new();
        for id in stored::memory(&row).messages {
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

/// A new id of what this cloud makes.
fn new_id() -> String {
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[..12]);
    // Four bits of a version 4 UUID are fixed; the tail has none of them.
    bytes[6] = uuid::Uuid::new_v4().as_bytes()[0];
    naming::id(bytes)
}
