//! Where the account may not push to the repository itself: the branch goes to the account's own copy of it, and the pull
//! request comes from there.

use std::time::Duration;

use aloft_proto::v1::Thread;

use crate::{
    forge::{self, Making},
    git::Remote,
    runner::{Error, Obstacle, Runner, pull_request::at_forge::At},
};

/// How long a new copy is waited for: a forge answers before it has made it.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at it.
const AGAIN: Duration = Duration::from_secs(1);

impl Runner {
    /// The copy to push to, and the branch as its pull request names it.
    pub(super) async fn fork_of(
        &self,
        thread: &Thread,
        at: &At<'_>,
    ) -> Result<(Remote, String), Error> {
        let login = &at.account.person.login;
        let (name, host) = (at.name.to_owned(), at.account.host());
        let denied = |why: &forge::Error| {
            let (login, why) = (login.clone(), why.to_string());
            Obstacle::PushDenied { name, host, login, why }
        };
        let made = match at.forge.own_fork(at.name, login).await {
            Ok(Some(own)) => Ok(own),
            Ok(None) => at.forge.fork(at.name, login).await,
            Err(error) => Err(error),
        };
        let made = made.map_err(|error| match error {
            // Whatever the reason is: there is no copy.
            forge::Error::Denied { .. }
            | forge::Error::NotFound { .. }
            | forge::Error::Invalid { .. } => Error::from(denied(&error)),
            error => error.into(),
        })?;
        let copy = made.name.clone();
        let fork = match tokio::time::timeout(PATIENCE, whole(at, made)).await {
            Ok(whole) => whole?,
            Err(_) => return Err(Obstacle::ForkUnfinished { name: copy }.into()),
        };
        let owner = fork.name.split('/').next().unwrap_or_default();
        Ok((at.account.remote(&fork.name), format!("{owner}:{}", thread.branch)))
    }
}

/// The copy, once something can be pushed to it.
async fn whole(at: &At<'_>, mut copy: forge::Repository) -> Result<forge::Repository, Error> {
    loop {
        match copy.making {
            Making::Done => {
                if at.forge.has_branch(&copy.name, &copy.default_branch).await? {
                    return Ok(copy);
                }
            }
            Making::UnderWay => {}
            Making::Failed => {
                let host = at.account.host();
                return Err(Obstacle::ForkFailed { name: copy.name, host }.into());
            }
        }
        tokio::time::sleep(AGAIN).await;
        if copy.making == Making::UnderWay {
            copy = at.forge.repository(&copy.name).await?;
        }
    }
}
