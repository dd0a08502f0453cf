//! What is not finished in a folder of repositories, and what a crash left there: gits at work, repositories that were not
//! finished, or not wholly removed, and objects on their way into one.

use std::{
    collections::HashSet,
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Between tries to remove a folder that still changes, or to end who works in it, and when that is given up.
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
/// Who works on any of them is a git of a cloud that died, and ended.
pub(crate) fn clear(root: &Path, keep: &HashSet<String>) -> io::Result<()> {
    end_gits(root)?;
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

/// Ends every git that was told to work below a folder, with what it started.
fn end_gits(root: &Path) -> io::Result<()> {
    let given_up = Instant::now() + PATIENCE;
    loop {
        let gits: Vec<Pid> = processes()?.filter(|pid| is_git_at(*pid, root)).collect();
        if gits.is_empty() {
            return Ok(());
        }
        if Instant::now() > given_up {
            let left = format!("{gits:?} work on and cannot be ended");
            return Err(io::Error::new(io::ErrorKind::TimedOut, left));
        }
        for git in gits {
            tracing::info!(pid = git.as_raw_nonzero(), "ending a git that a crash left");
            // It leads its group, but for those that it started. What has ended meanwhile is not there.
            kill_process_group(git, Signal::KILL).ok();
            kill_process(git, Signal::KILL).ok();
        }
        std::thread::sleep(AGAIN);
    }
}

fn processes() -> io::Result<impl Iterator<Item = Pid>> {
    let entries = std::fs::read_dir("/proc")?.flatten();
    Ok(entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)))
}

/// Whether a process is a git with a path below this folder among its words, and means the same folder by it as we do.
fn is_git_at(pid: Pid, root: &Path) -> bool {
    let folder = format!("/proc/{}", pid.as_raw_nonzero());
    // None of one that has ended.
    let line = std::fs::read(format!("{folder}/cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    let below = [root.as_os_str().as_bytes(), b"/"].concat();
    if words.next() != Some(b"git") || !words.any(|word| word.starts_with(&below)) {
        return false;
    }
    let place = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let theirs = format!("{folder}/root{}", root.display());
    place(Path::new(&theirs)).is_some_and(|theirs| place(root) == Some(theirs))
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

    /// A git that works on a repository until nobody has anything more for it.
    fn git_at(root: &Path) -> std::process::Child {
        use std::{
            os::unix::process::CommandExt,
            process::{Command, Stdio},
        };

        let repository = root.join("kept.git");
        let made = Command::new("git").args(["init", "-q", "--bare"]).arg(&repository).status();
        assert!(made.unwrap().success());
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(&repository).args(["cat-file", "--batch"]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn a_git_that_outlived_its_cloud_works_on_nothing_any_more() {
        let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut left, mut others) = (git_at(ours.path()), git_at(other.path()));
        // What has ended is none, although nobody has asked after it yet.
        clear(ours.path(), &HashSet::from(["kept".to_owned()])).unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&left.wait().unwrap());
        assert_eq!(signal, Some(Signal::KILL.as_raw()));
        assert_eq!(others.try_wait().unwrap(), None, "it works elsewhere");
        drop(others.stdin.take());
        assert!(others.wait().unwrap().success());
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
