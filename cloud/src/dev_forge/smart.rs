//! Git over HTTP, with a token.

use axum::{
    body::Body,
    http::{Method, Request, Response, StatusCode, header},
};
use futures_util::StreamExt as _;

use crate::{
    dev_forge::{
        answer::{Failure, failed, plain},
        call::{self, Shown},
        place::{Forge, Repository},
        record::Access,
        server::web,
    },
    host::{
        body::limited,
        git::{
            Service,
            backend::{self, Served},
        },
    },
};

/// Largest pack taken.
const MAX_PACK: u64 = 4 * 1024 * 1024 * 1024;

/// What a git client wants, and of which repository.
#[derive(Debug)]
pub(super) struct Wanted {
    owner: String,
    name: String,
    service: Service,
    /// What of the address stands behind the repository.
    rest: &'static str,
}

/// What a git client wants; `None` where this is no address of git's.
pub(super) fn wanted(method: &Method, path: &[String]) -> Option<Wanted> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let (owner, name, service, rest) = match (method, path.as_slice()) {
        (&Method::GET, [owner, name, "info", "refs"]) => (owner, name, Service::Refs, "info/refs"),
        (&Method::POST, [owner, name, "git-upload-pack"]) => {
            (owner, name, Service::UploadPack, "git-upload-pack")
        }
        (&Method::POST, [owner, name, "git-receive-pack"]) => {
            (owner, name, Service::ReceivePack, "git-receive-pack")
        }
        _ => return None,
    };
    Some(Wanted { owner: (*owner).to_owned(), name: (*name).to_owned(), service, rest })
}

/// Answers a git client.
pub(super) async fn serve(
    forge: &Forge,
    wanted: &Wanted,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let query = call::query(&parts.uri);
    let service = query.iter().find(|(name, _)| name == "service");
    let pushes = wanted.service == Service::ReceivePack
        || service.is_some_and(|(_, service)| service == "git-receive-pack");
    let served = match admit(forge, wanted, &parts.headers, pushes) {
        Ok(served) => served,
        Err(Refused::Failed(failure)) => {
            drop(body);
            return failed(failure);
        }
        Err(Refused::Said(status, words)) => {
            // git reads no answer before it has sent all.
            let mut rest = limited(body, MAX_PACK).boxed();
            while let Some(Ok(_)) = rest.next().await {}
            let mut response = plain(status, "text/plain; charset=utf-8", format!("{words}\n"));
            if status == StatusCode::UNAUTHORIZED {
                let challenge = header::HeaderValue::from_static("Basic realm=\"dev-forge\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            return response;
        }
    };
    match backend::run(&served, wanted.service, &parts, limited(body, MAX_PACK).boxed()).await {
        Ok(response) => response,
        Err(error) => failed(error.into()),
    }
}

/// Why a client is not served.
enum Refused {
    Said(StatusCode, String),
    Failed(Failure),
}

fn admit(
    forge: &Forge,
    wanted: &Wanted,
    headers: &axum::http::HeaderMap,
    pushes: bool,
) -> Result<Served, Refused> {
    let unknown =
        || Refused::Said(StatusCode::UNAUTHORIZED, "Invalid username or token.".to_owned());
    let viewer = match call::shown(headers) {
        Shown::Nothing => None,
        Shown::Token(token) => Some(forge.accounts().viewer(&token).ok_or_else(unknown)?),
    };
    let found = forge
        .repository(&wanted.owner, &wanted.name)
        .map_err(|error| Refused::Failed(error.into()))?;
    let Some(repository) = found else {
        let name = wanted.name.strip_suffix(".git").unwrap_or(&wanted.name);
        let moved = forge.accounts().moved(&format!("{}/{name}", wanted.owner));
        return Err(match (moved, &viewer) {
            (Some(moved), Some(_)) => {
                let query = if wanted.service == Service::Refs {
                    let service = if pushes { "receive" } else { "upload" };
                    format!("?service=git-{service}-pack")
                } else {
                    String::new()
                };
                let address = format!("{}/{moved}.git/{}{query}", web(headers), wanted.rest);
                Refused::Failed(Failure::Moved(address))
            }
            (_, Some(_)) => {
                Refused::Said(StatusCode::NOT_FOUND, "Repository not found.".to_owned())
            }
            (_, None) => unknown(),
        });
    };
    let access = repository.access(viewer.as_ref());
    let login = viewer.as_ref().map(|viewer| viewer.user.login.clone());
    match (access, &login) {
        (Access::None, Some(_)) => {
            Err(Refused::Said(StatusCode::NOT_FOUND, "Repository not found.".to_owned()))
        }
        (Access::None, None) => Err(unknown()),
        (Access::Read, None) if pushes => Err(unknown()),
        (Access::Read, Some(login)) if pushes => Err(Refused::Said(
            StatusCode::FORBIDDEN,
            format!("Permission to {}.git denied to {login}.", repository.full_name()),
        )),
        _ if pushes && repository.record.archived => Err(Refused::Said(
            StatusCode::FORBIDDEN,
            "This repository was archived so it is read-only.".to_owned(),
        )),
        _ => Ok(terms(forge, &repository, login)),
    }
}

fn terms(forge: &Forge, repository: &Repository, login: Option<String>) -> Served {
    let mut settings = vec![
        ("core.hooksPath", forge.hooks().to_string_lossy().into_owned()),
        ("http.receivepack", "true".to_owned()),
        ("receive.fsckObjects", "true".to_owned()),
        ("receive.maxInputSize", MAX_PACK.to_string()),
        ("receive.autogc", "false".to_owned()),
        // What the forge itself writes.
        ("receive.hideRefs", "refs/pull".to_owned()),
        // Fetching a commit by its id, as GitHub allows.
        ("uploadpack.allowAnySHA1InWant", "true".to_owned()),
        ("uploadpack.allowFilter", "true".to_owned()),
    ];
    for branch in &repository.record.protected {
        settings.push(("devforge.protected", branch.clone()));
    }
    Served {
        path: repository.path.clone(),
        user: login.unwrap_or_else(|| "nobody".to_owned()),
        settings,
    }
}
