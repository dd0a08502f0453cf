//! Issues, their comments and labels; a pull request is an issue too.

use serde_json::{Value, json};

use crate::dev_forge::{
    answer::{Answer, Answered, Failure},
    call::Call,
    now,
    record::{Comment, Issue},
    rest::{
        Found, fits, needed, number,
        pulls::{MAX_BODY, MAX_TITLE, follow},
    },
};

const KIND: &str = "Issue";

pub(super) async fn answer(call: &Call<'_>, found: &Found, path: &[&str]) -> Answered {
    match (call.method.as_str(), path) {
        ("GET", []) => list(call, found).await,
        ("POST", []) => create(call, found).await,
        ("GET", [id]) => show(call, found, number(id)?).await,
        ("PATCH", [id]) => change(call, found, number(id)?).await,
        ("GET", [id, "comments"]) => comments(call, found, number(id)?).await,
        ("POST", [id, "comments"]) => comment(call, found, number(id)?).await,
        ("GET", [id, "labels"]) => labels(call, found, number(id)?).await,
        ("POST", [id, "labels"]) => label(call, found, number(id)?, false).await,
        ("PUT", [id, "labels"]) => label(call, found, number(id)?, true).await,
        _ => Err(Failure::not_found()),
    }
}

async fn list(call: &Call<'_>, found: &Found) -> Answered {
    let change = follow(call.forge, &found.repository).await?;
    let state = call.asked("state").unwrap_or("open");
    let fits = |issue: &&Issue| state == "all" || issue.state() == state;
    let issues = change.record.issues.iter().rev().filter(fits);
    let shapes: Vec<Value> = issues.map(|issue| call.issue(&change, issue)).collect();
    call.page(&shapes)
}

async fn create(call: &Call<'_>, found: &Found) -> Answered {
    let login = call.viewer()?.user.login.clone();
    let (title, body) = (needed(call, KIND, "title")?, call.text("body")?);
    fits(KIND, "title", Some(&title), MAX_TITLE)?;
    fits(KIND, "body", body.as_deref(), MAX_BODY)?;
    let mut change = follow(call.forge, &found.repository).await?;
    let issue = Issue {
        number: change.record.next_number(),
        title,
        body,
        login,
        labels: call.texts("labels"),
        created_at: now(),
        updated_at: now(),
        ..Issue::default()
    };
    change.record.issues.push(issue.clone());
    change.save()?;
    Answer::created(call.issue(&change, &issue))
}

async fn show(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    let change = follow(call.forge, &found.repository).await?;
    let issue = change.record.issue(number).ok_or_else(Failure::not_found)?;
    Answer::ok(call.issue(&change, issue))
}

async fn change(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    let login = call.viewer()?.user.login.clone();
    let mut change = follow(call.forge, &found.repository).await?;
    let issue = change.record.issue_mut(number).ok_or_else(Failure::not_found)?;
    if issue.login != login {
        found.may_write(call)?;
    }
    let (title, body) = (call.text("title")?, call.text("body")?);
    fits(KIND, "title", title.as_deref(), MAX_TITLE)?;
    fits(KIND, "body", body.as_deref(), MAX_BODY)?;
    issue.title = title.unwrap_or_else(|| issue.title.clone());
    if call.body.get("body").is_some() {
        issue.body = body;
    }
    if call.body.get("labels").is_some() {
        issue.labels = call.texts("labels");
    }
    match call.text("state")?.as_deref() {
        Some("closed") => issue.closed_at = issue.closed_at.take().or_else(|| Some(now())),
        Some("open") => issue.closed_at = None,
        None => {}
        Some(_) => return Err(Failure::field(KIND, "state", "invalid")),
    }
    issue.updated_at = now();
    let issue = issue.clone();
    change.save()?;
    Answer::ok(call.issue(&change, &issue))
}

async fn comments(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    let change = follow(call.forge, &found.repository).await?;
    let issue = change.record.issue(number).ok_or_else(Failure::not_found)?;
    let since = call.asked("since").unwrap_or_default();
    let shapes: Vec<Value> = issue
        .comments
        .iter()
        .filter(|comment| comment.created_at.as_str() >= since)
        .map(|comment| call.comment(&change, issue, comment))
        .collect();
    call.page(&shapes)
}

async fn comment(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    let login = call.viewer()?.user.login.clone();
    let body = needed(call, "IssueComment", "body")?;
    fits("IssueComment", "body", Some(&body), MAX_BODY)?;
    let mut change = follow(call.forge, &found.repository).await?;
    let comment = Comment { id: change.record.next_id(), login, body, created_at: now() };
    let issue = change.record.issue_mut(number).ok_or_else(Failure::not_found)?;
    issue.comments.push(comment.clone());
    issue.updated_at = now();
    let issue = issue.clone();
    change.save()?;
    Answer::created(call.comment(&change, &issue, &comment))
}

async fn labels(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    let change = follow(call.forge, &found.repository).await?;
    let issue = change.record.issue(number).ok_or_else(Failure::not_found)?;
    let shapes: Vec<Value> = issue.labels.iter().map(|name| call.label(&change, name)).collect();
    call.page(&shapes)
}

async fn label(call: &Call<'_>, found: &Found, number: u64, instead: bool) -> Answered {
    found.may_write(call)?;
    let names = call.texts("labels");
    let mut change = follow(call.forge, &found.repository).await?;
    let issue = change.record.issue_mut(number).ok_or_else(Failure::not_found)?;
    if instead {
        issue.labels.clear();
    }
    for name in names {
        if !issue.labels.contains(&name) {
            issue.labels.push(name);
        }
    }
    issue.updated_at = now();
    let names = issue.labels.clone();
    change.save()?;
    Answer::ok(json!(names.iter().map(|name| call.label(&change, name)).collect::<Vec<_>>()))
}

pub(super) async fn make_label(call: &Call<'_>, found: &Found) -> Answered {
    found.may_write(call)?;
    let name = needed(call, "Label", "name")?;
    let mut change = follow(call.forge, &found.repository).await?;
    if change.record.has_label(&name) {
        return Err(Failure::field("Label", "name", "already_exists"));
    }
    change.record.labels.push(name.clone());
    change.save()?;
    Answer::created(call.label(&change, &name))
}

pub(super) fn show_label(call: &Call<'_>, found: &Found, name: &str) -> Answered {
    if !found.repository.record.has_label(name) {
        return Err(Failure::not_found());
    }
    Answer::ok(call.label(&found.repository, name))
}
