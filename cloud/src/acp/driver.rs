//! The task that owns an open connection: it never waits for the agent, nor for the runner.

use std::collections::{HashMap, VecDeque};

use aloft_proto::v1::{Input, Mode, OptionKind, PermissionOption, Problem};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    acp::{
        Answer, Body, Options, Report, Session, Steered, Stop,
        handshake::{Choices, Open, error_text},
        link::{Broken, Incoming, Link},
        prompt::{self, Takes},
        translate::Translator,
    },
    model::update::{AgentUpdate, OutputUpdate},
};

const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const REQUEST_CANCELLED: i64 = -32800;

/// What an [`Agent`](crate::acp::Agent) asks for.
#[derive(Debug)]
pub(super) enum Command {
    Prompt { input: Vec<Input>, preamble: Option<String> },
    Cancel,
    Steer { input: Vec<Input>, done: oneshot::Sender<Steered> },
    Answer { question: String, answer: Answer },
    SetMode(Mode),
    SetModel(String),
}

/// A request of ours whose answer is due.
#[derive(Debug)]
enum Due {
    Prompt,
    Steer {
        done: oneshot::Sender<Steered>,
        until: Instant,
    },
    /// With what to try when it is refused.
    Mode {
        otherwise: Option<(&'static str, Value)>,
    },
    Model,
}

/// The turn at the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Idle,
    Running,
    /// Its result is due, and it was asked to stop.
    Stopping,
}

/// A prompt that waits for the result of the one before.
#[derive(Debug)]
struct Next {
    blocks: Vec<Value>,
    cancelled: bool,
}

/// A question that waits for a person.
#[derive(Debug)]
struct Asked {
    request: Value,
    options: Vec<PermissionOption>,
}

#[derive(Debug)]
pub(super) struct Driver<R, W> {
    link: Link<R, W>,
    options: Options,
    session: Session,
    takes: Takes,
    choices: Choices,
    translator: Translator,
    turn: Turn,
    next: Option<Next>,
    due: HashMap<u64, Due>,
    asked: HashMap<String, Asked>,
    questions: u64,
    out: VecDeque<Report>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Driver<R, W> {
    pub(super) fn new(open: Open<R, W>) -> Self {
        let Open { link, options, session, takes, choices, translator, early } = open;
        Self {
            link,
            options,
            session,
            takes,
            choices,
            translator,
            turn: Turn::Idle,
            next: None,
            due: HashMap::new(),
            asked: HashMap::new(),
            questions: 0,
            out: early,
        }
    }

    /// Runs until the agent is gone or nobody wants it any more.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        reports: mpsc::Sender<Report>,
    ) {
        loop {
            let steered_until = self.steered_until();
            // While reports wait, the agent waits: nothing more is read from it.
            let listen = self.out.is_empty();
            tokio::select! {
                permit = reports.reserve(), if !listen => match (permit, self.out.pop_front()) {
                    (Ok(permit), Some(report)) => permit.send(report),
                    _ => return,
                },
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                incoming = self.link.next(listen) => match incoming {
                    Ok(incoming) => self.incoming(incoming),
                    Err(broken) => return self.gone(&broken, &reports).await,
                },
                () = tokio::time::sleep_until(steered_until.unwrap_or_else(Instant::now)), if steered_until.is_some() => {
                    self.give_up_steering();
                }
                () = reports.closed() => return,
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Prompt { input, preamble } => {
                let blocks = self.blocks(&input, preamble.as_deref());
                if self.turn == Turn::Idle {
                    self.prompt(&blocks);
                } else if let Some(next) = &mut self.next {
                    next.blocks.extend(blocks);
                    next.cancelled = false;
                } else {
                    self.next = Some(Next { blocks, cancelled: false });
                }
            }
            Command::Cancel => self.cancel(),
            Command::Steer { input, done } => self.steer(&input, done),
            Command::Answer { question, answer } => {
                if let Some(asked) = self.asked.remove(&question) {
                    self.respond(&asked.request, &answer);
                }
            }
            Command::SetMode(mode) => self.set_mode(mode),
            Command::SetModel(model) => {
                if let Some((method, params)) = self.choices.model(&self.session.id, &model, true) {
                    let id = self.link.request(method, &params);
                    self.due.insert(id, Due::Model);
                }
            }
        }
    }

    fn blocks(&self, input: &[Input], preamble: Option<&str>) -> Vec<Value> {
        prompt::blocks(input, preamble, &self.options.cwd, self.takes)
    }

    fn prompt(&mut self, blocks: &[Value]) {
        let params = json!({"sessionId": self.session.id, "prompt": blocks});
        let id = self.link.request("session/prompt", &params);
        self.due.insert(id, Due::Prompt);
        self.turn = Turn::Running;
    }

    fn cancel(&mut self) {
        // A prompt that waits is the newest turn, so it is the one that is meant.
        if let Some(next) = &mut self.next {
            next.cancelled = true;
        }
        if self.turn != Turn::Idle {
            self.turn = Turn::Stopping;
            self.link.notify("session/cancel", &json!({"sessionId": self.session.id}));
            self.withdraw_all();
        }
    }

    fn steer(&mut self, input: &[Input], done: oneshot::Sender<Steered>) {
        let outcome = match self.turn {
            Turn::Idle | Turn::Stopping => Steered::Idle,
            Turn::Running if self.session.steering => {
                let idle = json!({"steering": {"idleBehavior": "promptRequired"}});
                let prompt = self.blocks(input, None);
                let params = json!({"sessionId": self.session.id, "prompt": prompt, "_meta": idle});
                let id = self.link.request("_session/steering", &params);
                let until = Instant::now() + self.options.timeouts.setting;
                self.due.insert(id, Due::Steer { done, until });
                return;
            }
            Turn::Running => Steered::Unsupported,
        };
        let _nobody_waits = done.send(outcome);
    }

    fn steered_until(&self) -> Option<Instant> {
        let until =
            |due: &Due| if let Due::Steer { until, .. } = due { Some(*until) } else { None };
        self.due.values().filter_map(until).min()
    }

    fn give_up_steering(&mut self) {
        let now = Instant::now();
        let late = |due: &Due| matches!(due, Due::Steer { until, .. } if *until <= now);
        let ids: Vec<u64> =
            self.due.iter().filter(|(_, due)| late(due)).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(Due::Steer { done, .. }) = self.due.remove(&id) {
                let _nobody_waits = done.send(Steered::Unsupported);
            }
        }
    }

    fn set_mode(&mut self, mode: Mode) {
        self.options.mode = mode;
        if let Some(name) = self.options.modes.id(mode) {
            let [(method, params), otherwise] = self.choices.mode(&self.session.id, name);
            let id = self.link.request(method, &params);
            self.due.insert(id, Due::Mode { otherwise: Some(otherwise) });
        }
        if mode == Mode::Auto {
            for (id, asked) in std::mem::take(&mut self.asked) {
                if let Some(option) = allowing(&asked.options) {
                    self.respond(&asked.request, &Answer::Option(option.clone()));
                    self.report(Body::QuestionAnswered { id, option });
                } else {
                    self.asked.insert(id, asked);
                }
            }
        }
    }

    fn incoming(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Notification { method, params, raw } => match method.as_str() {
                "session/update" => {
                    let update = self.translator.update(&params["update"]);
                    self.update(update, raw);
                }
                "$/cancel_request" => self.withdrawn(&params["requestId"]),
                _ => {}
            },
            Incoming::Request { id, method, params, raw } => {
                if method == "session/request_permission" {
                    self.question(id, &params, raw);
                } else {
                    refuse(&mut self.link, &id, &method);
                }
            }
            Incoming::Response { id, result } => self.answered(id, result),
        }
    }

    fn update(&mut self, update: AgentUpdate, raw: String) {
        let is_output = matches!(&update, AgentUpdate::Tool(tool) if matches!(tool.output, Some(OutputUpdate::Append(_))));
        let raw = if is_output { String::new() } else { raw };
        self.out.push_back(Report { body: Body::Update(update), raw });
    }

    fn question(&mut self, request: Value, params: &Value, raw: String) {
        let Some(question) = self.translator.question(params) else {
            self.link.refuse(&request, INVALID_PARAMS, "the question offers no answer");
            return;
        };
        if self.turn == Turn::Stopping {
            self.respond(&request, &Answer::Cancelled);
            return;
        }
        if self.options.mode == Mode::Auto
            && let Some(option) = allowing(&question.options)
        {
            self.respond(&request, &Answer::Option(option));
            if !question.key.is_empty() {
                self.update(AgentUpdate::Tool(Box::new(question.tool)), raw);
            }
            return;
        }
        self.questions += 1;
        let id = format!("q{}", self.questions);
        self.asked.insert(id.clone(), Asked { request, options: question.options.clone() });
        self.out
            .push_back(Report { body: Body::Question { id, question: Box::new(question) }, raw });
    }

    fn respond(&mut self, request: &Value, answer: &Answer) {
        let outcome = match answer {
            Answer::Option(option) => json!({"outcome": "selected", "optionId": option}),
            Answer::Cancelled => json!({"outcome": "cancelled"}),
        };
        self.link.respond(request, &json!({"outcome": outcome}));
    }

    /// The agent takes back a question of its own.
    fn withdrawn(&mut self, request: &Value) {
        let found = self
            .asked
            .iter()
            .find(|(_, asked)| asked.request == *request)
            .map(|(id, _)| id.clone());
        if let Some(id) = found {
            self.asked.remove(&id);
            self.link.refuse(request, REQUEST_CANCELLED, "cancelled");
            self.report(Body::QuestionWithdrawn { id });
        }
    }

    fn withdraw_all(&mut self) {
        let mut asked: Vec<_> = std::mem::take(&mut self.asked).into_iter().collect();
        asked.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (id, asked) in asked {
            self.respond(&asked.request, &Answer::Cancelled);
            self.report(Body::QuestionWithdrawn { id });
        }
    }

    fn answered(&mut self, id: u64, result: Result<Value, Value>) {
        match self.due.remove(&id) {
            Some(Due::Prompt) => self.turn_ended(result),
            Some(Due::Steer { done, .. }) => {
                let outcome = match result {
                    Ok(result) => match result["outcome"].as_str() {
                        Some("injected" | "startedNewTurn") => Steered::Injected,
                        Some("promptRequired") => Steered::Idle,
                        _ => Steered::Unsupported,
                    },
                    Err(_) => Steered::Unsupported,
                };
                let _nobody_waits = done.send(outcome);
            }
            Some(Due::Mode { otherwise }) => match (result, otherwise) {
                (Ok(_), _) => {}
                (Err(_), Some((method, params))) => {
                    let id = self.link.request(method, &params);
                    self.due.insert(id, Due::Mode { otherwise: None });
                }
                (Err(error), None) => {
                    let text = format!("The agent did not change its mode: {}", error_text(&error));
                    self.report(Body::Update(AgentUpdate::Notice(text)));
                }
            },
            Some(Due::Model) => {
                if let Err(error) = result {
                    let text = format!(
                        "The agent did not change its model now: {}. It uses the new one when it starts again.",
                        error_text(&error)
                    );
                    self.report(Body::Update(AgentUpdate::Notice(text)));
                }
            }
            None => {}
        }
    }

    fn turn_ended(&mut self, result: Result<Value, Value>) {
        let stop = match result {
            Ok(result) => match result["stopReason"].as_str() {
                Some("cancelled") => Stop::Cancelled,
                Some("max_tokens") => Stop::MaxTokens,
                Some("max_turn_requests") => Stop::MaxTurnRequests,
                Some("refusal") => Stop::Refusal,
                // It was asked to stop before it said so, and not every agent says it in these words.
                _ if self.turn == Turn::Stopping => Stop::Cancelled,
                _ => Stop::EndTurn,
            },
            // Some agents report their own stop as an error.
            Err(_) if self.turn == Turn::Stopping => Stop::Cancelled,
            Err(error) => Stop::Error(problem(&error)),
        };
        self.turn = Turn::Idle;
        self.withdraw_all();
        self.translator.turn_ended();
        self.report(Body::TurnEnded(stop));
        match self.next.take() {
            Some(next) if next.cancelled => self.report(Body::TurnEnded(Stop::Cancelled)),
            Some(next) => self.prompt(&next.blocks),
            None => {}
        }
    }

    fn report(&mut self, body: Body) {
        self.out.push_back(Report { body, raw: String::new() });
    }

    /// Hands over what is left to tell, and the end.
    async fn gone(mut self, broken: &Broken, reports: &mpsc::Sender<Report>) {
        let not_json = match self.link.not_json() {
            0 => String::new(),
            count => format!("; {count} lines of its output were no JSON"),
        };
        let problem = Problem {
            reason: "AGENT_GONE".to_owned(),
            message: format!("{broken}{not_json}"),
            hint: "Send a message to start the agent again.".to_owned(),
            retryable: true,
        };
        self.report(Body::Gone(problem));
        for report in self.out {
            if reports.send(report).await.is_err() {
                return;
            }
        }
    }
}

/// Refuses a request of the agent that we do not serve.
pub(super) fn refuse<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    link: &mut Link<R, W>,
    id: &Value,
    method: &str,
) {
    link.refuse(id, METHOD_NOT_FOUND, &format!("unknown method {method}"));
}

/// The option that allows once, or else always. By its kind: ids and names lie.
fn allowing(options: &[PermissionOption]) -> Option<String> {
    let of_kind = |kind: OptionKind| options.iter().find(|option| option.kind() == kind);
    of_kind(OptionKind::AllowOnce)
        .or_else(|| of_kind(OptionKind::AllowAlways))
        .map(|option| option.id.clone())
}

fn problem(error: &Value) -> Problem {
    let data = &error["data"];
    let text = |field: &str| data[field].as_str().map(str::to_owned);
    Problem {
        reason: text("reason").unwrap_or_else(|| "AGENT_ERROR".to_owned()),
        message: error_text(error),
        hint: text("hint").unwrap_or_default(),
        retryable: data["retryable"].as_bool().unwrap_or(true),
    }
}
