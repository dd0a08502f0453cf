//! The branches of a repository elsewhere, as a person chooses one to begin at.

use crate::{
    git::Branches,
    runner::{
        Error, Runner,
        repositories::{again, page},
    },
};

/// Which branches.
#[derive(Clone, Debug, Default)]
pub struct BranchQuery {
    /// Of this repository: a git URL, or `OWNER/NAME`.
    pub repository: String,
    /// Words in the name.
    pub words: String,
    /// 0 = as many as is usual.
    pub page_size: u32,
    /// From the answer before.
    pub page_token: String,
}

/// A page of branches.
#[derive(Debug)]
pub struct BranchPage {
    /// The default one first, then by name.
    pub found: Vec<String>,
    /// The default one, whether or not it is on this page.
    pub default: Option<String>,
    /// Of the next page; empty = there is none.
    pub next: String,
}

impl Runner {
    /// A page of the branches that a repository has now.
    pub async fn branches(&self, owner: &str, query: BranchQuery) -> Result<BranchPage, Error> {
        if query.repository.is_empty() {
            return Err(Error::RepositoryMissing);
        }
        let url = self.address(owner, &query.repository).await?;
        let forges = &self.parts().forges;
        let remote = forges.remote(owner, &url).await?;
        let Branches { names, default } = match remote.branches().await {
            Err(refused) => again(forges, owner, &url, refused.into()).await?.branches().await?,
            Ok(branches) => branches,
        };
        let words = query.words.to_lowercase();
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut found = names;
        found.retain(|name| {
            let name = name.to_lowercase();
            words.iter().all(|word| name.contains(word))
        });
        // The others stay in the order of their names.
        found.sort_by_key(|name| default.as_ref() != Some(name));
        let (found, next) = page(found, query.page_size, &query.page_token)?;
        Ok(BranchPage { found, default, next })
    }
}
