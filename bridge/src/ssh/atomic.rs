//! A file is replaced whole or not at all: written beside its place, made durable, renamed.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// How names of unfinished files begin; what a killed writer left is cleared away by the next one.
const UNFINISHED: &str = ".aloft-unfinished-";

/// Replaces a file. Mode and owner are those of `like`, or 0600 and ours; where the owner cannot be kept nothing is done.
pub(crate) fn replace(path: &Path, text: &[u8], like: Option<&Metadata>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mode = like.map_or(0o600, |like| like.permissions().mode() & 0o7777);
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(text)?;
    if let Some(like) = like {
        let own = file.as_file().metadata()?;
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            std::os::unix::fs::fchown(file.as_file(), Some(like.uid()), Some(like.gid()))?;
        }
    }
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // A name that is not yet durable is no loss: the old file is whole.
    File::open(folder).and_then(|folder| folder.sync_all()).ok();
    Ok(())
}

/// Removes what writers left that were killed. The caller holds the lock, so none is at work.
pub(crate) fn clear_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_file(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_and_place_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"new $& text", Some(&fs::metadata(&path).unwrap())).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new $& text");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        fs::write(folder.path().join(".aloft-unfinished-x"), "half").unwrap();
        clear_unfinished(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
