//! Checks and statuses of commits. Nothing here runs anything: whoever tests says what came out.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::dev_forge::{
    answer::{Answer, Answered, Failure},
    call::Call,
    git, now,
    record::{Check, Status},
    rest::{Found, needed, no_commit},
};

async fn sha(found: &Found, name: &str) -> Result<String, Failure> {
    git::commit(&found.repository.path, name).await?.ok_or_else(|| no_commit(name))
}

pub(super) async fn runs(call: &Call<'_>, found: &Found, name: &str) -> Answered {
    let sha = sha(found, name).await?;
    let record = &found.repository.record;
    let mut checks: Vec<&Check> = record.checks.iter().filter(|one| one.sha == sha).collect();
    if call.asked("filter") != Some("all") {
        let all = checks.clone();
        checks.retain(|one| !all.iter().any(|two| two.name == one.name && two.id > one.id));
    }
    if let Some(name) = call.asked("check_name") {
        checks.retain(|one| one.name == name);
    }
    let (page, headers) = call.cut(&checks);
    let page: Vec<Value> = page.iter().map(|one| call.check(&found.repository, one)).collect();
    let body = json!({ "total_count": checks.len(), "check_runs": page });
    Ok(Answer { status: StatusCode::OK, body: Some(body), headers })
}

pub(super) fn show(call: &Call<'_>, found: &Found, id: u64) -> Answered {
    let check = found.repository.record.checks.iter().find(|check| check.id == id);
    Answer::ok(call.check(&found.repository, check.ok_or_else(Failure::not_found)?))
}

pub(super) fn annotations(call: &Call<'_>, found: &Found, id: u64) -> Answered {
    let check = found.repository.record.checks.iter().find(|check| check.id == id);
    let check = check.ok_or_else(Failure::not_found)?;
    let shapes: Vec<Value> = check
        .annotations
        .iter()
        .map(|one| {
            let line = one["start_line"].as_u64().unwrap_or(1);
            let path = one["path"].as_str().unwrap_or_default();
            let page = format!("{}/{}", call.web, found.repository.full_name());
            json!({
                "path": path, "blob_href": format!("{page}/blob/{}/{path}", check.sha),
                "start_line": line, "end_line": one["end_line"].as_u64().unwrap_or(line),
                "start_column": null, "end_column": null,
                "annotation_level": one["annotation_level"], "title": one["title"],
                "message": one["message"], "raw_details": one["raw_details"],
            })
        })
        .collect();
    call.page(&shapes)
}

/// Where the log of a job is kept: not here.
pub(super) fn log(found: &Found, job: u64) -> Answered {
    Answer::elsewhere(found.repository.record.logs.get(&job).ok_or_else(Failure::not_found)?)
}

/// Takes over what was sent about a check.
fn read(call: &Call<'_>, check: &mut Check) -> Result<(), Failure> {
    let output = &call.body["output"];
    let of_output = |name: &str| output[name].as_str().map(str::to_owned);
    if let Some(status) = call.text("status")? {
        check.status = status;
    }
    if let Some(conclusion) = call.text("conclusion")? {
        check.conclusion = Some(conclusion);
        "completed".clone_into(&mut check.status);
    }
    if check.status == "completed" && check.conclusion.is_none() {
        return Err(Failure::field("CheckRun", "conclusion", "missing_field"));
    }
    if check.status == "completed" {
        check.completed_at = call.text("completed_at")?.or_else(|| Some(now()));
    }
    check.details_url = call.text("details_url")?.or(check.details_url.take());
    check.title = of_output("title").or(check.title.take());
    check.summary = of_output("summary").or(check.summary.take());
    check.text = of_output("text").or(check.text.take());
    check.annotations.extend(output["annotations"].as_array().cloned().unwrap_or_default());
    Ok(())
}

pub(super) async fn create(call: &Call<'_>, found: &Found) -> Answered {
    found.may_write(call)?;
    let name = needed(call, "CheckRun", "name")?;
    let sha = sha(found, &needed(call, "CheckRun", "head_sha")?).await?;
    let mut change = call.forge.change(&found.repository).await?;
    let mut check = Check {
        id: change.record.next_id(),
        name,
        sha,
        status: "queued".to_owned(),
        conclusion: None,
        details_url: None,
        title: None,
        summary: None,
        text: None,
        annotations: Vec::new(),
        started_at: call.text("started_at")?.unwrap_or_else(now),
        completed_at: None,
    };
    read(call, &mut check)?;
    change.record.checks.push(check.clone());
    change.save()?;
    Answer::created(call.check(&change, &check))
}

pub(super) async fn change(call: &Call<'_>, found: &Found, id: u64) -> Answered {
    found.may_write(call)?;
    let mut change = call.forge.change(&found.repository).await?;
    let check = change.record.checks.iter_mut().find(|check| check.id == id);
    let check = check.ok_or_else(Failure::not_found)?;
    read(call, check)?;
    let check = check.clone();
    change.save()?;
    Answer::ok(call.check(&change, &check))
}

pub(super) async fn status(call: &Call<'_>, found: &Found, name: &str) -> Answered {
    let sha = sha(found, name).await?;
    let all = &found.repository.record.statuses;
    let mine = all.iter().filter(|one| one.sha == sha);
    let newest: Vec<&Status> = mine
        .filter(|one| {
            !all.iter().any(|two| two.sha == sha && two.context == one.context && two.id > one.id)
        })
        .collect();
    let has = |state: &str| newest.iter().any(|one| one.state == state);
    let state = if has("failure") || has("error") {
        "failure"
    } else if has("pending") || newest.is_empty() {
        "pending"
    } else {
        "success"
    };
    let (page, headers) = call.cut(&newest);
    let page: Vec<Value> = page.iter().map(|one| call.status(&found.repository, one)).collect();
    let of = format!("{}/repos/{}", call.api(), found.repository.full_name());
    let body = json!({
        "state": state, "sha": sha, "total_count": newest.len(), "statuses": page,
        "repository": call.repository(&found.repository),
        "commit_url": format!("{of}/commits/{sha}"), "url": format!("{of}/commits/{sha}/status"),
    });
    Ok(Answer { status: StatusCode::OK, body: Some(body), headers })
}

pub(super) async fn set_status(call: &Call<'_>, found: &Found, name: &str) -> Answered {
    found.may_write(call)?;
    let login = call.viewer()?.user.login.clone();
    let sha = sha(found, name).await?;
    let state = needed(call, "Status", "state")?;
    if !["error", "failure", "pending", "success"].contains(&state.as_str()) {
        return Err(Failure::field("Status", "state", "invalid"));
    }
    let mut change = call.forge.change(&found.repository).await?;
    let status = Status {
        id: change.record.next_id(),
        sha,
        state,
        context: call.text("context")?.unwrap_or_else(|| "default".to_owned()),
        description: call.text("description")?,
        target_url: call.text("target_url")?,
        login,
        created_at: now(),
    };
    change.record.statuses.push(status.clone());
    change.save()?;
    let mut shape = call.status(&change, &status);
    shape["creator"] = call.user(&status.login);
    Answer::created(shape)
}
