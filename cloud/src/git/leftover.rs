//! What a crash left in a folder of repositories: those that were not finished, or not wholly removed, and objects on their
//! way into one.

use std::{collections::HashSet, io, path::Path};

/// Keeps the repositories of these names, and nothing else but their own files. Nobody may work on any of them.
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

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_repositories_that_somebody_has_stay() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for folder in ["kept.git/objects", "kept.git/incoming-x", "other.git", ".unfinished-y"] {
            std::fs::create_dir_all(path(folder)).unwrap();
        }
        for lock in [".kept.lock", ".other.lock"] {
            std::fs::write(path(lock), "").unwrap();
        }
        clear(root.path(), &HashSet::from(["kept".to_owned()])).unwrap();
        let mut names: Vec<String> = std::fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, [".kept.lock", "kept.git"]);
        assert!(path("kept.git/objects").exists() && !path("kept.git/incoming-x").exists());
    }
}
