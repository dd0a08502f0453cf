//! What leaves a thread's repository again: its branch for a checkout, a snapshot for a new sandbox.

use std::path::Path;

use crate::git::bundle::{blocking, missing_commits, update_refs};
use crate::git::command::Git;
use crate::git::mirror::make_bare;
use crate::git::names::{check_ref, is_object_id};
use crate::git::snapshot::{Snapshots, borrow, check_commits, is_in};
use crate::git::{Error, Result};

/// The ref of a snapshot on its way into a new sandbox.
pub(crate) const RESTORE_REF: &str = "refs/aloft/restore";

/// A git bundle to be sent.
#[derive(Debug)]
pub struct Export {
    /// The one ref it holds.
    pub ref_name: String,
    /// Where that points.
    pub commit: String,
    /// The bundle, to be read from its beginning; it has no name on the disk. Absent when the receiver has it all.
    pub file: Option<tokio::fs::File>,
}

impl Snapshots {
    /// Bundles `tip` as `refs/heads/<branch>`, without what leads to the commits in `have`; of those, what is not known
    /// here is passed over.
    pub async fn export(
        &self,
        thread: &str,
        branch: &str,
        tip: &str,
        have: &[String],
    ) -> Result<Export> {
        self.bundle(thread, &format!("refs/heads/{branch}"), tip, have).await
    }

    /// Writes what leads from `base` to `tip` into a folder, one patch for each commit, as `git am` takes them; gives the names
    /// of the files in their order. None where the way from one to the other is no straight line: patches hold no merge.
    pub async fn patches(
        &self,
        thread: &str,
        base: &str,
        tip: &str,
        folder: &Path,
    ) -> Result<Option<Vec<String>>> {
        let path = self.existing(thread)?;
        check_commits(&path, &[base, tip]).await?;
        let range = format!("{base}..{tip}");
        let merge = Git::at(&path, "look for merges")
            .args(["rev-list", "--merges", "--max-count=1", &range])
            .line_if_any()
            .await?;
        if merge.is_some() || !is_in(&path, base, tip).await? {
            return Ok(None);
        }
        let written = Git::at(&path, "write the patches")
            .args(["format-patch", "--binary", "--full-index", "--output-directory"])
            .arg(folder)
            .arg(&range)
            .run()
            .await?;
        let written = String::from_utf8_lossy(&written);
        let name = |line: &str| Path::new(line).file_name()?.to_str().map(str::to_owned);
        Ok(Some(written.lines().filter_map(name).collect()))
    }

    /// Bundles a snapshot for a sandbox that has the mirror but none of the thread's snapshots.
    pub async fn export_snapshot(&self, thread: &str, commit: &str) -> Result<Export> {
        let base = self.base(thread).await?;
        self.bundle(thread, RESTORE_REF, commit, &[base]).await
    }

    async fn bundle(
        &self,
        thread: &str,
        ref_name: &str,
        tip: &str,
        have: &[String],
    ) -> Result<Export> {
        check_ref(ref_name)?;
        let path = self.existing(thread)?;
        check_commits(&path, &[tip]).await?;
        let wanted: Vec<String> =
            have.iter().filter(|commit| is_object_id(commit)).cloned().collect();
        let missing = missing_commits(&path, &wanted).await?;
        let known: Vec<String> =
            wanted.into_iter().filter(|commit| !missing.contains(commit)).collect();
        let has_all =
            known.iter().any(|commit| commit == tip) || is_reached(&path, tip, &known).await?;
        let export = |file| Export { ref_name: ref_name.to_owned(), commit: tip.to_owned(), file };
        if has_all {
            return Ok(export(None));
        }
        // A bundle holds refs by their own name: they are made in a repository that lives only for this.
        let scratch = tempfile::Builder::new()
            .prefix("bundle-")
            .tempdir_in(&path)
            .map_err(Error::io(format!("make a folder in {}", path.display())))?;
        let repository = scratch.path().join("refs.git");
        let format = Git::at(&path, "read the object format")
            .args(["rev-parse", "--show-object-format"])
            .line()
            .await?;
        make_bare(&repository, &format, "0600").await?;
        borrow(&repository, &path).await?;
        update_refs(&repository, &[(ref_name.to_owned(), Some(tip.to_owned()))]).await?;
        let file = scratch.path().join("bundle");
        let mut revisions = format!("{ref_name}\n");
        for commit in &known {
            revisions.push('^');
            revisions.push_str(commit);
            revisions.push('\n');
        }
        Git::at(&repository, "bundle the branch")
            .args(["bundle", "create", "--quiet"])
            .arg(&file)
            .arg("--stdin")
            .input(revisions)
            .run()
            .await?;
        let file = tokio::fs::File::open(&file).await.map_err(Error::io("open the bundle"))?;
        blocking(move || scratch.close().map_err(Error::io("remove a passing folder"))).await?;
        Ok(export(Some(file)))
    }
}

/// Whether everything of `tip` is in what leads to `known`.
async fn is_reached(repository: &Path, tip: &str, known: &[String]) -> Result<bool> {
    if known.is_empty() {
        return Ok(false);
    }
    let revisions = format!(
        "{tip}\n{}\n",
        known.iter().map(|commit| format!("^{commit}")).collect::<Vec<_>>().join("\n")
    );
    let rest = Git::at(repository, "compare commits")
        .args(["rev-list", "--max-count=1", "--stdin"])
        .input(revisions)
        .line_if_any()
        .await?;
    Ok(rest.is_none())
}
