//! Performs the machine's effects: what takes time runs beside the driver and reports back.
//!
//! Two scopes bound what runs: the sandbox's, and inside it the agent's. A report of a scope that was ended is dropped by the
//! driver, so an old start or an ended agent can say nothing more.

mod agent;
mod destroy;
mod files;
mod lost;
mod rest;

use std::{collections::BTreeMap, sync::Arc};

use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(super) use self::lost::end_sandbox;
use crate::{
    acp, clock,
    model::machine::{Effect, Fact, Machine},
    runner::{
        Error, Opened, Parts, agent::CurrentTurn, driver::Report, handle::Handle, jobs, preamble,
        start,
    },
    sandbox::Sandbox,
};

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
}

/// The variables of a thread's sandbox; no secret is among them.
pub(super) fn variables(thread: &aloft_proto::v1::Thread) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("ALOFT_THREAD".to_owned(), thread.id.clone()),
        ("ALOFT_BRANCH".to_owned(), thread.branch.clone()),
    ])
}
