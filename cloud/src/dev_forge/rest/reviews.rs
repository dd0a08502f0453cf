//! Reviews, comments on lines, and who is asked for them.

use axum::http::StatusCode;
use serde_json::Value;

use crate::dev_forge::{
    answer::{Answer, Answered, Failure},
    call::Call,
    now,
    record::{Pull, Remark, Review},
    rest::{
        Found, fits, needed,
        pulls::{MAX_BODY, follow, show},
    },
};

fn pull_mut(
    record: &mut crate::dev_forge::record::Record,
    number: u64,
) -> Result<&mut Pull, Failure> {
    let issue = record.issue_mut(number).ok_or_else(Failure::not_found)?;
    issue.updated_at = now();
    issue.pull.as_mut().ok_or_else(Failure::not_found)
}

/// Asks people for a review, or asks them no more.
pub(super) async fn ask(call: &Call<'_>, found: &Found, number: u64, add: bool) -> Answered {
    found.may_write(call)?;
    let names = call.texts("reviewers");
    {
        let mut change = follow(call.forge, &found.repository).await?;
        let author = change.record.issue(number).map(|issue| issue.login.clone());
        let author = author.ok_or_else(Failure::not_found)?;
        for name in &names {
            let known = call.forge.accounts().user(name).is_some();
            let refused = |words: &str| Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, words));
            if add && *name == author {
                return refused("Review cannot be requested from pull request author.");
            }
            if add && !known {
                return refused(
                    "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the repository.",
                );
            }
        }
        let pull = pull_mut(&mut change.record, number)?;
        pull.reviewers.retain(|one| !names.contains(one));
        if add {
            pull.reviewers.extend(names);
        }
        change.save()?;
    }
    let mut answer = show(call, found, number).await?;
    answer.status = if add { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer)
}

pub(super) async fn list(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    let change = follow(call.forge, &found.repository).await?;
    let pull = change.record.issue(number).and_then(|issue| issue.pull.as_ref());
    let reviews = &pull.ok_or_else(Failure::not_found)?.reviews;
    let shapes: Vec<Value> =
        reviews.iter().map(|review| call.review(&change, number, review)).collect();
    call.page(&shapes)
}

pub(super) async fn create(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    let login = call.viewer()?.user.login.clone();
    let body = call.text("body")?.unwrap_or_default();
    fits("PullRequestReview", "body", Some(&body), MAX_BODY)?;
    let event = call.text("event")?.unwrap_or_else(|| "COMMENT".to_owned());
    let state = match event.as_str() {
        "COMMENT" => "COMMENTED".to_owned(),
        "REQUEST_CHANGES" => "CHANGES_REQUESTED".to_owned(),
        // What is left says yes; the state is that word in the past.
        yes if yes.ends_with("OVE") => format!("{yes}D"),
        _ => return Err(Failure::field("PullRequestReview", "event", "invalid")),
    };
    let mut change = follow(call.forge, &found.repository).await?;
    let (id, at) = (change.record.next_id(), now());
    let remarks = call.body["comments"].as_array().cloned().unwrap_or_default();
    let ids: Vec<u64> = remarks.iter().map(|_| change.record.next_id()).collect();
    let issue_author = change.record.issue(number).map(|issue| issue.login.clone());
    if state != "COMMENTED" && issue_author.as_deref() == Some(&login) {
        let words = "Can not give a verdict on your own pull request";
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, words));
    }
    let pull = pull_mut(&mut change.record, number)?;
    let commit = pull.head_sha.clone();
    let review = Review {
        id,
        login: login.clone(),
        body,
        state,
        commit: commit.clone(),
        submitted_at: at.clone(),
    };
    pull.reviewers.retain(|one| *one != login);
    pull.reviews.push(review.clone());
    for (id_of, one) in ids.into_iter().zip(&remarks) {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        pull.remarks.push(Remark {
            id: id_of,
            login: login.clone(),
            body: text("body"),
            path: text("path"),
            line: one["line"].as_u64().unwrap_or(1),
            side: "RIGHT".to_owned(),
            commit: commit.clone(),
            reply_to: None,
            review: Some(id),
            created_at: at.clone(),
        });
    }
    change.save()?;
    Answer::ok(call.review(&change, number, &review))
}

pub(super) async fn remarks(call: &Call<'_>, found: &Found, number: u64) -> Answered {
    let change = follow(call.forge, &found.repository).await?;
    let pull = change.record.issue(number).and_then(|issue| issue.pull.as_ref());
    let pull = pull.ok_or_else(Failure::not_found)?;
    let since = call.asked("since").unwrap_or_default();
    let shapes: Vec<Value> = pull
        .remarks
        .iter()
        .filter(|remark| remark.created_at.as_str() >= since)
        .map(|remark| call.remark(&change, number, pull, remark))
        .collect();
    call.page(&shapes)
}

pub(super) async fn remark(
    call: &Call<'_>,
    found: &Found,
    number: u64,
    reply_to: Option<u64>,
) -> Answered {
    const KIND: &str = "PullRequestReviewComment";
    let login = call.viewer()?.user.login.clone();
    let body = needed(call, KIND, "body")?;
    fits(KIND, "body", Some(&body), MAX_BODY)?;
    let mut change = follow(call.forge, &found.repository).await?;
    let id = change.record.next_id();
    let pull = pull_mut(&mut change.record, number)?;
    let reply_to = reply_to.or_else(|| call.body["in_reply_to"].as_u64());
    let mut new = match reply_to {
        Some(wanted) => {
            let first = pull.remarks.iter().find(|one| one.id == wanted);
            let first = first.ok_or_else(Failure::not_found)?;
            Remark { reply_to: Some(first.reply_to.unwrap_or(first.id)), ..first.clone() }
        }
        None => Remark {
            id,
            login: String::new(),
            body: String::new(),
            path: needed(call, KIND, "path")?,
            line: call.body["line"].as_u64().unwrap_or(1),
            side: call.text("side")?.unwrap_or_else(|| "RIGHT".to_owned()),
            commit: call.text("commit_id")?.unwrap_or_else(|| pull.head_sha.clone()),
            reply_to: None,
            review: None,
            created_at: String::new(),
        },
    };
    (new.id, new.login, new.body, new.created_at) = (id, login, body, now());
    pull.remarks.push(new.clone());
    let pull = pull.clone();
    change.save()?;
    Answer::created(call.remark(&change, number, &pull, &new))
}
