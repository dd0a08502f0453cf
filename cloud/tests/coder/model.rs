//! A scripted model API on loopback: each call takes the next step.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Response, Uri},
    routing::{get, post},
};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;

pub(crate) const TOKEN: &str = "token-of-the-thread";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Anthropic,
    OpenAi,
}

/// What one call gets.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Words, and the end.
    Say(&'static str),
    /// Words, cut at the token limit.
    Cut(&'static str),
    /// Words, and a stream that ends before the answer does.
    Break(&'static str),
    /// Words, and then nothing for as long as the caller waits.
    Hang(&'static str),
    /// A call of a tool; the arguments go out in two pieces.
    Call { name: &'static str, arguments: String },
    /// An error.
    Status { code: u16, retry_after: Option<&'static str>, body: String },
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) body: Value,
    pub(crate) authenticated: bool,
}

struct Script {
    api: Api,
    steps: Mutex<VecDeque<Step>>,
    requests: Mutex<Vec<Request>>,
    hung_up: mpsc::Sender<()>,
}

pub(crate) struct Model {
    pub(crate) api: Api,
    pub(crate) address: String,
    script: Arc<Script>,
    hung_up: mpsc::Receiver<()>,
}

impl Model {
    pub(crate) async fn start(api: Api, steps: Vec<Step>) -> Self {
        let (sender, hung_up) = mpsc::channel(8);
        let script = Arc::new(Script {
            api,
            steps: Mutex::new(steps.into()),
            requests: Mutex::default(),
            hung_up: sender,
        });
        let models = || async { Json(json!({"data": [{"id": "model-one"}, {"id": "model-two"}]})) };
        let app = Router::new()
            .route("/v1/messages", post(answer))
            .route("/v1/chat/completions", post(answer))
            .route("/v1/models", get(models))
            .with_state(Arc::clone(&script));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let address = match api {
            Api::Anthropic => base,
            Api::OpenAi => format!("{base}/v1"),
        };
        Self { api, address, script, hung_up }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.script.requests.lock().unwrap().clone()
    }

    /// Waits until the caller of a [`Step::Hang`] is gone.
    pub(crate) async fn hung_up(&mut self) {
        let gone = tokio::time::timeout(Duration::from_secs(10), self.hung_up.recv()).await;
        gone.expect("the agent drops its call").unwrap();
    }
}

async fn answer(
    State(script): State<Arc<Script>>,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response<Body> {
    let (path, token) = match script.api {
        Api::Anthropic => ("/v1/messages", headers.get("x-api-key").cloned()),
        Api::OpenAi => ("/v1/chat/completions", headers.get("authorization").cloned()),
    };
    assert_eq!(uri.path(), path);
    let authenticated =
        token.is_some_and(|token| token.to_str().unwrap().trim_start_matches("Bearer ") == TOKEN);
    script.requests.lock().unwrap().push(Request { body, authenticated });
    let step = script.steps.lock().unwrap().pop_front();
    let step = step.unwrap_or(Step::Status {
        code: 400,
        retry_after: None,
        body: "no step is left".into(),
    });
    if let Step::Status { code, retry_after, body } = step {
        let mut response = Response::builder().status(code);
        if let Some(seconds) = retry_after {
            response = response.header("retry-after", seconds);
        }
        return response.body(Body::from(body)).unwrap();
    }
    let events = match script.api {
        Api::Anthropic => anthropic(&step),
        Api::OpenAi => openai(&step),
    };
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(64);
    let hung_up = script.hung_up.clone();
    tokio::spawn(async move {
        for event in events {
            let _gone = sender.send(Ok(event.into())).await;
        }
        if let Step::Hang(_) = step {
            sender.closed().await;
            hung_up.send(()).await.unwrap();
        }
    });
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(Body::from_stream(ReceiverStream::new(receiver)))
        .unwrap()
}

fn anthropic(step: &Step) -> Vec<String> {
    let event =
        |value: Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap());
    let message = json!({"id": "msg_1", "role": "assistant", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}});
    let mut events = vec![json!({"type": "message_start", "message": message})];
    let block = |block: Value, deltas: Vec<Value>| {
        let mut events =
            vec![json!({"type": "content_block_start", "index": 0, "content_block": block})];
        events.extend(
            deltas
                .into_iter()
                .map(|delta| json!({"type": "content_block_delta", "index": 0, "delta": delta})),
        );
        events.push(json!({"type": "content_block_stop", "index": 0}));
        events
    };
    let (open, stop) = match step {
        Step::Call { name, arguments } => {
            let (one, two) = halves(arguments);
            let piece = |text: &str| json!({"type": "input_json_delta", "partial_json": text});
            let start = json!({"type": "tool_use", "id": "toolu_1", "name": name, "input": {}});
            events.extend(block(start, vec![piece(one), piece(two)]));
            (false, "tool_use")
        }
        Step::Say(text) | Step::Cut(text) | Step::Hang(text) | Step::Break(text) => {
            if !text.is_empty() {
                let start = json!({"type": "text", "text": ""});
                events.extend(block(start, vec![json!({"type": "text_delta", "text": text})]));
            }
            let open = matches!(step, Step::Hang(_) | Step::Break(_));
            (open, if matches!(step, Step::Cut(_)) { "max_tokens" } else { "end_turn" })
        }
        Step::Status { .. } => unreachable!(),
    };
    if !open {
        events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 2}}));
        events.push(json!({"type": "message_stop"}));
    }
    events.into_iter().map(event).collect()
}

fn openai(step: &Step) -> Vec<String> {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "chatcmpl-1", "model": "m", "choices": [choice]}))
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    let (open, finish) = match step {
        Step::Call { name, arguments } => {
            let (one, two) = halves(arguments);
            let first = json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": one}});
            let second = json!({"index": 0, "function": {"arguments": two}});
            events.push(chunk(json!({"tool_calls": [first]}), Value::Null));
            events.push(chunk(json!({"tool_calls": [second]}), Value::Null));
            (false, "tool_calls")
        }
        Step::Say(text) | Step::Cut(text) | Step::Hang(text) | Step::Break(text) => {
            events.push(chunk(json!({"content": text}), Value::Null));
            let open = matches!(step, Step::Hang(_) | Step::Break(_));
            (open, if matches!(step, Step::Cut(_)) { "length" } else { "stop" })
        }
        Step::Status { .. } => unreachable!(),
    };
    if !open {
        events.push(chunk(json!({}), json!(finish)));
        let usage = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
        events.push(format!("data: {usage}\n\ndata: [DONE]\n\n"));
    }
    events
}

fn halves(text: &str) -> (&str, &str) {
    text.split_at(text.len() / 2)
}
