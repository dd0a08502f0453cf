//! A thread's whole repository as one bundle, and back.

use std::path::PathBuf;

use crate::git::bundle::{Bundle, blocking, sync_folder, update_refs};
use crate::git::command::Git;
use crate::git::leftover::Unfinished;
use crate::git::mirror::make_bare;
use crate::git::names::{check_object_id, check_ref, is_object_id};
use crate::git::snapshot::{BASE, START, Snapshots};
use crate::git::{Error, Result};

/// Folders of refs that a thread's repository has.
const FOLDERS: [&str; 4] =
    ["refs/aloft/turns/", "refs/aloft/before/", "refs/aloft/safety/", "refs/aloft/commits/"];

/// A bundle of a whole thread that was unpacked and checked, in a passing repository.
#[derive(Debug)]
pub struct Unpacked {
    folder: Unfinished,
}

impl Snapshots {
    /// Bundles everything of a thread's repository with all it borrows: the history of its base, every snapshot, every
    /// commit of its branch. The file has no name on the disk.
    pub async fn export_all(&self, thread: &str) -> Result<tokio::fs::File> {
        let path = self.existing(thread)?;
        let scratch = tempfile::Builder::new()
            .prefix("bundle-")
            .tempdir_in(&path)
            .map_err(Error::io(format!("make a folder in {}", path.display())))?;
        let file = scratch.path().join("bundle");
        Git::at(&path, "bundle the thread")
            .args(["bundle", "create", "--quiet"])
            .arg(&file)
            .arg("--glob=refs/aloft/*")
            .run()
            .await?;
        let file = tokio::fs::File::open(&file).await.map_err(Error::io("open the bundle"))?;
        blocking(move || scratch.close().map_err(Error::io("remove a passing folder"))).await?;
        Ok(file)
    }

    /// Unpacks and checks a bundle of [`Snapshots::export_all`], which must be of a thread on `base`. A rejected one
    /// leaves nothing behind.
    pub async fn unpack(
        &self,
        bundle: &std::path::Path,
        base: &str,
        limit: u64,
    ) -> Result<Unpacked> {
        check_object_id(base)?;
        let bundle = Bundle::open(bundle, limit).await?;
        let wrong = |why: &str| Err(Error::Bundle(why.to_owned()));
        if bundle.refs.get(BASE).map(String::as_str) != Some(base) {
            return wrong("it is of a thread on another base");
        }
        if let Some(stranger) = bundle.refs.keys().find(|name| !is_of_thread(name)) {
            return wrong(&format!("it holds the ref {stranger}, which no thread has"));
        }
        let root = self.root.clone();
        let folder = blocking(move || {
            Unfinished::below(&root)
                .map_err(Error::io(format!("make a folder in {}", root.display())))
        })
        .await?;
        let format = if base.len() == 64 { "sha256" } else { "sha1" };
        if bundle.object_format != format {
            return wrong("its objects have names of another kind than its base");
        }
        make_bare(folder.path(), format, "0600").await?;
        let refs: Vec<_> =
            bundle.refs.iter().map(|(name, id)| (name.clone(), Some(id.clone()))).collect();
        bundle.admit(folder.path(), limit).await?.keep().await?;
        let commits: Vec<String> = refs.iter().filter_map(|(_, commit)| commit.clone()).collect();
        if !crate::git::bundle::missing_commits(folder.path(), &commits).await?.is_empty() {
            return wrong("one of its refs does not name a commit");
        }
        update_refs(folder.path(), &refs).await?;
        Ok(Unpacked { folder })
    }

    /// Takes everything of an unpacked bundle into the repository of a thread on the same base.
    pub async fn adopt(&self, thread: &str, unpacked: &Unpacked) -> Result<()> {
        let path = self.existing(thread)?;
        Git::at(&path, "take the snapshots of an archive")
            .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc"])
            .arg(unpacked.folder.path())
            .arg("+refs/aloft/*:refs/aloft/*")
            .run()
            .await?;
        blocking(move || {
            for folder in ["refs/aloft", "objects/pack"] {
                let folder = path.join(folder);
                sync_folder(&folder).map_err(Error::io(format!("sync {}", folder.display())))?;
            }
            Ok(())
        })
        .await
    }
}

impl Unpacked {
    /// The history of the base as a bundle of the one ref `name`, for a mirror.
    pub async fn base_bundle(&self, name: &str, base: &str) -> Result<PathBuf> {
        check_ref(name)?;
        let repository = self.folder.path();
        update_refs(repository, &[(name.to_owned(), Some(base.to_owned()))]).await?;
        let file = repository.join("base.bundle");
        Git::at(repository, "bundle the base")
            .args(["bundle", "create", "--quiet"])
            .arg(&file)
            .arg(name)
            .run()
            .await?;
        update_refs(repository, &[(name.to_owned(), None)]).await?;
        Ok(file)
    }
}

fn is_of_thread(name: &str) -> bool {
    if [BASE, START].contains(&name) {
        return true;
    }
    FOLDERS.iter().filter_map(|folder| name.strip_prefix(folder)).any(|rest| {
        let number = rest.len() <= 10 && rest.bytes().all(|byte| byte.is_ascii_digit());
        (number && !rest.is_empty()) || is_object_id(rest)
    })
}
