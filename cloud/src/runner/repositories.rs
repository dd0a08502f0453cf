//! The repositories that a person's accounts reach, and which of them they mean.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    accounts::forges::Account,
    forge::Repository,
    runner::{Error, Obstacle, Runner},
};

/// How long a list is good.
const FRESH: Duration = Duration::from_secs(60);
/// Pages asked for of one account: whoever has more searches.
const PAGES: u32 = 20;
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

/// A list and when it was read; it belongs to an owner, a host and a login there.
type Known = (Instant, Arc<Vec<Repository>>);

/// Lists that were read lately.
#[derive(Debug, Default)]
pub(super) struct Lists(Mutex<HashMap<(String, String, String), Known>>);

impl Runner {
    /// A page of the repositories that the accounts of a person reach, those pushed to last first; the token of the next one.
    pub async fn repositories(
        &self,
        owner: &str,
        query: RepositoryQuery,
    ) -> Result<(Vec<(Account, Repository)>, String), Error> {
        let forges = &self.parts().forges;
        let accounts = match query.forge.as_str() {
            "" => forges.list(owner).await?,
            forge => vec![forges.find(owner, forge).await?],
        };
        if accounts.is_empty() {
            return Err(Obstacle::AccountMissing { host: "github.com".to_owned() }.into());
        }
        let invalid =
            || Error::Invalid { message: "pageToken: it is not one of a list".to_owned() };
        let from: usize = match query.page_token.as_str() {
            "" => 0,
            token => token.parse().map_err(|_| invalid())?,
        };
        let size = if query.page_size == 0 { SIZE.0 } else { query.page_size.min(SIZE.1) };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let words = query.words.to_lowercase();
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut found = Vec::new();
        for account in accounts {
            for repository in self.list_of(owner, &account).await?.iter() {
                let name = repository.name.to_lowercase();
                if words.iter().all(|word| name.contains(word)) {
                    found.push((account.clone(), repository.clone()));
                }
            }
        }
        // Times of one form: their text is in order too.
        found.sort_by(|one, other| other.1.pushed.cmp(&one.1.pushed));
        let more = found.len() > from.saturating_add(size);
        let next = if more { (from + size).to_string() } else { String::new() };
        Ok((found.into_iter().skip(from).take(size).collect(), next))
    }

    async fn list_of(&self, owner: &str, account: &Account) -> Result<Arc<Vec<Repository>>, Error> {
        let key = (owner.to_owned(), account.host(), account.person.login.clone());
        let lists = &self.shared.lists.0;
        let lock = || lists.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&key).cloned();
        if let Some((read, list)) = known
            && read.elapsed() < FRESH
        {
            return Ok(list);
        }
        let forge = account.open()?;
        let mut list = Vec::new();
        for page in 1..=PAGES {
            let page = forge.repositories(page).await?;
            list.extend(page.entries);
            if !page.more {
                break;
            }
        }
        let list = Arc::new(list);
        lock().insert(key, (Instant::now(), Arc::clone(&list)));
        Ok(list)
    }
}
