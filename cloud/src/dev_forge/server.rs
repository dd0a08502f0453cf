//! The listener, and which part of the forge answers what.

use std::{io, pin::pin, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts},
};
use futures_util::StreamExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ring::digest;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    dev_forge::{
        accounts::hex,
        answer::{self, Failure, Refusal, failed},
        call::{self, Call, Shown},
        controls::{self, Cut, Journal},
        device, page, pictures,
        place::{Forge, lock},
        rest, smart,
    },
    host::body::limited,
};

/// Connections at once; more of them wait.
const CONNECTIONS: usize = 512;
/// How long the head of a request may take.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long calls that still run are waited for at the end.
const GRACE: Duration = Duration::from_secs(2);
/// Largest body of a call that is no git.
const MAX_BODY: u64 = 2 * 1024 * 1024;

/// Serves until a signal ends it.
pub(super) async fn serve(listener: TcpListener, forge: Forge) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for signals")?;
    let (forge, stop) = (Arc::new(forge), CancellationToken::new());
    let (connections, places) = (TaskTracker::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    loop {
        let place = Arc::clone(&places).acquire_owned().await?;
        let accepted = tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let serving = connection(stream, Arc::clone(&forge), stop.clone());
                connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    stop.cancel();
    connections.close();
    connections.wait().await;
    Ok(())
}

async fn connection(stream: TcpStream, forge: Arc<Forge>, stop: CancellationToken) {
    let service = service_fn(|request: Request<Incoming>| {
        let forge = Arc::clone(&forge);
        async move { respond(&forge, request.map(Body::new)).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(GRACE, connection.as_mut()).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// Answers one request; an error is a connection that a test wants cut.
async fn respond(forge: &Forge, request: Request<Body>) -> io::Result<Response<Body>> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let fault = lock(&forge.controls).fault(&method, &path);
    let login = match call::shown(request.headers()) {
        Shown::Token(token) => forge.accounts().viewer(&token).map(|viewer| viewer.user.login),
        Shown::Nothing => None,
    };
    let mut cut = None;
    let response = match fault {
        Some(fault) => {
            fault.delay().await;
            cut = fault.cut;
            match (cut, fault.response()) {
                (Some(Cut::Before), _) => Response::new(Body::empty()),
                (None, Some(response)) => response,
                _ => Box::pin(answer(forge, request)).await,
            }
        }
        None => Box::pin(answer(forge, request)).await,
    };
    let status = response.status().as_u16();
    let method = method.to_string();
    lock(&forge.controls).note(Journal { method, path, query, status, login });
    if cut.is_some() {
        return Err(io::Error::other("a test wants this connection cut"));
    }
    Ok(response)
}

async fn answer(forge: &Forge, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let Some(segments) = call::parts(&path) else {
        return failed(Failure::new(StatusCode::BAD_REQUEST, "the address is no text"));
    };
    if let Some(wanted) = smart::wanted(request.method(), &segments) {
        return smart::serve(forge, &wanted, request).await;
    }
    let (parts, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(failure) => return failed(failure),
    };
    match segments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["api", "v3", rest @ ..] => rest_call(forge, &parts, &body, rest).await,
        ["_dev", rest @ ..] => controls::answer(forge, &parts, &body, rest).await,
        ["user-attachments", "assets", id] => pictures::answer(forge, id, &call::query(&parts.uri)),
        ["login", rest @ ..] => device::answer(forge, &parts, &body, rest),
        rest => Box::pin(page::answer(forge, &parts, rest)).await,
    }
}

async fn read(body: Body) -> Result<Vec<u8>, Failure> {
    let mut pieces = pin!(limited(body, MAX_BODY));
    let mut all = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| {
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, format!("failed to {error}"))
        })?;
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

async fn rest_call(forge: &Forge, parts: &Parts, body: &[u8], path: &[&str]) -> Response<Body> {
    let viewer = match call::shown(&parts.headers) {
        Shown::Nothing => None,
        Shown::Token(token) => {
            let found = forge.accounts().viewer(&token);
            if found.is_none() {
                return failed(Failure::bad_credentials());
            }
            found
        }
    };
    let body = match body {
        [] => Value::Null,
        text => match serde_json::from_slice(text) {
            Ok(body) => body,
            Err(_) => {
                return failed(Failure::new(StatusCode::BAD_REQUEST, "Problems parsing JSON"));
            }
        },
    };
    let token = viewer.as_ref().map_or_else(|| "nobody".to_owned(), |viewer| viewer.token.clone());
    let scopes = viewer.as_ref().map(|viewer| viewer.scopes.join(", "));
    let free = path == ["rate_limit"];
    let taken = if free { None } else { lock(&forge.limits).take(&token) };
    let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let call = Call {
        forge,
        method: parts.method.clone(),
        web: web(&parts.headers),
        shown: accept.is_some_and(|accept| accept.contains(".full")),
        path: path.iter().map(|part| (*part).to_owned()).collect(),
        raw_path: parts.uri.path().to_owned(),
        query: call::query(&parts.uri),
        body,
        viewer,
    };
    let answered = if free || taken.is_some() {
        Box::pin(rest::answer(&call)).await
    } else {
        Err(exceeded(&call))
    };
    let mut response = match answered {
        Ok(answer) => fresh(&call, &parts.headers, answer, || {
            if let Some(until) = taken {
                lock(&forge.limits).give_back(&token, until);
            }
        }),
        Err(failure) => failed(failure),
    };
    answer::extend(&mut response, &lock(&forge.limits).of(&token).headers());
    if let Some(scopes) = scopes {
        let accepted = if path == ["user"] { "" } else { "repo" };
        answer::extend(
            &mut response,
            &[("x-oauth-scopes", scopes), ("x-accepted-oauth-scopes", accepted.to_owned())],
        );
    }
    answer::extend(&mut response, &[("x-github-media-type", "github.v3; format=json".to_owned())]);
    response
}

/// An answer, or that it is the one the caller has already, which is free.
fn fresh(
    call: &Call<'_>,
    headers: &HeaderMap,
    answer: answer::Answer,
    give_back: impl FnOnce(),
) -> Response<Body> {
    let Some(body) = answer.body else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status;
        answer::extend(&mut response, &answer.headers);
        return response;
    };
    let hash = digest::digest(&digest::SHA256, body.to_string().as_bytes());
    let tag = format!("W/\"{}\"", hex(hash.as_ref()));
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| one.trim().trim_start_matches("W/") == tag.trim_start_matches("W/"));
    let mut response = if known && call.method == Method::GET && answer.status == StatusCode::OK {
        give_back();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        answer::json(answer.status, &body, &[])
    };
    answer::extend(&mut response, &answer.headers);
    if call.method == Method::GET {
        answer::extend(
            &mut response,
            &[("etag", tag), ("cache-control", "private, max-age=60, s-maxage=60".to_owned())],
        );
    }
    response
}

fn exceeded(call: &Call<'_>) -> Failure {
    let who = call.viewer.as_ref().map_or(0, |viewer| viewer.user.id);
    Failure::Refused(Refusal {
        status: StatusCode::FORBIDDEN,
        message: format!("API rate limit exceeded for user ID {who}."),
        errors: Vec::new(),
        headers: Vec::new(),
    })
}

/// The address under which a caller reaches this forge.
pub(super) fn web(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).map(HeaderValue::to_str);
    let fits = |host: &&str| {
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    format!("http://{}", host.and_then(Result::ok).filter(fits).unwrap_or("localhost"))
}
