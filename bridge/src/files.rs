//! Files of this user that appear whole or not at all: written beside their place, made durable, renamed.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::Path;
use std::time::SystemTime;

use tempfile::NamedTempFile;

/// How names of unfinished files begin; what a killed writer left is cleared away by the next one.
const UNFINISHED: &str = ".aloft-unfinished-";

/// Makes a folder that is this user's alone.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a private file in place of the one before; a durable one is on disk when this returns.
pub(crate) fn write(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    let file = beside(path, bytes)?;
    if durable {
        file.as_file().sync_all()?;
    }
    file.persist(path).map_err(|error| error.error)?;
    if durable { sync(parent(path)) } else { Ok(()) }
}

/// Replaces a file of somebody's. Mode and owner are those of `like`, or 0600 and ours; where the owner cannot be kept
/// nothing is done.
pub(crate) fn replace(path: &Path, bytes: &[u8], like: Option<&Metadata>) -> io::Result<()> {
    let file = beside(path, bytes)?;
    if let Some(like) = like {
        let own = file.as_file().metadata()?;
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            fchown(file.as_file(), Some(like.uid()), Some(like.gid()))?;
        }
    }
    let mode = like.map_or(0o600, |like| like.permissions().mode() & 0o7777);
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // A name that is not yet durable is no loss: the old file is whole.
    sync(parent(path)).ok();
    Ok(())
}

/// Has a file hold this, without hurry: one that holds it already is only dated anew. Tells whether it was written.
pub(crate) fn refresh(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|known| known == bytes) {
        OpenOptions::new().append(true).open(path)?.set_modified(SystemTime::now())?;
        return Ok(false);
    }
    write(path, bytes, false).map(|()| true)
}

/// Removes a file for good; one that is gone already is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync(parent(path)),
    }
}

/// Removes what writers left that were killed. The caller holds the lock, so none is at work.
pub(crate) fn clear_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_file(entry.path()).ok();
        }
    }
}

/// Opens a file that is only there to be locked.
pub(crate) fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

/// Takes a lock that others hold only for moments; it is free again when the file is dropped.
pub(crate) fn lock(path: &Path) -> io::Result<File> {
    let file = lock_file(path)?;
    file.lock()?;
    Ok(file)
}

fn beside(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(parent(path))?;
    file.write_all(bytes)?;
    Ok(file)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_and_place_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"new $& text", Some(&fs::metadata(&path).unwrap())).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new $& text");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        fs::write(folder.path().join(".aloft-unfinished-x"), "half").unwrap();
        clear_unfinished(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
