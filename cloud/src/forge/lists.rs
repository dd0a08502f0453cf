//! Lists that a forge gives page after page.

use serde::de::DeserializeOwned;

use crate::forge::{Page, Result, http::Http};

/// Pages that are read at most.
const PAGES: u32 = 20;

impl Http {
    /// One page, counted from 1. `entries` takes them out of what holds them.
    pub(super) async fn page<P: DeserializeOwned, T>(
        &self,
        parts: &[&str],
        query: &[(&str, &str)],
        page: u32,
        what: &str,
        entries: impl Fn(P) -> Vec<T>,
    ) -> Result<Page<T>> {
        let (name, size) = self.per_page;
        let (limit, page) = (size.to_string(), page.to_string());
        let place = [(name, limit.as_str()), ("page", page.as_str())];
        let reply = self.get::<P>(self.url(parts, &[query, &place].concat()), what).await?;
        let entries = entries(reply.body);
        // Not each of them says that there is more.
        let more = reply.more || entries.len() >= size;
        Ok(Page { entries, more })
    }

    /// All of it, from its beginning.
    pub(super) async fn all<P: DeserializeOwned, T>(
        &self,
        parts: &[&str],
        query: &[(&str, &str)],
        what: &str,
        entries: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>> {
        self.all_from(1, parts, query, what, entries).await
    }

    /// The end of a list of so many entries, whose newest come last.
    pub(super) async fn newest<P: DeserializeOwned, T>(
        &self,
        count: usize,
        parts: &[&str],
        what: &str,
        entries: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>> {
        let last = u32::try_from(count.div_ceil(self.per_page.1)).unwrap_or(u32::MAX);
        // With room for what comes meanwhile.
        let first = last.saturating_sub(PAGES - 2).max(1);
        self.all_from(first, parts, &[], what, entries).await
    }

    async fn all_from<P: DeserializeOwned, T>(
        &self,
        first: u32,
        parts: &[&str],
        query: &[(&str, &str)],
        what: &str,
        entries: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        for page in first..first.saturating_add(PAGES) {
            let page = self.page(parts, query, page, what, &entries).await?;
            all.extend(page.entries);
            if !page.more {
                break;
            }
        }
        Ok(all)
    }

    /// The first entry that fits; what comes after its page is not read.
    pub(super) async fn first<T: DeserializeOwned>(
        &self,
        parts: &[&str],
        query: &[(&str, &str)],
        what: &str,
        fits: impl Fn(&T) -> bool,
    ) -> Result<Option<T>> {
        for page in 1..=PAGES {
            let page = self.page(parts, query, page, what, |entries: Vec<T>| entries).await?;
            let found = page.entries.into_iter().find(&fits);
            if found.is_some() || !page.more {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
