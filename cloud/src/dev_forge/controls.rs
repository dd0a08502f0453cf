//! What tests may do to a forge: people and tokens, settings of repositories, faults, and the list of calls. Opened by the first token alone.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Method, Response, StatusCode, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::dev_forge::{
    answer::{self, Answer, Answered, Failure, failed},
    call::{self, Shown},
    device::Decision,
    git,
    place::{Forge, is_name, lock},
    record::Access,
};

/// Calls that are remembered.
const MAX_CALLS: usize = 1_000;

/// The largest picture, in bytes.
const MAX_PICTURE: usize = 64 << 20;

/// What tests asked for.
#[derive(Debug, Default)]
pub(super) struct Controls {
    faults: Vec<Fault>,
    calls: VecDeque<Journal>,
}

/// Something that goes wrong with the next calls of an address.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Fault {
    method: Option<String>,
    /// Beginning of the path.
    path: String,
    #[serde(default = "once")]
    times: u64,
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    #[serde(default)]
    delay_ms: u64,
    pub(super) cut: Option<Cut>,
}

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Cut {
    /// Nothing is done.
    Before,
    /// All is done, and the answer is lost.
    After,
}

/// One call that came; nothing secret of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Journal {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) status: u16,
    pub(super) login: Option<String>,
}

#[derive(Debug, Deserialize)]
struct NewUser {
    login: String,
    scopes: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct OfToken {
    token: String,
    scopes: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfDevice {
    user_code: String,
    r#do: Decision,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfLimit {
    token: Option<String>,
    remaining: u64,
    reset_in_seconds: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    private: Option<bool>,
    archived: Option<bool>,
    description: Option<String>,
    protected: Option<Vec<String>>,
    permissions: Option<BTreeMap<String, Access>>,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct OfJob {
    log: String,
}

#[derive(Debug, Deserialize)]
struct OfPicture {
    data: String,
    #[serde(default)]
    size: usize,
}

#[derive(Debug, Deserialize)]
struct OfPull {
    draft: bool,
}

fn once() -> u64 {
    1
}

impl Controls {
    /// The fault that a call meets, which is then one less.
    pub(super) fn fault(&mut self, method: &Method, path: &str) -> Option<Fault> {
        let meets = |fault: &Fault| {
            let method_fits = fault.method.as_ref().is_none_or(|one| one == method.as_str());
            method_fits && path.starts_with(&fault.path) && !path.starts_with("/_dev")
        };
        let index = self.faults.iter().position(meets)?;
        let fault = &mut self.faults[index];
        fault.times = fault.times.saturating_sub(1);
        let met = fault.clone();
        if met.times == 0 {
            self.faults.remove(index);
        }
        Some(met)
    }

    /// Remembers a call.
    pub(super) fn note(&mut self, call: Journal) {
        if call.path.starts_with("/_dev") {
            return;
        }
        if self.calls.len() >= MAX_CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }
}

impl Fault {
    pub(super) async fn delay(&self) {
        tokio::time::sleep(Duration::from_millis(self.delay_ms)).await;
    }

    /// What it answers in the place of the forge, if it does.
    pub(super) fn response(&self) -> Option<Response<Body>> {
        let status =
            StatusCode::from_u16(self.status?).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = match &self.body {
            None => {
                answer::json(status, &json!({ "message": "a fault that a test asked for" }), &[])
            }
            Some(Value::String(text)) => {
                answer::plain(status, "text/html; charset=utf-8", text.clone())
            }
            Some(body) => answer::json(status, body, &[]),
        };
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            {
                response.headers_mut().insert(name, value);
            }
        }
        Some(response)
    }
}

/// Answers what stands below `/_dev`.
pub(super) async fn answer(
    forge: &Forge,
    parts: &Parts,
    body: &[u8],
    path: &[&str],
) -> Response<Body> {
    let open = match call::shown(&parts.headers) {
        Shown::Token(token) => forge.accounts().controls(&token),
        Shown::Nothing => false,
    };
    let answered = if open {
        Box::pin(controlled(forge, &parts.method, body, path)).await
    } else {
        Err(Failure::new(
            StatusCode::UNAUTHORIZED,
            "The controls are opened by the token in .dev-forge/token",
        ))
    };
    match answered {
        Ok(answer) => answer::json(answer.status, &answer.body.unwrap_or_default(), &[]),
        Err(failure) => failed(failure),
    }
}

async fn controlled(forge: &Forge, method: &Method, body: &[u8], path: &[&str]) -> Answered {
    match (method.as_str(), path) {
        ("POST", ["users"]) => {
            let new: NewUser = read(body)?;
            if !is_name(&new.login) {
                return Err(Failure::field("User", "login", "invalid"));
            }
            let scopes = new.scopes.unwrap_or_else(|| vec!["repo".to_owned(), "user".to_owned()]);
            let token = forge.accounts().grant(&new.login, scopes, "ghp_")?;
            Answer::created(json!({ "login": new.login, "token": token }))
        }
        ("POST", ["tokens", "revoke" | "scopes"]) => {
            let of: OfToken = read(body)?;
            let scopes = if path == ["tokens", "revoke"] { None } else { of.scopes };
            found(forge.accounts().change_token(&of.token, scopes)?)
        }
        ("POST", ["device"]) => {
            let of: OfDevice = read(body)?;
            found(lock(&forge.codes).decide(&of.user_code, of.r#do))
        }
        ("POST", ["limit"]) => {
            let of: OfLimit = read(body)?;
            let accounts = forge.accounts();
            let viewer = of.token.as_ref().and_then(|token| accounts.viewer(token));
            let token = match (viewer, of.token) {
                (Some(viewer), _) => viewer.token,
                (None, Some(_)) => return Err(Failure::not_found()),
                (None, None) => accounts.control().to_owned(),
            };
            lock(&forge.limits).set(&token, of.remaining, of.reset_in_seconds);
            Answer::ok(json!({}))
        }
        ("POST", ["faults"]) => {
            let fault: Fault = read(body)?;
            lock(&forge.controls).faults.push(fault);
            Answer::created(json!({}))
        }
        ("DELETE", ["faults"]) => {
            lock(&forge.controls).faults.clear();
            Answer::ok(json!({}))
        }
        ("GET", ["requests"]) => {
            let calls = lock(&forge.controls).calls.clone();
            Answer::ok(json!(calls))
        }
        ("POST", ["pictures"]) => {
            let of: OfPicture = read(body)?;
            let data = STANDARD.decode(of.data).context("read the picture");
            let mut data = data.map_err(|error| {
                Failure::new(StatusCode::BAD_REQUEST, format!("failed to {error:#}"))
            })?;
            data.resize(data.len().max(of.size.min(MAX_PICTURE)), 0);
            Answer::created(json!({ "path": lock(&forge.pictures).add(data) }))
        }
        ("POST", ["repos", owner, name]) => {
            let path = forge
                .free(owner, name)
                .ok_or_else(|| Failure::field("Repository", "name", "already_exists"))?;
            git::create(&path).await?;
            Answer::created(json!({ "full_name": format!("{owner}/{name}") }))
        }
        ("PATCH", ["repos", owner, name]) => set(forge, owner, name, read(body)?).await,
        ("PUT", ["repos", owner, name, "jobs", job]) => {
            let of: OfJob = read(body)?;
            let repository = forge.repository(owner, name)?.ok_or_else(Failure::not_found)?;
            let mut change = forge.change(&repository).await?;
            change.record.logs.insert(job.parse().map_err(|_| Failure::not_found())?, of.log);
            change.save()?;
            Answer::ok(json!({}))
        }
        ("PATCH", ["repos", owner, name, "pulls", number]) => {
            let of: OfPull = read(body)?;
            let repository = forge.repository(owner, name)?.ok_or_else(Failure::not_found)?;
            let mut change = forge.change(&repository).await?;
            let issue = number.parse().ok().and_then(|number| change.record.issue_mut(number));
            let pull =
                issue.and_then(|issue| issue.pull.as_mut()).ok_or_else(Failure::not_found)?;
            pull.draft = of.draft;
            change.save()?;
            Answer::ok(json!({}))
        }
        _ => Err(Failure::not_found()),
    }
}

async fn set(forge: &Forge, owner: &str, name: &str, new: Settings) -> Answered {
    let repository = forge.repository(owner, name)?.ok_or_else(Failure::not_found)?;
    {
        let mut change = forge.change(&repository).await?;
        let record = &mut change.record;
        record.private = new.private.unwrap_or(record.private);
        record.archived = new.archived.unwrap_or(record.archived);
        if new.description.is_some() {
            record.description = new.description;
        }
        record.protected = new.protected.unwrap_or_else(|| record.protected.clone());
        record.permissions.extend(new.permissions.unwrap_or_default());
        change.save()?;
    }
    if let Some(name) = new.name {
        forge.rename(&repository, &name).await?;
    }
    Answer::ok(json!({}))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .context("read the body")
        .map_err(|error| Failure::new(StatusCode::BAD_REQUEST, format!("failed to {error:#}")))
}

fn found(found: bool) -> Answered {
    if found { Answer::ok(json!({})) } else { Err(Failure::not_found()) }
}
