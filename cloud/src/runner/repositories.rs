//! The repositories that a person's accounts reach, and which of them they mean.
//!
//! A long list takes its forge many pages: it is read to its end whoever waits for it, and one that was read before is given
//! at once while a newer one is on its way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aloft_proto::v1::Problem;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};

use crate::{
    accounts::forges::{self, Account, Forges},
    forge::{self, Repository},
    git::Remote,
    runner::{Error, Obstacle, Runner, whole},
};

/// How long a list is good.
const FRESH: Duration = Duration::from_secs(60);
/// How long an older one is given while it is read anew.
const GIVEN: Duration = Duration::from_secs(60 * 60);
/// Pages that are read of one account.
const PAGES: u32 = 50;
/// Entries of a page when none is asked for, and at most.
const SIZE: (u32, u32) = (100, 1_000);

/// Which repositories.
#[derive(Clone, Debug, Default)]
pub struct RepositoryQuery {
    /// Words in owner and name.
    pub words: String,
    /// Only of this account.
    pub forge: String,
    /// 0 = as many as is usual.
    pub page_size: u32,
    /// From the answer before.
    pub page_token: String,
}

/// A page of repositories.
#[derive(Debug)]
pub struct RepositoryPage {
    /// Each with the account that reaches it.
    pub found: Vec<(Account, Repository)>,
    /// Of the next page; empty = there is none.
    pub next: String,
    /// Accounts whose repositories are missing, and why.
    pub problems: Vec<(Account, Problem)>,
}

type List = Arc<Vec<Repository>>;
/// A list that is being read.
type Reading = Shared<BoxFuture<'static, Result<List, Arc<Error>>>>;
/// Whose it is: an owner, a host and a login there.
type Whose = (String, String, String);

/// One list.
#[derive(Debug)]
struct Known {
    /// Whose it is, with the token by which it was read: another one may reach others.
    account: Account,
    /// When it was read last, and what was there.
    read: Option<(Instant, List)>,
    /// It is being read.
    reading: Option<Reading>,
}

/// Lists that were read lately.
#[derive(Debug, Default)]
pub(super) struct Lists(Mutex<HashMap<Whose, Known>>);

impl Runner {
    /// A page of the repositories that the accounts of a person reach, those pushed to last first; the token of the next one.
    pub async fn repositories(
        &self,
        owner: &str,
        query: RepositoryQuery,
    ) -> Result<RepositoryPage, Error> {
        let forges = &self.parts().forges;
        let accounts = match query.forge.as_str() {
            "" => forges.with_repositories(owner).await?,
            forge => vec![forges.find(owner, forge).await?],
        };
        if accounts.is_empty() {
            return Err(Obstacle::AccountMissing { host: "github.com".to_owned() }.into());
        }
        let words = query.words.to_lowercase();
        let words: Vec<&str> = words.split_whitespace().collect();
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        let only = accounts.len() == 1;
        for account in accounts {
            let list = match self.list_of(owner, &account).await {
                Ok(list) => list,
                Err(error) if only => return Err(error),
                // What the others reach is worth having.
                Err(error) => {
                    problems.push((account, error.explain().1));
                    continue;
                }
            };
            for repository in list.iter() {
                let name = repository.name.to_lowercase();
                if words.iter().all(|word| name.contains(word)) {
                    found.push((account.clone(), repository.clone()));
                }
            }
        }
        found.sort_by_key(|(_, repository)| std::cmp::Reverse(repository.push_time()));
        let (found, next) = page(found, query.page_size, &query.page_token)?;
        Ok(RepositoryPage { found, next, problems })
    }

    async fn list_of(&self, owner: &str, account: &Account) -> Result<List, Error> {
        let key = (owner.to_owned(), account.host(), account.person.login.clone());
        let reading = {
            let mut lists = self.lists();
            let new = || Known { account: account.clone(), read: None, reading: None };
            let known = lists.entry(key.clone()).or_insert_with(new);
            if !known.account.is_opened_as(account) {
                *known = new();
            }
            let age = known.read.as_ref().map(|(time, _)| time.elapsed());
            let reading = match &known.read {
                Some((_, list)) if age.is_some_and(|age| age < FRESH) => return Ok(list.clone()),
                _ => known.reading.get_or_insert_with(|| self.begin_list(key, account)).clone(),
            };
            match &known.read {
                Some((_, list)) if age.is_some_and(|age| age < GIVEN) => return Ok(list.clone()),
                _ => reading,
            }
        };
        reading.await.map_err(Error::Same)
    }

    /// Reads a list to its end and keeps it, whoever waits for it.
    fn begin_list(&self, key: Whose, account: &Account) -> Reading {
        let (runner, account) = (self.clone(), account.clone());
        let task = self.shared.tasks.spawn(async move {
            let read = tokio::select! {
                read = read(&account) => read,
                () = runner.shared.stop.cancelled() => Err(Error::Ended),
            };
            let mut lists = runner.lists();
            let known = lists.get_mut(&key).filter(|known| known.account.is_opened_as(&account));
            let Some(known) = known else { return read };
            known.reading = None;
            match &read {
                Ok(list) => known.read = Some((Instant::now(), Arc::clone(list))),
                Err(error) => tracing::warn!(
                    host = account.host(),
                    error = whole(error),
                    "could not read the repositories of an account"
                ),
            }
            read
        });
        async { task.await.unwrap_or(Err(Error::Ended)).map_err(Arc::new) }.boxed().shared()
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<Whose, Known>> {
        self.shared.lists.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page of a list, and the token of the next one.
pub(super) fn page<T>(list: Vec<T>, size: u32, token: &str) -> Result<(Vec<T>, String), Error> {
    let invalid = || Error::Invalid { message: "pageToken: it is not one of a list".to_owned() };
    let from: usize = match token {
        "" => 0,
        token => token.parse().map_err(|_| invalid())?,
    };
    let size = if size == 0 { SIZE.0 } else { size.min(SIZE.1) };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let more = list.len() > from.saturating_add(size);
    let next = if more { (from + size).to_string() } else { String::new() };
    Ok((list.into_iter().skip(from).take(size).collect(), next))
}

/// What else git may try after it was refused at `url`: the address that the repository has now. Else why it was refused.
pub(super) async fn again(
    forges: &Forges,
    owner: &str,
    url: &str,
    refused: Error,
) -> Result<Remote, Error> {
    match forges.moved(owner, url).await {
        Ok(Some(remote)) => Ok(remote),
        // There is an account, and it opens nothing any more.
        Err(error @ forges::Error::Forge(forge::Error::TokenRefused { .. })) => Err(error.into()),
        _ => Err(refused),
    }
}

async fn read(account: &Account) -> Result<List, Error> {
    let forge = account.open()?;
    let mut list = Vec::new();
    for page in 1..=PAGES {
        let page = forge.repositories(page).await?;
        list.extend(page.entries);
        if !page.more {
            break;
        }
    }
    Ok(Arc::new(list))
}
