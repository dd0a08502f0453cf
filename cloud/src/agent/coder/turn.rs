//! One turn: the loop between model and tools, and what it does about failures.

use std::{io, time::Duration};

use uuid::Uuid;

use crate::agent::{
    coder::{
        approvals::Approvals,
        conversation::{Conversation, Part, Role},
        model::{Client, Delta, Error, Problem, Reply, Request, Show, Stop},
        prompt,
        settings::Settings,
        tools::{self, Call, Definition, Outcome},
    },
    stdio::{
        Failure,
        message::{Block, StopReason, Update},
        session::Session,
    },
};

/// Calls of the model in one turn.
const MAX_CALLS: usize = 400;
/// Tries of one call.
const MAX_TRIES: u32 = 7;
/// Wait before the second try; doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Longest wait that an API may ask for.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(300);
/// Answers in a row that may be cut at the token limit.
const MAX_CUT: u32 = 8;

const GO_ON: &str = "Your answer was cut at the token limit. Go on exactly where it ended, without repeating anything.";
const NUDGE: &str = "Your answer was empty. Go on with the task, or say that it is done.";
const STOPPED: &str = "not done: the person stopped the turn";
const DECLINED: &str = "not done: the person declined this action";

/// A turn in work.
pub(super) struct Turn<'a> {
    client: &'a Client,
    settings: &'a Settings,
    session: Session,
    conversation: Conversation,
    approvals: Approvals,
    system: String,
    tools: Vec<Definition>,
    /// The model that was taken because the default is not offered.
    offered: Option<String>,
}

/// An answer, or the end of the turn.
enum Answer {
    Reply(Reply),
    Stopped,
}

/// Shows an answer to the person and keeps its words, for an answer that breaks off.
struct Screen<'a> {
    session: &'a Session,
    message_id: &'a str,
    thought_id: String,
    said: &'a mut String,
}

impl Show for Screen<'_> {
    async fn show(&mut self, delta: Delta) {
        let update = match delta {
            Delta::Text(text) => {
                self.said.push_str(&text);
                Update::message(self.message_id, text)
            }
            Delta::Thought(text) => Update::thought(&self.thought_id, text),
        };
        self.session.update(update).await;
    }
}

impl<'a> Turn<'a> {
    /// Reads what was said before.
    pub(super) async fn begin(
        client: &'a Client,
        settings: &'a Settings,
        session: Session,
    ) -> Result<Self, Failure> {
        let conversation = Conversation::open(session.folder()).map_err(unkept)?;
        let approvals = Approvals::open(&session);
        let workspace = session.cwd().to_owned();
        let system = tokio::task::spawn_blocking(move || prompt::system(&workspace)).await;
        let system = system.map_err(|error| unkept(io::Error::other(error)))?;
        let tools = tools::definitions();
        Ok(Self {
            client,
            settings,
            session,
            conversation,
            approvals,
            system,
            tools,
            offered: None,
        })
    }

    /// Runs it to its end.
    pub(super) async fn run(mut self, prompt: &[Block]) -> Result<StopReason, Failure> {
        self.say(prompt::parts(prompt))?;
        let (mut cut, mut nudged) = (0, false);
        let mut message_id = new_id();
        for _ in 0..MAX_CALLS {
            for guidance in self.session.take_guidance() {
                self.say(prompt::parts(&guidance))?;
            }
            let reply = match self.answer(&mut message_id).await? {
                Answer::Reply(reply) => reply,
                Answer::Stopped => return Ok(StopReason::Cancelled),
            };
            let calls = reply.parts.iter().any(|part| matches!(part, Part::Call { .. }));
            let words = reply
                .parts
                .iter()
                .any(|part| matches!(part, Part::Text { text } if !text.trim().is_empty()));
            let parts = reply.parts.clone();
            if calls || words {
                self.conversation.push(Role::Assistant, parts).map_err(unkept)?;
            }
            if calls {
                (cut, nudged) = (0, false);
                message_id = new_id();
                if !self.act(&reply).await? {
                    return Ok(StopReason::Cancelled);
                }
                continue;
            }
            match reply.stop {
                Stop::MaxTokens if cut == MAX_CUT => return Ok(StopReason::MaxTokens),
                // The rest is the same message for whoever reads along.
                Stop::MaxTokens => {
                    cut += 1;
                    self.say(vec![Part::text(GO_ON)])?;
                }
                Stop::Pause => self.say(vec![Part::text("Go on.")])?,
                Stop::Refusal => return Ok(StopReason::Refusal),
                Stop::ContextFull => {
                    self.make_room("the conversation fills the model's context").await?;
                }
                Stop::Done if !words && !nudged => {
                    nudged = true;
                    self.say(vec![Part::text(NUDGE)])?;
                }
                // Guidance that came meanwhile becomes a prompt of its own.
                Stop::Done => return Ok(StopReason::EndTurn),
            }
        }
        Ok(StopReason::MaxTurnRequests)
    }

    fn say(&mut self, parts: Vec<Part>) -> Result<(), Failure> {
        self.conversation.push(Role::User, parts).map_err(unkept)
    }

    /// Does what the model called for; false = the turn is being stopped.
    async fn act(&mut self, reply: &Reply) -> Result<bool, Failure> {
        let mut results = Vec::new();
        for part in &reply.parts {
            let Part::Call { id, name, arguments, broken } = part else { continue };
            let outcome = if self.session.is_stopped() {
                Outcome::Stopped
            } else if let Some(broken) = broken {
                Outcome::Failed(about_broken(broken, reply.stop))
            } else {
                let (session, approvals) = (&self.session, &self.approvals);
                let call = Call { session, approvals, id: new_id(), arguments };
                tools::call(name, &call).await
            };
            let (text, failed) = match outcome {
                Outcome::Done(text) => (text, false),
                Outcome::Failed(text) => (text, true),
                Outcome::Declined => (DECLINED.to_owned(), true),
                Outcome::Stopped => (STOPPED.to_owned(), true),
            };
            results.push(Part::Result { id: id.clone(), text, failed });
        }
        self.say(results)?;
        Ok(!self.session.is_stopped())
    }

    /// One answer of the model, tried again where that may help.
    async fn answer(&mut self, message_id: &mut String) -> Result<Answer, Failure> {
        let mut tries = 0;
        loop {
            let mut said = String::new();
            let session = self.session.clone();
            let called = tokio::select! {
                biased;
                () = session.stopped() => None,
                called = self.call(message_id, &mut said) => Some(called),
            };
            let error = match called {
                None => {
                    if !said.trim().is_empty() {
                        let parts = vec![Part::text(said)];
                        self.conversation.push(Role::Assistant, parts).map_err(unkept)?;
                    }
                    return Ok(Answer::Stopped);
                }
                Some(Ok(reply)) => return Ok(Answer::Reply(reply)),
                Some(Err(error)) => error,
            };
            // What was shown before it broke off stands as a message of its own.
            if !said.is_empty() {
                *message_id = new_id();
            }
            match error.problem {
                Problem::Passing => {
                    tries += 1;
                    let asked = error.wait.unwrap_or_default();
                    if tries == MAX_TRIES || asked > LONGEST_ASKED_WAIT {
                        return Err(unavailable(&error, tries));
                    }
                    let wait = error.wait.unwrap_or_else(|| backoff(tries));
                    self.note(&format!(
                        "The model API failed ({}); asking again in {:.1} s.",
                        error.words,
                        wait.as_secs_f64()
                    ))
                    .await;
                    tokio::select! {
                        () = session.stopped() => return Ok(Answer::Stopped),
                        () = tokio::time::sleep(wait) => {}
                    }
                }
                Problem::TooLong => self.make_room(&error.words).await?,
                Problem::Model => self.other_model(&error).await?,
                _ => return Err(self.failure(&error)),
            }
        }
    }

    async fn call(&self, message_id: &str, said: &mut String) -> Result<Reply, Error> {
        let request = Request {
            model: &self.model(),
            system: &self.system,
            messages: self.conversation.messages(),
            tools: &self.tools,
        };
        let mut screen = Screen { session: &self.session, message_id, thought_id: new_id(), said };
        self.client.call(&request, &mut screen).await
    }

    /// As chosen now: it may change within a turn.
    fn model(&self) -> String {
        let chosen = self.session.model().or_else(|| self.settings.model.clone());
        chosen
            .or_else(|| self.offered.clone())
            .unwrap_or_else(|| self.settings.api.default_model().to_owned())
    }

    /// Nobody chose the model, so one that the API offers will do.
    async fn other_model(&mut self, error: &Error) -> Result<(), Failure> {
        let models = self.client.models().await;
        let chosen = self.session.model().is_some() || self.settings.model.is_some();
        let hint = match &models[..] {
            [] => "choose another with: aloft model".to_owned(),
            models => {
                let shown: Vec<&str> = models.iter().take(12).map(String::as_str).collect();
                format!("choose another with: aloft model; offered are {}", shown.join(", "))
            }
        };
        match models.first() {
            Some(first) if !chosen && self.offered.is_none() => {
                self.note(&format!(
                    "No model was chosen; using {first}, which the model API offers."
                ))
                .await;
                self.offered = Some(first.clone());
                Ok(())
            }
            _ => Err(Failure {
                reason: "UNKNOWN_MODEL",
                message: format!("the model {} is not known: {}", self.model(), error.words),
                hint,
                retryable: false,
            }),
        }
    }

    async fn make_room(&mut self, words: &str) -> Result<(), Failure> {
        if self.conversation.trim().map_err(unkept)? {
            self.note(
                "The conversation is too long for the model; what old actions gave is left out.",
            )
            .await;
            return Ok(());
        }
        Err(Failure {
            reason: "CONTEXT_TOO_LONG",
            message: format!("the conversation is too long for the model: {words}"),
            hint: "go on in a new thread, or choose a model with a larger context".into(),
            retryable: false,
        })
    }

    /// A word about the agent itself.
    async fn note(&self, text: &str) {
        self.session.update(Update::thought(&new_id(), text)).await;
    }

    fn failure(&self, error: &Error) -> Failure {
        let provider = self.settings.api.provider();
        let words = &error.words;
        let set_key = format!("set a key with: aloft key set {provider}");
        let (reason, message, hint) = match error.problem {
            Problem::NoKey => ("NO_MODEL_KEY", words.clone(), set_key),
            Problem::Key => (
                "MODEL_KEY_REJECTED",
                format!("the model API does not accept the key: {words}"),
                set_key,
            ),
            Problem::Credit => (
                "MODEL_NO_CREDIT",
                format!("the account of the model key has no credit: {words}"),
                format!("add credit at {provider}, or set another key"),
            ),
            _ => (
                "MODEL_REFUSED",
                format!("the model API refused the call: {words}"),
                format!("check the key with: aloft key test {provider}"),
            ),
        };
        Failure { reason, message, hint, retryable: false }
    }
}

fn new_id() -> String {
    Uuid::new_v4().to_string()
}

fn about_broken(arguments: &str, stop: Stop) -> String {
    if stop == Stop::MaxTokens {
        return "not done: the call was cut at the token limit; write less at once, for example in several edits".to_owned();
    }
    let error = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(arguments).err();
    let error = error.map(|error| error.to_string()).unwrap_or_default();
    format!("not done: the arguments are not a JSON object ({error}); call the tool again")
}

/// Doubling, up to a quarter more or less, so that many agents do not come back at once.
fn backoff(tries: u32) -> Duration {
    let wait = (FIRST_WAIT * 2u32.saturating_pow(tries - 1)).min(LONGEST_WAIT);
    let random = Uuid::new_v4().as_bytes()[0];
    wait.mul_f64(0.75 + f64::from(random) / 510.0)
}

fn unavailable(error: &Error, tries: u32) -> Failure {
    Failure {
        reason: "MODEL_UNAVAILABLE",
        message: format!("the model API failed {tries} times: {}", error.words),
        hint: "try again later with: aloft retry".into(),
        retryable: true,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn unkept(error: io::Error) -> Failure {
    Failure {
        reason: "SESSION_UNREADABLE",
        message: format!("the agent cannot keep or read its session: {error}"),
        hint: "see that the sandbox's disk is not full".into(),
        retryable: true,
    }
}
