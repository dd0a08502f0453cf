//! The bare copy of each repository, shared by all threads on it and mounted read-only in their sandboxes.
//!
//! It holds branches and tags of its source and no ref of any thread. Threads borrow its objects, so nothing in it is
//! ever pruned: a branch that is deleted upstream loses its name here, never its objects. Files are readable by every
//! user of the machine, because each sandbox runs as a user of its own; the folder above decides who gets here.

mod fetch;
mod import;
mod resolve;
pub(in crate::git) mod source;

use std::collections::{HashMap, HashSet};
use std::fs::{File, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{MutexGuard, watch};

use crate::git::bundle::{blocking, missing_commits, sync_folder};
use crate::git::command::{Git, Progress};
use crate::git::leftover;
use crate::git::names::{check_name, is_object_id};
use crate::git::{Error, Result};

/// How long to wait for another process that works on the same mirror.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3600);
const LOCK_POLL: Duration = Duration::from_millis(50);

/// All mirrors of a cloud. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mirrors {
    root: PathBuf,
    gates: Arc<Mutex<HashMap<String, Arc<Gate>>>>,
}

/// What one asks for when fetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A fetch that ended a few seconds ago will do.
    Recent,
    /// Everything that was at the source when the call was made.
    Now,
}

/// A commit, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its id.
    pub commit: String,
    /// The branch or tag, or the reference as it was asked for.
    pub name: String,
    /// It is a branch, so a pull request can go back to it.
    pub is_branch: bool,
}

/// A name in a repository and the commit it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Whole name: `refs/heads/main`.
    pub name: String,
    /// The commit; a tag object is followed to its commit.
    pub commit: String,
}

/// Lets one at a time work on a mirror; the others wait and share what came of it.
#[derive(Debug)]
struct Gate {
    // Held over a whole fetch: it is the queue of those who want one.
    last_fetch: tokio::sync::Mutex<Option<Fetched>>,
    progress: watch::Sender<Progress>,
}

/// How the newest fetch went.
#[derive(Clone, Debug)]
struct Fetched {
    url: String,
    started: Instant,
    ended: Instant,
    result: Result<()>,
}

/// The right to change one mirror, here and in other processes.
struct Exclusive<'a> {
    last_fetch: MutexGuard<'a, Option<Fetched>>,
    _file: File,
}

impl Mirrors {
    /// Mirrors live below `root`, which is made when needed.
    pub fn new(root: PathBuf) -> Self {
        Self { root, gates: Arc::default() }
    }

    /// Where a mirror is, or would be.
    pub fn path(&self, id: &str) -> Result<PathBuf> {
        check_name("mirror", id)?;
        Ok(self.root.join(format!("{id}.git")))
    }

    /// The names of all mirrors.
    pub async fn list(&self) -> Result<Vec<String>> {
        let root = self.root.clone();
        blocking(move || {
            let names = match std::fs::read_dir(&root) {
                Ok(entries) => {
                    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(Error::io(format!("list {}", root.display()))(error)),
            };
            let mut ids: Vec<String> = names
                .iter()
                .filter_map(|name| name.strip_suffix(".git"))
                .filter(|id| !id.starts_with('.'))
                .map(str::to_owned)
                .collect();
            ids.sort();
            Ok(ids)
        })
        .await
    }

    /// Which of these commits the mirror has; none where there is no mirror. What is not a whole commit id is left out.
    pub async fn has(&self, id: &str, commits: &[String]) -> Result<Vec<String>> {
        let path = self.path(id)?;
        if !path.is_dir() {
            return Ok(Vec::new());
        }
        let wanted: Vec<String> =
            commits.iter().filter(|commit| is_object_id(commit)).cloned().collect();
        let missing = missing_commits(&path, &wanted).await?;
        Ok(wanted.into_iter().filter(|commit| !missing.contains(commit)).collect())
    }

    /// Branches and tags with their commits, by name.
    pub async fn tips(&self, id: &str) -> Result<Vec<Tip>> {
        tips(&self.existing(id)?).await
    }

    /// Removes a mirror. No thread may borrow from it any more.
    pub async fn remove(&self, id: &str) -> Result<()> {
        let path = self.path(id)?;
        let gate = self.gate(id);
        let mut exclusive = self.exclusive(id, &gate).await?;
        *exclusive.last_fetch = None;
        let grave = self.scratch(id);
        blocking(move || {
            match std::fs::rename(&path, &grave) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                other => other.map_err(Error::io(format!("remove {}", path.display())))?,
            }
            std::fs::remove_dir_all(&grave)
                .map_err(Error::io(format!("remove {}", grave.display())))
        })
        .await
    }

    /// Removes what a crash left beside these mirrors. Nothing may be under way.
    pub async fn clear_leftovers(&self, ids: HashSet<String>) -> Result<()> {
        let root = self.root.clone();
        blocking(move || {
            leftover::clear(&root, &ids).map_err(Error::io(format!("clear up {}", root.display())))
        })
        .await
    }

    fn existing(&self, id: &str) -> Result<PathBuf> {
        let path = self.path(id)?;
        if path.is_dir() { Ok(path) } else { Err(Error::NoRepository(id.to_owned())) }
    }

    fn gate(&self, id: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Gate {
                last_fetch: tokio::sync::Mutex::default(),
                progress: watch::Sender::default(),
            })
        };
        Arc::clone(gates.entry(id.to_owned()).or_insert_with(new))
    }

    async fn exclusive<'a>(&self, id: &str, gate: &'a Gate) -> Result<Exclusive<'a>> {
        let last_fetch = gate.last_fetch.lock().await;
        let path = self.root.join(format!(".{id}.lock"));
        let attempt = format!("lock {}", path.display());
        let root = self.root.clone();
        let opened = attempt.clone();
        let file = blocking(move || {
            std::fs::create_dir_all(&root).map_err(Error::io(opened.clone()))?;
            File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(Error::io(opened))
        })
        .await?;
        let asked = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Exclusive { last_fetch, _file: file }),
                Err(TryLockError::Error(error)) => return Err(Error::io(attempt)(error)),
                Err(TryLockError::WouldBlock) if asked.elapsed() > LOCK_TIMEOUT => {
                    return Err(Error::Timeout { attempt, seconds: LOCK_TIMEOUT.as_secs() });
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL).await,
            }
        }
    }

    /// A folder name for something unfinished; a crash may leave it, the next fetch of this mirror clears it away.
    fn scratch(&self, id: &str) -> PathBuf {
        self.root.join(format!(".{id}.{}.unfinished", uuid::Uuid::new_v4().simple()))
    }

    /// An empty mirror under a passing name. The caller holds the mirror's lock.
    async fn make_scratch(&self, id: &str, object_format: &str) -> Result<PathBuf> {
        let path = self.scratch(id);
        let (root, unfinished) = (self.root.clone(), format!(".{id}."));
        blocking(move || {
            let entries =
                std::fs::read_dir(&root).map_err(Error::io(format!("list {}", root.display())))?;
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with(&unfinished) && name.ends_with(".unfinished") {
                    std::fs::remove_dir_all(entry.path())
                        .map_err(Error::io(format!("remove {}", entry.path().display())))?;
                }
            }
            Ok(())
        })
        .await?;
        make_bare(&path, object_format, "0644").await?;
        Ok(path)
    }

    /// Gives a mirror its name, or clears it away where filling it failed.
    async fn publish(&self, scratch: PathBuf, id: &str, filled: Result<()>) -> Result<()> {
        let (root, target) = (self.root.clone(), self.path(id)?);
        blocking(move || {
            if filled.is_err() {
                if let Err(error) = std::fs::remove_dir_all(&scratch) {
                    tracing::warn!(%error, "an unfinished mirror stays until the next fetch");
                }
                return filled;
            }
            open_to_all(&scratch)
                .map_err(Error::io(format!("open {} to sandboxes", scratch.display())))?;
            std::fs::rename(&scratch, &target)
                .and_then(|()| sync_folder(&root))
                .map_err(Error::io(format!("name {}", target.display())))
        })
        .await
    }
}

/// Makes an empty bare repository in which nothing is ever cleaned up behind our back.
pub(crate) async fn make_bare(path: &Path, object_format: &str, shared: &str) -> Result<()> {
    Git::new(format!("make the repository {}", path.display()))
        .args(["init", "--quiet", "--bare", "--template=", "--initial-branch=main"])
        .args([format!("--object-format={object_format}"), format!("--shared={shared}")])
        .arg(path)
        .run()
        .await?;
    let path = path.to_owned();
    blocking(move || {
        // Also for a person who runs git here by hand.
        let settings = "[gc]\n\tauto = 0\n\tpruneExpire = never\n[maintenance]\n\tauto = false\n[transfer]\n\tfsckObjects = true\n\
                        [core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\tlogAllRefUpdates = false\n";
        let config = path.join("config");
        let append = || {
            let text = std::fs::read_to_string(&config)?;
            std::fs::write(&config, text + settings)?;
            std::fs::create_dir_all(path.join("objects/info"))
        };
        append().map_err(Error::io(format!("set up {}", path.display())))
    })
    .await
}

/// All refs with their commits; a tag of something that is no commit is left out.
pub(crate) async fn tips(repository: &Path) -> Result<Vec<Tip>> {
    let format = "--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname) %(refname)";
    let answer = Git::at(repository, "list refs")
        .args(["for-each-ref", format, "refs/heads/", "refs/tags/", "refs/aloft/"])
        .run()
        .await?;
    let answer = String::from_utf8_lossy(&answer);
    let tip = |line: &str| {
        let [kind, id, peeled_kind, peeled, name] =
            line.splitn(5, ' ').collect::<Vec<_>>().try_into().ok()?;
        let commit =
            if kind == "commit" { id } else { (peeled_kind == "commit").then_some(peeled)? };
        Some(Tip { name: name.to_owned(), commit: commit.to_owned() })
    };
    Ok(answer.lines().filter_map(tip).collect())
}

/// Lets every user of the machine read it, whatever the umask was.
fn open_to_all(path: &Path) -> std::io::Result<()> {
    let metadata = std::fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode() & 0o7777;
    let wanted = mode | if metadata.is_dir() { 0o755 } else { 0o444 };
    if wanted != mode {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(wanted))?;
    }
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            open_to_all(&entry?.path())?;
        }
    }
    Ok(())
}
