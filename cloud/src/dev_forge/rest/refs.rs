//! Branches, refs and commits, as git has them at this moment.

use serde_json::{Value, json};

use crate::dev_forge::{
    answer::{Answer, Answered, Failure},
    call::Call,
    git,
    rest::{Found, needed, no_commit, pulls},
};

pub(super) async fn branches(call: &Call<'_>, found: &Found) -> Answered {
    let all = git::branches(&found.repository.path).await?;
    let wanted = call.asked("protected").map(|text| text == "true");
    let is_protected = |name: &str| found.repository.record.protected.iter().any(|one| one == name);
    let shapes: Vec<Value> = all
        .iter()
        .filter(|(name, _)| wanted.is_none_or(|wanted| is_protected(name) == wanted))
        .map(|(name, sha)| call.branch(&found.repository, name, sha))
        .collect();
    call.page(&shapes)
}

pub(super) async fn branch(call: &Call<'_>, found: &Found, name: &str) -> Answered {
    let path = &found.repository.path;
    let sha = git::branch(path, name).await?;
    let sha =
        sha.ok_or_else(|| Failure::new(axum::http::StatusCode::NOT_FOUND, "Branch not found"))?;
    let commit = one(path, &sha).await?;
    Answer::ok(call.whole_branch(&found.repository, name, &commit))
}

async fn one(path: &std::path::Path, sha: &str) -> Result<git::Commit, Failure> {
    let commits = git::log(path, None, sha).await?;
    commits.into_iter().next().ok_or_else(|| no_commit(sha))
}

pub(super) async fn create(call: &Call<'_>, found: &Found) -> Answered {
    found.may_write(call)?;
    let name = needed(call, "Reference", "ref")?;
    let sha = needed(call, "Reference", "sha")?;
    let path = &found.repository.path;
    let branch = name.strip_prefix("refs/heads/").or(name.strip_prefix("refs/tags/"));
    let fits = match branch {
        Some(branch) => git::is_branch_name(path, branch).await?,
        None => false,
    };
    if !fits {
        return Err(Failure::custom("Reference", Some("ref"), "Reference name is not valid."));
    }
    let Some(commit) = git::commit(path, &sha).await?.filter(|commit| *commit == sha) else {
        return Err(Failure::new(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            "Object does not exist",
        ));
    };
    let _alone = call.forge.change(&found.repository).await?;
    if git::commit(path, &name).await?.is_some() {
        return Err(Failure::new(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            "Reference already exists",
        ));
    }
    git::set(path, &name, &commit, None).await?;
    Answer::created(call.reference(&found.repository, &name, &commit))
}

pub(super) async fn show(call: &Call<'_>, found: &Found, name: &str) -> Answered {
    let name = format!("refs/{name}");
    let sha = git::commit(&found.repository.path, &name).await?;
    let sha = sha.ok_or_else(Failure::not_found)?;
    Answer::ok(call.reference(&found.repository, &name, &sha))
}

pub(super) async fn remove(call: &Call<'_>, found: &Found, name: &str) -> Answered {
    found.may_write(call)?;
    let path = &found.repository.path;
    let allowed = name.strip_prefix("heads/").or(name.strip_prefix("tags/"));
    let protected =
        |branch: &str| found.repository.record.protected.iter().any(|one| one == branch);
    let name = match allowed {
        Some(branch) if !protected(branch) => format!("refs/{name}"),
        _ => {
            return Err(Failure::new(
                axum::http::StatusCode::UNPROCESSABLE_ENTITY,
                "Cannot delete this protected ref",
            ));
        }
    };
    let _alone = call.forge.change(&found.repository).await?;
    if git::commit(path, &name).await?.is_none() {
        return Err(Failure::new(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            "Reference does not exist",
        ));
    }
    git::remove(path, &name).await?;
    Answer::nothing()
}

pub(super) async fn commits(call: &Call<'_>, found: &Found) -> Answered {
    let repository = &found.repository;
    let wanted = call.asked("sha").map_or_else(|| repository.default_branch(), str::to_owned);
    let Some(sha) = git::commit(&repository.path, &wanted).await? else {
        let empty = git::branches(&repository.path).await?.is_empty();
        return Err(if empty {
            Failure::new(axum::http::StatusCode::CONFLICT, "Git Repository is empty.")
        } else {
            Failure::not_found()
        });
    };
    let list = git::log(&repository.path, None, &sha).await?;
    let shapes: Vec<Value> = list.iter().map(|one| call.commit(repository, one)).collect();
    call.page(&shapes)
}

pub(super) async fn commit(call: &Call<'_>, found: &Found, name: &str) -> Answered {
    let repository = &found.repository;
    let sha = git::commit(&repository.path, name).await?.ok_or_else(|| no_commit(name))?;
    let commit = one(&repository.path, &sha).await?;
    let mut shape = call.commit(repository, &commit);
    let (files, stat) = match commit.parents.first() {
        Some(parent) => (
            pulls::changed_files(call, repository, parent, &sha).await?,
            crate::git::stat(&repository.path, parent, &sha).await?,
        ),
        None => (Vec::new(), aloft_proto::v1::DiffStat::default()),
    };
    shape["files"] = json!(files);
    shape["stats"] = json!({
        "additions": stat.additions, "deletions": stat.deletions,
        "total": stat.additions + stat.deletions,
    });
    Answer::ok(shape)
}

pub(super) async fn compare(call: &Call<'_>, found: &Found, range: &str) -> Answered {
    let repository = &found.repository;
    let path = &repository.path;
    let (base, head) = range.split_once("...").ok_or_else(Failure::not_found)?;
    let (Some(from), Some(to)) = (git::commit(path, base).await?, git::commit(path, head).await?)
    else {
        return Err(Failure::not_found());
    };
    let parted = git::merge_base(path, &from, &to).await?.ok_or_else(Failure::not_found)?;
    let (ahead, behind) =
        (git::ahead(path, &from, &to).await?, git::ahead(path, &to, &from).await?);
    let mut list = git::log(path, Some(&from), &to).await?;
    list.reverse();
    let commits: Vec<Value> = list.iter().map(|one| call.commit(repository, one)).collect();
    let page = format!("{}/{}/compare/{range}", call.web, repository.full_name());
    let status = match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    Answer::ok(json!({
        "url": format!("{}/repos/{}/compare/{range}", call.api(), repository.full_name()),
        "html_url": page, "permalink_url": page, "diff_url": format!("{page}.diff"),
        "patch_url": format!("{page}.patch"), "status": status, "ahead_by": ahead,
        "behind_by": behind, "total_commits": ahead, "commits": commits,
        "base_commit": call.commit(repository, &one(path, &from).await?),
        "merge_base_commit": call.commit(repository, &one(path, &parted).await?),
        "files": pulls::changed_files(call, repository, &parted, &to).await?,
    }))
}
