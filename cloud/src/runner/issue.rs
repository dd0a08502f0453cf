//! The issue a thread is about: found at the forge of its repository, at another one or at a tracker, and read there.

use std::{fmt::Write as _, time::Duration};

use aloft_proto::v1::{self, ImageInput, Input as Part, input};
use futures_util::future::join_all;

use crate::{
    accounts::forges::{self, Account},
    forge::{Issue, Kind, Located, Picture, Reference, Tracker, picture},
    model::{machine::About, naming},
    runner::{Error, Runner, obstacle::Obstacle},
};

/// Pictures that reach the agent, the first.
const PICTURES: usize = 10;
/// Bytes of all of them.
const BYTES: usize = 20 << 20;
/// Characters of what each is called.
const NAME: usize = 300;
/// Pictures that are fetched at once.
const AT_ONCE: usize = 4;
/// How long one of them is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// An issue, found.
#[derive(Debug)]
pub(super) struct Found {
    /// One line.
    pub(super) title: String,
    /// What the agent is told: its words, then its pictures.
    pub(super) parts: Vec<Part>,
    /// As the thread shows it.
    pub(super) shown: v1::Issue,
    /// Which it is.
    pub(super) about: About,
    /// How a pull request of the repository says that it closes it; empty where it cannot.
    pub(super) closes: String,
}

impl Runner {
    /// The issue that a number, a key or an address means for the repository at `url`.
    pub(super) async fn issue(&self, owner: &str, url: &str, asked: &str) -> Result<Found, Error> {
        let near = self.parts().forges.of_repository(owner, url).await?;
        let (account, at) = self.meant(owner, near.as_ref(), url, asked).await?;
        let tracker = account.track()?;
        let issue = tracker.issue(&at).await?;
        let (pictures, told) = pictures(tracker.as_ref(), &issue.pictures).await;
        let words = naming::part(format!("{}{told}", issue.words()));
        let closes = match &near {
            Some((near, own)) if near.host() == account.host() && near.kind.is_forge() => {
                let name = if at.repository == *own { "" } else { &at.repository };
                format!("{name}#{}", issue.key)
            }
            _ => String::new(),
        };
        // A key alone does not say in which workspace it was found.
        let whole = account.reference(&issue.url).filter(|_| !account.kind.is_forge());
        let about = About {
            host: account.host(),
            repository: whole.unwrap_or(at).repository,
            line: line(account.kind, &issue),
            key: issue.key.clone(),
        };
        let shown = v1::Issue { key: issue.key, url: issue.url };
        let parts = std::iter::once(words).chain(pictures).collect();
        Ok(Found { title: issue.title, parts, shown, about, closes })
    }

    /// Whose it is and which. What the repository's own forge understands is meant there.
    async fn meant(
        &self,
        owner: &str,
        near: Option<&(Account, String)>,
        url: &str,
        asked: &str,
    ) -> Result<(Account, Reference), Error> {
        if let Some((account, own)) = near
            && let Some(mut at) = account.reference(asked)
        {
            if at.repository.is_empty() {
                at.repository.clone_from(own);
            }
            if account.kind.takes(&at.repository) {
                return Ok((account.clone(), at));
            }
        }
        let mut found = Vec::new();
        for account in self.parts().forges.list(owner).await? {
            let at = account.reference(asked);
            let whole =
                |at: &Reference| !account.kind.is_forge() || account.kind.takes(&at.repository);
            if let Some(at) = at.filter(whole) {
                found.push((account, at));
            }
        }
        match found.len() {
            0 => Err(unknown(near.is_some(), url, asked).into()),
            1 => Ok(found.swap_remove(0)),
            _ => {
                let hosts = found.iter().map(|(account, _)| account.host()).collect();
                Err(forges::Error::Ambiguous { name: asked.to_owned(), hosts }.into())
            }
        }
    }
}

/// Why nobody knows an issue: mostly an account is missing.
fn unknown(connected: bool, url: &str, asked: &str) -> Obstacle {
    let address = asked.contains("://").then(|| Located::parse(asked.trim())).flatten();
    if let Some(Located { host, .. }) = address
        && (host == "linear.app" || host.ends_with(".atlassian.net"))
    {
        return Obstacle::AccountMissing { host };
    }
    match Located::parse(url) {
        Some(Located { host, .. }) if !connected && Reference::key(asked.trim()).is_none() => {
            Obstacle::AccountMissing { host }
        }
        _ => Obstacle::IssueUnknown { issue: asked.to_owned() },
    }
}

/// What a pull request says of an issue that its forge cannot close. Linear looks for such words and closes it itself.
fn line(kind: Kind, issue: &Issue) -> String {
    let Issue { key, url, .. } = issue;
    match kind {
        Kind::Linear => format!("Fixes {key}: {url}"),
        Kind::Jira | Kind::GitHub | Kind::GitLab | Kind::Forgejo => format!("Issue {key}: {url}"),
    }
}

/// The pictures of an issue, and what the agent is told of them. One that cannot be had costs nothing but itself.
async fn pictures(tracker: &dyn Tracker, all: &[Picture]) -> (Vec<Part>, String) {
    let first = &all[..all.len().min(PICTURES)];
    let mut fetched = Vec::new();
    for some in first.chunks(AT_ONCE) {
        fetched.extend(join_all(some.iter().map(|picture| fetch(tracker, picture))).await);
    }
    let (mut parts, mut shown, mut missing, mut size) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for (picture, fetched) in first.iter().zip(fetched) {
        let name = picture.name.chars().filter(|one| !one.is_control()).take(NAME);
        let name: String = name.collect();
        match fetched {
            Ok((_, data)) if size + data.len() > BYTES => {
                missing.push(format!("{name}: all together they are too large"));
            }
            Ok((mime_type, data)) => {
                size += data.len();
                shown.push(name);
                let image = ImageInput { mime_type: mime_type.to_owned(), data: data.into() };
                parts.push(Part { kind: Some(input::Kind::Image(image)) });
            }
            Err(why) => missing.push(format!("{name}: {why}")),
        }
    }
    let rest = all.len() - first.len();
    if rest > 0 {
        missing.push(format!("{rest} more: only the first {PICTURES} are fetched"));
    }
    let mut told = String::new();
    for (title, names) in [
        ("Its pictures, attached in this order", shown),
        ("Pictures that could not be had", missing),
    ] {
        if !names.is_empty() {
            // Writing to a string does not fail.
            let _ = write!(told, "\n{title}:\n- {}\n", names.join("\n- "));
        }
    }
    (parts, told)
}

async fn fetch(
    tracker: &dyn Tracker,
    picture: &Picture,
) -> Result<(&'static str, Vec<u8>), String> {
    let fetched = tokio::time::timeout(PATIENCE, tracker.picture(picture)).await;
    let bytes = fetched.map_err(|_| "it took too long".to_owned())?;
    let bytes = bytes.map_err(|error| format!("failed to {error}"))?;
    let kind = picture::kind(&bytes).ok_or("it is no PNG, JPEG, GIF or WebP")?;
    Ok((kind, bytes))
}
