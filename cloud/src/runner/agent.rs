//! Starts a thread's agent in its sandbox and carries what it reports to the driver.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aloft_proto::v1::{Problem, Thread};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::{
    acp::{
        self, Body, Opened, Stop,
        known::{Launch, LaunchOptions},
    },
    model::{
        machine::{Ending, Fact, Memory, Session},
        redact::Redactor,
    },
    runner::{Error, Parts, Runner, effects::Reporter, problem, redaction::Redaction, whole},
    sandbox::{
        RELAY_PORT,
        guest::{self, Command, Flow, Guest, Streams, Tail, Variables},
    },
};

/// Begins the names of agent processes in the guest.
const PREFIX: &str = "agent-";
/// Where an agent works.
const WORKSPACE: &str = "/workspace";
/// An agent's HOME.
const HOME: &str = "/home/agent";
/// Where git, in the sandbox, finds what to show to the sandbox's socket; below HOME.
const TOKEN: &str = ".config/aloft/token";
/// How long what an agent printed last may take to arrive, once it can no longer be talked to.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The turn the agent was given last.
#[derive(Clone, Debug, Default)]
pub(super) struct CurrentTurn(Arc<Mutex<String>>);

impl CurrentTurn {
    pub(super) fn set(&self, turn: &str) {
        turn.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the start of an agent needs.
#[derive(Clone, Debug)]
pub(super) struct Starter {
    pub parts: Parts,
    pub thread: Thread,
    pub memory: Memory,
    pub reporter: Reporter,
    pub turn: CurrentTurn,
    pub tasks: TaskTracker,
}

impl Runner {
    /// The agents a user can choose from, usable or why not.
    pub async fn agents(&self, owner: &str) -> Result<Vec<aloft_proto::v1::Agent>, Error> {
        Ok(self.parts().agents.list(&providers(self.parts(), owner).await?))
    }
}

/// Providers of which this user has a key.
async fn providers(parts: &Parts, owner: &str) -> Result<BTreeSet<String>, Error> {
    let keys = parts.keys.list(owner).await?;
    Ok(keys.iter().map(|key| key.provider.name().to_owned()).collect())
}

impl Starter {
    /// How the agent is started, with what must be mounted for it.
    pub(super) async fn launch(&self, token: &SecretString) -> Result<Launch, Error> {
        let keys = providers(&self.parts, &self.thread.owner).await?;
        let model = Some(self.thread.model.as_str()).filter(|model| !model.is_empty());
        let offered = match self.parts.agents.asks_for_models_of(&self.thread.agent) {
            Some(provider) if model.is_none() => {
                let provider = provider.parse().map_err(Error::Key)?;
                self.parts.keys.models(&self.thread.owner, provider).await
            }
            _ => Vec::new(),
        };
        let options = LaunchOptions {
            mode: self.thread.mode(),
            model,
            offered: &offered,
            token,
            port: RELAY_PORT,
        };
        self.parts
            .agents
            .launch(&self.thread.agent, &keys, &options)
            .map_err(|problem| Error::Launch(Box::new(problem)))
    }

    /// Starts the agent's process and opens its session.
    pub(super) async fn start(
        self,
        guest: &Guest,
        token: &SecretString,
    ) -> Result<(acp::Agent, Session), Error> {
        let name = &self.thread.agent;
        let launch = self.launch(token).await?;
        let shown = (TOKEN.to_owned(), token.expose_secret().as_bytes().to_vec());
        for (path, content) in launch.files.into_iter().chain([shown]) {
            guest
                .write_file(&format!("{HOME}/{path}"), 0o600, std::io::Cursor::new(content))
                .await?;
        }
        let command = Command {
            cwd: WORKSPACE.to_owned(),
            env: Variables(launch.env.into_iter().collect()),
            ..Command::new(launch.argv)
        };
        let id = format!("{PREFIX}{}", uuid::Uuid::new_v4().simple());
        let process = guest.spawn(&id, &command).await?;
        let Streams { stdin, stdout, stderr, flow, .. } = process.into_streams();
        let options = acp::Options {
            cwd: WORKSPACE.to_owned(),
            mode: self.thread.mode(),
            modes: launch.modes,
            model: Some(self.thread.model.clone()).filter(|model| !model.is_empty()),
            resume: self.memory.session.clone(),
            mcp_servers: Vec::new(),
            timeouts: acp::Timeouts::default(),
        };
        let connection = match acp::connect(stdout, stdin, options).await {
            Ok(connection) => connection,
            Err(error) => {
                let said = last_words(&stderr, &flow).await;
                let message = if said.trim().is_empty() {
                    whole(&error)
                } else {
                    format!("{}: {}", whole(&error), said.trim())
                };
                return Err(Error::Agent { name: name.clone(), message });
            }
        };
        let session = Session {
            id: connection.session.id.clone(),
            steering: connection.session.steering,
            fresh: connection.session.opened == Opened::Fresh,
        };
        let pump = Pump {
            reporter: self.reporter.clone(),
            redaction: Redaction::new(Redactor::new(std::slice::from_ref(token))),
            turn: self.turn.clone(),
            stderr,
            flow,
        };
        self.tasks.spawn(pump.run(connection.reports));
        Ok((connection.agent, session))
    }
}

/// Whether an agent's process runs.
pub(super) async fn lives(guest: &Guest) -> bool {
    let list = guest.list_processes().await.unwrap_or_default();
    list.processes.iter().any(|process| process.running && process.id.starts_with(PREFIX))
}

/// Ends every agent process with everything it started; true when all are gone. One that ended by itself may have left
/// processes behind.
pub(super) async fn kill(guest: &Guest, grace: Duration) -> bool {
    let Ok(list) = guest.list_processes().await else { return false };
    for process in list.processes.iter().filter(|process| process.id.starts_with(PREFIX)) {
        if let Err(error) = guest.kill(&process.id, grace).await {
            tracing::warn!(error = whole(&error), "could not end an agent");
            return false;
        }
    }
    true
}

/// Stops every agent process with everything it started where they are, or lets them go on.
pub(super) async fn hold(guest: &Guest, held: bool) -> guest::Result<()> {
    let list = guest.list_processes().await?;
    let running = list.processes.iter().filter(|process| process.running);
    for process in running.filter(|process| process.id.starts_with(PREFIX)) {
        guest.hold(&process.id, held).await?;
    }
    Ok(())
}

/// Carries the reports of one agent to the driver.
struct Pump {
    reporter: Reporter,
    redaction: Redaction,
    turn: CurrentTurn,
    stderr: Tail,
    // The agent's streams end with it.
    flow: Flow,
}

impl Pump {
    async fn run(mut self, mut reports: mpsc::Receiver<acp::Report>) {
        loop {
            let report = tokio::select! {
                () = self.reporter.scope.cancelled() => return,
                report = reports.recv() => report,
            };
            let Some(acp::Report { body, raw }) = report else { return };
            let fact = match body {
                Body::Update(update) => Fact::Agent(self.redaction.update(update)),
                Body::Question { id, question } => Fact::Asked {
                    question_id: id,
                    question: Box::new(self.redaction.question(*question)),
                },
                Body::QuestionAnswered { id, option } => Fact::Answered { question_id: id, option },
                Body::QuestionWithdrawn { id } => Fact::Withdrawn { question_id: id },
                Body::TurnEnded(stop) => {
                    Fact::Ended { turn: self.turn.get(), ending: ending(stop) }
                }
                Body::Gone(problem) => Fact::AgentGone {
                    given: self.turn.get(),
                    problem: self.with_last_words(problem).await,
                },
            };
            self.reporter.say_raw(fact, self.redaction.text(raw)).await;
        }
    }

    /// What the agent printed last says more than that it is gone.
    async fn with_last_words(&self, mut problem: Problem) -> Problem {
        let said = self.redaction.text(last_words(&self.stderr, &self.flow).await);
        if let Some(last) = said.lines().rev().find(|line| !line.trim().is_empty()) {
            problem.message = format!("{}: {last}", problem.message);
        }
        problem
    }
}

/// What an agent printed last. That it can no longer be talked to may be known before all of it has come.
async fn last_words(stderr: &Tail, flow: &Flow) -> String {
    drop(tokio::time::timeout(LAST_WORDS, flow.ended()).await);
    stderr.text()
}

fn ending(stop: Stop) -> Ending {
    let failed = |reason, message, hint| Ending::Failed(problem(reason, message, hint, true));
    match stop {
        Stop::EndTurn => Ending::Completed,
        Stop::Cancelled => Ending::Cancelled,
        Stop::MaxTokens => {
            failed("AGENT_MAX_TOKENS", "the model ran out of tokens", "send a message to go on")
        }
        Stop::MaxTurnRequests => failed(
            "AGENT_MAX_REQUESTS",
            "the agent made as many model calls as it allows itself",
            "send a message to go on",
        ),
        Stop::Refusal => {
            failed("AGENT_REFUSED", "the model refused to go on", "say it in another way")
        }
        Stop::Error(problem) => Ending::Failed(problem),
    }
}
