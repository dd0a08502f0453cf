//! The `aloft` agent: a small coding agent over any Anthropic-compatible or OpenAI-compatible API.
//!
//! Here is the loop of a turn: call the model, show what it says, do what it calls for, until it is done. The protocol to the
//! editor is `stdio`'s.

mod approvals;
mod conversation;
mod model;
mod prompt;
mod settings;
mod tools;
mod turn;

use crate::agent::{
    coder::{
        conversation::{Conversation, Part, Role},
        model::Client,
        settings::Settings,
        turn::Turn,
    },
    stdio::{
        About, Agent, Failure,
        message::{Block, Kind, Status, StopReason, ToolCall, Update},
        session::Session,
    },
};

/// The agent.
#[derive(Debug)]
pub struct Coder {
    /// The model, or why there is none: the agent starts without it, so that a person is told.
    model: Result<(Client, Settings), String>,
}

impl Coder {
    /// Reads `ALOFT_MODEL_API` (anthropic or openai), `ANTHROPIC_BASE_URL` or `OPENAI_BASE_URL`, `ALOFT_MODEL_TOKEN` and
    /// `ALOFT_MODEL` with `read`, which is `std::env::var(name).ok()` in a process of its own.
    pub fn from_environment(read: impl Fn(&str) -> Option<String>) -> Self {
        let model = Settings::read(read).and_then(|settings| {
            let client = Client::new(settings.clone()).map_err(|error| error.to_string())?;
            Ok((client, settings))
        });
        Self { model }
    }
}

impl Agent for Coder {
    fn about(&self) -> About {
        About { name: "aloft", title: "Aloft", images: true, steering: true, mcp_http: false }
    }

    async fn turn(&self, session: Session, prompt: Vec<Block>) -> Result<StopReason, Failure> {
        let (client, settings) = self.model.as_ref().map_err(|missing| Failure {
            reason: "NO_MODEL",
            message: format!("the agent has no model: {missing}"),
            hint: "set ALOFT_MODEL_API, its base URL and ALOFT_MODEL_TOKEN; a cloud does this by itself".into(),
            retryable: false,
        })?;
        Turn::begin(client, settings, session).await?.run(&prompt).await
    }

    async fn replay(&self, session: &Session) {
        let Ok(conversation) = Conversation::open(session.folder()) else { return };
        for (number, message) in conversation.messages().iter().enumerate() {
            for (place, part) in message.parts.iter().enumerate() {
                let id = format!("replay-{number}-{place}");
                if let Some(update) = replayed(message.role, part, &id) {
                    session.update(update).await;
                }
            }
        }
    }
}

fn replayed(role: Role, part: &Part, id: &str) -> Option<Update> {
    Some(match (role, part) {
        (Role::User, Part::Text { text }) => {
            Update::UserMessageChunk { content: Block::text(text) }
        }
        (Role::User, Part::Image { mime_type, data }) => Update::UserMessageChunk {
            content: Block::Image { mime_type: mime_type.clone(), data: data.clone() },
        },
        (Role::Assistant, Part::Text { text }) => Update::message(id, text),
        (Role::Assistant, Part::Thought { text, .. }) => Update::thought(id, text),
        (Role::Assistant, Part::Call { name, arguments, .. }) => Update::ToolCall(ToolCall {
            title: Some(name.clone()),
            kind: Some(Kind::Other),
            raw_input: Some(arguments.clone()),
            ..ToolCall::status(id, Status::Completed)
        }),
        _ => return None,
    })
}
