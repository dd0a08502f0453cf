//! The model gateway.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Request, Response, Uri},
};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};
use tokio_stream::wrappers::ReceiverStream;

use super::{KEY, Served, TOKEN, sandbox};
use crate::{accounts::keys::Provider, host::Problem};

const CHAT: &str = "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\ndata: {\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":10}}\n\ndata: [DONE]\n\n";
const RESPONSES: &str = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"model\":\"m\",\"usage\":{\"input_tokens\":100,\"output_tokens\":10}}}\n\n";
const ANTHROPIC_START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":100,\"output_tokens\":1}}}\n\n";
const ANTHROPIC_END: &str = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":10}}\n\n";

/// What the API saw.
#[derive(Clone, Debug)]
struct Seen {
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

type Answer = Box<dyn Fn() -> Response<Body> + Send + Sync>;

struct Api {
    answer: Answer,
    seen: Mutex<Vec<Seen>>,
}

async fn handle(State(api): State<Arc<Api>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    api.seen.lock().unwrap().push(Seen { uri: parts.uri, headers: parts.headers, body });
    (api.answer)()
}

async fn served(answer: impl Fn() -> Response<Body> + Send + Sync + 'static) -> (Served, Arc<Api>) {
    let api = Arc::new(Api { answer: Box::new(answer), seen: Mutex::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new()
        .fallback(handle)
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(Arc::clone(&api));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (sandbox(Some(&address), "aloft/x"), api)
}

fn stream(text: &'static str) -> Response<Body> {
    Response::builder()
        .header("content-type", "text/event-stream")
        .header("x-echo", format!("your key is {KEY}"))
        .header("request-id", "r-1")
        .body(Body::from(text))
        .unwrap()
}

fn whole(status: u16, body: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap()
}

#[tokio::test]
async fn swaps_the_key_and_counts_each_api() {
    let cases = [
        ("/model/openai/v1/chat/completions", "/chat/completions", CHAT, Provider::OpenAi),
        ("/model/openai/v1/responses?a=b", "/responses?a=b", RESPONSES, Provider::OpenAi),
        (
            "/model/anthropic/v1/messages?beta=true",
            "/v1/messages?beta=true",
            concat_anthropic(),
            Provider::Anthropic,
        ),
    ];
    for (path, to, text, provider) in cases {
        let (served, api) = served(move || stream(text)).await;
        let request = served.post(path).header("x-api-key", TOKEN).bearer_auth(TOKEN);
        let response = request.body(r#"{"model":"m","stream":true}"#).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["request-id"], "r-1");
        assert!(!format!("{:?}", response.headers()).contains(KEY));
        assert_eq!(response.text().await.unwrap(), text);
        let seen = api.seen.lock().unwrap().pop().unwrap();
        assert_eq!(seen.uri.to_string(), to);
        assert_eq!(seen.body, r#"{"model":"m","stream":true}"#);
        assert!(!format!("{:?}", seen.headers).contains(TOKEN));
        match provider {
            Provider::Anthropic => assert_eq!(seen.headers["x-api-key"], KEY),
            Provider::OpenAi => assert_eq!(seen.headers["authorization"], format!("Bearer {KEY}")),
        }
        assert_eq!(seen.headers["content-length"], "27");
        let usage = served.gate.usage.lock().unwrap().pop().expect("recorded before the end");
        assert_eq!((usage.provider, usage.model.as_str()), (provider, "m"));
        assert_eq!((usage.input_tokens, usage.output_tokens), (100, 10));
    }
}

fn concat_anthropic() -> &'static str {
    Box::leak(format!("{ANTHROPIC_START}{ANTHROPIC_END}").into_boxed_str())
}

#[tokio::test]
async fn nothing_is_held_back_and_a_lost_client_ends_the_call() {
    let (pieces, source) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let source = Mutex::new(Some(source));
    let (served, _api) = served(move || {
        let source = source.lock().unwrap().take().unwrap();
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(Body::from_stream(ReceiverStream::new(source)))
            .unwrap()
    })
    .await;
    let request = served.post("/model/anthropic/v1/messages").bearer_auth(TOKEN).body("{}");
    pieces.send(Ok(Bytes::from_static(ANTHROPIC_START.as_bytes()))).await.unwrap();
    let response = request.send().await.unwrap();
    let mut body = response.bytes_stream();
    // The second piece does not exist yet.
    assert_eq!(body.next().await.unwrap().unwrap(), ANTHROPIC_START);
    drop(body);
    let gone = tokio::time::timeout(Duration::from_secs(10), pieces.closed()).await;
    gone.expect("the upstream call is dropped");
    let recorded = tokio::time::timeout(Duration::from_secs(10), served.gate.recorded.notified());
    recorded.await.expect("what was used is recorded");
    let usage = served.gate.usage.lock().unwrap().pop().unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (100, 1));
}

#[tokio::test]
async fn a_client_lost_before_the_answer_ends_the_call() {
    let (sender, dropped) = oneshot::channel::<()>();
    let (arrived_tx, arrived) = oneshot::channel::<()>();
    let state = Arc::new(Mutex::new(Some((sender, arrived_tx))));
    let app = Router::new().fallback(move || {
        let (sender, arrived) = state.lock().unwrap().take().unwrap();
        async move {
            arrived.send(()).unwrap();
            let _held = sender;
            std::future::pending::<()>().await;
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let served = sandbox(Some(&address), "aloft/x");
    let request = served.post("/model/openai/v1/responses").bearer_auth(TOKEN).body("{}").send();
    let call = tokio::spawn(request);
    arrived.await.unwrap();
    call.abort();
    let ended = tokio::time::timeout(Duration::from_secs(10), dropped).await;
    assert!(ended.expect("the upstream call is dropped").is_err());
}

#[tokio::test]
async fn errors_pass_as_they_are_but_for_the_key() {
    let (served, _api) = served(|| whole(429, r#"{"error":{"message":"slow down"}}"#)).await;
    let response = post(&served, "/model/openai/v1/chat/completions").await;
    assert_eq!(response, (429, r#"{"error":{"message":"slow down"}}"#.to_owned()));
    assert!(served.gate.usage.lock().unwrap().is_empty());
    let (served, _api) = super::gateway::served(|| whole(401, format!("bad key {KEY}"))).await;
    let response = post(&served, "/model/anthropic/v1/messages").await;
    assert_eq!(response, (401, "bad key [key]".to_owned()));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (served, api) = served(|| {
        Response::builder()
            .status(307)
            .header("location", "http://127.0.0.1:1/")
            .body(Body::empty())
            .unwrap()
    })
    .await;
    let (status, body) = post(&served, "/model/openai/v1/responses").await;
    assert_eq!(status, 502);
    assert!(body.contains("MODEL_UNREACHABLE"), "{body}");
    assert_eq!(api.seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn refusals_have_the_shape_of_the_api() {
    let served = sandbox(None, "aloft/x");
    let (status, body) = post(&served, "/model/anthropic/v1/messages").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["type"]), (403, &json!("error")));
    assert_eq!(body["error"]["reason"], "NO_MODEL_KEY");
    assert!(body["error"]["message"].as_str().unwrap().contains("aloft key set anthropic"));
    let (status, body) = post(&served, "/model/openai/v1/responses").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["error"]["code"]), (403, &json!("NO_MODEL_KEY")));
    let (status, body) = post(&served, "/model/openai/v1/files").await;
    assert_eq!(status, 404, "{body}");
    let unknown = served.post("/model/anthropic/v1/messages").bearer_auth("other").body("{}");
    let response = unknown.send().await.unwrap();
    assert_eq!(response.status(), 401);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["type"], "authentication_error");
}

#[tokio::test]
async fn the_gate_is_asked_for_calls_that_cost() {
    let (served, api) = served(|| whole(200, r#"{"input_tokens":3}"#)).await;
    *served.gate.refusal.lock().unwrap() = Some(Problem {
        reason: "BUDGET_SPENT",
        message: "the budget of this thread is spent".into(),
        hint: None,
    });
    let (status, body) = post(&served, "/model/anthropic/v1/messages").await;
    assert_eq!(status, 403);
    assert!(body.contains("the budget of this thread is spent"), "{body}");
    assert!(api.seen.lock().unwrap().is_empty());
    let (status, _) = post(&served, "/model/anthropic/v1/messages/count_tokens").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn large_requests_stream_up_to_a_limit() {
    let (served, api) = served(|| whole(200, "{}")).await;
    let piece = Bytes::from(vec![b' '; 1024 * 1024]);
    let body = |mebibytes: usize| {
        let pieces = std::iter::repeat_n(piece.clone(), mebibytes).map(Ok::<_, std::io::Error>);
        reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
    };
    let path = "/model/openai/v1/responses";
    let response = served.post(path).bearer_auth(TOKEN).body(body(40)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(api.seen.lock().unwrap().pop().unwrap().body.len(), 40 * 1024 * 1024);
    let response = served.post(path).bearer_auth(TOKEN).body(vec![b' '; 65 * 1024 * 1024]);
    assert_eq!(response.send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn there_is_no_way_out() {
    let served = sandbox(None, "aloft/x");
    let proxy = |line: &'static str| {
        let socket = served.socket.clone();
        async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut stream = tokio::net::UnixStream::connect(socket).await.unwrap();
            let head = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        }
    };
    for line in
        ["CONNECT example.com:443", "GET http://example.com/", "GET http://10.0.0.1/model/x"]
    {
        let answer = proxy(line).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(answer.contains("EGRESS_DENIED"), "{answer}");
    }
    let local = proxy("GET http://127.0.0.1:3128/model/openai/v1/models").await;
    assert!(local.starts_with("HTTP/1.1 401"), "{local}");
}

async fn post(served: &Served, path: &str) -> (u16, String) {
    let response = served.post(path).bearer_auth(TOKEN).body("{}").send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}
