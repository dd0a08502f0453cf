//! Where the account may not push to the repository itself: the branch goes to the account's own copy of it, and the pull
//! request comes from there.

use std::time::Duration;

use aloft_proto::v1::Thread;

use crate::{
    forge,
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
        let denied = || Obstacle::PushDenied { name, host, login: login.clone() };
        let own = format!("{login}/{}", at.name.rsplit('/').next().unwrap_or_default());
        let is_of = |parent: &String| parent.eq_ignore_ascii_case(at.name);
        let made = match at.forge.repository(&own).await {
            Ok(own) if own.parent.as_ref().is_some_and(is_of) => Ok(Some(own)),
            Ok(_) | Err(forge::Error::NotFound { .. }) => at.forge.fork(at.name).await,
            Err(error) => Err(error),
        };
        let fork = match made {
            Ok(Some(fork)) => fork,
            // Whatever the reason is: there is no copy.
            Ok(None)
            | Err(
                forge::Error::Denied { .. }
                | forge::Error::NotFound { .. }
                | forge::Error::Invalid { .. },
            ) => return Err(denied().into()),
            Err(error) => return Err(error.into()),
        };
        let whole = async {
            while !at.forge.has_branch(&fork.name, &fork.default_branch).await? {
                tokio::time::sleep(AGAIN).await;
            }
            Ok::<_, forge::Error>(())
        };
        match tokio::time::timeout(PATIENCE, whole).await {
            Ok(seen) => seen?,
            Err(_) => return Err(Obstacle::ForkUnfinished { name: fork.name }.into()),
        }
        let owner = fork.name.split('/').next().unwrap_or_default();
        Ok((at.account.remote(&fork.name), format!("{owner}:{}", thread.branch)))
    }
}
