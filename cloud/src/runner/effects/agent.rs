//! The agent of a living sandbox: started again, corrected, held, and ended with everything it started.

use std::{sync::Arc, time::Duration};

use aloft_fault::pass;
use secrecy::SecretString;

use crate::{
    acp,
    model::machine::{Fact, Machine},
    runner::{
        Error,
        agent::{self, Starter},
        effects::{
            Live, World,
            lost::{end_sandbox, gone, lost},
        },
        jobs, problem, start, whole,
    },
};

/// Between asking the agent's processes to end and ending them.
const KILL_GRACE: Duration = Duration::from_millis(200);
/// How long a killed agent may take to be gone before the whole sandbox is ended instead.
const KILL_LIMIT: Duration = Duration::from_millis(1_500);

impl World {
    /// The agent, where its process runs now: what is given to it is not given to nobody.
    pub(super) async fn agent_that_lives(&self) -> Option<acp::Agent> {
        let (agent, sandbox) = {
            let live = self.live.lock().await;
            (live.agent.clone()?, live.sandbox.clone()?)
        };
        agent::lives(&sandbox.guest).await.then_some(agent)
    }

    /// Tells that the agent could not be given its turn: because the sandbox is gone, or it alone.
    pub(super) fn not_given(&self, machine: &Machine) {
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

    pub(super) fn start_agent(&mut self, machine: &Machine) {
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

    pub(super) fn starter(&self, machine: &Machine) -> Starter {
        Starter {
            parts: self.parts.clone(),
            thread: machine.thread().clone(),
            memory: machine.memory().clone(),
            reporter: self.reporter(&self.agent_scope),
            turn: self.turn.clone(),
            tasks: self.tasks.clone(),
        }
    }

    pub(super) async fn steer(&self, item: String, parts: Vec<aloft_proto::v1::Input>) {
        let reporter = self.reporter(&self.agent_scope);
        let agent = self.agent().await;
        // Beside the driver, which may not wait for room for what it is to hear itself.
        self.spawn(reporter.clone(), async move {
            let taken = match agent {
                Some(agent) => agent.steer(parts).await == acp::Steered::Injected,
                None => false,
            };
            reporter.say(Fact::Steered { item, taken }).await;
        });
    }

    /// Ends the agent with everything it started; where that does not work, the whole sandbox.
    pub(super) fn kill_agent(&self, machine: &Machine) {
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

    /// Lets an agent stand still that no call of a model holds up, or go on.
    pub(super) async fn hold(&self, machine: &Machine, held: bool) {
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
}
