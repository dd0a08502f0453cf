//! Brings a thread's changes into the working tree by a three-way merge with the person's own uncommitted work.
//!
//! Everything is worked out in the scratch repository first; only a result without clash (or one that was asked for with
//! conflict markers) reaches the files. The index, the refs and the objects of the checkout stay as they are: what was
//! applied shows as uncommitted change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::checkout::git::{Git, Output, entries};
use crate::checkout::local::Local;
use crate::checkout::patch::files_before;
use crate::checkout::scratch::{Scratch, WorkingTree};
use crate::checkout::times::Times;
use crate::checkout::{Error, Result};

/// Git's word for "I do not know this option".
const USAGE: i32 = 129;

/// What was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Files that changed, relative to the root.
    pub files: Vec<String>,
    /// Those that now hold conflict markers.
    pub conflicts: Vec<String>,
}

/// What a merge came to.
#[derive(Debug)]
struct Merged {
    tree: String,
    conflicts: Vec<String>,
}

impl Local {
    /// Applies a patch in the form `git diff` prints it. Where it clashes, nothing changes and the error names the files,
    /// unless `conflicts` asks for markers in them.
    pub async fn apply(&self, patch: &[u8], conflicts: bool) -> Result<Applied> {
        self.apply_with(patch, &[], conflicts).await
    }

    /// As [`Local::apply`], with whole contents the patch starts from: needed where this repository never had them,
    /// as when uncommitted work was carried and has changed since.
    pub async fn apply_with(
        &self,
        patch: &[u8],
        preimages: &[&[u8]],
        conflicts: bool,
    ) -> Result<Applied> {
        if self.bare {
            return Err(Error::Bare { path: self.root.clone() });
        }
        if patch.is_empty() {
            return Ok(Applied { files: Vec::new(), conflicts: Vec::new() });
        }
        let _times = Times::remember(self.common_dir.join("objects")).await;
        let scratch = Scratch::create(self).await?;
        for content in preimages {
            scratch.git().feed(&["hash-object", "-w", "--stdin"], content).await?;
        }
        let work = scratch.working_tree(self).await?;
        let merged = match self.merge(&scratch, &work, patch).await? {
            Some(merged) => merged,
            None => self.patch_directly(&scratch, &work, patch).await?,
        };
        if !merged.conflicts.is_empty() && !conflicts {
            return Err(Error::Conflict { paths: merged.conflicts });
        }
        let git = scratch.git_in(self, &work.index);
        let changed = git
            .run(&[
                "diff-tree",
                "-r",
                "-z",
                "--name-status",
                "--no-renames",
                &work.tree,
                &merged.tree,
            ])
            .await?;
        let changed = Changed::parse(&changed);
        self.check_unchanged(&git, &changed).await?;
        if let Err(error) = self.write(&scratch, &merged.tree, &changed).await {
            // Half a change is worse than none: back to what was there.
            self.write(&scratch, &work.tree, &changed.reversed()).await?;
            return Err(error);
        }
        let files = changed.all().map(|path| String::from_utf8_lossy(path).into_owned()).collect();
        Ok(Applied { files, conflicts: merged.conflicts })
    }

    /// Merges what the patch does to its own base into the working tree. None where the base is not known here, or
    /// git is older than this way of merging.
    async fn merge(
        &self,
        scratch: &Scratch,
        work: &WorkingTree,
        patch: &[u8],
    ) -> Result<Option<Merged>> {
        let index = scratch.path().join("patched.index");
        let git = scratch.git_in(self, &index);
        let Some(before) = base_of(&git, &work.tree, patch).await? else { return Ok(None) };
        git.feed(&["update-index", "-z", "--index-info"], &before).await?;
        let base = self.commit(&git, &git.line(&["write-tree"]).await?).await?;
        let patched = git.ask(&["apply", "--cached", "--whitespace=nowarn", "-"], patch).await?;
        if patched.code != 0 {
            return Ok(None);
        }
        let theirs = self.commit(&git, &git.line(&["write-tree"]).await?).await?;
        let ours = self.commit(&git, &work.tree).await?;
        let base = format!("--merge-base={base}");
        // Conflict markers show names as they are given here; in this form git reads a commit after any words.
        let (ours, theirs) = (format!("yours-0-g{ours}"), format!("agent-0-g{theirs}"));
        let args = [
            "merge-tree",
            "--write-tree",
            "-z",
            "--name-only",
            "--no-messages",
            &base,
            &ours,
            &theirs,
        ];
        let git = git.config("merge.conflictStyle=merge").config("merge.directoryRenames=false");
        let Output { code, stdout, stderr } = git.ask(&args, b"").await?;
        if code == USAGE {
            return Ok(None);
        }
        let mut parts = entries(&stdout).map(|entry| String::from_utf8_lossy(entry).into_owned());
        match (code, parts.next()) {
            (0 | 1, Some(tree)) => Ok(Some(Merged {
                tree,
                conflicts: parts.collect::<BTreeSet<_>>().into_iter().collect(),
            })),
            _ => Err(git.complaint(&args, &stderr)),
        }
    }

    /// Applies the patch to the working tree's files as they are.
    async fn patch_directly(
        &self,
        scratch: &Scratch,
        work: &WorkingTree,
        patch: &[u8],
    ) -> Result<Merged> {
        let index = scratch.path().join("direct.index");
        let git = scratch.git_in(self, &index);
        git.run(&["read-tree", &work.tree]).await?;
        let output = git.ask(&["apply", "--cached", "--whitespace=nowarn", "-"], patch).await?;
        if output.code != 0 {
            return Err(Error::DoesNotFit {
                detail: output.stderr.lines().take(8).collect::<Vec<_>>().join("; "),
            });
        }
        Ok(Merged { tree: git.line(&["write-tree"]).await?, conflicts: Vec::new() })
    }

    async fn commit(&self, git: &Git, tree: &str) -> Result<String> {
        let git = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"]
            .into_iter()
            .fold(git.clone(), |git, name| git.env(name, "Aloft"));
        let git = ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"]
            .into_iter()
            .fold(git, |git, name| git.env(name, "aloft@localhost"));
        git.line(&["commit-tree", tree, "-m", "merge"]).await
    }

    /// Refuses where files changed since they were read, or where a new file would fall on an ignored one.
    async fn check_unchanged(&self, git: &Git, changed: &Changed) -> Result<()> {
        let since = git.run(&["diff-files", "--name-only", "-z"]).await?;
        let since: BTreeSet<&[u8]> = entries(&since).collect();
        let name = |path: &&[u8]| String::from_utf8_lossy(path).into_owned();
        let mut paths: Vec<String> =
            changed.all().filter(|path| since.contains(path)).map(|path| name(&path)).collect();
        for path in &changed.added {
            let file = self.root.join(path_of(path));
            let there = tokio::fs::symlink_metadata(&file).await;
            // A folder in the place is one whose files the merge moved away, or git says so when it writes.
            if there.is_ok_and(|data| !data.is_dir()) {
                paths.push(name(&path.as_slice()));
            }
        }
        if paths.is_empty() { Ok(()) } else { Err(Error::Changed { paths }) }
    }

    /// Writes these paths of a tree into the working tree.
    async fn write(&self, scratch: &Scratch, tree: &str, changed: &Changed) -> Result<()> {
        let index = scratch.path().join("result.index");
        let git = scratch.git_in(self, &index);
        git.run(&["read-tree", tree]).await?;
        for path in &changed.deleted {
            self.remove(&path_of(path)).await?;
        }
        let present: Vec<u8> =
            changed.present().flat_map(|path| path.iter().copied().chain([0])).collect();
        git.feed(&["checkout-index", "--force", "-z", "--stdin"], &present).await?;
        Ok(())
    }

    /// Removes a file and the folders it leaves empty.
    async fn remove(&self, path: &Path) -> Result<()> {
        let file = self.root.join(path);
        match tokio::fs::remove_file(&file).await {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            // A submodule's folder is the person's own checkout of it.
            Err(_) if file.is_dir() => return Ok(()),
            Err(source) => return Err(Error::Io { action: "remove", path: file, source }),
        }
        for folder in file.ancestors().skip(1).take_while(|folder| *folder != self.root) {
            if tokio::fs::remove_dir(folder).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Paths that differ between two trees, relative to the root.
#[derive(Debug, Default)]
struct Changed {
    added: Vec<Vec<u8>>,
    modified: Vec<Vec<u8>>,
    deleted: Vec<Vec<u8>>,
}

impl Changed {
    fn parse(output: &[u8]) -> Self {
        let mut changed = Self::default();
        let mut parts = entries(output);
        while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
            match status {
                b"A" => changed.added.push(path.to_owned()),
                b"D" => changed.deleted.push(path.to_owned()),
                _ => changed.modified.push(path.to_owned()),
            }
        }
        changed
    }

    fn all(&self) -> impl Iterator<Item = &[u8]> {
        [&self.added, &self.modified, &self.deleted].into_iter().flatten().map(Vec::as_slice)
    }

    fn present(&self) -> impl Iterator<Item = &[u8]> {
        [&self.added, &self.modified].into_iter().flatten().map(Vec::as_slice)
    }

    fn reversed(&self) -> Self {
        Self {
            added: self.deleted.clone(),
            modified: self.modified.clone(),
            deleted: self.added.clone(),
        }
    }
}

/// The files a patch starts from, as lines for `update-index`. None where one of them is not known here.
async fn base_of(git: &Git, work: &str, patch: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut lines = Vec::new();
    for file in files_before(patch) {
        let Some(path) = file.path else { return Ok(None) };
        let name = match &file.blob {
            Some(blob) => format!("{blob}^{{blob}}"),
            // Only name or mode change, not the content: any will do.
            None => format!("{work}:{}", String::from_utf8_lossy(&path)),
        };
        let known = git.maybe(&["rev-parse", "--verify", "--quiet", &name]).await?;
        // The commit of a submodule is an object of another repository.
        let known = if file.mode == "160000" { file.blob } else { known };
        let Some(blob) = known else { return Ok(None) };
        lines.extend_from_slice(format!("{} {blob}\t", file.mode).as_bytes());
        lines.extend_from_slice(&path);
        lines.push(0);
    }
    Ok(Some(lines))
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::checkout::testing::{Repository, git};

    const TEN: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n";

    /// The patch that a clone makes when `change` is done in it.
    fn patch_of(repository: &Repository, change: impl FnOnce(&Path)) -> Vec<u8> {
        let clone = tempfile::tempdir().unwrap();
        git(&repository.root, &["clone", "--quiet", ".", clone.path().to_str().unwrap()]);
        change(clone.path());
        git(clone.path(), &["add", "-A"]);
        let mut patch =
            git(clone.path(), &["diff", "--cached", "--binary", "--full-index", "-M"]).into_bytes();
        patch.push(b'\n');
        patch
    }

    async fn apply(repository: &Repository, patch: &[u8], conflicts: bool) -> Result<Applied> {
        Local::open(&repository.root).await.unwrap().apply(patch, conflicts).await
    }

    #[tokio::test]
    async fn all_kinds_of_change_arrive_beside_own_uncommitted_work() {
        let repository = Repository::create();
        repository.write("picture.bin", [0_u8, 159, 146, 150].repeat(300));
        repository.write("script", "#!/bin/sh\n");
        repository
            .write("folder/only.txt", "moved later, long enough to be seen as the same file\n");
        repository.commit("more");
        let patch = patch_of(&repository, |clone| {
            std::fs::write(clone.join("a.txt"), TEN.replace("ten", "TEN")).unwrap();
            std::fs::write(clone.join("picture.bin"), [1_u8, 0, 2].repeat(300)).unwrap();
            std::fs::set_permissions(clone.join("script"), PermissionsExt::from_mode(0o755))
                .unwrap();
            std::fs::remove_file(clone.join("gone.txt")).unwrap();
            std::fs::rename(clone.join("folder/only.txt"), clone.join("moved ü.txt")).unwrap();
            std::fs::create_dir(clone.join("deep")).unwrap();
            std::os::unix::fs::symlink("../a.txt", clone.join("deep/link")).unwrap();
        });
        repository.write("a.txt", TEN.replace("one", "ONE"));
        repository.write("b.txt", "staged\n");
        repository.git(&["add", "b.txt"]);
        let before = repository.fingerprint();
        let applied = apply(&repository, &patch, false).await.unwrap();
        assert_eq!(applied.conflicts, Vec::<String>::new());
        assert_eq!(applied.files.len(), 7, "{applied:?}");
        assert_eq!(repository.read("a.txt"), TEN.replace("one", "ONE").replace("ten", "TEN"));
        assert_eq!(
            std::fs::read(repository.root.join("picture.bin")).unwrap(),
            [1_u8, 0, 2].repeat(300)
        );
        assert_eq!(
            std::fs::metadata(repository.root.join("script")).unwrap().permissions().mode() & 0o111,
            0o111
        );
        assert!(
            !repository.root.join("gone.txt").exists() && !repository.root.join("folder").exists()
        );
        assert!(repository.read("moved ü.txt").starts_with("moved later"));
        assert_eq!(
            std::fs::read_link(repository.root.join("deep/link")).unwrap(),
            Path::new("../a.txt")
        );
        assert_eq!(repository.read("b.txt"), "staged\n");
        // Index, refs and objects are as they were.
        let inside = repository.root.join(".git");
        let touched =
            repository.touched_since(&before).into_iter().filter(|path| path.starts_with(&inside));
        assert_eq!(touched.collect::<Vec<_>>(), Vec::<PathBuf>::new());
    }

    #[tokio::test]
    async fn a_clash_changes_nothing_unless_markers_are_asked_for() {
        let repository = Repository::create();
        let patch = patch_of(&repository, |clone| {
            std::fs::write(clone.join("a.txt"), TEN.replace("five", "theirs")).unwrap();
            std::fs::write(clone.join("fresh.txt"), "fresh\n").unwrap();
        });
        repository.write("a.txt", TEN.replace("five", "mine"));
        let before = repository.fingerprint();
        let error = apply(&repository, &patch, false).await.unwrap_err();
        assert!(matches!(&error, Error::Conflict { paths } if paths == &["a.txt"]), "{error:?}");
        assert_eq!(repository.touched_since(&before), Vec::<std::path::PathBuf>::new());
        let applied = apply(&repository, &patch, true).await.unwrap();
        assert_eq!((applied.conflicts, applied.files.len()), (vec!["a.txt".to_owned()], 2));
        let merged = repository.read("a.txt");
        for part in ["<<<<<<< yours", "mine", "theirs", ">>>>>>> agent"] {
            assert!(merged.contains(part), "{part} in {merged}");
        }
        assert_eq!(repository.read("fresh.txt"), "fresh\n");
    }

    #[tokio::test]
    async fn a_base_never_seen_here_is_merged_with_its_content() {
        let repository = Repository::create();
        let carried = TEN.replace("two", "carried");
        let patch = {
            let clone = tempfile::tempdir().unwrap();
            git(&repository.root, &["clone", "--quiet", ".", clone.path().to_str().unwrap()]);
            std::fs::write(clone.path().join("a.txt"), &carried).unwrap();
            git(clone.path(), &["commit", "--quiet", "-am", "carried"]);
            std::fs::write(clone.path().join("a.txt"), carried.replace("ten", "TEN")).unwrap();
            git(clone.path(), &["diff", "--full-index"]) + "\n"
        };
        // Still as it was carried: the working tree holds the base.
        repository.write("a.txt", &carried);
        apply(&repository, patch.as_bytes(), false).await.unwrap();
        assert_eq!(repository.read("a.txt"), carried.replace("ten", "TEN"));
        // Changed since, near the patch: only the content that was carried makes a merge.
        let mine = carried.replace("eight", "EIGHT");
        repository.write("a.txt", &mine);
        assert_eq!(
            apply(&repository, patch.as_bytes(), false).await.unwrap_err().reason(),
            "APPLY_CONFLICT"
        );
        let local = Local::open(&repository.root).await.unwrap();
        local.apply_with(patch.as_bytes(), &[carried.as_bytes()], false).await.unwrap();
        assert_eq!(repository.read("a.txt"), mine.replace("ten", "TEN"));
    }

    #[tokio::test]
    async fn ignored_files_and_paths_outside_are_never_overwritten() {
        let repository = Repository::create();
        repository.write("ignored/secret", "mine\n");
        let patch = b"diff --git a/ignored/secret b/ignored/secret\nnew file mode 100644\nindex 0000000..e69de29\n--- /dev/null\n+++ b/ignored/secret\n@@ -0,0 +1 @@\n+theirs\n";
        assert_eq!(apply(&repository, patch, true).await.unwrap_err().reason(), "CHECKOUT_CHANGED");
        assert_eq!(repository.read("ignored/secret"), "mine\n");
        for path in ["../outside", ".git/hooks/post-checkout", "/etc/aloft-test"] {
            let patch = format!(
                "diff --git a/{path} b/{path}\nnew file mode 100755\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n"
            );
            assert!(apply(&repository, patch.as_bytes(), true).await.is_err(), "{path}");
        }
        assert!(!repository.folder.path().join("outside").exists());
        assert!(!repository.root.join(".git/hooks/post-checkout").exists());
        assert_eq!(
            apply(&repository, b"not a patch", false).await.unwrap_err().reason(),
            "APPLY_CONFLICT"
        );
        assert_eq!(apply(&repository, b"", false).await.unwrap().files, Vec::<String>::new());
    }
}
