//! What a person changed in a workspace between two turns.

use aloft_proto::v1::FileDiff;

use crate::{
    git::{DiffOptions, snapshot::Snapshot},
    model::machine::ByHand,
    runner::{Error, snapshot::Taking},
};

/// Files an item holds.
const FILES: usize = 500;
/// Bytes of patches an item holds: a file past them comes without.
const PATCHES: usize = 256 * 1024;

/// Saves what was changed by hand before turn `number`, where something was.
pub(super) async fn look(taking: &Taking, number: u32) -> Result<Option<ByHand>, Error> {
    let Some((saved, diff)) = taking.look(number).await? else { return Ok(None) };
    let mut files = changes(taking, &saved, true).await?;
    files.truncate(FILES);
    let mut room = PATCHES;
    for file in &mut files {
        match room.checked_sub(file.patch.len()) {
            Some(left) => room = left,
            None => file.patch.clear(),
        }
    }
    Ok(Some(ByHand { commit: saved.commit, diff, files }))
}

/// The files of a snapshot that differ from the newest one before it, those inside submodules too.
pub(super) async fn changes(
    taking: &Taking,
    after: &Snapshot,
    with_patches: bool,
) -> Result<Vec<FileDiff>, Error> {
    let Taking { parts, thread, memory, .. } = taking;
    let newest = memory.snapshot.as_ref().map(|saved| &saved.commit);
    let before =
        parts.snapshots.describe(&thread.id, newest.unwrap_or(&thread.base_commit)).await?;
    let mut pairs = vec![(before.commit, after.commit.clone())];
    pairs.extend(before.submodules.zip(after.submodules.clone()));
    let mut files = Vec::new();
    for (from, to) in pairs {
        let options = DiffOptions { stat_only: !with_patches, ..DiffOptions::default() };
        let mut changes = parts.snapshots.diff(&thread.id, &from, &to, options).await?;
        while let Some(file) = changes.recv().await {
            files.push(file?);
        }
    }
    Ok(files)
}
