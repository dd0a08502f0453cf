//! The part of GitHub's REST operations that is answered, one row each.

mod checks;
mod issues;
mod pulls;
mod refs;
mod repositories;
mod reviews;

pub(super) use self::pulls::follow;

use axum::http::StatusCode;
use serde_json::json;

use crate::dev_forge::{
    answer::{Answer, Answered, Failure},
    call::Call,
    place::{Repository, lock},
    record::Access,
};

/// Answers one call.
pub(super) async fn answer(call: &Call<'_>) -> Answered {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match (call.method.as_str(), path.as_slice()) {
        ("GET", ["user"]) => {
            let viewer = call.viewer()?;
            let count = repositories::seen(call)?.len();
            Answer::ok(call.own_user(&viewer.user, count))
        }
        ("GET", ["user", "repos"]) => repositories::list(call),
        ("GET", ["search", "repositories"]) => repositories::search(call),
        ("GET", ["users", login]) => {
            let known = call.forge.accounts().user(login).is_some();
            if known { Answer::ok(call.user(login)) } else { Err(Failure::not_found()) }
        }
        ("GET", ["rate_limit"]) => {
            let token = call.viewer.as_ref().map_or("nobody", |viewer| viewer.token.as_str());
            Answer::ok(lock(&call.forge.limits).of(token).shape())
        }
        ("GET", [] | ["meta"]) => Answer::ok(json!({ "installed_version": "3.19.0" })),
        (method, ["repos", owner, name, rest @ ..]) => {
            let found = find(call, owner, name, rest)?;
            if !matches!(method, "GET" | "HEAD") && found.repository.record.archived {
                let words = "Repository was archived so is read-only.";
                return Err(Failure::forbidden(words));
            }
            Box::pin(of_repository(call, &found, rest)).await
        }
        _ => Err(Failure::not_found()),
    }
}

/// A repository that the caller may see.
#[derive(Debug)]
struct Found {
    repository: Repository,
    access: Access,
}

impl Found {
    /// A refusal for those who may not change the repository.
    fn may_write(&self, call: &Call<'_>) -> Result<(), Failure> {
        call.viewer()?;
        if self.access >= Access::Write {
            return Ok(());
        }
        Err(Failure::forbidden("Must have push access to repository."))
    }
}

fn find(call: &Call<'_>, owner: &str, name: &str, rest: &[&str]) -> Result<Found, Failure> {
    let Some(repository) = call.forge.repository(owner, name)? else {
        let moved = call.forge.accounts().moved(&format!("{owner}/{name}"));
        return Err(match moved {
            Some(to) if call.viewer.is_some() => {
                let end: String = rest.iter().fold(String::new(), |end, part| {
                    let part = percent_encoding::utf8_percent_encode(
                        part,
                        percent_encoding::NON_ALPHANUMERIC,
                    );
                    format!("{end}/{part}")
                });
                Failure::Moved(format!("{}/repos/{to}{end}", call.api()))
            }
            _ => Failure::not_found(),
        });
    };
    let access = repository.access(call.viewer.as_ref());
    if access == Access::None {
        return Err(Failure::not_found());
    }
    Ok(Found { repository, access })
}

async fn of_repository(call: &Call<'_>, found: &Found, path: &[&str]) -> Answered {
    match (call.method.as_str(), path) {
        ("GET", []) => repositories::show(call, found),
        ("PATCH", []) => repositories::change(call, found).await,
        ("POST", ["forks"]) => repositories::fork(call, found).await,
        ("GET", ["contents", file @ ..]) => repositories::contents(call, found, file).await,

        ("GET", ["branches"]) => refs::branches(call, found).await,
        ("GET", ["branches", name @ ..]) => refs::branch(call, found, &name.join("/")).await,
        ("POST", ["git", "refs"]) => refs::create(call, found).await,
        ("GET", ["git", "ref", name @ ..]) => refs::show(call, found, &name.join("/")).await,
        ("DELETE", ["git", "refs", name @ ..]) => refs::remove(call, found, &name.join("/")).await,
        ("GET", ["compare", range @ ..]) => refs::compare(call, found, &range.join("/")).await,
        ("GET", ["commits"]) => refs::commits(call, found).await,
        ("GET", ["commits", name @ .., "check-runs"]) => {
            checks::runs(call, found, &name.join("/")).await
        }
        ("GET", ["commits", name @ .., "status"]) => {
            checks::status(call, found, &name.join("/")).await
        }
        ("GET", ["commits", name @ ..]) => refs::commit(call, found, &name.join("/")).await,

        ("POST", ["check-runs"]) => checks::create(call, found).await,
        ("GET", ["check-runs", id]) => checks::show(call, found, number(id)?),
        ("PATCH", ["check-runs", id]) => checks::change(call, found, number(id)?).await,
        ("GET", ["check-runs", id, "annotations"]) => checks::annotations(call, found, number(id)?),
        ("POST", ["statuses", sha]) => checks::set_status(call, found, sha).await,

        ("GET", ["actions", "jobs", id, "logs"]) => checks::log(found, number(id)?),

        ("POST", ["labels"]) => issues::make_label(call, found).await,
        ("GET", ["labels", name]) => issues::show_label(call, found, name),

        ("GET", ["pulls"]) => pulls::list(call, found).await,
        ("POST", ["pulls"]) => pulls::create(call, found).await,
        (_, ["pulls", id, rest @ ..]) => of_pull(call, found, number(id)?, rest).await,
        (_, ["issues", rest @ ..]) => issues::answer(call, found, rest).await,
        _ => Err(Failure::not_found()),
    }
}

async fn of_pull(call: &Call<'_>, found: &Found, pull: u64, path: &[&str]) -> Answered {
    match (call.method.as_str(), path) {
        ("GET", []) => pulls::show(call, found, pull).await,
        ("PATCH", []) => pulls::change(call, found, pull).await,
        ("GET", ["merge"]) => pulls::is_merged(found, pull),
        ("PUT", ["merge"]) => pulls::merge(call, found, pull).await,
        ("GET", ["files"]) => pulls::files(call, found, pull).await,
        ("GET", ["commits"]) => pulls::commits(call, found, pull).await,
        ("POST", ["requested_reviewers"]) => reviews::ask(call, found, pull, true).await,
        ("DELETE", ["requested_reviewers"]) => reviews::ask(call, found, pull, false).await,
        ("GET", ["reviews"]) => reviews::list(call, found, pull).await,
        ("POST", ["reviews"]) => reviews::create(call, found, pull).await,
        ("GET", ["comments"]) => reviews::remarks(call, found, pull).await,
        ("POST", ["comments"]) => reviews::remark(call, found, pull, None).await,
        ("POST", ["comments", id, "replies"]) => {
            reviews::remark(call, found, pull, Some(number(id)?)).await
        }
        _ => Err(Failure::not_found()),
    }
}

fn number(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::not_found())
}

/// A text that must be there.
fn needed(call: &Call<'_>, resource: &str, field: &str) -> Result<String, Failure> {
    call.fields()?;
    let text = call.text(field)?.filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| Failure::field(resource, field, "missing_field"))
}

/// A refusal of texts that are longer than a forge takes.
fn fits(resource: &str, field: &str, text: Option<&str>, limit: usize) -> Result<(), Failure> {
    if text.is_none_or(|text| text.chars().count() <= limit) {
        return Ok(());
    }
    let words = format!("{field} is too long (maximum is {limit} characters)");
    Err(Failure::custom(resource, Some(field), &words))
}

/// No commit of that name.
fn no_commit(name: &str) -> Failure {
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, format!("No commit found for SHA: {name}"))
}
