//! One session of an agent: what a turn may ask of it, and which turn runs.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::agent::stdio::{
    message::{Answer, Block, Mode, ToolCall, Update},
    outbox::Outbox,
};

/// A session as a turn sees it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Session {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

/// What all turns of a session share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: String,
    pub(super) cwd: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) mcp_servers: Vec<Value>,
    pub(super) outbox: Outbox,
    settings: Mutex<Settings>,
    turn: Mutex<Option<Running>>,
}

/// What a client may change at any time.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) mode: Mode,
    pub(super) model: Option<String>,
}

/// The turn in work.
#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    guidance: Vec<Vec<Block>>,
}

impl Session {
    /// The session's name.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Where commands run.
    pub fn cwd(&self) -> &Path {
        &self.shared.cwd
    }

    /// A folder of the session's own; it lasts as long as HOME does. `session.json` in it belongs to the loop.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// MCP servers the client named, as it named them.
    pub fn mcp_servers(&self) -> &[Value] {
        &self.shared.mcp_servers
    }

    /// Whether to ask first, as of now.
    pub fn mode(&self) -> Mode {
        self.shared.settings().mode
    }

    /// The model to use, as of now; `None` = the agent's own choice.
    pub fn model(&self) -> Option<String> {
        self.shared.settings().model.clone()
    }

    /// Resolves when the turn is to be stopped.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Whether the turn is to be stopped.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Messages that came during the turn, oldest first. What is not taken before the turn ends becomes the prompt of
    /// another [`turn`](crate::agent::stdio::Agent::turn) of the agent, under the same prompt of the client.
    pub fn take_guidance(&self) -> Vec<Vec<Block>> {
        self.shared
            .turn()
            .as_mut()
            .map(|running| std::mem::take(&mut running.guidance))
            .unwrap_or_default()
    }

    /// Reports something; waits while the client does not read.
    pub async fn update(&self, update: Update) {
        match serde_json::to_value(&update) {
            Ok(update) => {
                let params = json!({"sessionId": self.id(), "update": update});
                self.shared.outbox.notify("session/update", params).await;
            }
            Err(error) => tracing::error!(%error, "an update cannot be written as JSON"),
        }
    }

    /// Asks a person whether `tool_call` may be done. Stopping the turn withdraws the question.
    pub async fn ask(&self, tool_call: &ToolCall) -> Answer {
        let options = json!([
            {"optionId": "allow_once", "name": "Allow", "kind": "allow_once"},
            {"optionId": "allow_always", "name": "Always allow", "kind": "allow_always"},
            {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"},
        ]);
        let params = json!({"sessionId": self.id(), "toolCall": tool_call, "options": options});
        let (id, answered) = self.shared.outbox.ask("session/request_permission", params).await;
        let answer = tokio::select! {
            biased;
            () = self.stopped() => {
                self.shared.outbox.answered(id, None);
                self.shared.outbox.notify("$/cancel_request", json!({"requestId": id})).await;
                return Answer::Cancelled;
            }
            answer = answered => answer.unwrap_or_default(),
        };
        match answer["outcome"]["optionId"].as_str() {
            Some("allow_once") => Answer::AllowOnce,
            Some("allow_always") => Answer::AllowAlways,
            Some(_) => Answer::Reject,
            None => Answer::Cancelled,
        }
    }
}

impl Shared {
    pub(super) fn new(
        id: String,
        cwd: PathBuf,
        folder: PathBuf,
        mcp_servers: Vec<Value>,
        settings: Settings,
        outbox: Outbox,
    ) -> Arc<Self> {
        let settings = Mutex::new(settings);
        Arc::new(Self { id, cwd, folder, mcp_servers, outbox, settings, turn: Mutex::new(None) })
    }

    /// The session outside a turn.
    pub(super) fn session(self: &Arc<Self>) -> Session {
        Session { shared: Arc::clone(self), stop: CancellationToken::new() }
    }

    /// Begins a turn, unless one runs.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Session> {
        let mut turn = self.turn();
        if turn.is_some() {
            return None;
        }
        let session = self.session();
        *turn = Some(Running { stop: session.stop.clone(), guidance: Vec::new() });
        Some(session)
    }

    /// Ends the turn, unless `go_on` and there is guidance nobody took: that is given back and the turn goes on.
    pub(super) fn end(&self, go_on: bool) -> Option<Vec<Block>> {
        let mut turn = self.turn();
        let guidance = turn.as_mut().map(|running| std::mem::take(&mut running.guidance));
        let guidance: Vec<Block> = guidance.unwrap_or_default().into_iter().flatten().collect();
        if go_on && !guidance.is_empty() {
            return Some(guidance);
        }
        *turn = None;
        None
    }

    /// Adds guidance to the running turn; false = none runs.
    pub(super) fn guide(&self, prompt: Vec<Block>) -> bool {
        self.turn().as_mut().map(|running| running.guidance.push(prompt)).is_some()
    }

    /// Stops the running turn.
    pub(super) fn stop(&self) {
        if let Some(running) = self.turn().as_ref() {
            running.stop.cancel();
        }
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, Option<Running>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
