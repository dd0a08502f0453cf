//! Keeps the times of a repository's object files.
//!
//! Git renews the time of an object file whenever it is about to write an object that is there already, also through
//! a list of alternates. A checkout that is only read should not show that anybody was there.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The times as they were; dropping it puts them back.
#[derive(Debug)]
pub(super) struct Times {
    seen: Vec<(PathBuf, SystemTime)>,
}

impl Times {
    /// Remembers the times of all object files below this folder and the folders it borrows from.
    pub(super) async fn remember(objects: PathBuf) -> Self {
        let looked = tokio::task::spawn_blocking(move || {
            let mut seen = Vec::new();
            look(&objects, &mut seen, &mut HashSet::new());
            seen
        });
        // Not being able to look only means that times may move.
        Self { seen: looked.await.unwrap_or_default() }
    }
}

impl Drop for Times {
    fn drop(&mut self) {
        for (path, before) in &self.seen {
            if modified(path).is_some_and(|now| now != *before)
                && let Ok(file) = File::open(path)
                && let Err(error) = file.set_modified(*before)
            {
                tracing::debug!(path = %path.display(), %error, "the time of an object file moved");
            }
        }
    }
}

fn look(objects: &Path, seen: &mut Vec<(PathBuf, SystemTime)>, visited: &mut HashSet<PathBuf>) {
    if !visited.insert(objects.to_owned()) {
        return;
    }
    for folder in fs::read_dir(objects).into_iter().flatten().flatten() {
        let name = folder.file_name();
        if name != "pack" && name.len() != 2 {
            continue;
        }
        for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let path = file.path();
            seen.extend(modified(&path).map(|time| (path, time)));
        }
    }
    let borrowed = fs::read_to_string(objects.join("info/alternates")).unwrap_or_default();
    for line in borrowed.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '"'])) {
        look(&objects.join(line), seen, visited);
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::symlink_metadata(path).and_then(|data| data.modified()).ok()
}
