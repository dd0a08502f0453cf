//! ACP client over any byte stream, and how each known agent is launched.
//!
//! [`connect`] shakes hands with an agent's process and opens its session; from then on one task owns the connection, an
//! [`Agent`] tells it what to do, and everything the agent does comes out as [`Report`]s in order. What reports mean for a
//! thread, what is stored and when a process is killed is left to the runner.
//!
//! The protocol is spoken here on plain JSON instead of through the crate `agent-client-protocol`: every update is stored as
//! the agent wrote it and kinds newer than us must survive, which its typed messages drop; its handlers share one dispatch
//! loop that a slow one blocks; and it changes its major version every few months for types of which we need ten.
//!
//! Nothing an agent sends can crash or block the cloud: lines are bounded, what is no JSON is counted and skipped, unknown
//! requests are refused and unknown notifications ignored. A flood is held up: while reports are not taken, nothing more is
//! read. Stops and answers are sent even then.

pub mod known;

mod driver;
mod handshake;
mod link;
mod prompt;
mod translate;

#[cfg(test)]
mod tests;

use std::time::Duration;

use aloft_proto::v1::{Input, Mode, Problem};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    acp::driver::{Command, Driver},
    model::update::{AgentUpdate, Question},
};

/// Reports that may wait for the runner.
const REPORTS: usize = 16;
/// Commands that may wait for the connection's task, which never waits for the agent.
const COMMANDS: usize = 64;

/// How a session is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Absolute path of the workspace inside the sandbox; the same for the whole life of a thread.
    pub cwd: String,
    /// Whether the agent asks first.
    pub mode: Mode,
    /// How the agent names the modes.
    pub modes: Modes,
    /// The model to choose, where the agent offers a choice.
    pub model: Option<String>,
    /// The session to go on with.
    pub resume: Option<String>,
    /// MCP servers for the session, as ACP writes them.
    pub mcp_servers: Vec<serde_json::Value>,
    /// How long the agent may take to answer.
    pub timeouts: Timeouts,
}

/// How long an agent may take to answer before its session is open.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To `initialize`: the start of the process is in it.
    pub initialize: Duration,
    /// To each try to open the session.
    pub session: Duration,
    /// To a change of mode, model or course.
    pub setting: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            initialize: Duration::from_secs(60),
            session: Duration::from_secs(60),
            setting: Duration::from_secs(15),
        }
    }
}

/// An agent's own names of the modes; without one, the cloud alone answers its questions as the mode says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// Of [`Mode::Manual`].
    pub manual: Option<&'static str>,
    /// Of [`Mode::Auto`].
    pub auto: Option<&'static str>,
}

impl Modes {
    fn id(self, mode: Mode) -> Option<&'static str> {
        if mode == Mode::Auto { self.auto } else { self.manual }
    }
}

/// How the session was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The agent goes on with all it knew.
    Resumed,
    /// The agent knows nothing of what was before: the first prompt wants a preamble, if there was anything.
    Fresh,
}

/// What is known once the session is open.
#[derive(Clone, Debug)]
pub struct Session {
    /// The agent's name of it, for [`Options::resume`].
    pub id: String,
    /// How it was opened.
    pub opened: Opened,
    /// Name and version the agent gave itself.
    pub agent: String,
    /// [`Agent::steer`] can work.
    pub steering: bool,
}

/// Something the agent did, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it is.
    pub body: Body,
    /// The agent's own JSON; empty where there is none, and for output, whose bytes are all in the report.
    pub raw: String,
}

/// What a report says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// The agent did or said something; also outside a turn.
    Update(AgentUpdate),
    /// A person is asked; [`Agent::answer`] with the same id answers.
    Question {
        /// Unique in the connection.
        id: String,
        /// What is asked.
        question: Box<Question>,
    },
    /// The question was answered by a change to auto mode.
    QuestionAnswered {
        /// The question.
        id: String,
        /// The option.
        option: String,
    },
    /// The question fell away: by a stop, by the agent, or with the end of the turn.
    QuestionWithdrawn {
        /// The question.
        id: String,
    },
    /// The prompt has its result. Updates may still come.
    TurnEnded(Stop),
    /// Nothing more comes: the agent's output ended or made no sense any longer.
    Gone(Problem),
}

/// Why a turn ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// The agent came to its end.
    EndTurn,
    /// The stop worked, or the agent took a "no" as one.
    Cancelled,
    /// The model ran out of tokens.
    MaxTokens,
    /// The agent's own limit of steps.
    MaxTurnRequests,
    /// The model refused.
    Refusal,
    /// The agent reported an error.
    Error(Problem),
}

/// What came of [`Agent::steer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steered {
    /// The agent has it; the turn goes on.
    Injected,
    /// The agent cannot: cancel, then prompt.
    Unsupported,
    /// No turn runs any more: prompt.
    Idle,
}

/// A person's answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The id of one of its options.
    Option(String),
    /// None: it fell away.
    Cancelled,
}

/// Why no session came about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process ended or broke the protocol.
    #[error("talk to the agent: {0}")]
    Gone(String),
    /// No answer in time.
    #[error("get an answer from the agent to {method} within {seconds} s")]
    TimedOut {
        /// The request.
        method: &'static str,
        /// The time it had.
        seconds: u64,
    },
    /// The agent said no.
    #[error("{method}: the agent answered: {message}")]
    Refused {
        /// The request.
        method: &'static str,
        /// In the agent's words.
        message: String,
    },
    /// It speaks another protocol.
    #[error("speak ACP version 1 with the agent: it answered version {0}")]
    Version(String),
    /// It would not ask before it acts.
    #[error("make the agent ask before it acts: {0}")]
    Mode(String),
}

/// The connection to an agent; cheap to clone. Dropping the last one closes the agent's standard input.
///
/// Its methods wait for the connection's task, never for the agent, except [`Agent::steer`], which waits a bounded time.
/// Where the agent is gone they do nothing: [`Body::Gone`] has told.
#[derive(Clone, Debug)]
pub struct Agent {
    commands: mpsc::Sender<Command>,
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    /// What to tell the agent.
    pub agent: Agent,
    /// What the agent does.
    pub reports: mpsc::Receiver<Report>,
    /// What is known of its session.
    pub session: Session,
    /// Ends after [`Body::Gone`], or once every [`Agent`] or the receiver is dropped.
    pub task: JoinHandle<()>,
}

/// Opens a session with the agent whose standard output and input these are: `session/resume`, else `session/load`, else
/// `session/new`; then the mode and the model.
pub async fn connect<R, W>(
    from_agent: R,
    to_agent: W,
    options: Options,
) -> Result<Connection, Error>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let open = Box::pin(handshake::open(from_agent, to_agent, options)).await?;
    let session = open.session.clone();
    let (commands, command_queue) = mpsc::channel(COMMANDS);
    let (reports, report_queue) = mpsc::channel(REPORTS);
    let task = tokio::spawn(Driver::new(open).run(command_queue, reports));
    Ok(Connection { agent: Agent { commands }, reports: report_queue, session, task })
}

impl Agent {
    /// Begins a turn; while the result of an earlier prompt is due, it waits for that. `preamble` tells a fresh agent what
    /// happened before.
    pub async fn prompt(&self, input: Vec<Input>, preamble: Option<String>) {
        self.send(Command::Prompt { input, preamble }).await;
    }

    /// Stops the turn: open questions fall away, and the prompt's result comes as [`Body::TurnEnded`] if the agent obeys.
    /// Outside a turn it does nothing.
    pub async fn cancel(&self) {
        self.send(Command::Cancel).await;
    }

    /// Gives the running turn a message of its own.
    pub async fn steer(&self, input: Vec<Input>) -> Steered {
        let (done, steered) = oneshot::channel();
        self.send(Command::Steer { input, done }).await;
        steered.await.unwrap_or(Steered::Idle)
    }

    /// Answers a question.
    pub async fn answer(&self, question: &str, answer: Answer) {
        self.send(Command::Answer { question: question.to_owned(), answer }).await;
    }

    /// Changes the mode, also during a turn. A change to auto answers open questions with yes.
    pub async fn set_mode(&self, mode: Mode) {
        self.send(Command::SetMode(mode)).await;
    }

    /// Changes the model, where the agent can; else a notice says so.
    pub async fn set_model(&self, model: String) {
        self.send(Command::SetModel(model)).await;
    }

    async fn send(&self, command: Command) {
        let _gone = self.commands.send(command).await;
    }
}
