//! A thread's branch on its way to where its repository came from.
//!
//! Only that branch is pushed, and nothing is ever overwritten that the thread did not push itself.

use std::time::Duration;

use crate::git::command::Git;
use crate::git::mirror::source::Source;
use crate::git::names::{check_ref, is_object_id};
use crate::git::snapshot::{Snapshots, check_commits};
use crate::git::{Error, Remote, Result};

const TIMEOUT: Duration = Duration::from_secs(3600);
/// The most of a server's words that are kept.
const WORDS: usize = 600;

impl Snapshots {
    /// Makes `branch` of the remote point to `commit`. The branch may be new there, or stand at one of the commits in `own`,
    /// which the thread pushed before; anything else is [`Error::BranchMoved`]. Gives what the server said.
    pub async fn push(
        &self,
        thread: &str,
        remote: &Remote,
        branch: &str,
        commit: &str,
        own: &[String],
    ) -> Result<String> {
        let path = self.existing(thread)?;
        let name = format!("refs/heads/{branch}");
        check_ref(&name)?;
        check_commits(&path, &[commit]).await?;
        let source = Source::of_remote(remote)?;
        let moved = || Error::BranchMoved { branch: branch.to_owned(), url: source.url.clone() };
        let there = source.commit_of(&name).await?;
        let expected = match there {
            Some(there) if there == commit => return Ok(String::new()),
            Some(there) if own.contains(&there) && is_object_id(&there) => there,
            Some(_) => return Err(moved()),
            None => String::new(),
        };
        let command = Git::at(&path, "push")
            .args(["push", "--porcelain", "--no-verify", "--no-recurse-submodules"])
            .arg(format!("--force-with-lease={name}:{expected}"))
            .args(["--", &source.url, &format!("{commit}:{name}")])
            .timeout(TIMEOUT);
        let (status, answer, words) = source.with_credentials(command).outcome().await?;
        let words = String::from_utf8_lossy(&words).into_owned();
        if status.success() {
            return Ok(of_the_server(&words));
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let refused = answer.lines().find(|line| line.starts_with('!'));
        let why = refused.and_then(|line| line.rsplit('\t').next()).unwrap_or_default().to_owned();
        if why.contains("stale info") || why.contains("fetch first") {
            return Err(moved());
        }
        let said = of_the_server(&words);
        // Of what git says itself the first is the cause; that the other end hung up follows from it.
        let begins = ["fatal: ", "error: RPC failed"];
        let first = words.lines().find(|line| begins.iter().any(|begin| line.starts_with(begin)));
        let detail = match (why.as_str(), said.as_str()) {
            ("", "") => first.unwrap_or("git gave no reason").to_owned(),
            ("", said) => format!("{}; {said}", first.unwrap_or_default()),
            (why, "") => why.to_owned(),
            (why, said) => format!("{why}: {said}"),
        };
        Err(Error::Push { url: source.url.clone(), detail })
    }
}

/// What the server itself said, in one line.
fn of_the_server(words: &str) -> String {
    let lines: Vec<&str> = words
        .lines()
        .filter_map(|line| line.strip_prefix("remote: "))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let text = lines.join(" ");
    text.chars().take(WORDS).collect()
}
