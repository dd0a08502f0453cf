//! The model: one streamed call over either API.
//!
//! What is retried and what an error means to a person is `failure`'s; the two APIs' forms are `anthropic`'s and `openai`'s.

mod anthropic;
mod failure;
mod openai;
mod stream;

pub(super) use self::failure::{Error, Problem};

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{RequestBuilder, redirect};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::agent::coder::{
    conversation::{Message, Part},
    model::stream::Lines,
    settings::{Api, Settings},
    tools::Definition,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest silence within an answer.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// For small calls beside the conversation.
const SHORT_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest error of an API that is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// All that one call needs.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) model: &'a str,
    pub(super) system: &'a str,
    pub(super) messages: &'a [Message],
    pub(super) tools: &'a [Definition],
}

/// A piece of an answer that is shown as it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Delta {
    Text(String),
    Thought(String),
}

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reply {
    pub(super) parts: Vec<Part>,
    pub(super) stop: Stop,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stop {
    /// It is done, or waits for its tools.
    #[default]
    Done,
    /// It may say no more in one answer.
    MaxTokens,
    /// It wants to be called again.
    Pause,
    /// It refuses.
    Refusal,
    /// The conversation is as long as it can be.
    ContextFull,
}

/// Is given each piece of an answer as it comes.
pub(super) trait Show: Send {
    fn show(&mut self, delta: Delta) -> impl Future<Output = ()> + Send;
}

/// Reads the events of one answer.
trait Decoder: Send {
    /// Takes the data of one event and gives what it shows.
    fn take(&mut self, data: &Value) -> Result<Option<Delta>, Error>;
    /// The answer, if it came to its end.
    fn finish(self: Box<Self>) -> Option<Reply>;
}

/// Calls the model.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    settings: Settings,
}

impl Client {
    pub(super) fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(IDLE_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { http, settings })
    }

    /// One call, shown as it comes and whole at the end. Dropping it ends the call.
    pub(super) async fn call(
        &self,
        request: &Request<'_>,
        show: &mut impl Show,
    ) -> Result<Reply, Error> {
        let (path, body, mut decoder): (_, _, Box<dyn Decoder>) = match self.settings.api {
            Api::Anthropic => {
                ("/v1/messages", anthropic::body(request), Box::<anthropic::Events>::default())
            }
            Api::OpenAi => {
                ("/chat/completions", openai::body(request), Box::<openai::Events>::default())
            }
        };
        let post = self.http.post(self.url(path)).json(&body);
        let response = self.signed(post).send().await.map_err(Error::network)?;
        let status = response.status();
        if !status.is_success() {
            let headers = response.headers().clone();
            let mut body = Vec::new();
            let mut pieces = response.bytes_stream();
            while let Some(Ok(piece)) = pieces.next().await
                && body.len() < MAX_ERROR_BYTES
            {
                body.extend_from_slice(&piece);
            }
            return Err(failure::of_answer(status, &headers, &String::from_utf8_lossy(&body)));
        }
        let mut lines = Lines::default();
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.next().await {
            for data in lines.take(&piece.map_err(Error::network)?)? {
                if data == "[DONE]" {
                    continue;
                }
                let event = serde_json::from_str(&data)
                    .map_err(|error| Error::broken(format!("an event is no JSON: {error}")))?;
                if let Some(error) = failure::of_event(&event) {
                    return Err(error);
                }
                if let Some(delta) = decoder.take(&event)? {
                    show.show(delta).await;
                }
            }
        }
        decoder.finish().ok_or_else(|| Error::broken("the answer broke off".to_owned()))
    }

    /// Names of the models that the API offers, if it says so.
    pub(super) async fn models(&self) -> Vec<String> {
        let path = match self.settings.api {
            Api::Anthropic => "/v1/models",
            Api::OpenAi => "/models",
        };
        let get = self.signed(self.http.get(self.url(path))).timeout(SHORT_TIMEOUT);
        let Ok(response) = get.send().await else { return Vec::new() };
        let list: Value = response.json().await.unwrap_or_default();
        let models = list["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        models.iter().filter_map(|model| model["id"].as_str().map(str::to_owned)).collect()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.base_url)
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        let token = self.settings.token.expose_secret();
        match self.settings.api {
            Api::Anthropic => {
                request.header("x-api-key", token).header("anthropic-version", "2023-06-01")
            }
            Api::OpenAi => request.bearer_auth(token),
        }
    }
}

/// A call of a tool with its arguments as they came, piece by piece.
fn call_part(id: String, name: String, arguments: &str) -> Part {
    let text = if arguments.trim().is_empty() { "{}" } else { arguments };
    match serde_json::from_str::<Value>(text) {
        Ok(arguments) if arguments.is_object() => Part::Call { id, name, arguments, broken: None },
        _ => {
            let broken = Some(arguments.to_owned());
            Part::Call { id, name, arguments: Value::Object(serde_json::Map::new()), broken }
        }
    }
}
