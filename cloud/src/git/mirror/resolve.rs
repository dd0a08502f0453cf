//! From what a person calls a commit to the commit.

use std::path::Path;

use crate::git::command::Git;
use crate::git::mirror::source::Source;
use crate::git::mirror::{Mirrors, Resolved, Tip, tips};
use crate::git::names::{check_ref, is_object_id};
use crate::git::{Error, Result};

/// How alike a name must be to be suggested, from 0 to 1.
const ALIKE: f64 = 0.8;
const MOST_SUGGESTIONS: usize = 3;
const USUAL_BRANCHES: &[&str] = &["refs/heads/main", "refs/heads/master"];

impl Mirrors {
    /// The commit of a branch, a tag, or a whole or shortened commit id; empty = the default branch. A commit or a
    /// `refs/…` name that the mirror lacks is asked for at its source.
    pub async fn resolve(&self, id: &str, reference: &str) -> Result<Resolved> {
        let path = self.existing(id)?;
        if reference.is_empty() || reference == "HEAD" {
            return default_branch(&path, id).await;
        }
        if let Some(found) = named(&path, reference).await? {
            return Ok(found);
        }
        let may_be_id = (4..=64).contains(&reference.len())
            && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut commit = if may_be_id { commit_of(&path, reference).await? } else { None };
        if commit.is_none() {
            commit = self.ask_source(id, &path, reference).await?;
        }
        if let Some(commit) = commit {
            return Ok(Resolved { commit, name: reference.to_owned(), is_branch: false });
        }
        let tips = tips(&path).await?;
        if tips.is_empty() {
            return Err(Error::Empty(id.to_owned()));
        }
        Err(Error::UnknownRef {
            reference: reference.to_owned(),
            near: near_names(reference, &tips),
        })
    }

    /// Servers give commits, and refs such as `refs/pull/1/head`, that they do not advertise, when asked by name.
    async fn ask_source(&self, id: &str, path: &Path, reference: &str) -> Result<Option<String>> {
        let name = format!("refs/aloft/fetched/{}", reference.trim_start_matches("refs/"));
        if !(is_object_id(reference) || reference.starts_with("refs/")) || check_ref(&name).is_err()
        {
            return Ok(None);
        }
        let Some(source) = Source::of(path).await? else { return Ok(None) };
        let gate = self.gate(id);
        let _exclusive = self.exclusive(id, &gate).await?;
        match source.fetch(path, &[], &[&format!("+{reference}:{name}")], None).await {
            Ok(()) => commit_of(path, &name).await,
            Err(error) => {
                tracing::debug!(%error, "the source does not give what was asked for by name");
                Ok(None)
            }
        }
    }
}

async fn default_branch(path: &Path, id: &str) -> Result<Resolved> {
    let head = Git::at(path, "find the default branch")
        .args(["symbolic-ref", "--quiet", "HEAD"])
        .line_if_any()
        .await?;
    if let Some(commit) = commit_of(path, "HEAD").await? {
        let branch = head.as_deref().and_then(|name| name.strip_prefix("refs/heads/"));
        return Ok(Resolved {
            commit,
            name: branch.unwrap_or("HEAD").to_owned(),
            is_branch: branch.is_some(),
        });
    }
    // The source's HEAD names a branch that is not there.
    let tips = tips(path).await?;
    let branches: Vec<(&str, &Tip)> =
        tips.iter().filter_map(|tip| Some((tip.name.strip_prefix("refs/heads/")?, tip))).collect();
    let usual = branches.iter().find(|(_, tip)| USUAL_BRANCHES.contains(&tip.name.as_str()));
    match usual.or(if branches.len() == 1 { branches.first() } else { None }) {
        Some((name, tip)) => {
            Ok(Resolved { commit: tip.commit.clone(), name: (*name).to_owned(), is_branch: true })
        }
        None if tips.is_empty() => Err(Error::Empty(id.to_owned())),
        None => {
            Err(Error::UnknownRef { reference: "HEAD".to_owned(), near: near_names("main", &tips) })
        }
    }
}

async fn named(path: &Path, reference: &str) -> Result<Option<Resolved>> {
    for (folder, is_branch) in [("refs/heads/", true), ("refs/tags/", false)] {
        let short = reference.strip_prefix(folder).unwrap_or(reference);
        let name = format!("{folder}{short}");
        if (reference.starts_with("refs/") && name != reference) || check_ref(&name).is_err() {
            continue;
        }
        if let Some(commit) = commit_of(path, &name).await? {
            return Ok(Some(Resolved { commit, name: short.to_owned(), is_branch }));
        }
    }
    Ok(None)
}

async fn commit_of(path: &Path, name: &str) -> Result<Option<String>> {
    Git::at(path, "resolve a reference")
        .args(["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])
        .line_if_any()
        .await
}

fn near_names(reference: &str, tips: &[Tip]) -> Vec<String> {
    let wanted = reference.to_lowercase();
    let wanted = wanted.strip_prefix("origin/").unwrap_or(&wanted);
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let contained = wanted.len() > 2 && (name.contains(wanted) || wanted.contains(&name));
        f64::max(strsim::jaro_winkler(&name, wanted), if contained { 0.95 } else { 0.0 })
    };
    let short = |tip: &Tip| {
        tip.name
            .strip_prefix("refs/heads/")
            .or_else(|| tip.name.strip_prefix("refs/tags/"))
            .map(str::to_owned)
    };
    let names = tips.iter().filter_map(short);
    let mut near: Vec<(f64, String)> = names
        .map(|name| (likeness(&name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    near.dedup_by(|a, b| a.1 == b.1);
    near.into_iter().take(MOST_SUGGESTIONS).map(|(_, name)| name).collect()
}
