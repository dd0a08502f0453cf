//! Finds the repository a path belongs to.

use std::path::{Path, PathBuf};

use crate::checkout::git::{Git, text};
use crate::checkout::{Error, Result};

/// A repository on this machine: a checkout, a linked worktree, a submodule's checkout, or a bare one.
#[derive(Clone, Debug)]
pub struct Local {
    /// Top of the working tree; of a bare repository, the repository itself.
    pub(super) root: PathBuf,
    /// The repository's own folder (of a worktree: its part of it).
    pub(super) git_dir: PathBuf,
    /// The folder that all worktrees share.
    pub(super) common_dir: PathBuf,
    /// It has no working tree.
    pub(super) bare: bool,
    /// Parts of its history are missing.
    pub(super) shallow: bool,
    /// How its objects are named: sha1 or sha256.
    pub(super) object_format: String,
}

impl Local {
    /// Opens the repository that `path` is in.
    pub async fn open(path: &Path) -> Result<Self> {
        let missing = |_| Error::Missing { path: path.to_owned() };
        let found = tokio::fs::canonicalize(path).await.map_err(missing)?;
        let folder = if found.is_dir() {
            found.clone()
        } else {
            found.parent().unwrap_or(&found).to_owned()
        };
        let git = Git::reading(&folder);
        let args = [
            "rev-parse",
            "--path-format=absolute",
            "--is-inside-work-tree",
            "--is-shallow-repository",
            "--show-object-format",
            "--git-dir",
            "--git-common-dir",
        ];
        let output = git.ask(&args, b"").await?;
        if output.code != 0 {
            let nothing = output.stderr.contains("not a git repository");
            let error = if nothing {
                Error::NotRepository { path: found }
            } else {
                git.complaint(&args, &output.stderr)
            };
            return Err(error);
        }
        let answer = text(&output.stdout);
        let [inside, shallow, format, git_dir, common_dir] = answer.lines().collect::<Vec<_>>()[..]
        else {
            return Err(git.complaint(&args, "its answer has another shape than expected"));
        };
        let bare = inside != "true";
        let git_dir = PathBuf::from(git_dir);
        let root = if bare {
            git_dir.clone()
        } else {
            PathBuf::from(git.line(&["rev-parse", "--show-toplevel"]).await?)
        };
        Ok(Self {
            root,
            git_dir,
            common_dir: tokio::fs::canonicalize(common_dir).await.map_err(missing)?,
            bare,
            shallow: shallow == "true",
            object_format: format.to_owned(),
        })
    }

    /// Top of the working tree; of a bare repository, the repository itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Git, reading only.
    pub(super) fn git(&self) -> Git {
        Git::reading(&self.root)
    }

    /// The commit that is checked out.
    pub(super) async fn head(&self) -> Result<String> {
        let head = self.git().maybe(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await?;
        head.ok_or_else(|| Error::Unborn { path: self.root.clone() })
    }

    /// Short name for people: of the folder that holds the main checkout.
    pub(super) fn name(&self) -> String {
        let common = &self.common_dir;
        let folder = if common.file_name().is_some_and(|name| name == ".git") {
            common.parent()
        } else if self.bare {
            Some(common.as_path())
        } else {
            Some(self.root.as_path())
        };
        let name = folder.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_else(|| "repository".into());
        name.strip_suffix(".git").map(ToOwned::to_owned).unwrap_or(name)
    }
}
