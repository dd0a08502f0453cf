//! Plain pages for people: the repositories, the pull requests of one, and a pull request with its difference.

use std::fmt::Write as _;

use axum::{
    body::Body,
    http::{HeaderValue, Method, Response, StatusCode, header, request::Parts},
};

use crate::dev_forge::{
    answer::{Failure, failed, plain},
    call::{self, Shown},
    git,
    place::{Forge, Repository},
    record::{Access, Issue, Pull},
    rest::follow,
};

/// Longest difference that is shown.
const MAX_DIFF: usize = 2 * 1024 * 1024;
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:72em;margin:2em auto;padding:0 1em}\
    pre{overflow:auto;border:1px solid #8886;padding:.7em;font:13px/1.4 ui-monospace,monospace}\
    ins{color:#17702c;text-decoration:none}del{color:#b3261e;text-decoration:none}b.hunk{color:#5b5fc7;font-weight:400}\
    small{opacity:.75}:root{color-scheme:light dark}\
    @media(prefers-color-scheme:dark){ins{color:#63d581}del{color:#ff8a80}b.hunk{color:#a6a9ff}}";

/// Answers a browser.
pub(super) async fn answer(forge: &Forge, parts: &Parts, path: &[&str]) -> Response<Body> {
    if parts.method != Method::GET {
        return failed(Failure::not_found());
    }
    let viewer = match call::shown(&parts.headers) {
        Shown::Token(token) => forge.accounts().viewer(&token),
        Shown::Nothing => None,
    };
    let Some(viewer) = viewer else {
        let words = "Any name, and a token of this forge as password.\n";
        let mut response = plain(StatusCode::UNAUTHORIZED, "text/plain", words.to_owned());
        let challenge = HeaderValue::from_static("Basic realm=\"dev-forge\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        return response;
    };
    let sees = |repository: &Repository| repository.access(Some(&viewer)) > Access::None;
    let shown = async {
        match path {
            [] => {
                let mut all = forge.repositories()?;
                all.retain(sees);
                Ok(html(StatusCode::OK, "Repositories", &list_of(&all)))
            }
            [owner, name, rest @ ..] => {
                let found = forge.repository(owner, name)?.filter(sees);
                let found = found.ok_or_else(Failure::not_found)?;
                let found = Repository::clone(&*follow(forge, &found).await?);
                match rest {
                    [] | ["pulls"] => Ok(html(StatusCode::OK, &found.full_name(), &pulls(&found))),
                    ["pull", number] => pull(&found, number).await,
                    _ => Err(Failure::not_found()),
                }
            }
            _ => Err(Failure::not_found()),
        }
    };
    match Box::pin(shown).await {
        Ok(response) => response,
        Err(Failure::Refused(refusal)) => html(refusal.status, &refusal.message, ""),
        Err(other) => failed(other),
    }
}

fn list_of(all: &[Repository]) -> String {
    let mut text = String::from("<ul>");
    for name in all.iter().map(Repository::full_name) {
        let _written = write!(text, "<li><a href=\"/{name}\">{name}</a>");
    }
    text + "</ul>"
}

fn pulls(repository: &Repository) -> String {
    let mut text = String::from("<ul>");
    for issue in repository.record.issues.iter().rev() {
        let Some(pull) = &issue.pull else { continue };
        let number = issue.number;
        let link = format!("/{}/pull/{number}", repository.full_name());
        let title = escaped(&issue.title);
        let state = state(issue, pull);
        let _written =
            write!(text, "<li><a href=\"{link}\">#{number} {title}</a> <small>{state}</small>");
    }
    text + "</ul>"
}

fn state(issue: &Issue, pull: &Pull) -> &'static str {
    match (&pull.merged, pull.draft) {
        (Some(_), _) => "merged",
        (None, true) if issue.closed_at.is_none() => "draft",
        _ => issue.state(),
    }
}

/// The page of a pull request; with `.diff` behind its number, the difference alone.
async fn pull(repository: &Repository, number: &str) -> Result<Response<Body>, Failure> {
    let (number, bare) = match number.strip_suffix(".diff") {
        Some(number) => (number, true),
        None => (number, false),
    };
    let number: u64 = number.parse().map_err(|_| Failure::not_found())?;
    let issue = repository.record.issue(number).ok_or_else(Failure::not_found)?;
    let pull = issue.pull.as_ref().ok_or_else(Failure::not_found)?;
    let path = &repository.path;
    let parted = git::merge_base(path, &pull.base_sha, &pull.head_sha).await?;
    let from = parted.unwrap_or_else(|| pull.base_sha.clone());
    let patch = git::patch(path, &from, &pull.head_sha).await?;
    if bare {
        return Ok(plain(StatusCode::OK, "text/plain; charset=utf-8", patch));
    }
    let title = format!("{} · #{number} {}", repository.full_name(), issue.title);
    let head_owner = pull.head_repository.split('/').next().unwrap_or_default();
    let mut text = format!(
        "<p><small>{} · {} wants to merge {}:{} into {}</small></p><pre>{}</pre>",
        state(issue, pull),
        escaped(&issue.login),
        escaped(head_owner),
        escaped(&pull.head),
        escaped(&pull.base),
        escaped(issue.body.as_deref().unwrap_or_default())
    );
    for comment in &issue.comments {
        let (login, body) = (escaped(&comment.login), escaped(&comment.body));
        let _written = write!(text, "<p><small>{login}</small></p><pre>{body}</pre>");
    }
    text.push_str("<pre>");
    let mut room = MAX_DIFF;
    for line in patch.lines() {
        room = room.saturating_sub(line.len());
        if room == 0 {
            text.push_str("…\n");
            break;
        }
        let line_text = escaped(line);
        let (open, close) = match line.as_bytes().first() {
            Some(b'+') => ("<ins>", "</ins>"),
            Some(b'-') => ("<del>", "</del>"),
            Some(b'@') => ("<b class=hunk>", "</b>"),
            _ => ("", ""),
        };
        let _written = writeln!(text, "{open}{line_text}{close}");
    }
    text.push_str("</pre>");
    Ok(html(StatusCode::OK, &title, &text))
}

/// A page. The body is HTML; whatever came from outside was escaped.
pub(super) fn html(status: StatusCode, title: &str, body: &str) -> Response<Body> {
    let title = escaped(title);
    let text = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><h1>{title}</h1>{body}\
         <p><small>dev-forge, for tests and offline use</small></p></html>"
    );
    let mut response = plain(status, "text/html; charset=utf-8", text);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Text that is nothing but text in a page.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
