//! What is done to one path at once: about it, its list, its replacement, its removal. Blocks.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use aloft_proto::guest::Entry;
use tempfile::{NamedTempFile, TempPath};

/// Most entries of a folder that are listed: what one message can carry.
pub(super) const ENTRIES: usize = 50_000;

/// About one path; a link is not followed.
pub(super) fn entry(path: &Path) -> io::Result<Entry> {
    let metadata = fs::symlink_metadata(path)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    Ok(describe(name.into(), &metadata))
}

/// What is in a folder, by name; nothing if that is too much.
pub(super) fn list(path: &Path) -> io::Result<Option<Vec<Entry>>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // One that was removed meanwhile is not there.
        let Ok(metadata) = entry.metadata() else { continue };
        entries.push(describe(entry.file_name().to_string_lossy().into(), &metadata));
        if entries.len() > ENTRIES {
            return Ok(None);
        }
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Some(entries))
}

/// A new file in the folder of `path`, which is made if it is missing.
pub(super) fn new_beside(path: &Path) -> io::Result<(TempPath, File)> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = path.parent().ok_or(io::ErrorKind::IsADirectory)?;
    fs::create_dir_all(folder)?;
    let (file, path) = NamedTempFile::with_prefix_in(".aloft-", folder)?.into_parts();
    Ok((path, file))
}

/// Puts a complete new file in the place of `path`, on disk when this returns.
pub(super) fn put_in_place(new: TempPath, file: &File, mode: u32, path: &Path) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Removes a file, a link or a tree; what is not there is gone already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = remove_once(path).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            open_folders(path);
            remove_once(path)
        }
        _ => Err(error),
    });
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn remove_once(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

/// Makes folders writable: some tools keep theirs read-only, and nothing can be removed from those.
fn open_folders(path: &Path) {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return;
    }
    // A folder of someone else stays as it is, and the removal says so.
    let _not_ours = fs::set_permissions(path, Permissions::from_mode(0o700));
    fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .for_each(|entry| open_folders(&entry.path()));
}

fn describe(name: String, metadata: &Metadata) -> Entry {
    let kind = match metadata.file_type() {
        kind if kind.is_file() => "file",
        kind if kind.is_dir() => "directory",
        kind if kind.is_symlink() => "symlink",
        _ => "other",
    };
    Entry {
        name,
        kind: kind.into(),
        size: metadata.len(),
        mode: metadata.mode() & 0o7777,
        modified_seconds: metadata.mtime(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_with_read_only_folders_is_removed_and_links_are_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let (tree, outside) = (home.path().join("tree"), home.path().join("outside"));
        fs::create_dir_all(tree.join("deep/er")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("deep/link")).unwrap();
        fs::set_permissions(tree.join("deep"), Permissions::from_mode(0o500)).unwrap();
        remove(&tree).unwrap();
        assert!(!tree.exists() && outside.join("kept").exists());
        remove(&tree).unwrap();
    }

    #[test]
    fn entries_are_sorted_and_say_what_they_are() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("b"), "12").unwrap();
        fs::create_dir(home.path().join("a")).unwrap();
        std::os::unix::fs::symlink("nowhere", home.path().join("c")).unwrap();
        let entries = list(home.path()).unwrap().unwrap();
        let kinds: Vec<(&str, &str)> =
            entries.iter().map(|entry| (&*entry.name, &*entry.kind)).collect();
        assert_eq!(kinds, [("a", "directory"), ("b", "file"), ("c", "symlink")]);
        assert_eq!(entry(&home.path().join("b")).unwrap().size, 2);
    }
}
