//! What a thread would begin from: the commit, and uncommitted work as a commit on top of it.

use std::path::Path;
use std::sync::Arc;

use ring::digest::{SHA256, digest};

use crate::checkout::git::{Git, entries};
use crate::checkout::local::Local;
use crate::checkout::remote::remote_url;
use crate::checkout::scratch::Scratch;
use crate::checkout::times::Times;
use crate::checkout::{Error, Result};

/// What becomes of uncommitted changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dirty {
    /// They go along.
    Carry,
    /// They stay behind.
    Ignore,
    /// They are an error.
    Refuse,
}

/// What a thread begins from, made without touching the checkout.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The same for the same repository on the same machine.
    pub identity: String,
    /// Short name of the repository, for people.
    pub name: String,
    /// Top of the checkout.
    pub path: String,
    /// Its remote, without credentials.
    pub remote_url: Option<String>,
    /// The commit to begin from.
    pub commit: String,
    /// The branch or tag it was found by, in full (`refs/heads/…`, `refs/tags/…`); none for a bare commit.
    pub ref_name: Option<String>,
    /// A commit on top of `commit` whose tree is the working tree with untracked files and without ignored ones.
    pub carry: Option<String>,
    /// Files that are not committed, untracked ones included.
    pub dirty_files: usize,
    /// Submodules and other repositories inside that hold changes of their own: a commit of this one cannot carry those.
    pub left_behind: Vec<String>,
    /// A ref was asked for by name.
    pub(super) asked: bool,
    /// Holds what `carry` needs, and makes the bundle.
    pub(super) scratch: Arc<Scratch>,
    /// Commits the cloud may know: ancestors at growing distance, then the tips of remotes.
    pub(super) landmarks: Vec<String>,
}

impl Plan {
    /// The `ref` of `CreateThread`: the branch or tag that was asked for, else the exact commit.
    pub fn reference(&self) -> &str {
        match &self.ref_name {
            Some(name) if self.asked => name
                .strip_prefix("refs/heads/")
                .or_else(|| name.strip_prefix("refs/tags/"))
                .unwrap_or(name),
            _ => &self.commit,
        }
    }
}

impl Local {
    /// Looks at the checkout and plans what a thread begins from: `reference`, else the commit checked out.
    pub async fn plan(&self, reference: Option<&str>, dirty: Dirty) -> Result<Plan> {
        if self.shallow {
            return Err(Error::Shallow { path: self.root.clone() });
        }
        let git = self.git();
        let head = match self.head().await {
            // Another branch can be there although the current one has no commit.
            Err(Error::Unborn { .. }) if reference.is_some() => String::new(),
            other => other?,
        };
        let (commit, ref_name) = self.resolve(reference, &head).await?;
        let Dirt { files: dirty_files, inner: left_behind } =
            if self.bare || commit != head { Dirt::default() } else { dirt(&git).await? };
        if dirty_files > 0 && dirty == Dirty::Refuse {
            return Err(Error::Dirty { path: self.root.clone(), files: dirty_files });
        }
        if let Some(reference) = reference
            && dirty == Dirty::Carry
            && !self.bare
            && commit != head
            && dirt(&git).await?.files > 0
        {
            return Err(Error::CarryElsewhere { reference: reference.to_owned(), head });
        }
        let scratch = Scratch::create(self).await?;
        let carry = if dirty == Dirty::Carry && dirty_files > 0 {
            self.carry(&scratch, &commit).await?
        } else {
            None
        };
        Ok(Plan {
            identity: self.identity(&commit).await?,
            name: self.name(),
            path: self.root.to_string_lossy().into_owned(),
            remote_url: remote_url(self).await?,
            landmarks: landmarks(&git, &commit).await?,
            commit,
            ref_name,
            carry,
            dirty_files,
            left_behind: if dirty == Dirty::Carry { left_behind } else { Vec::new() },
            asked: reference.is_some(),
            scratch: Arc::new(scratch),
        })
    }

    /// The commit behind a name, and the full name where it is a branch or tag.
    async fn resolve(
        &self,
        reference: Option<&str>,
        head: &str,
    ) -> Result<(String, Option<String>)> {
        let git = self.git();
        let Some(name) = reference else {
            let branch = git.maybe(&["symbolic-ref", "--quiet", "HEAD"]).await?;
            return Ok((head.to_owned(), branch.filter(|name| name.starts_with("refs/heads/"))));
        };
        let unknown = || Error::UnknownRef { reference: name.to_owned(), path: self.root.clone() };
        if name.is_empty() || name.starts_with('-') {
            return Err(unknown());
        }
        let commit =
            git.maybe(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")]).await?;
        let commit = commit.ok_or_else(unknown)?;
        let full =
            git.maybe(&["rev-parse", "--verify", "--quiet", "--symbolic-full-name", name]).await?;
        let full =
            full.filter(|full| full.starts_with("refs/heads/") || full.starts_with("refs/tags/"));
        Ok((commit, full))
    }

    /// The working tree as a commit. Made of nothing but the tree and its parent: the same files give the same commit.
    async fn carry(&self, scratch: &Scratch, parent: &str) -> Result<Option<String>> {
        let _times = Times::remember(self.common_dir.join("objects")).await;
        let work = scratch.working_tree(self).await?;
        let git = scratch.git_in(self, &work.index);
        if git.line(&["rev-parse", &format!("{parent}^{{tree}}")]).await? == work.tree {
            return Ok(None);
        }
        let date =
            git.line(&["log", "-1", "--no-show-signature", "--format=%ct +0000", parent]).await?;
        let git = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"]
            .into_iter()
            .fold(git, |git, name| git.env(name, "Aloft"));
        let git = ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"]
            .into_iter()
            .fold(git, |git, name| git.env(name, "aloft@localhost"));
        let git = git.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        let args = ["commit-tree", &work.tree, "-p", parent, "-m", "Uncommitted changes"];
        Ok(Some(git.line(&args).await?))
    }

    /// The same for the same repository on the same machine: another one later at the same path has another root.
    async fn identity(&self, commit: &str) -> Result<String> {
        let roots =
            self.git().line(&["rev-list", "--first-parent", "--max-parents=0", commit]).await?;
        let root = roots.lines().last().unwrap_or_default();
        let parts = format!("{}\0{}\0{root}", machine().await, self.common_dir.display());
        Ok(digest(&SHA256, parts.as_bytes())
            .as_ref()
            .iter()
            .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}")))
    }
}

/// What is not committed.
#[derive(Debug, Default)]
struct Dirt {
    /// Files, untracked ones included.
    files: usize,
    /// Repositories inside that hold changes of their own.
    inner: Vec<String>,
}

async fn dirt(git: &Git) -> Result<Dirt> {
    let args = ["status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames"];
    let mut dirt = Dirt::default();
    for entry in entries(&git.run(&args).await?).filter(|entry| !entry.starts_with(b"#")) {
        let entry = String::from_utf8_lossy(entry);
        if let Some(untracked) = entry.strip_prefix("? ").and_then(|path| path.strip_suffix('/')) {
            dirt.inner.push(untracked.to_owned());
            continue;
        }
        dirt.files += 1;
        // `1 XY S<commit><modified><untracked> mH mI mW hH hI path`
        let mut fields = entry.splitn(9, ' ').skip(2);
        if let (Some(state), Some(path)) = (fields.next(), fields.nth(5))
            && state.starts_with('S')
            && state.contains(['M', 'U'])
        {
            dirt.inner.push(path.to_owned());
        }
    }
    Ok(dirt)
}

/// Commits by which the cloud can tell how much of the history it has.
async fn landmarks(git: &Git, commit: &str) -> Result<Vec<String>> {
    let names: Vec<String> = (0..=12).map(|power| format!("{commit}~{}", 1_u32 << power)).collect();
    let mut found = Vec::new();
    for name in names {
        match git.maybe(&["rev-parse", "--verify", "--quiet", &name]).await? {
            Some(ancestor) => found.push(ancestor),
            None => break,
        }
    }
    let args = [
        "for-each-ref",
        "--count=64",
        "--sort=-creatordate",
        "--format=%(objectname)",
        "refs/remotes",
        "refs/heads",
    ];
    found.extend(git.line(&args).await?.lines().map(ToOwned::to_owned));
    Ok(found)
}

/// What tells this machine from another with the same folders.
async fn machine() -> String {
    for path in ["/etc/machine-id", "/var/lib/dbus/machine-id"] {
        match tokio::fs::read_to_string(Path::new(path)).await {
            Ok(id) if !id.trim().is_empty() => return id.trim().to_owned(),
            _ => {}
        }
    }
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::checkout::testing::{Repository, git};

    async fn plan(repository: &Repository, reference: Option<&str>, dirty: Dirty) -> Result<Plan> {
        Local::open(&repository.root).await?.plan(reference, dirty).await
    }

    /// Everything that can be uncommitted at once.
    fn make_dirty(repository: &Repository) {
        repository.write("a.txt", "changed\n");
        repository.write("staged.txt", "staged\n");
        repository.git(&["add", "staged.txt"]);
        repository.write("staged.txt", "staged and changed\n");
        repository.write("new folder/nützlich \"x\".txt", "untracked\n");
        repository.write("ignored/secret", "no\n");
        repository.write("noise.log", "no\n");
        std::fs::remove_file(repository.root.join("gone.txt")).unwrap();
        std::fs::set_permissions(repository.root.join("b.txt"), PermissionsExt::from_mode(0o755))
            .unwrap();
        symlink("a.txt", repository.root.join("link")).unwrap();
        let nested = repository.root.join("nested");
        std::fs::create_dir(&nested).unwrap();
        git(&nested, &["init", "--quiet"]);
    }

    #[tokio::test]
    async fn uncommitted_work_is_carried_and_nothing_is_touched() {
        let repository = Repository::create();
        make_dirty(&repository);
        let before = repository.fingerprint();
        let plan = plan(&repository, None, Dirty::Carry).await.unwrap();
        assert_eq!(repository.touched_since(&before), Vec::<std::path::PathBuf>::new());
        assert_eq!(plan.dirty_files, 6);
        assert_eq!(plan.ref_name.as_deref(), Some("refs/heads/main"));
        assert_eq!(plan.reference(), plan.commit);

        let carry = plan.carry.clone().unwrap();
        let there = plan.scratch.git();
        let tree = there.line(&["ls-tree", "-r", "-z", &carry]).await.unwrap();
        let names: Vec<&str> = tree
            .split('\0')
            .filter_map(|line| line.split_once('\t'))
            .map(|(_, name)| name)
            .collect();
        let wanted =
            [".gitignore", "a.txt", "b.txt", "link", "new folder/nützlich \"x\".txt", "staged.txt"];
        assert_eq!(names, wanted);
        assert!(tree.contains("100755 blob") && tree.contains("120000 blob"));
        let content =
            async |path: &str| there.line(&["show", &format!("{carry}:{path}")]).await.unwrap();
        assert_eq!(content("a.txt").await, "changed");
        assert_eq!(content("staged.txt").await, "staged and changed");
        assert_eq!(there.line(&["rev-parse", &format!("{carry}^")]).await.unwrap(), plan.commit);
    }

    #[tokio::test]
    async fn the_same_files_give_the_same_commit_and_identity() {
        let repository = Repository::create();
        repository.write("a.txt", "changed\n");
        let first = plan(&repository, None, Dirty::Carry).await.unwrap();
        let second = plan(&repository, None, Dirty::Carry).await.unwrap();
        assert_eq!((first.carry, first.identity.clone()), (second.carry, second.identity));

        let worktree = repository.folder.path().join("worktree");
        repository.git(&["worktree", "add", "--quiet", worktree.to_str().unwrap()]);
        let there = Local::open(&worktree).await.unwrap().plan(None, Dirty::Carry).await.unwrap();
        assert_eq!(there.identity, first.identity);
        assert_eq!((there.carry, there.ref_name.as_deref()), (None, Some("refs/heads/worktree")));
        assert_eq!(there.name, "project");
        assert_ne!(
            plan(&Repository::create(), None, Dirty::Ignore).await.unwrap().identity,
            first.identity
        );
    }

    #[tokio::test]
    async fn changes_younger_than_the_index_are_seen() {
        let repository = Repository::create();
        // Same size, same second as the index: only an index with its own time tells.
        repository.write("b.txt", "c\n");
        assert!(plan(&repository, None, Dirty::Carry).await.unwrap().carry.is_some());
    }

    #[tokio::test]
    async fn what_is_asked_decides() {
        let repository = Repository::create();
        let first = repository.git(&["rev-parse", "HEAD"]);
        repository.git(&["tag", "-a", "v1", "-m", "v1"]);
        repository.git(&["branch", "topic/slash"]);
        repository.write("a.txt", "second\n");
        repository.commit("second");
        for (asked, name) in [
            ("v1", Some("refs/tags/v1")),
            ("topic/slash", Some("refs/heads/topic/slash")),
            (&first[..9], None),
        ] {
            let plan = plan(&repository, Some(asked), Dirty::Refuse).await.unwrap();
            assert_eq!((plan.commit.as_str(), plan.ref_name.as_deref()), (first.as_str(), name));
        }
        repository.git(&["checkout", "--quiet", "--detach"]);
        let detached = plan(&repository, None, Dirty::Ignore).await.unwrap();
        assert_eq!(detached.ref_name, None);
        repository.write("a.txt", "third\n");
        let error = plan(&repository, None, Dirty::Refuse).await.unwrap_err();
        assert_eq!(
            (error.reason(), error.to_string().contains("1 uncommitted")),
            ("UNCOMMITTED_CHANGES", true)
        );
        assert_eq!(plan(&repository, None, Dirty::Ignore).await.unwrap().carry, None);
        assert_eq!(
            plan(&repository, Some("v1"), Dirty::Carry).await.unwrap_err().reason(),
            "CARRY_ELSEWHERE"
        );
        for missing in ["nothing", "", "--all", "main:a.txt"] {
            assert_eq!(
                plan(&repository, Some(missing), Dirty::Ignore).await.unwrap_err().reason(),
                "REF_UNKNOWN"
            );
        }
    }

    #[tokio::test]
    async fn what_cannot_work_is_said_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let refused = async |path: &Path| {
            let error = match Local::open(path).await {
                Ok(local) => local.plan(None, Dirty::Ignore).await.unwrap_err(),
                Err(error) => error,
            };
            assert!(error.hint().is_some());
            error.reason()
        };
        assert_eq!(refused(&folder.path().join("missing")).await, "PATH_NOT_FOUND");
        assert_eq!(refused(folder.path()).await, "NOT_A_REPOSITORY");
        git(folder.path(), &["init", "--quiet"]);
        assert_eq!(refused(folder.path()).await, "NO_COMMIT");
        let repository = Repository::create();
        repository.write("a.txt", "second\n");
        repository.commit("second");
        let shallow = repository.folder.path().join("shallow");
        let source = format!("file://{}", repository.root.display());
        repository.git(&["clone", "--quiet", "--depth=1", &source, shallow.to_str().unwrap()]);
        assert_eq!(refused(&shallow).await, "REPOSITORY_SHALLOW");
    }

    #[tokio::test]
    async fn submodules_and_bare_repositories_work() {
        let repository = Repository::create();
        let module = Repository::create();
        repository.git(&["submodule", "--quiet", "add", module.root.to_str().unwrap(), "module"]);
        repository.commit("with a submodule");
        repository.write("module/a.txt", "changed inside\n");
        repository.write("b.txt", "changed outside\n");
        let before = repository.fingerprint();
        let outer = plan(&repository, None, Dirty::Carry).await.unwrap();
        assert_eq!(outer.left_behind, ["module"]);
        let tree = outer
            .scratch
            .git()
            .line(&["ls-tree", outer.carry.as_deref().unwrap(), "module"])
            .await
            .unwrap();
        assert!(tree.starts_with("160000 commit"));
        let inner = Local::open(&repository.root.join("module"))
            .await
            .unwrap()
            .plan(None, Dirty::Carry)
            .await
            .unwrap();
        assert!(inner.carry.is_some());
        assert_eq!(inner.name, "module");
        assert_eq!(repository.touched_since(&before), Vec::<std::path::PathBuf>::new());

        let bare = repository.folder.path().join("bare.git");
        repository.git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
        let plan = Local::open(&bare).await.unwrap().plan(None, Dirty::Carry).await.unwrap();
        assert_eq!((plan.name.as_str(), plan.carry, plan.dirty_files), ("bare", None, 0));
    }
}
