//! The thread's own repository over git's smart HTTP: fetch all of it, push one branch.
//!
//! `git http-backend` does the work, on a repository that only the cloud writes; what a push wants is read before it starts.

pub(crate) mod backend;
mod push;

use axum::{
    body::Body,
    http::{Method, Request, Response, StatusCode, header},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::host::{
    GitRepo, Problem, Sandbox,
    body::{self, drain, limited},
    git::{
        backend::Served,
        push::{Parsed, Push},
    },
    refusal::{self, Shape},
};

/// Where it is served.
const MOUNT: &str = "/git/workspace.git";
/// Largest pack taken.
const MAX_PACK_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// What a client wants of the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// The list of refs.
    Refs,
    /// To fetch.
    UploadPack,
    /// To push.
    ReceivePack,
}

/// Answers one request.
pub(super) async fn serve(request: Request<Body>, sandbox: &Sandbox) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let service = match (&parts.method, parts.uri.path().strip_prefix(MOUNT)) {
        (&Method::GET, Some("/info/refs")) => Service::Refs,
        (&Method::POST, Some("/git-upload-pack")) => Service::UploadPack,
        (&Method::POST, Some("/git-receive-pack")) => Service::ReceivePack,
        _ => {
            drain(body, MAX_PACK_BYTES).await;
            let message = format!("no repository is served at {}", parts.uri.path());
            let hint = Some(format!("this thread's repository is {MOUNT}"));
            let problem = Problem { reason: "NOT_FOUND", message, hint };
            return Shape::Git.refuse(StatusCode::NOT_FOUND, &problem);
        }
    };
    let mut input = limited(body, MAX_PACK_BYTES).boxed();
    if service == Service::ReceivePack {
        if parts.headers.contains_key(header::CONTENT_ENCODING) {
            return refusal::text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "a push must not be compressed as a whole\n".into(),
            );
        }
        let (read, push) = match read_push(&mut input).await {
            Ok(found) => found,
            Err(words) => return refusal::text(StatusCode::BAD_REQUEST, format!("{words}\n")),
        };
        if let Some(refusal) = push.refusal(&sandbox.git.branch) {
            tracing::info!(
                thread = sandbox.thread,
                "a push to another ref than the thread's branch was refused"
            );
            // git reads no answer before it has sent all.
            while let Some(Ok(_)) = input.next().await {}
            return refusal;
        }
        input = stream::iter([Ok(Bytes::from(read))]).chain(input).boxed();
    }
    match backend::run(&served(&sandbox.git), service, &parts, input).await {
        Ok(response) => response,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(thread = sandbox.thread, error, "the git backend failed");
            refusal::text(StatusCode::INTERNAL_SERVER_ERROR, "the cloud failed to run git\n".into())
        }
    }
}

/// On what terms a sandbox has its repository.
fn served(repository: &GitRepo) -> Served {
    let settings = vec![
        ("core.hooksPath", "/dev/null".to_owned()),
        ("http.receivepack", "true".to_owned()),
        ("receive.fsckObjects", "true".to_owned()),
        ("receive.maxInputSize", MAX_PACK_BYTES.to_string()),
        ("receive.autogc", "false".to_owned()),
        // A second fence behind the check of what the push wants.
        ("receive.denyDeletes", "true".to_owned()),
        ("receive.hideRefs", "refs/".to_owned()),
        ("receive.hideRefs", format!("!refs/heads/{}", repository.branch)),
    ];
    Served { path: repository.path.clone(), user: "sandbox".to_owned(), settings }
}

/// Reads the beginning of a push, up to the pack, and what it wants.
async fn read_push(
    input: &mut stream::BoxStream<'_, Result<Bytes, body::Error>>,
) -> Result<(Vec<u8>, Push), String> {
    let mut read = Vec::new();
    loop {
        match push::parse(&read) {
            Parsed::Push(push) => return Ok((read, push)),
            Parsed::Invalid(words) => return Err(format!("this is no push: {words}")),
            Parsed::Incomplete => match input.next().await {
                Some(Ok(piece)) => read.extend_from_slice(&piece),
                Some(Err(error)) => return Err(format!("the cloud failed to {error}")),
                None => return Err("this is no push: it ends too early".to_owned()),
            },
        }
    }
}
