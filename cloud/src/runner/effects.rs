//! Performs the machine's effects: what takes time runs beside the driver and reports back.
//!
//! Two scopes bound what runs: the sandbox's, and inside it the agent's. A report of a scope that was ended is dropped by the
//! driver, so an old start or an ended agent can say nothing more.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aloft_fault::pass;
use aloft_proto::v1::Problem;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    acp, clock,
    model::{
        machine::{Effect, Fact, Machine, Rewind},
        redact::Redactor,
    },
    runner::{
        Error, Opened, Parts,
        agent::{self, CurrentTurn, Starter},
        by_hand,
        driver::{Report, encode_memory},
        handle::Handle,
        jobs, now, preamble, problem,
        rewind::Rewinding,
        snapshot::Taking,
        start, whole,
    },
    sandbox::{self, Runtime, Sandbox},
    store::{Commit, ThreadRow},
};

/// Between asking the agent's processes to end and ending them.
const KILL_GRACE: Duration = Duration::from_millis(200);
/// How long a killed agent may take to be gone before the whole sandbox is ended instead.
const KILL_LIMIT: Duration = Duration::from_millis(1_500);

/// How long a guest that lives may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long a repository without a thread is kept, in milliseconds: a bridge may be about to create one.
const UNUSED_AGE: i64 = 24 * 60 * 60 * 1000;
/// Between looks whether what is under way with a sandbox has come to its end.
const BUSY_AGAIN: Duration = Duration::from_millis(10);
/// Between tries to remove a thread.
const DESTROY_AGAIN: Duration = Duration::from_secs(2);

/// The world of one thread.
#[derive(Debug)]
pub(super) struct World {
    pub parts: Parts,
    pub sender: mpsc::Sender<Report>,
    pub handle: Handle,
    pub opened: mpsc::Sender<Opened>,
    pub tasks: TaskTracker,
    /// Ends with the thread's task.
    scope: CancellationToken,
    /// Ends with the sandbox.
    sandbox_scope: CancellationToken,
    /// Ends with the agent.
    agent_scope: CancellationToken,
    /// The living sandbox and agent, as the tasks that started them left them.
    live: Arc<tokio::sync::Mutex<Live>>,
    turn: CurrentTurn,
    /// Held by whoever works on the files.
    files: Arc<tokio::sync::Mutex<()>>,
}

/// What lives now.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub sandbox: Option<Sandbox>,
    pub agent: Option<acp::Agent>,
    /// What the sandbox shows at its socket.
    pub token: Option<SecretString>,
    /// What belongs to the agent itself and is no job of its work.
    pub helpers: jobs::Known,
}

/// Reports back to the driver from within a scope.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    sender: mpsc::Sender<Report>,
    pub scope: CancellationToken,
}

impl Reporter {
    pub(super) async fn say(&self, fact: Fact) {
        self.say_raw(fact, String::new()).await;
    }

    /// Waits while the driver is busy: that holds up whoever reports too much.
    pub(super) async fn say_raw(&self, fact: Fact, raw: String) {
        let scope = self.scope.clone();
        tokio::select! {
            () = self.scope.cancelled() => {}
            _gone = self.sender.send(Report { fact, raw, scope }) => {}
        }
    }
}

impl World {
    pub(super) fn new(
        parts: Parts,
        sender: mpsc::Sender<Report>,
        handle: Handle,
        opened: mpsc::Sender<Opened>,
        stop: &CancellationToken,
        sandbox: Option<Sandbox>,
    ) -> Self {
        let scope = stop.child_token();
        let sandbox_scope = scope.child_token();
        let agent_scope = sandbox_scope.child_token();
        let (turn, tasks) = (CurrentTurn::default(), TaskTracker::new());
        if let Some(sandbox) = &sandbox {
            let reporter = Reporter { sender: sender.clone(), scope: sandbox_scope.clone() };
            start::watch(sandbox, &reporter, &turn, &tasks);
        }
        let live = Live { sandbox, ..Live::default() };
        Self {
            parts,
            sender,
            handle,
            opened,
            tasks,
            scope,
            sandbox_scope,
            agent_scope,
            live: Arc::new(tokio::sync::Mutex::new(live)),
            turn,
            files: Arc::default(),
        }
    }

    /// Performs an effect, or begins to; true when the thread is gone.
    pub(super) async fn perform(
        &mut self,
        effect: Effect,
        machine: &Machine,
    ) -> Result<bool, Error> {
        match effect {
            Effect::Start => self.start(machine),
            Effect::AbortStart => self.suspend(machine, false).await,
            Effect::Suspend => self.suspend(machine, true).await,
            Effect::StartAgent => self.start_agent(machine),
            Effect::Prompt { turn, parts, fresh, tell } => {
                let history = if fresh { preamble::of(&self.parts, machine).await? } else { None };
                let told: Vec<String> = history.into_iter().chain(tell).collect();
                let preamble = (!told.is_empty()).then(|| told.join("\n\n"));
                match self.agent_that_lives().await {
                    Some(agent) => {
                        self.turn.set(&turn);
                        agent.prompt(parts, preamble).await;
                    }
                    None => self.not_given(machine),
                }
            }
            Effect::Cancel => {
                if let Some(agent) = self.agent().await {
                    agent.cancel().await;
                }
            }
            Effect::Steer { item, parts } => self.steer(item, parts).await,
            Effect::Answer { question_id, option } => {
                if let Some(agent) = self.agent().await {
                    let answer = option.map_or(acp::Answer::Cancelled, acp::Answer::Option);
                    agent.answer(&question_id, answer).await;
                }
            }
            Effect::SetMode(mode) => {
                if let Some(agent) = self.agent().await {
                    agent.set_mode(mode).await;
                }
            }
            Effect::SetModel(model) => {
                if let Some(agent) = self.agent().await {
                    agent.set_model(model).await;
                }
            }
            // The driver looks at the budget itself.
            Effect::CheckBudget => {}
            Effect::Hold(held) => self.hold(machine, held).await,
            Effect::Freeze(activity) => self.freeze(machine, activity).await,
            Effect::Thaw => self.thaw(machine).await,
            Effect::KillAgent => self.kill_agent(machine),
            Effect::Snapshot { turn, number } => self.snapshot(machine, turn, number),
            Effect::Look { turn, number } => self.look(machine, turn, number),
            Effect::Rewind(rewind) => self.rewind(machine, rewind),
            Effect::Destroy => {
                self.destroy_at_last(machine).await;
                return Ok(true);
            }
            Effect::Wake { at, deadline } => {
                let reporter = self.reporter(&self.scope);
                self.spawn(reporter.clone(), async move {
                    clock::until(at).await;
                    reporter.say(Fact::Deadline(deadline)).await;
                });
            }
        }
        Ok(false)
    }

    /// Ends what runs for the thread's task; the sandbox itself stays.
    pub(super) async fn close(&self) {
        self.scope.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.live.lock().await.agent = None;
    }

    /// The living sandbox.
    pub(super) async fn sandbox(&self) -> Option<Sandbox> {
        self.live.lock().await.sandbox.clone()
    }

    async fn agent(&self) -> Option<acp::Agent> {
        self.live.lock().await.agent.clone()
    }

    /// The agent, where its process runs now: what is given to it is not given to nobody.
    async fn agent_that_lives(&self) -> Option<acp::Agent> {
        let (agent, sandbox) = {
            let live = self.live.lock().await;
            (live.agent.clone()?, live.sandbox.clone()?)
        };
        agent::lives(&sandbox.guest).await.then_some(agent)
    }

    /// Tells that the agent could not be given its turn: because the sandbox is gone, or it alone.
    fn not_given(&self, machine: &Machine) {
        let (live, parts) = (Arc::clone(&self.live), self.parts.clone());
        let (given, thread) = (self.turn.get(), machine.thread().id.clone());
        let reporter = self.reporter(&self.agent_scope);
        self.spawn(reporter.clone(), async move {
            let problem =
                problem("AGENT_GONE", "the agent's process is gone", "send a message", true);
            let fact = match lost(&live, &parts, &thread).await {
                Some(problem) => Fact::SandboxGone { given, problem },
                None => Fact::AgentGone { given, problem },
            };
            reporter.say(fact).await;
        });
    }

    fn reporter(&self, scope: &CancellationToken) -> Reporter {
        Reporter { sender: self.sender.clone(), scope: scope.clone() }
    }

    /// Runs beside the driver until its scope ends.
    fn spawn(&self, reporter: Reporter, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            tokio::select! {
                () = reporter.scope.cancelled() => {}
                () = work => {}
            }
        });
    }

    fn start(&mut self, machine: &Machine) {
        // Nothing of an earlier sandbox is believed any more.
        self.sandbox_scope.cancel();
        self.sandbox_scope = self.scope.child_token();
        self.agent_scope = self.sandbox_scope.child_token();
        let start = start::Start {
            agent: self.starter(machine),
            reporter: self.reporter(&self.sandbox_scope),
            handle: self.handle.clone(),
            opened: self.opened.clone(),
            live: Arc::clone(&self.live),
        };
        self.spawn(self.reporter(&self.sandbox_scope), start.run());
    }

    fn start_agent(&mut self, machine: &Machine) {
        self.agent_scope.cancel();
        self.agent_scope = self.sandbox_scope.child_token();
        let (starter, live) = (self.starter(machine), Arc::clone(&self.live));
        let socket = self.reporter(&self.sandbox_scope);
        let (handle, opened) = (self.handle.clone(), self.opened.clone());
        self.spawn(starter.reporter.clone(), async move {
            let reporter = starter.reporter.clone();
            let (sandbox, token) = {
                let live = live.lock().await;
                (live.sandbox.clone(), live.token.clone())
            };
            let Some(sandbox) = sandbox else {
                return reporter.say(Fact::AgentFailed(gone())).await;
            };
            let started = async {
                let token = if let Some(token) = token {
                    token
                } else {
                    // The sandbox outlived the cloud that opened its socket.
                    let token = SecretString::from(uuid::Uuid::new_v4().simple().to_string());
                    start::open_socket(
                        &starter.parts,
                        &starter.thread,
                        &handle,
                        &opened,
                        &socket,
                        &token,
                    )
                    .await?;
                    pass!("agent.socket");
                    token
                };
                // One that ended by itself may have left something behind.
                agent::kill(&sandbox.guest, KILL_GRACE).await;
                let (agent, session) = starter.clone().start(&sandbox.guest, &token).await?;
                let helpers = jobs::helpers(&sandbox.guest).await;
                pass!("agent.ready");
                let mut live = live.lock().await;
                live.helpers = helpers;
                live.agent = Some(agent);
                live.token = Some(token);
                Ok::<_, Error>(session)
            };
            match started.await {
                Ok(session) => reporter.say(Fact::AgentReady(session)).await,
                Err(error) => {
                    let (given, parts) = (starter.turn.get(), &starter.parts);
                    let fact = match lost(&live, parts, &starter.thread.id).await {
                        Some(problem) => Fact::SandboxGone { given, problem },
                        None => Fact::AgentFailed(error.explain().1),
                    };
                    reporter.say(fact).await;
                }
            }
        });
    }

    fn starter(&self, machine: &Machine) -> Starter {
        Starter {
            parts: self.parts.clone(),
            thread: machine.thread().clone(),
            memory: machine.memory().clone(),
            reporter: self.reporter(&self.agent_scope),
            turn: self.turn.clone(),
            tasks: self.tasks.clone(),
        }
    }

    async fn steer(&self, item: String, parts: Vec<aloft_proto::v1::Input>) {
        let reporter = self.reporter(&self.agent_scope);
        let Some(agent) = self.agent().await else {
            return reporter.say(Fact::Steered { item, taken: false }).await;
        };
        self.spawn(reporter.clone(), async move {
            let taken = agent.steer(parts).await == acp::Steered::Injected;
            reporter.say(Fact::Steered { item, taken }).await;
        });
    }

    /// Ends the agent with everything it started; where that does not work, the whole sandbox.
    fn kill_agent(&self, machine: &Machine) {
        self.agent_scope.cancel();
        let (live, runtime) = (Arc::clone(&self.live), Arc::clone(&self.parts.runtime));
        let reporter = self.reporter(&self.sandbox_scope);
        let (thread, given) = (machine.thread().id.clone(), self.turn.get());
        self.spawn(reporter.clone(), async move {
            let sandbox = {
                let mut live = live.lock().await;
                live.agent = None;
                live.sandbox.clone()
            };
            let killed = match &sandbox {
                Some(sandbox) => {
                    let killing = agent::kill(&sandbox.guest, KILL_GRACE);
                    tokio::time::timeout(KILL_LIMIT, killing).await.is_ok_and(|killed| killed)
                }
                None => false,
            };
            pass!("kill.done");
            if killed {
                return reporter.say(Fact::AgentKilled).await;
            }
            if let Err(error) = end_sandbox(runtime.as_ref(), &thread).await {
                tracing::error!(
                    thread,
                    error = whole(&error),
                    "could not end a sandbox whose agent would not die"
                );
            }
            *live.lock().await = Live::default();
            reporter.say(Fact::SandboxGone { given, problem: gone() }).await;
        });
    }

    fn snapshot(&self, machine: &Machine, turn: String, number: u32) {
        self.on_files(machine, async move |taking, reporter| {
            let Some(taking) = taking else {
                return reporter.say(Fact::SnapshotFailed { turn, problem: gone() }).await;
            };
            match taking.take(number).await {
                Ok((saved, diff)) => {
                    let commit = saved.commit;
                    reporter.say(Fact::Snapshot { turn, commit, diff }).await;
                }
                Err(error) => {
                    tracing::warn!(thread = taking.thread.id, error = whole(&error), "no snapshot");
                    reporter.say(Fact::SnapshotFailed { turn, problem: error.explain().1 }).await;
                }
            }
        });
    }

    /// Looks whether files were changed by hand. What goes wrong with that does not hold the turn up.
    fn look(&self, machine: &Machine, turn: String, number: u32) {
        let (live, given) = (Arc::clone(&self.live), self.turn.get());
        self.on_files(machine, async move |taking, reporter| {
            let found = match &taking {
                Some(taking) => by_hand::look(taking, number).await,
                None => Ok(None),
            };
            let found = match (found, &taking) {
                (Ok(found), _) => found,
                (Err(error), taking) => {
                    // Where the sandbox is gone it is looked again in the next one.
                    if let Some(Taking { parts, thread, .. }) = taking
                        && let Some(problem) = lost(&live, parts, &thread.id).await
                    {
                        return reporter.say(Fact::SandboxGone { given, problem }).await;
                    }
                    let error = whole(&error);
                    tracing::warn!(error, turn, "could not look for changes by hand");
                    None
                }
            };
            reporter.say(Fact::Looked { turn, found: found.map(Box::new) }).await;
        });
    }

    fn rewind(&self, machine: &Machine, rewind: Rewind) {
        self.on_files(machine, async move |taking, reporter| match taking {
            Some(taking) => Rewinding { taking, rewind, reporter }.run().await,
            None => reporter.say(Fact::NotRewound(gone())).await,
        });
    }

    /// Works on the files of the workspace, one at a time, while the sandbox lives.
    fn on_files<Work>(
        &self,
        machine: &Machine,
        work: impl FnOnce(Option<Taking>, Reporter) -> Work + Send + 'static,
    ) where
        Work: Future<Output = ()> + Send + 'static,
    {
        let (thread, memory) = (machine.thread().clone(), machine.memory().clone());
        let (parts, live) = (self.parts.clone(), Arc::clone(&self.live));
        let (reporter, files) = (self.reporter(&self.sandbox_scope), Arc::clone(&self.files));
        let given = self.turn.get();
        self.spawn(reporter.clone(), async move {
            let _alone = files.lock().await;
            let sandbox = live.lock().await.sandbox.clone();
            if sandbox.is_some() && matches!(parts.runtime.has_workspace(&thread.id), Ok(false)) {
                // What is there is not what the thread left: it must not be saved. Told first, so that its end is not news.
                reporter.say(Fact::SandboxGone { given, problem: vanished() }).await;
                return end_lost(&live, &parts, &thread.id).await;
            }
            let taking =
                sandbox.map(|sandbox| Taking { parts, thread, memory, guest: sandbox.guest });
            work(taking, reporter).await;
        });
    }

    /// Stops every process of an unused sandbox where it is. The driver waits for that: what comes next thaws it again.
    async fn freeze(&self, machine: &Machine, activity: u64) {
        let Some(jobs) = self.jobs().await else { return };
        let thread = &machine.thread().id;
        let frozen = self.parts.runtime.freeze(thread).await;
        let reporter = self.reporter(&self.sandbox_scope);
        self.spawn(reporter.clone(), async move { reporter.say(Fact::LeftRunning(jobs)).await });
        if let Err(error) = frozen {
            tracing::warn!(thread, error = whole(&error), "could not freeze a sandbox");
            // Some of it may stand still: all of it is to run.
            if let Err(error) = self.parts.runtime.thaw(thread).await {
                tracing::warn!(thread, error = whole(&error), "could not thaw a sandbox");
            }
            let reporter = self.reporter(&self.sandbox_scope);
            self.spawn(reporter.clone(), async move {
                reporter.say(Fact::NotFrozen(activity)).await;
            });
        }
    }

    /// Lets the processes of a sandbox go on; one that does not is ended, and comes back with the next message.
    async fn thaw(&self, machine: &Machine) {
        let thread = &machine.thread().id;
        let Err(error) = self.parts.runtime.thaw(thread).await else { return };
        tracing::error!(thread, error = whole(&error), "could not thaw a sandbox");
        *self.live.lock().await = Live::default();
        if let Err(error) = end_sandbox(self.parts.runtime.as_ref(), thread).await {
            tracing::error!(thread, error = whole(&error), "could not end it either");
        }
        let (reporter, given) = (self.reporter(&self.sandbox_scope), self.turn.get());
        self.spawn(reporter.clone(), async move {
            reporter.say(Fact::SandboxGone { given, problem: gone() }).await;
        });
    }

    /// Command lines of what runs in the background, without the sandbox's secret; none without a sandbox.
    async fn jobs(&self) -> Option<Vec<String>> {
        let (guest, helpers, token) = {
            let live = self.live.lock().await;
            let guest = live.sandbox.as_ref()?.guest.clone();
            (guest, live.helpers.clone(), live.token.clone())
        };
        let redactor = Redactor::new(token.as_slice());
        let jobs = jobs::running(&guest, &helpers).await;
        Some(jobs.into_iter().map(|job| redactor.text(job)).collect())
    }

    /// Lets an agent stand still that no call of a model holds up, or go on.
    async fn hold(&self, machine: &Machine, held: bool) {
        let thread = machine.thread();
        if self.parts.agents.calls_models(&thread.agent) {
            return;
        }
        let sandbox = self.live.lock().await.sandbox.clone();
        if let Some(sandbox) = sandbox
            && let Err(error) = agent::hold(&sandbox.guest, held).await
        {
            tracing::warn!(
                thread = thread.id,
                held,
                error = whole(&error),
                "could not hold an agent"
            );
        }
    }

    /// Ends every process of the sandbox, whatever else is under way.
    async fn suspend(&mut self, machine: &Machine, look: bool) {
        let jobs = if look { self.jobs().await } else { None };
        self.sandbox_scope.cancel();
        let (live, runtime) = (Arc::clone(&self.live), Arc::clone(&self.parts.runtime));
        let reporter = self.reporter(&self.scope);
        let thread = machine.thread().id.clone();
        self.tasks.spawn(async move {
            // Told before they end.
            if let Some(jobs) = jobs {
                reporter.say(Fact::LeftRunning(jobs)).await;
            }
            *live.lock().await = Live::default();
            if let Err(error) = end_sandbox(runtime.as_ref(), &thread).await {
                tracing::error!(thread, error = whole(&error), "could not suspend a sandbox");
            }
            pass!("suspend.done");
            reporter.say(Fact::Suspended).await;
        });
    }

    /// Removes the thread, again and again until it works or the cloud stops; then the next start goes on with it.
    async fn destroy_at_last(&self, machine: &Machine) {
        while let Err(error) = self.destroy(machine).await {
            tracing::error!(
                thread = machine.thread().id,
                error = whole(&error),
                "could not remove a thread"
            );
            tokio::select! {
                () = self.scope.cancelled() => return,
                () = tokio::time::sleep(DESTROY_AGAIN) => {}
            }
        }
    }

    /// Removes the thread from everywhere, rows last: what a crash leaves is removed at the next start.
    async fn destroy(&self, machine: &Machine) -> Result<(), Error> {
        self.sandbox_scope.cancel();
        *self.live.lock().await = Live::default();
        let thread = machine.thread().clone();
        self.parts.runtime.destroy(&thread.id).await?;
        pass!("delete.sandbox");
        self.parts.snapshots.remove(&thread.id).await?;
        pass!("delete.snapshots");
        let row = ThreadRow { thread, private: encode_memory(machine.memory()) };
        self.parts
            .store
            .commit(Commit {
                thread: Some(row),
                delete_thread: true,
                expired: machine.memory().expired,
                ..Commit::default()
            })
            .await?;
        pass!("delete.rows");
        self.parts.store.prune(now()).await?;
        pass!("delete.pruned");
        let own = machine
            .thread()
            .repository
            .as_ref()
            .map(|repository| repository.id.clone())
            .unwrap_or_default();
        if !own.is_empty() && self.parts.store.repository(&own).await?.is_none() {
            self.parts.mirrors.remove(&own).await?;
        }
        // One that was brought for a thread that is still to be created is unused too: only old ones of others go.
        let unused = self.parts.store.repositories_unused().await?;
        for unused in unused.into_iter().filter(|unused| now() - unused.last_used > UNUSED_AGE) {
            if self.parts.store.delete_repository(&unused.id).await? {
                self.parts.mirrors.remove(&unused.id).await?;
            }
        }
        Ok(())
    }
}

/// Why the sandbox is of no use any more, where its guest does not answer: then the rest of it is ended.
async fn lost(live: &tokio::sync::Mutex<Live>, parts: &Parts, thread: &str) -> Option<Problem> {
    let sandbox = live.lock().await.sandbox.clone();
    let guest = sandbox.map(|sandbox| sandbox.guest);
    if let Some(guest) = guest
        && guest.hello(ANSWER_LIMIT).await.is_ok()
    {
        return None;
    }
    end_lost(live, parts, thread).await;
    Some(gone())
}

/// Ends what is left of a sandbox that is of no use any more.
async fn end_lost(live: &tokio::sync::Mutex<Live>, parts: &Parts, thread: &str) {
    if let Err(error) = end_sandbox(parts.runtime.as_ref(), thread).await {
        tracing::error!(thread, error = whole(&error), "could not end a sandbox that is gone");
    }
    *live.lock().await = Live::default();
}

/// Ends all processes of a sandbox, after what is still under way with it: a start that was broken off goes on to its end.
pub(super) async fn end_sandbox(runtime: &dyn Runtime, id: &str) -> sandbox::Result<()> {
    loop {
        match runtime.suspend(id).await {
            Err(sandbox::Error::Busy { .. }) => tokio::time::sleep(BUSY_AGAIN).await,
            other => return other,
        }
    }
}

/// The variables of a thread's sandbox; no secret is among them.
pub(super) fn variables(thread: &aloft_proto::v1::Thread) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("ALOFT_THREAD".to_owned(), thread.id.clone()),
        ("ALOFT_BRANCH".to_owned(), thread.branch.clone()),
    ])
}

fn vanished() -> Problem {
    problem(
        "SANDBOX_VANISHED",
        "its files are gone from the cloud's disk",
        "send a message: the workspace is made again from its last snapshot",
        true,
    )
}

fn gone() -> Problem {
    problem("SANDBOX_GONE", "the sandbox is gone", "send a message to bring it back", true)
}
