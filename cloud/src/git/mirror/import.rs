//! Takes what a bridge uploads of a local checkout into a mirror.

use std::path::Path;

use crate::git::bundle::{Bundle, missing_commits, update_refs};
use crate::git::command::Git;
use crate::git::mirror::{Mirrors, Tip, tips};
use crate::git::names::{check_object_id, check_ref};
use crate::git::{Error, Result};

/// Where an upload may put its refs.
const ALLOWED: &[&str] = &["refs/heads/", "refs/tags/", "refs/aloft/carry/"];

impl Mirrors {
    /// Takes the bundle at `bundle`, which must hold exactly `refs` (name and object) and be no larger than `limit` bytes;
    /// makes the mirror where there is none. An empty file means that the mirror has every object already and only the
    /// refs move. A rejected bundle changes nothing.
    pub async fn import(
        &self,
        id: &str,
        bundle: &Path,
        refs: &[(String, String)],
        limit: u64,
    ) -> Result<()> {
        for (name, object) in refs {
            check_ref(name)?;
            check_object_id(object)?;
            if !ALLOWED.iter().any(|folder| name.starts_with(folder)) {
                return Err(Error::InvalidName { kind: "uploaded ref", name: name.clone() });
            }
        }
        let path = self.path(id)?;
        let gate = self.gate(id);
        let _exclusive = self.exclusive(id, &gate).await?;
        let size = tokio::fs::metadata(bundle)
            .await
            .map_err(Error::io(format!("read the bundle {}", bundle.display())))?
            .len();
        if size == 0 {
            let commits: Vec<String> = refs.iter().map(|(_, object)| object.clone()).collect();
            let path = self.existing(id)?;
            return match missing_commits(&path, &commits).await?.into_iter().next() {
                Some(commit) => Err(Error::MissingBase(commit)),
                None => set_refs(&path, refs).await,
            };
        }
        let bundle = Bundle::open(bundle, limit).await?;
        if bundle.refs != refs.iter().cloned().collect() {
            return Err(Error::Bundle(
                "it does not hold exactly the refs that were announced".to_owned(),
            ));
        }
        if path.is_dir() {
            bundle.admit(&path, limit).await?.keep().await?;
            return set_refs(&path, refs).await;
        }
        let scratch = self.make_scratch(id, bundle.object_format).await?;
        let filled = async {
            bundle.admit(&scratch, limit).await?.keep().await?;
            set_refs(&scratch, refs).await
        };
        let filled = filled.await;
        self.publish(scratch, id, filled).await
    }
}

async fn set_refs(repository: &Path, refs: &[(String, String)]) -> Result<()> {
    let present = tips(repository).await?;
    // A branch `a` that became `a/b`, or the other way round: the old name gives way.
    let in_the_way = |old: &Tip| {
        refs.iter().any(|(new, _)| is_below(new, &old.name) || is_below(&old.name, new))
    };
    let stale: Vec<_> =
        present.iter().filter(|old| in_the_way(old)).map(|old| (old.name.clone(), None)).collect();
    if !stale.is_empty() {
        update_refs(repository, &stale).await?;
    }
    let updates: Vec<_> =
        refs.iter().map(|(name, object)| (name.clone(), Some(object.clone()))).collect();
    update_refs(repository, &updates).await?;
    let has_head = Git::at(repository, "look at the default branch")
        .args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
        .line_if_any()
        .await?;
    let branches: Vec<&str> = refs
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with("refs/heads/"))
        .collect();
    let usual = branches
        .iter()
        .find(|name| ["refs/heads/main", "refs/heads/master"].contains(name))
        .or(branches.first());
    if let (None, Some(branch)) = (has_head, usual) {
        Git::at(repository, "choose the default branch")
            .args(["symbolic-ref", "HEAD", branch])
            .run()
            .await?;
    }
    Ok(())
}

fn is_below(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
