//! Repositories: lists, search, forks, what is in a file.

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::dev_forge::{
    answer::{Answer, Answered, Failure},
    call::Call,
    git,
    place::Repository,
    record::Access,
    rest::{Found, fits},
};

/// All repositories the caller may see.
pub(super) fn seen(call: &Call<'_>) -> anyhow::Result<Vec<Repository>> {
    let mut all = call.forge.repositories()?;
    all.retain(|one| one.access(call.viewer.as_ref()) > Access::None);
    Ok(all)
}

pub(super) fn list(call: &Call<'_>) -> Answered {
    let viewer = call.viewer()?;
    let mut all = seen(call)?;
    let own = |one: &Repository| one.owner.eq_ignore_ascii_case(&viewer.user.login);
    if let Some(wanted) = call.asked("affiliation").or(call.asked("type")) {
        let wants = |name: &str| wanted.split(',').any(|one| one.trim() == name);
        let others = wants("collaborator")
            || wants("organization_member")
            || wants("member")
            || wants("all");
        all.retain(|one| if own(one) { wants("owner") || wants("all") } else { others });
    }
    if let Some(wanted @ ("private" | "public")) = call.asked("visibility") {
        all.retain(|one| one.record.private == (wanted == "private"));
    }
    // Those that anybody may read are not somebody's own.
    all.retain(|one| {
        own(one) || viewer.first || one.record.permissions.contains_key(&viewer.user.login)
    });
    sort(call, &mut all, "full_name");
    shapes(call, &all)
}

/// One page; only its repositories are looked at closely.
#[expect(clippy::unnecessary_wraps, reason = "every operation ends as an answer or a failure")]
fn shapes(call: &Call<'_>, all: &[Repository]) -> Answered {
    let (page, headers) = call.cut(all);
    let body = Some(page.iter().map(|one| call.repository(one)).collect());
    Ok(Answer { status: StatusCode::OK, body, headers })
}

fn sort(call: &Call<'_>, all: &mut [Repository], usual: &str) {
    let by = call.asked("sort").unwrap_or(usual);
    match by {
        "pushed" | "updated" => all.sort_by_cached_key(|one| std::cmp::Reverse(one.pushed_at())),
        "created" => all.sort_by_cached_key(|one| std::cmp::Reverse(one.created_at())),
        _ => all.sort_by_cached_key(Repository::full_name),
    }
    let usual = if matches!(by, "pushed" | "updated" | "created") { "desc" } else { "asc" };
    if call.asked("direction").or(call.asked("order")).unwrap_or(usual) != usual {
        all.reverse();
    }
}

pub(super) fn search(call: &Call<'_>) -> Answered {
    let words = call.asked("q").unwrap_or_default().to_lowercase();
    if words.trim().is_empty() {
        return Err(Failure::field("Search", "q", "missing"));
    }
    let mut all = seen(call)?;
    for word in words.split_whitespace() {
        match word.split_once(':') {
            Some(("user" | "org", owner)) => {
                all.retain(|one| one.owner.eq_ignore_ascii_case(owner.trim_start_matches('@')));
            }
            Some(("repo", name)) => all.retain(|one| one.full_name().to_lowercase() == name),
            Some(("is", kind @ ("private" | "public"))) => {
                all.retain(|one| one.record.private == (kind == "private"));
            }
            Some(("archived", yes)) => all.retain(|one| one.record.archived == (yes == "true")),
            // Where to look: in names and descriptions, always.
            Some(("in" | "fork" | "sort", _)) => {}
            _ => all.retain(|one| {
                let text = one.record.description.clone().unwrap_or_default();
                format!("{} {text}", one.full_name()).to_lowercase().contains(word)
            }),
        }
    }
    sort(call, &mut all, "full_name");
    let (page, headers) = call.cut(&all);
    let items: Vec<Value> = page
        .iter()
        .map(|one| {
            let mut shape = call.repository(one);
            shape["score"] = json!(1.0);
            shape
        })
        .collect();
    let body = json!({ "total_count": all.len(), "incomplete_results": false, "items": items });
    Ok(Answer { status: StatusCode::OK, body: Some(body), headers })
}

pub(super) fn show(call: &Call<'_>, found: &Found) -> Answered {
    let parent = match &found.repository.record.fork_of {
        Some(name) => call.forge.named(name)?,
        None => None,
    };
    Answer::ok(call.whole_repository(&found.repository, parent.as_ref()))
}

pub(super) async fn change(call: &Call<'_>, found: &Found) -> Answered {
    call.viewer()?;
    if found.access < Access::Admin {
        return Err(Failure::forbidden("Must have admin rights to Repository."));
    }
    let description = call.text("description")?;
    fits("Repository", "description", description.as_deref(), 350)?;
    let mut change = call.forge.change(&found.repository).await?;
    if let Some(branch) = call.text("default_branch")? {
        if git::branch(&change.path, &branch).await?.is_none() {
            let words = format!("The branch {branch} was not found.");
            return Err(Failure::custom("Repository", Some("default_branch"), &words));
        }
        git::set_default(&change.path, &branch).await?;
    }
    if description.is_some() {
        change.record.description = description;
    }
    let flag = |name: &str| call.body.get(name).and_then(Value::as_bool);
    change.record.private = flag("private").unwrap_or(change.record.private);
    change.record.archived = flag("archived").unwrap_or(change.record.archived);
    change.save()?;
    Answer::ok(call.whole_repository(&change, None))
}

pub(super) async fn fork(call: &Call<'_>, found: &Found) -> Answered {
    let login = call.viewer()?.user.login.clone();
    let name = call.text("name")?.unwrap_or_else(|| found.repository.name.clone());
    let full_name = found.repository.full_name();
    // Who forks twice gets what they have, whatever it is called.
    let own =
        |one: &Repository| one.owner == login && one.record.fork_of.as_ref() == Some(&full_name);
    if let Some(known) = call.forge.repositories()?.into_iter().find(own) {
        let shape = call.whole_repository(&known, Some(&found.repository));
        return Answer::with(StatusCode::ACCEPTED, shape);
    }
    if call.forge.repository(&login, &name)?.is_some() {
        return Err(Failure::forbidden("name already exists on this account"));
    }
    let path = call
        .forge
        .free(&login, &name)
        .ok_or_else(|| Failure::field("Repository", "name", "invalid"))?;
    let alone = call.body["default_branch_only"].as_bool() == Some(true);
    let only = alone.then(|| found.repository.default_branch());
    git::fork(&found.repository.path, &path, only.as_deref()).await?;
    let made = call.forge.repository(&login, &name)?.ok_or_else(Failure::not_found)?;
    let mut change = call.forge.change(&made).await?;
    change.record.fork_of = Some(full_name);
    change.record.private = found.repository.record.private;
    change.save()?;
    Answer::with(StatusCode::ACCEPTED, call.whole_repository(&change, Some(&found.repository)))
}

pub(super) async fn contents(call: &Call<'_>, found: &Found, file: &[&str]) -> Answered {
    let repository = &found.repository;
    let wanted = call.asked("ref").map_or_else(|| repository.default_branch(), str::to_owned);
    let commit = git::commit(&repository.path, &wanted).await?.ok_or_else(Failure::not_found)?;
    let name = file.join("/");
    let files = git::files(&repository.path, &commit).await?;
    let of = format!("{}/repos/{}", call.api(), repository.full_name());
    let shape = |path: &str, kind: &str, sha: &str| {
        let address = format!("{of}/contents/{path}?ref={wanted}");
        let page = format!("{}/{}/blob/{wanted}/{path}", call.web, repository.full_name());
        json!({
            "type": kind, "name": path.rsplit('/').next(), "path": path, "sha": sha, "size": 0,
            "url": address, "git_url": format!("{of}/git/blobs/{sha}"), "html_url": page,
            "download_url": null,
            "_links": { "self": address, "git": format!("{of}/git/blobs/{sha}"), "html": page },
        })
    };
    if let Some(id) = files.get(&name) {
        let content = git::content(&repository.path, id).await?;
        let mut shape = shape(&name, "file", id);
        shape["size"] = json!(content.len());
        shape["encoding"] = json!("base64");
        shape["content"] = json!(STANDARD.encode(&content));
        return Answer::ok(shape);
    }
    let below = if name.is_empty() { String::new() } else { format!("{name}/") };
    let mut entries = std::collections::BTreeMap::new();
    for (path, id) in &files {
        let Some(rest) = path.strip_prefix(&below) else { continue };
        match rest.split_once('/') {
            None => entries.insert(path.clone(), ("file", id.as_str())),
            Some((folder, _)) => {
                entries.insert(format!("{below}{folder}"), ("dir", commit.as_str()))
            }
        };
    }
    if entries.is_empty() {
        return Err(Failure::not_found());
    }
    Answer::ok(entries.iter().map(|(path, (kind, id))| shape(path, kind, id)).collect())
}
