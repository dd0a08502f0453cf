//! A throw-away bare repository that borrows the checkout's objects and takes every write made while looking.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::checkout::git::{Git, entries};
use crate::checkout::local::Local;
use crate::checkout::{Error, Result};

/// The scratch repository; its folder goes when it is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: TempDir,
    objects_of_checkout: PathBuf,
}

/// The working tree as a tree object of the scratch repository.
#[derive(Debug)]
pub(super) struct WorkingTree {
    /// Its tree.
    pub(super) tree: String,
    /// The index it was written from, fresh against the files.
    pub(super) index: PathBuf,
}

impl Scratch {
    /// Makes one for this checkout.
    pub(super) async fn create(local: &Local) -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("aloft-checkout-").tempdir().map_err(|source| {
                Error::Io { action: "make a folder in", path: std::env::temp_dir(), source }
            })?;
        let scratch = Self { folder, objects_of_checkout: local.common_dir.join("objects") };
        let format = format!("--object-format={}", local.object_format);
        let git = Git::reading(scratch.folder.path());
        git.run(&["init", "--quiet", "--bare", "--template=", &format, "."]).await?;
        let mut alternates = alternate(&scratch.objects_of_checkout).into_bytes();
        alternates.push(b'\n');
        let info = scratch.folder.path().join("objects/info");
        let path = info.join("alternates");
        let written = match tokio::fs::create_dir_all(&info).await {
            Ok(()) => tokio::fs::write(&path, alternates).await,
            Err(error) => Err(error),
        };
        written.map_err(|source| Error::Io { action: "write", path, source })?;
        scratch.follow_promisor(local).await?;
        Ok(scratch)
    }

    /// Its folder.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Git in the scratch repository itself.
    pub(super) fn git(&self) -> Git {
        Git::reading(self.folder.path())
    }

    /// Git in the checkout, with index and new objects in the scratch repository.
    pub(super) fn git_in(&self, local: &Local, index: &Path) -> Git {
        local
            .git()
            .env("GIT_INDEX_FILE", index)
            .env("GIT_OBJECT_DIRECTORY", self.folder.path().join("objects"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", alternate(&self.objects_of_checkout))
            .env("GIT_LITERAL_PATHSPECS", "1")
            // The large file extension would otherwise store what it cleans in the checkout.
            .config(format!("lfs.storage={}", self.folder.path().join("lfs").display()))
    }

    /// Writes the working tree, untracked files included and ignored ones not, as a tree.
    pub(super) async fn working_tree(&self, local: &Local) -> Result<WorkingTree> {
        let index = self.folder.path().join("working-tree.index");
        copy_index(&local.git_dir.join("index"), &index).await?;
        let git = self.git_in(local, &index);
        // Untracked folders that are repositories of their own end in a slash: they are not this repository's files.
        let untracked = git.run(&["ls-files", "-z", "--others", "--exclude-standard"]).await?;
        let untracked: Vec<u8> = entries(&untracked)
            .filter(|path| !path.ends_with(b"/"))
            .flat_map(|path| path.iter().copied().chain([0]))
            .collect();
        git.run(&["add", "--update", "--sparse", "."]).await?;
        if !untracked.is_empty() {
            let args = ["add", "--sparse", "--pathspec-from-file=-", "--pathspec-file-nul"];
            git.feed(&args, &untracked).await?;
        }
        Ok(WorkingTree { tree: git.line(&["write-tree"]).await?, index })
    }

    /// In a partial clone, objects that are missing are fetched from where it would get them, into the scratch
    /// repository.
    async fn follow_promisor(&self, local: &Local) -> Result<()> {
        let promisor = local
            .git()
            .maybe(&["config", "--get-regexp", r"^remote\..*\.promisor$", "true"])
            .await?;
        let Some(setting) = promisor else { return Ok(()) };
        let name = setting.lines().next().unwrap_or_default().trim_end_matches(" true");
        let name = name.trim_start_matches("remote.").trim_end_matches(".promisor");
        let git = self.git();
        let config = local.common_dir.join("config");
        git.run(&["config", "include.path", &config.to_string_lossy()]).await?;
        git.run(&["config", "core.repositoryFormatVersion", "1"]).await?;
        git.run(&["config", "extensions.partialClone", name]).await?;
        git.run(&["config", "core.bare", "true"]).await?;
        Ok(())
    }
}

/// A path as git wants it in a list of alternates: quoted where it could be misread.
fn alternate(path: &Path) -> String {
    let path = path.to_string_lossy();
    if path.contains([':', '"', '\n', '#', '\\']) {
        format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    } else {
        path.into_owned()
    }
}

/// Copies the index with its time: git takes entries younger than the index file as not to be trusted.
async fn copy_index(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (from.to_owned(), to.to_owned());
    let path = from.clone();
    let copied = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
        let modified = match std::fs::metadata(&from) {
            Ok(data) => data.modified()?,
            // No index at all: everything is untracked.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        std::fs::copy(&from, &to)?;
        std::fs::File::options().write(true).open(&to)?.set_modified(modified)
    });
    copied
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|source| Error::Io { action: "read", path, source })
}
