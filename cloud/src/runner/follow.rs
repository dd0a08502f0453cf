//! Follows open pull requests: whether they were merged or closed, and how their checks stand.
//!
//! Each round asks the forges for what is open, with the mark of the answer before, so that what did not change costs nothing.

use std::{collections::HashMap, time::Duration};

use aloft_proto::v1::{PullRequestState, Thread};

use crate::{
    accounts::forges::Account,
    forge::{Forge, State},
    model::machine::{Fact, Followed, Input, Refused},
    runner::{Error, Runner, pull_request::record, stored, whole},
    store::ThreadRow,
};

/// Between two rounds, where nothing else is configured.
const ROUND: Duration = Duration::from_secs(60);
/// Between a forge's call and the round it asks for: what it calls for comes in more than one.
const PAUSE: Duration = Duration::from_secs(1);

/// The ways to forges that were used in the round before: they know the marks.
type Ways = HashMap<(String, String, String), Box<dyn Forge>>;

impl Runner {
    /// Follows all pull requests for as long as the cloud runs.
    pub async fn follow_pull_requests(&self) {
        let configured = self.parts().config.pull_request_seconds;
        let round = configured.map_or(ROUND, |seconds| Duration::from_secs(seconds.max(1)));
        let mut ways = Ways::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep(round) => {}
                // However many call, not oftener than this.
                () = self.shared.look_soon.notified() => tokio::time::sleep(PAUSE).await,
            }
            if let Err(error) = self.look_at_pull_requests(&mut ways).await {
                tracing::warn!(error = whole(&error), "could not look at pull requests");
            }
        }
    }

    /// Lets the next round begin now.
    pub fn look_soon(&self) {
        self.shared.look_soon.notify_one();
    }

    async fn look_at_pull_requests(&self, ways: &mut Ways) -> Result<(), Error> {
        for row in self.parts().store.all_threads().await? {
            let open = row.thread.pull_request.as_ref().is_some_and(|request| {
                matches!(request.state(), PullRequestState::Draft | PullRequestState::Open)
            });
            if !open {
                continue;
            }
            // One that cannot be seen keeps nobody else from being looked at.
            let seen = async {
                self.look_at(&row, ways).await?;
                self.see_to(&row.thread).await
            };
            if let Err(error) = seen.await {
                let thread = &row.thread.id;
                tracing::debug!(thread, error = whole(&error), "could not look at a pull request");
            }
        }
        Ok(())
    }

    async fn look_at(&self, row: &ThreadRow, ways: &mut Ways) -> Result<(), Error> {
        let thread = &row.thread;
        let Some(known) = &thread.pull_request else { return Ok(()) };
        let Some((account, name)) = self.account_of(thread, &known.url).await? else {
            return Ok(());
        };
        let key = (thread.owner.clone(), account.host(), account.person.login.clone());
        let forge = match ways.entry(key) {
            std::collections::hash_map::Entry::Occupied(way) => way.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => free.insert(account.open()?),
        };
        let seen = forge.pull_request(&name, known.number).await;
        let now = match seen {
            Ok(now) => now,
            Err(error) => {
                // The token may be another one by now.
                ways.remove(&(thread.owner.clone(), account.host(), account.person.login.clone()));
                return Err(error.into());
            }
        };
        let mut request = record(&now);
        if matches!(now.state, State::Open | State::Draft) && !now.head.is_empty() {
            let checks = forge.checks(&name, &now.head).await?;
            request.checks = checks.map(|checks| checks.name().to_owned()).unwrap_or_default();
        }
        if request == *known {
            return Ok(());
        }
        let (before, pushed) = (known.clone(), stored::memory(row).pushed.commit);
        let seen = Fact::Followed(Box::new(Followed { before, pushed, request }));
        match self.apply(&thread.owner, &thread.id, Input::Fact(seen), None).await {
            Ok(_) | Err(Error::Refused(Refused::Deleting)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The account that sees a pull request, and the repository it is of.
    pub(super) async fn account_of(
        &self,
        thread: &Thread,
        url: &str,
    ) -> Result<Option<(Account, String)>, Error> {
        let forges = &self.parts().forges;
        let found = forges.of_repository(&thread.owner, repository_of(url)).await?;
        if found.is_some() {
            return Ok(found);
        }
        let known = thread.repository.clone().unwrap_or_default();
        Ok(forges.of_repository(&thread.owner, &known.url).await?)
    }
}

/// The page of the repository, below which that of a pull request is: a word of the forge and a number.
fn repository_of(url: &str) -> &str {
    let page = url.rsplitn(3, '/').nth(2).unwrap_or(url);
    page.strip_suffix("/-").unwrap_or(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_found_however_deep_it_lies() {
        for (url, repository) in [
            ("https://github.com/a/b/pull/7", "https://github.com/a/b"),
            ("https://codeberg.org/a/b/pulls/7", "https://codeberg.org/a/b"),
            ("https://gitlab.com/g/s/b/-/merge_requests/7", "https://gitlab.com/g/s/b"),
            ("https://example.com/forge/a/pull/pull/7", "https://example.com/forge/a/pull"),
            ("https://github.com/a/pulls/pull/7", "https://github.com/a/pulls"),
        ] {
            assert_eq!(repository_of(url), repository);
        }
    }
}
