//! Follows open pull requests: whether they were merged or closed, and how their checks stand.
//!
//! Each round asks the forges for what is open, with the mark of the answer before, so that what did not change costs nothing. A
//! forge that takes no more requests of an account is left alone for as long as it says.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use aloft_proto::v1::{self, PullRequestState, Thread};
use tokio::time::Instant;

use crate::{
    accounts::forges::Account,
    forge::{self, Forge},
    model::machine::{Fact, Followed, Input, Refused},
    runner::{Error, Runner, pull_request::record, stored, whole},
    store::ThreadRow,
};

/// Between two rounds, where nothing else is configured.
const ROUND: Duration = Duration::from_secs(60);
/// Between a forge's call and the round it asks for: what it calls for comes in more than one.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest time that a forge is left alone because it says so.
const LONGEST_REST: Duration = Duration::from_secs(24 * 3600);

/// Whose account it is, at which forge, and what it is called there.
type Whose = (String, String, String);

/// What is known of the accounts that were used in the rounds before.
#[derive(Default)]
struct Ways {
    /// The ways to their forges, which know the marks, with the account as it was when each was opened.
    open: HashMap<Whose, (Account, Box<dyn Forge>)>,
    /// Those of which the forge takes no more requests, and until when.
    resting: HashMap<Whose, Instant>,
}

impl Runner {
    /// Follows all pull requests for as long as the cloud runs.
    pub async fn follow_pull_requests(&self) {
        let configured = self.parts().config.pull_request_seconds;
        let round = configured.map_or(ROUND, |seconds| Duration::from_secs(seconds.max(1)));
        let mut ways = Ways::default();
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
        let whose = (thread.owner.clone(), account.host(), account.person.login.clone());
        // It may have got another token since.
        if ways.open.get(&whose).is_some_and(|(known, _)| !known.is_opened_as(&account)) {
            ways.open.remove(&whose);
            ways.resting.remove(&whose);
        }
        if ways.resting.get(&whose).is_some_and(|until| *until > Instant::now()) {
            return Ok(());
        }
        let (_, forge) = match ways.open.entry(whose.clone()) {
            Entry::Occupied(way) => way.into_mut(),
            Entry::Vacant(free) => {
                let way = account.open()?;
                free.insert((account, way))
            }
        };
        let request = match seen(forge.as_ref(), &name, known.number).await {
            Ok(request) => request,
            Err(error) => {
                if let forge::Error::RateLimited { seconds, .. } = error {
                    let rest = Duration::from_secs(seconds).min(LONGEST_REST);
                    ways.resting.insert(whose, Instant::now() + rest);
                } else {
                    ways.open.remove(&whose);
                }
                return Err(error.into());
            }
        };
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

/// A pull request as the thread's record has it, with its checks.
async fn seen(forge: &dyn Forge, name: &str, number: u64) -> forge::Result<v1::PullRequest> {
    let now = forge.pull_request(name, number).await?;
    let mut request = record(&now);
    if now.is_open() && !now.head.is_empty() {
        let checks = forge.checks(name, &now.head).await?;
        request.checks = checks.map(|checks| checks.name().to_owned()).unwrap_or_default();
    }
    Ok(request)
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
