//! What is not finished in a folder of repositories, and what a crash left there: those that were not finished, or not wholly
//! removed, and objects on their way into one.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Between tries to remove a folder that still changes, and when that is given up until the next start.
const AGAIN: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);

/// A folder beside repositories that becomes one of them, or goes again.
#[derive(Debug)]
pub(crate) struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    /// Makes one, and the folder around it.
    pub(crate) fn below(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        let folder = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(root)?;
        Ok(Self { path: folder.keep() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if is_gone(&std::fs::remove_dir_all(&self.path)) {
            return;
        }
        // A git that was ended with whoever waited for it may still be at its last write.
        let path = std::mem::take(&mut self.path);
        std::thread::spawn(move || {
            let given_up = Instant::now() + PATIENCE;
            loop {
                std::thread::sleep(AGAIN);
                let removed = std::fs::remove_dir_all(&path);
                match &removed {
                    _ if is_gone(&removed) => return,
                    Err(error) if Instant::now() > given_up => {
                        let folder = path.display();
                        tracing::warn!(%folder, %error, "stays until the next start");
                        return;
                    }
                    _ => {}
                }
            }
        });
    }
}

fn is_gone(removed: &io::Result<()>) -> bool {
    removed.as_ref().map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |()| true)
}

/// Keeps the repositories of these names, and nothing else but their own files, without the locks of a git that was killed.
/// Nobody may work on any of them.
pub(crate) fn clear(root: &Path, keep: &HashSet<String>) -> io::Result<()> {
    let entries = match std::fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.strip_suffix(".git").is_some_and(|id| keep.contains(id)) {
            clear_incoming(&entry.path())?;
            clear_locks(&entry.path(), &["refs"])?;
        } else if !is_lock(&name, keep) {
            tracing::info!(folder = %entry.path().display(), "removing what a crash left");
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// The lock of a repository that is kept.
fn is_lock(name: &str, keep: &HashSet<String>) -> bool {
    let id = name.strip_prefix('.').and_then(|name| name.strip_suffix(".lock"));
    id.is_some_and(|id| keep.contains(id))
}

fn clear_incoming(repository: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(repository)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if ["incoming-", "bundle-"].iter().any(|passing| name.starts_with(passing)) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes what a git that was killed leaves of files, in a folder and all that is in these folders of it.
fn clear_locks(folder: &Path, within: &[&str]) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            if within.is_empty() || within.iter().any(|one| name == *one) {
                clear_locks(&path, &[])?;
            }
        } else if path.extension().is_some_and(|end| end == "lock") || name == "packed-refs.new" {
            tracing::info!(lock = %path.display(), "removing what a crash left");
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_finished_goes_although_somebody_still_writes() {
        let root = tempfile::tempdir().unwrap();
        let unfinished = Unfinished::below(&root.path().join("threads")).unwrap();
        let path = unfinished.path().to_owned();
        let (begun, going) = std::sync::mpsc::channel();
        let writer = std::thread::spawn({
            let path = path.clone();
            move || {
                for number in 0..20_000 {
                    std::fs::write(path.join(number.to_string()), "").ok();
                    begun.send(()).ok();
                }
            }
        });
        going.recv().unwrap();
        drop(unfinished);
        writer.join().unwrap();
        let given_up = Instant::now() + PATIENCE;
        while path.exists() {
            assert!(Instant::now() < given_up, "it is still there");
            std::thread::sleep(AGAIN);
        }
        // One that got its name is left alone.
        let finished = Unfinished::below(root.path()).unwrap();
        std::fs::rename(finished.path(), root.path().join("named")).unwrap();
        drop(finished);
        assert!(root.path().join("named").exists());
    }

    #[test]
    fn only_whole_repositories_that_somebody_has_stay() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for folder in ["kept.git/objects", "kept.git/incoming-x", "other.git", ".unfinished-y"] {
            std::fs::create_dir_all(path(folder)).unwrap();
        }
        std::fs::create_dir_all(path("kept.git/refs/heads/objects")).unwrap();
        let (lock, refs) = ("kept.git/refs/heads/objects/b.lock", "kept.git/refs/heads/objects/b");
        for file in [".kept.lock", ".other.lock", "kept.git/config.lock", lock, refs] {
            std::fs::write(path(file), "").unwrap();
        }
        clear(root.path(), &HashSet::from(["kept".to_owned()])).unwrap();
        let mut names: Vec<String> = std::fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, [".kept.lock", "kept.git"]);
        assert!(path("kept.git/objects").exists() && !path("kept.git/incoming-x").exists());
        assert!(path(refs).exists() && !path(lock).exists());
        assert!(!path("kept.git/config.lock").exists());
    }
}
