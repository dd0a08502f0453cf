//! Keeps the host's disk from filling up: no quota holds a sandbox on an ordinary file system, so the turn that uses most is
//! stopped while there is still room for the log and the other threads.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use aloft_proto::v1::TurnState;

use crate::{
    model::machine::{Input, Refused},
    runner::{Error, Runner, problem, whole},
};

/// Between looks at the disk.
const LOOK: Duration = Duration::from_secs(2);
/// A sandbox that holds less than this part of the reserve has not filled the disk: to stop its turn helps nobody.
const BLAMELESS: u64 = 16;

impl Runner {
    /// Looks at the disk for as long as the cloud runs. `sandboxes` holds one folder for each thread.
    pub async fn guard_disk(&self, sandboxes: PathBuf) {
        let reserve = self.parts().config.disk_reserve();
        loop {
            tokio::time::sleep(LOOK).await;
            match free(&sandboxes) {
                Ok(free) if free < reserve => {
                    if let Err(error) =
                        self.stop_largest(&sandboxes, free, reserve / BLAMELESS).await
                    {
                        tracing::error!(
                            error = whole(&error),
                            "the disk is nearly full, and no turn could be stopped"
                        );
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "could not look at the disk"),
            }
        }
    }

    /// Stops the running turn whose sandbox is the largest, where that holds as much as this.
    async fn stop_largest(&self, sandboxes: &Path, free: u64, least: u64) -> Result<(), Error> {
        let mut largest = None;
        for row in self.parts().store.all_threads().await? {
            if row.thread.last_turn.is_none_or(|turn| turn.state() != TurnState::Running) {
                continue;
            }
            let folder = sandboxes.join(&row.thread.id);
            let size = tokio::task::spawn_blocking(move || size(&folder)).await.unwrap_or_default();
            if size >= least && largest.as_ref().is_none_or(|(most, _)| size > *most) {
                largest = Some((size, row.thread.id));
            }
        }
        let Some((size, thread)) = largest else { return Ok(()) };
        let text = format!(
            "the disk is nearly full: {} MiB are free, and this thread uses {} MiB",
            free >> 20,
            size >> 20
        );
        tracing::warn!(thread, text);
        let hint = "free space, or have the agent remove what it made, then send a message";
        match self
            .handle(&thread)
            .await?
            .ask(Input::Halt(problem("DISK_FULL", text, hint, true)), None)
            .await
        {
            Ok(_) | Err(Error::Refused(Refused::NoTurn | Refused::Deleting)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Bytes an ordinary user may still write.
fn free(path: &Path) -> rustix::io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes on disk below a folder. What cannot be read counts nothing; links are not followed.
fn size(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut total = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.path().symlink_metadata() else { continue };
            total += about.blocks() * 512;
            if about.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_as_large_as_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), vec![1; 1 << 20]).unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("root")).unwrap();
        let size = size(folder.path());
        assert!((1 << 20..2 << 20).contains(&size), "{size}");
        assert!(free(folder.path()).unwrap() > 0);
    }
}
