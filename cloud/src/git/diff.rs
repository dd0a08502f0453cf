//! The change between two commits of a thread's repository, file by file.
//!
//! The list of files and its numbers come from a run of `git diff` for programs; the patches are cut out of a second
//! run for people, so that together they are byte for byte what `git diff -M FROM TO` prints. Attributes are those of the
//! newer commit, as they would be in a checkout of it.

mod changes;
mod patches;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aloft_proto::v1::{DiffStat, FileDiff};
use bytes::Bytes;
use tokio::sync::mpsc;

pub(crate) use changes::shown_path;

use crate::git::command::Git;
use crate::git::diff::changes::Change;
use crate::git::diff::patches::Patches;
use crate::git::{Error, Result};

/// Files a reader may be behind; with [`PATCH_LIMIT`] this bounds the memory of one diff.
const AHEAD: usize = 4;
/// A larger patch is left out (empty, with its numbers), in bytes.
pub(crate) const PATCH_LIMIT: usize = 32 << 20;
/// A larger text is left out, in bytes.
const TEXT_LIMIT: u64 = 32 << 20;
/// Time for git to come to the next file.
const FILE_TIMEOUT: Duration = Duration::from_secs(300);

/// What a diff shall hold.
#[derive(Clone, Debug, Default)]
pub struct DiffOptions {
    /// Only this file, by its path before or after.
    pub path: Option<String>,
    /// No patches.
    pub stat_only: bool,
    /// Patches to apply: of binary files too, with whole object names.
    pub binary: bool,
    /// The whole content before and after; up to 32 MiB each.
    pub with_texts: bool,
}

/// Starts a diff; the receiver gives it file by file.
pub(crate) async fn stream(
    repository: PathBuf,
    from: &str,
    to: &str,
    options: DiffOptions,
) -> Result<mpsc::Receiver<Result<FileDiff>>> {
    let changes = match &options.path {
        Some(path) => changes::of_file(&repository, from, to, path).await?,
        None => changes::list(&repository, from, to).await?,
    };
    let (sender, receiver) = mpsc::channel(AHEAD);
    if changes.is_empty() {
        return Ok(receiver);
    }
    let form: &[&str] =
        if options.binary { &["--patch", "--binary", "--full-index"] } else { &["--patch"] };
    let command = git_diff(&repository, from, to).args(form).args(["--"]);
    let command = if options.path.is_some() {
        command.args(changes.iter().flat_map(Change::pathspecs))
    } else {
        command
    };
    tokio::spawn(async move {
        // Ends when all is sent or nobody reads any more.
        if let Err(error) = send_all(&repository, changes, command, &options, &sender).await {
            drop(sender.send(Err(error)).await);
        }
    });
    Ok(receiver)
}

/// The size of a change.
pub(crate) async fn stat(repository: &Path, from: &str, to: &str) -> Result<DiffStat> {
    let changes = changes::list(repository, from, to).await?;
    let (additions, deletions) = changes.iter().fold((0, 0), |(added, deleted), change| {
        (added + change.additions, deleted + change.deletions)
    });
    Ok(DiffStat { files: u32::try_from(changes.len()).unwrap_or(u32::MAX), additions, deletions })
}

/// `git diff` with its defaults, whatever is configured.
fn git_diff(repository: &Path, from: &str, to: &str) -> Git {
    Git::at(repository, "compare commits").env("GIT_ATTR_SOURCE", to).args([
        "diff",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--submodule=short",
        "-M",
        from,
        to,
    ])
}

async fn send_all(
    repository: &Path,
    changes: Vec<Change>,
    command: Git,
    options: &DiffOptions,
    sender: &mpsc::Sender<Result<FileDiff>>,
) -> Result<()> {
    let sizes = sizes(repository, &changes).await?;
    let mut git = if options.stat_only { None } else { Some(command.start()?) };
    let mut patches = git.as_mut().map(|git| Patches::new(&mut git.stdout));
    for change in changes {
        let mut file = change.to_diff();
        file.old_size = sizes.get(&change.old_id).copied().unwrap_or(0);
        file.new_size = sizes.get(&change.new_id).copied().unwrap_or(0);
        if let Some(patches) = &mut patches {
            let next = tokio::time::timeout(FILE_TIMEOUT, patches.of(&change)).await;
            file.patch = next
                .map_err(|_| Error::Timeout {
                    attempt: "compare commits".to_owned(),
                    seconds: FILE_TIMEOUT.as_secs(),
                })??
                .into();
        }
        if options.with_texts {
            file.old_text =
                text(repository, &change.old_id, file.old_size, change.has_old_text()).await?;
            file.new_text =
                text(repository, &change.new_id, file.new_size, change.has_new_text()).await?;
        }
        if sender.send(Ok(file)).await.is_err() {
            return Ok(());
        }
    }
    if let Some(patches) = &mut patches {
        patches.expect_end().await?;
    }
    drop(patches);
    match &mut git {
        Some(git) => git.succeed().await,
        None => Ok(()),
    }
}

/// The size of every blob of a change.
async fn sizes(repository: &Path, changes: &[Change]) -> Result<HashMap<String, u64>> {
    let mut ids: Vec<&str> = changes.iter().flat_map(Change::blobs).collect();
    ids.sort_unstable();
    ids.dedup();
    let command = Git::at(repository, "measure files")
        .args(["cat-file", "--batch-check=%(objectname) %(objectsize)"]);
    let answer = command.input(ids.join("\n") + "\n").run().await?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(id, size)| Some((id.to_owned(), size.parse().ok()?)))
        .collect())
}

async fn text(repository: &Path, id: &str, size: u64, is_there: bool) -> Result<Option<Bytes>> {
    if !is_there || size > TEXT_LIMIT {
        return Ok(None);
    }
    Git::at(repository, "read a file")
        .args(["cat-file", "blob", id])
        .run()
        .await
        .map(|text| Some(text.into()))
}
