//! The folder of a forge: its repositories, and who may do what with them.

use std::{
    ops::{Deref, DerefMut},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use anyhow::{Context, bail};
use ring::digest;

use crate::dev_forge::{
    accounts::{Accounts, Viewer},
    controls::Controls,
    device::Codes,
    files,
    limits::Limits,
    pictures::Pictures,
    record::{Access, Record},
};

/// What the forge itself keeps, below its root.
const OWN_FOLDER: &str = ".dev-forge";
/// What is known of a repository, in it.
const RECORD: &str = "dev-forge.json";
/// Longest name of an owner or a repository.
const MAX_NAME: usize = 100;
/// Refuses pushes to protected branches, in the words of a forge.
const HOOK: &str = r#"#!/bin/sh
while read -r _old _new ref; do
    for branch in $(git config --get-all devforge.protected); do
        if [ "$ref" = "refs/heads/$branch" ]; then
            echo "error: GH006: Protected branch update failed for $ref." >&2
            exit 1
        fi
    done
done
"#;

/// A forge.
#[derive(Debug)]
pub(super) struct Forge {
    root: PathBuf,
    accounts: Mutex<Accounts>,
    /// Held by whoever changes a record.
    writing: tokio::sync::Mutex<()>,
    /// Codes of sign-ins that are under way.
    pub(super) codes: Mutex<Codes>,
    /// How many calls each token has left.
    pub(super) limits: Mutex<Limits>,
    /// Pictures in texts; they last as long as the program.
    pub(super) pictures: Mutex<Pictures>,
    /// What tests ask for.
    pub(super) controls: Mutex<Controls>,
}

/// One bare repository.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) record: Record,
}

/// A record that is being changed; nobody else changes one meanwhile.
#[derive(Debug)]
pub(super) struct Change<'a> {
    repository: Repository,
    _alone: tokio::sync::MutexGuard<'a, ()>,
}

impl Forge {
    /// Opens or makes the folder; with the token that the first start made.
    pub(super) fn open(root: &Path) -> anyhow::Result<(Self, Option<String>)> {
        let own = root.join(OWN_FOLDER);
        std::fs::create_dir_all(own.join("hooks"))
            .with_context(|| format!("make the folder {}", own.display()))?;
        let root = root.canonicalize().with_context(|| format!("find {}", root.display()))?;
        let own = root.join(OWN_FOLDER);
        let hook = own.join("hooks/pre-receive");
        files::replace(&hook, HOOK.as_bytes())?;
        for path in [&own, &hook] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
                .with_context(|| format!("close {} to others", path.display()))?;
        }
        let (accounts, token) = Accounts::open(&own)?;
        let forge = Self {
            root,
            accounts: Mutex::new(accounts),
            writing: tokio::sync::Mutex::default(),
            codes: Mutex::default(),
            limits: Mutex::default(),
            pictures: Mutex::default(),
            controls: Mutex::default(),
        };
        Ok((forge, token))
    }

    pub(super) fn accounts(&self) -> MutexGuard<'_, Accounts> {
        lock(&self.accounts)
    }

    /// The login of the person whose forge this is.
    pub(super) fn owner(&self) -> String {
        self.accounts().first().login
    }

    /// Where the hooks are that every push passes.
    pub(super) fn hooks(&self) -> PathBuf {
        self.root.join(OWN_FOLDER).join("hooks")
    }

    /// A repository, by its name.
    pub(super) fn repository(&self, owner: &str, name: &str) -> anyhow::Result<Option<Repository>> {
        let name = name.strip_suffix(".git").unwrap_or(name);
        if !(is_name(owner) && is_name(name)) || owner.starts_with('.') {
            return Ok(None);
        }
        let path = self.root.join(owner).join(format!("{name}.git"));
        if !is_repository(&path) {
            return Ok(None);
        }
        let mut record: Record = files::read(&path.join(RECORD))?.unwrap_or_default();
        if record.id == 0 {
            record.id = number_of(&format!("{owner}/{name}"));
        }
        Ok(Some(Repository { owner: owner.to_owned(), name: name.to_owned(), path, record }))
    }

    /// A repository, by `owner/name`.
    pub(super) fn named(&self, name: &str) -> anyhow::Result<Option<Repository>> {
        let Some((owner, name)) = name.split_once('/') else { return Ok(None) };
        self.repository(owner, name)
    }

    /// All repositories, in the order of their names.
    pub(super) fn repositories(&self) -> anyhow::Result<Vec<Repository>> {
        let mut found = Vec::new();
        for owner in names(&self.root)? {
            if owner.starts_with('.') || !self.root.join(&owner).is_dir() {
                continue;
            }
            for name in names(&self.root.join(&owner))? {
                if is_bare(&name) {
                    found.extend(self.repository(&owner, &name)?);
                }
            }
        }
        found.sort_by_key(Repository::full_name);
        Ok(found)
    }

    /// Where a new repository would be; `None` where that is no name or one is there.
    pub(super) fn free(&self, owner: &str, name: &str) -> Option<PathBuf> {
        let fits = is_name(owner) && is_name(name) && !owner.starts_with('.');
        let path = self.root.join(owner).join(format!("{name}.git"));
        (fits && !is_bare(name) && !path.exists()).then_some(path)
    }

    /// Begins to change a record: it is read anew, and nobody else changes one before this is dropped.
    pub(super) async fn change(&self, repository: &Repository) -> anyhow::Result<Change<'_>> {
        let alone = self.writing.lock().await;
        let again = self.repository(&repository.owner, &repository.name)?;
        let repository =
            again.with_context(|| format!("find the repository {}", repository.full_name()))?;
        Ok(Change { repository, _alone: alone })
    }

    /// Gives a repository another name.
    pub(super) async fn rename(&self, repository: &Repository, name: &str) -> anyhow::Result<()> {
        let mut change = self.change(repository).await?;
        let Some(path) = self.free(&repository.owner, name) else {
            bail!("use {name} as a name: it is none, or it is taken")
        };
        let (from, to) = (repository.full_name(), format!("{}/{name}", repository.owner));
        // Its number must not follow from its new name.
        change.record.renamed(&from, &to);
        change.save()?;
        // Its copies, and the repositories that have pull requests from it: nobody else changes one meanwhile.
        for mut other in self.repositories()? {
            if other.path != repository.path && other.record.renamed(&from, &to) {
                files::write(&other.path.join(RECORD), &other.record)?;
            }
        }
        std::fs::rename(&repository.path, path)
            .with_context(|| format!("rename {}", repository.full_name()))?;
        self.accounts().renamed(&from, &to)
    }
}

impl Repository {
    /// What this person may do with it.
    pub(super) fn access(&self, viewer: Option<&Viewer>) -> Access {
        let record = &self.record;
        let open = if record.private { Access::None } else { Access::Read };
        let Some(viewer) = viewer else { return open };
        let login = &viewer.user.login;
        let own = if viewer.first || login.eq_ignore_ascii_case(&self.owner) {
            Access::Admin
        } else {
            record.permissions.get(login).copied().unwrap_or(Access::None)
        };
        let has = |scope: &str| viewer.scopes.iter().any(|has| has == scope);
        if has("repo") || (has("public_repo") && !record.private) { own.max(open) } else { open }
    }

    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The branch HEAD names, whether it has a commit or not.
    pub(super) fn default_branch(&self) -> String {
        let head = std::fs::read_to_string(self.path.join("HEAD")).unwrap_or_default();
        head.trim().strip_prefix("ref: refs/heads/").unwrap_or("main").to_owned()
    }

    /// When a branch last changed, in milliseconds since the epoch.
    pub(super) fn pushed_at(&self) -> i64 {
        let mut newest =
            changed(&self.path.join("packed-refs")).max(changed(&self.path.join("HEAD")));
        let mut open = vec![self.path.join("refs/heads")];
        while let Some(folder) = open.pop() {
            newest = newest.max(changed(&folder));
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    open.push(path);
                } else {
                    newest = newest.max(changed(&path));
                }
            }
        }
        newest
    }

    /// When it was made, as far as the file system knows.
    pub(super) fn created_at(&self) -> i64 {
        let made = self.path.join("objects").metadata().and_then(|about| about.created());
        made.map_or_else(|_| changed(&self.path.join("HEAD")), millis)
    }
}

impl Change<'_> {
    /// Writes what was changed.
    pub(super) fn save(&self) -> anyhow::Result<()> {
        files::write(&self.repository.path.join(RECORD), &self.repository.record)
    }
}

impl Deref for Change<'_> {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.repository
    }
}

impl DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut Repository {
        &mut self.repository
    }
}

/// Takes a lock; what a thread left that panicked is as good as any.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this may be the name of an owner or a repository.
pub(super) fn is_name(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    letters && !name.is_empty() && name.len() <= MAX_NAME && name != "." && name != ".."
}

/// Whether this is what the folder of a bare repository is called.
fn is_bare(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == "git")
}

fn is_repository(path: &Path) -> bool {
    path.join("HEAD").is_file() && path.join("objects").is_dir()
}

fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// A number for a repository that was given none: the same each time, and different for different names.
fn number_of(name: &str) -> u64 {
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    let number =
        hash.as_ref().iter().take(4).fold(0, |number, byte| number << 8 | u64::from(*byte));
    (number >> 1) + 1
}

fn changed(path: &Path) -> i64 {
    path.metadata().and_then(|about| about.modified()).map_or(0, millis)
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
