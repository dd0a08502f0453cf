//! Pull requests: their head follows a branch, and merging them writes to the repository.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    dev_forge::{
        answer::{Answer, Answered, Failure},
        call::Call,
        git::{self, Method},
        now,
        place::{Change, Forge, Repository},
        record::{Issue, Merged, Pull},
        rest::{Found, fits, needed},
    },
    git::DiffOptions,
};

/// Longest text of an issue or a pull request.
pub(super) const MAX_BODY: usize = 65_536;
/// Longest title.
pub(super) const MAX_TITLE: usize = 256;
/// Patches of more bytes are left out of lists.
const MAX_PATCH: usize = 256 * 1024;

/// Brings pull requests up to what git says: heads that moved, branches that are gone, what was merged by hand.
pub(in crate::dev_forge) async fn follow<'a>(
    forge: &'a Forge,
    repository: &Repository,
) -> Result<Change<'a>, Failure> {
    let mut change = forge.change(repository).await?;
    let open = |issue: &Issue| issue.closed_at.is_none() && issue.pull.is_some();
    if !change.record.issues.iter().any(open) {
        return Ok(change);
    }
    let path = change.path.clone();
    let own_name = change.full_name();
    let own = git::branches(&path).await?;
    let mut changed = false;
    for issue in change.record.issues.iter_mut().filter(|issue| open(issue)) {
        let Some(pull) = &mut issue.pull else { continue };
        let head = if pull.head_repository == own_name {
            own.get(&pull.head).cloned()
        } else {
            match forge.named(&pull.head_repository)? {
                Some(head) => git::branch(&head.path, &pull.head).await?,
                None => None,
            }
        };
        let base = own.get(&pull.base).cloned();
        if let (Some(base), true) = (&base, head.as_ref().is_none_or(|head| *head == pull.head_sha))
            && *base != pull.base_sha
        {
            pull.base_sha.clone_from(base);
            changed = true;
            if git::ahead(&path, base, &pull.head_sha).await? == 0 {
                let by = issue.login.clone();
                pull.merged = Some(Merged { at: now(), by, commit: base.clone() });
                issue.closed_at = Some(now());
                continue;
            }
        }
        match head {
            None => issue.closed_at = Some(now()),
            Some(head) if head != pull.head_sha => {
                take_head(forge, &path, &own_name, issue.number, pull, &head).await?;
                issue.updated_at = now();
            }
            Some(_) => continue,
        }
        changed = true;
    }
    if changed {
        change.save()?;
    }
    Ok(change)
}

/// Writes where the head of a pull request is.
async fn take_head(
    forge: &Forge,
    path: &std::path::Path,
    own_name: &str,
    number: u64,
    pull: &mut Pull,
    sha: &str,
) -> Result<(), Failure> {
    let name = format!("refs/pull/{number}/head");
    if pull.head_repository == own_name {
        git::set(path, &name, sha, None).await?;
    } else if let Some(head) = forge.named(&pull.head_repository)? {
        git::bring(path, &head.path, &pull.head, &name).await?;
    }
    sha.clone_into(&mut pull.head_sha);
    Ok(())
}

fn parts(change: &Repository, number: u64) -> Result<(&Issue, &Pull), Failure> {
    let issue = change.record.issue(number).ok_or_else(Failure::not_found)?;
    Ok((issue, issue.pull.as_ref().ok_or_else(Failure::not_found)?))
}

fn shape(
    call: &Call<'_>,
    repository: &Repository,
    issue: &Issue,
    pull: &Pull,
) -> Result<Value, Failure> {
    let head = call.forge.named(&pull.head_repository)?;
    Ok(call.pull(repository, head.as_ref(), issue, pull))
}

/// A pull request as its own address tells it.
async fn whole(call: &Call<'_>, repository: &Repository, number: u64) -> Result<Value, Failure> {
    let (issue, pull) = parts(repository, number)?;
    let path = &repository.path;
    let (from, to) = (pull.base_sha.as_str(), pull.head_sha.as_str());
    let parted = git::merge_base(path, from, to).await?.unwrap_or_else(|| from.to_owned());
    let changes = crate::git::stat(path, &parted, to).await?;
    let commits = git::ahead(path, &parted, to).await?;
    let mergeable = if issue.closed_at.is_some() {
        (None, "unknown")
    } else if git::merged_tree(path, from, to).await?.is_none() {
        (Some(false), "dirty")
    } else if pull.draft {
        (Some(true), "draft")
    } else {
        (Some(true), "clean")
    };
    let shape = shape(call, repository, issue, pull)?;
    Ok(call.whole_pull(shape, issue, pull, mergeable, (commits, changes)))
}

pub(super) async fn list(call: &Call<'_>, found: &Found) -> Answered {
    let change = follow(call.forge, &found.repository).await?;
    let state = call.asked("state").unwrap_or("open");
    // Without an owner in front the filter is none.
    let head = call.asked("head").and_then(|head| head.split_once(':'));
    let mut shapes = Vec::new();
    for issue in &change.record.issues {
        let Some(pull) = &issue.pull else { continue };
        let owner = pull.head_repository.split('/').next().unwrap_or_default();
        let fits = (state == "all" || issue.state() == state)
            && head.is_none_or(|(login, branch)| {
                owner.eq_ignore_ascii_case(login) && pull.head == branch
            })
            && call.asked("base").is_none_or(|base| pull.base == base);
        if fits {
            let by = if call.asked("sort") == Some("updated") { &issue.updated_at } else { "" };
            shapes.push(((by.to_owned(), issue.number), shape(call, &change, issue, pull)?));
        }
    }
    shapes.sort_by(|(one, _), (other, _)| one.cmp(other));
    if call.asked("direction") != Some("asc") {
        shapes.reverse();
    }
    let shapes: Vec<Value> = shapes.into_iter().map(|(_, shape)| shape).collect();
    call.page(&shapes)
}

pub(super) async fn show(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    let change = follow(call.forge, &found.repository).await?;
    Answer::ok(whole(call, &change, number).await?)
}

/// Where the head of a new pull request is: the repository and the branch.
fn head_of(
    call: &Call<'_>,
    base: &Repository,
    head: &str,
) -> Result<(Repository, String), Failure> {
    let invalid = || Failure::field("PullRequest", "head", "invalid");
    let (owner, branch) = head.split_once(':').unwrap_or((&base.owner, head));
    if let Some(name) = call.text("head_repo")? {
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        let found = call.forge.repository(owner, &name)?.ok_or_else(invalid)?;
        return Ok((found, branch.to_owned()));
    }
    if owner.eq_ignore_ascii_case(&base.owner) {
        return Ok((base.clone(), branch.to_owned()));
    }
    let name = base.full_name();
    let is_fork = |one: &Repository| {
        one.owner.eq_ignore_ascii_case(owner)
            && (one.record.fork_of.as_ref() == Some(&name)
                || base.record.fork_of.as_ref() == Some(&one.full_name()))
    };
    let fork = call.forge.repositories()?.into_iter().find(is_fork);
    Ok((fork.ok_or_else(invalid)?, branch.to_owned()))
}

pub(super) async fn create(call: &Call<'_>, found: &Found) -> Answered {
    const KIND: &str = "PullRequest";
    let login = call.viewer()?.user.login.clone();
    let title = needed(call, KIND, "title")?;
    let (head, base) = (needed(call, KIND, "head")?, needed(call, KIND, "base")?);
    let body = call.text("body")?;
    fits(KIND, "title", Some(&title), MAX_TITLE)?;
    fits(KIND, "body", body.as_deref(), MAX_BODY)?;
    let mut change = follow(call.forge, &found.repository).await?;
    let (head_repository, head) = head_of(call, &change, &head)?;
    let path = change.path.clone();
    let base_sha = git::branch(&path, &base).await?;
    let base_sha = base_sha.ok_or_else(|| Failure::field(KIND, "base", "invalid"))?;
    let head_sha = git::branch(&head_repository.path, &head).await?;
    let head_sha = head_sha.ok_or_else(|| Failure::field(KIND, "head", "invalid"))?;
    let own_name = change.full_name();
    let mut pull = Pull {
        base,
        base_sha,
        head,
        head_repository: head_repository.full_name(),
        draft: call.body["draft"].as_bool() == Some(true),
        ..Pull::default()
    };
    let same = |issue: &&Issue| {
        issue.closed_at.is_none()
            && issue.pull.as_ref().is_some_and(|one| {
                (&one.base, &one.head, &one.head_repository)
                    == (&pull.base, &pull.head, &pull.head_repository)
            })
    };
    if change.record.issues.iter().any(|issue| same(&issue)) {
        let words =
            format!("A pull request already exists for {}:{}.", head_repository.owner, pull.head);
        return Err(Failure::custom(KIND, None, &words));
    }
    let number = change.record.next_number();
    take_head(call.forge, &path, &own_name, number, &mut pull, &head_sha).await?;
    let refused = if git::merge_base(&path, &pull.base_sha, &head_sha).await?.is_none() {
        Some(format!("The {} branch has no history in common with {}", pull.head, pull.base))
    } else if git::ahead(&path, &pull.base_sha, &head_sha).await? == 0 {
        Some(format!("No commits between {} and {}", pull.base, pull.head))
    } else {
        None
    };
    if let Some(words) = refused {
        git::remove(&path, &format!("refs/pull/{number}/head")).await?;
        return Err(Failure::custom(KIND, None, &words));
    }
    change.record.issues.push(Issue {
        number,
        title,
        body,
        login,
        created_at: now(),
        updated_at: now(),
        pull: Some(pull),
        ..Issue::default()
    });
    change.save()?;
    Answer::created(whole(call, &change, number).await?)
}

pub(super) async fn change(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    const KIND: &str = "PullRequest";
    let login = call.viewer()?.user.login.clone();
    let mut change = follow(call.forge, &found.repository).await?;
    let (issue, _) = parts(&change, number)?;
    if issue.login != login {
        found.may_write(call)?;
    }
    let (title, body) = (call.text("title")?, call.text("body")?);
    fits(KIND, "title", title.as_deref(), MAX_TITLE)?;
    fits(KIND, "body", body.as_deref(), MAX_BODY)?;
    if title.as_ref().is_some_and(|title| title.trim().is_empty()) {
        return Err(Failure::field(KIND, "title", "missing_field"));
    }
    let base = call.text("base")?;
    let base_sha = match &base {
        Some(base) => Some(
            git::branch(&change.path, base)
                .await?
                .ok_or_else(|| Failure::field(KIND, "base", "invalid"))?,
        ),
        None => None,
    };
    let state = call.text("state")?;
    let issue = change.record.issue_mut(number).ok_or_else(Failure::not_found)?;
    let merged = issue.pull.as_ref().is_some_and(|pull| pull.merged.is_some());
    match state.as_deref() {
        Some("closed") if issue.closed_at.is_none() => issue.closed_at = Some(now()),
        Some("open") if merged => {
            return Err(Failure::custom(KIND, Some("state"), "state cannot be changed."));
        }
        Some("open") => issue.closed_at = None,
        None | Some("closed") => {}
        Some(_) => return Err(Failure::field(KIND, "state", "invalid")),
    }
    issue.title = title.unwrap_or_else(|| issue.title.clone());
    if call.body.get("body").is_some() {
        issue.body = body;
    }
    if let (Some(base), Some(sha), Some(pull)) = (base, base_sha, &mut issue.pull) {
        (pull.base, pull.base_sha) = (base, sha);
    }
    issue.updated_at = now();
    change.save()?;
    Answer::ok(whole(call, &change, number).await?)
}

pub(super) fn is_merged(found: &Found, number: u64) -> Answered {
    let (_, pull) = parts(&found.repository, number)?;
    if pull.merged.is_some() { Answer::nothing() } else { Err(Failure::not_found()) }
}

pub(super) async fn merge(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    found.may_write(call)?;
    let who = call.viewer()?.user.clone();
    let method = match call.text("merge_method")?.as_deref() {
        None | Some("merge") => Method::Merge,
        Some("squash") => Method::Squash,
        Some("rebase") => Method::Rebase,
        Some(_) => return Err(Failure::field("PullRequest", "merge_method", "invalid")),
    };
    let mut change = follow(call.forge, &found.repository).await?;
    let (issue, pull) = parts(&change, number)?;
    let refuse = |words: &str| Err(Failure::new(StatusCode::METHOD_NOT_ALLOWED, words));
    if issue.closed_at.is_some() {
        return refuse("Pull Request is not mergeable");
    }
    if pull.draft {
        return refuse("Pull Request is still a draft");
    }
    if call.text("sha")?.is_some_and(|sha| sha != pull.head_sha) {
        let words = "Head branch was modified. Review and try the merge again.";
        return Err(Failure::new(StatusCode::CONFLICT, words));
    }
    let base = git::branch(&change.path, &pull.base).await?;
    let base = base.ok_or_else(|| Failure::field("PullRequest", "base", "invalid"))?;
    let head_owner = pull.head_repository.split('/').next().unwrap_or_default();
    let title = call.text("commit_title")?.unwrap_or_else(|| match method {
        Method::Squash => format!("{} (#{number})", issue.title),
        _ => format!("Merge pull request #{number} from {head_owner}/{}", pull.head),
    });
    let message = call.text("commit_message")?.unwrap_or_else(|| match method {
        Method::Squash => issue.body.clone().unwrap_or_default(),
        _ => issue.title.clone(),
    });
    let message = format!("{title}\n\n{message}");
    let made =
        git::merge(&change.path, method, (&base, &pull.head_sha), &who, message.trim_end()).await?;
    let Some(made) = made else { return refuse("Pull Request is not mergeable") };
    // Refused by git if a push came in between.
    git::set(&change.path, &format!("refs/heads/{}", pull.base), &made, Some(&base)).await?;
    let issue = change.record.issue_mut(number).ok_or_else(Failure::not_found)?;
    issue.closed_at = Some(now());
    issue.updated_at = now();
    if let Some(pull) = &mut issue.pull {
        pull.base_sha = base;
        pull.merged = Some(Merged { at: now(), by: who.login, commit: made.clone() });
    }
    change.save()?;
    Answer::ok(json!({
        "sha": made, "merged": true, "message": "Pull Request successfully merged",
    }))
}

/// The files that differ between two commits.
pub(super) async fn changed_files(
    call: &Call<'_>,
    repository: &Repository,
    from: &str,
    to: &str,
) -> Result<Vec<Value>, Failure> {
    let path = &repository.path;
    let (old, new) = (git::files(path, from).await?, git::files(path, to).await?);
    let of = format!("{}/repos/{}", call.api(), repository.full_name());
    let web = format!("{}/{}", call.web, repository.full_name());
    let mut diff = crate::git::stream(path.clone(), from, to, DiffOptions::default()).await?;
    let mut shapes = Vec::new();
    while let Some(file) = diff.recv().await {
        let file = file?;
        let status = match (file.old_mode.is_empty(), file.new_mode.is_empty()) {
            (true, _) => "added",
            (_, true) => "removed",
            _ if !file.old_path.is_empty() && file.old_path != file.path => "renamed",
            _ => "modified",
        };
        let id = new.get(&file.path).or_else(|| old.get(&file.path));
        let end: String = form_urlencoded::byte_serialize(file.path.as_bytes()).collect();
        let mut shape = json!({
            "sha": id, "filename": file.path, "status": status, "additions": file.additions,
            "deletions": file.deletions, "changes": file.additions + file.deletions,
            "blob_url": format!("{web}/blob/{to}/{end}"), "raw_url": format!("{web}/raw/{to}/{end}"),
            "contents_url": format!("{of}/contents/{end}?ref={to}"),
        });
        if status == "renamed" {
            shape["previous_filename"] = json!(file.old_path);
        }
        // Only the hunks, as GitHub has it.
        let patch = String::from_utf8_lossy(&file.patch);
        if let Some(begin) = patch.find("\n@@ ").filter(|_| patch.len() <= MAX_PATCH) {
            shape["patch"] = json!(patch[begin + 1..].trim_end());
        }
        shapes.push(shape);
    }
    Ok(shapes)
}

/// A pull request with where it parted from its base.
async fn range(
    call: &Call<'_>,
    found: &Found,
    number: u64,
) -> Result<(Repository, String, String), Failure> {
    let repository = Repository::clone(&*follow(call.forge, &found.repository).await?);
    let (_, pull) = parts(&repository, number)?;
    let (from, to) = (pull.base_sha.clone(), pull.head_sha.clone());
    let parted = git::merge_base(&repository.path, &from, &to).await?.unwrap_or(from);
    Ok((repository, parted, to))
}

pub(super) async fn files(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    let (repository, from, to) = range(call, found, number).await?;
    call.page(&changed_files(call, &repository, &from, &to).await?)
}

pub(super) async fn commits(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    let (repository, from, to) = range(call, found, number).await?;
    let mut list = git::log(&repository.path, Some(&from), &to).await?;
    list.reverse();
    let shapes: Vec<Value> = list.iter().map(|one| call.commit(&repository, one)).collect();
    call.page(&shapes)
}
