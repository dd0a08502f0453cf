//! The agent's side of ACP v1 over NDJSON: one loop for all built-in agents.
//!
//! It owns the protocol (framing, sessions and their folders, modes, one turn at a time, stop, guidance, permission
//! requests); what is done in a turn is left to an [`Agent`]. Reading never waits for a turn or for the reader of our
//! output, so that a stop is heard at any time.

pub mod message;
pub mod session;

mod dispatch;
mod outbox;

use std::{future::Future, io, path::PathBuf};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader};

use crate::agent::stdio::{
    dispatch::Dispatch,
    message::{Block, StopReason},
    session::Session,
};

/// What an agent does beyond the protocol.
pub trait Agent: Send + Sync + 'static {
    /// Its name, version and what it can take.
    fn about(&self) -> About;

    /// Does one turn. It ends soon after [`Session::stopped`], with [`StopReason::Cancelled`].
    fn turn(
        &self,
        session: Session,
        prompt: Vec<Block>,
    ) -> impl Future<Output = Result<StopReason, Failure>> + Send;

    /// Tells of all that happened in a session that is loaded again, before `session/load` is answered.
    fn replay(&self, session: &Session) -> impl Future<Output = ()> + Send {
        let _ = session;
        async {}
    }
}

/// What an agent says of itself.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Short, as in `--agent`.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// Takes pictures.
    pub images: bool,
    /// Takes guidance during a turn, by [`Session::take_guidance`].
    pub steering: bool,
    /// Uses MCP servers over HTTP.
    pub mcp_http: bool,
}

/// A turn that ended in error.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// In `UPPER_SNAKE`.
    pub reason: &'static str,
    /// What happened, to what.
    pub message: String,
    /// What a person may do.
    pub hint: String,
    /// The same may work later.
    pub retryable: bool,
}

/// Where an agent keeps its sessions.
#[derive(Clone, Debug)]
pub struct Options {
    /// A folder for each session is made below it.
    pub sessions: PathBuf,
}

impl Options {
    /// The usual place: `$HOME/.local/share/aloft-agent/sessions`.
    pub fn of_home() -> Self {
        let home = directories::BaseDirs::new()
            .map_or_else(|| PathBuf::from("/"), |dirs| dirs.home_dir().to_owned());
        Self { sessions: home.join(".local/share/aloft-agent/sessions") }
    }
}

/// Serves `agent` until `input` ends; turns that still run are stopped then.
pub async fn serve<A: Agent>(
    agent: A,
    options: Options,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let (outbox, writer) = outbox::start(output);
    let mut dispatch = Dispatch::new(agent, options, outbox);
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).await? == 0 {
            break;
        }
        match serde_json::from_slice::<Value>(&line) {
            Ok(message) => dispatch.take(message),
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(error) => tracing::warn!(%error, bytes = line.len(), "a line of input is not JSON"),
        }
    }
    dispatch.finish().await;
    writer.finish().await
}
