//! The person's key: made once, never overwritten.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ssh_key::getrandom::SysRng;
use ssh_key::rand_core::UnwrapErr;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey};

use crate::ssh::{Error, Folder};

/// Name of the private half.
const NAME: &str = "id_ed25519";

/// The public half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// As in `id_ed25519.pub`, without the end of the line.
    pub line: String,
    /// `SHA256:…`.
    pub fingerprint: String,
}

impl Key {
    /// Returns the key that is there, or none.
    pub fn find(folder: &Folder) -> Result<Option<Self>, Error> {
        let path = folder.path().join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::io("read", &path, source)),
        };
        let key = PrivateKey::from_openssh(&text)
            .map_err(|error| Error::Key { path: path.clone(), problem: error.to_string() })?;
        close(&path)?;
        Self::of(key.public_key()).map(Some)
    }

    /// Returns the key that is there, making one where none is. However many make one at once, one is kept.
    pub fn ensure(folder: &Folder) -> Result<Self, Error> {
        folder.make()?;
        if Self::find(folder)?.is_none() {
            make(folder)?;
        }
        let gone = || Error::io("read", &folder.path().join(NAME), io::ErrorKind::NotFound.into());
        let key = Self::find(folder)?.ok_or_else(gone)?;
        folder.write("id_ed25519.pub", format!("{}\n", key.line).as_bytes())?;
        Ok(key)
    }

    fn of(key: &PublicKey) -> Result<Self, Error> {
        let line =
            key.to_openssh().map_err(|error| Error::MakeKey { problem: error.to_string() })?;
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        Ok(Self { line: line.trim_end().to_owned(), fingerprint })
    }
}

fn make(folder: &Folder) -> Result<(), Error> {
    let failed = |error: ssh_key::Error| Error::MakeKey { problem: error.to_string() };
    let mut key = PrivateKey::random(&mut UnwrapErr(SysRng), Algorithm::Ed25519).map_err(failed)?;
    key.set_comment(format!("aloft@{}", machine()));
    let text = key.to_openssh(LineEnding::LF).map_err(failed)?;
    let path = folder.path().join(NAME);
    let kept = || -> io::Result<()> {
        // Made with 0600 and given its name only where none has it.
        let mut file = tempfile::NamedTempFile::new_in(folder.path())?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
            _ => Ok(()),
        }
    };
    kept().map_err(|source| Error::io("write", &path, source))
}

/// ssh takes no key that others may read.
fn close(path: &Path) -> Result<(), Error> {
    let closed = fs::metadata(path).and_then(|about| {
        let others = about.permissions().mode() & 0o077;
        if others == 0 {
            return Ok(());
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
    });
    closed.map_err(|source| Error::io("close", path, source))
}

/// The name of this machine, as far as it can stand in a comment.
fn machine() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || "-._".contains(*letter);
    name.chars().filter(plain).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_is_made_and_never_another() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path());
        assert_eq!(Key::find(&folder).unwrap(), None);
        let keys: Vec<Key> = std::thread::scope(|scope| {
            let makers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| Key::ensure(&folder).unwrap())).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        let path = folder.path().join(NAME);
        let kept = fs::read(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::remove_file(folder.path().join("id_ed25519.pub")).unwrap();
        assert_eq!(Key::ensure(&folder).unwrap(), keys[0]);
        assert_eq!(fs::read(&path).unwrap(), kept);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let public = fs::read_to_string(folder.path().join("id_ed25519.pub")).unwrap();
        assert!(public.starts_with("ssh-ed25519 ") && public.contains(" aloft@"), "{public}");
    }

    #[test]
    fn a_key_that_cannot_be_read_is_never_replaced() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path());
        folder.make().unwrap();
        fs::write(folder.path().join(NAME), "not a key").unwrap();
        assert!(matches!(Key::ensure(&folder), Err(Error::Key { .. })));
        assert_eq!(fs::read_to_string(folder.path().join(NAME)).unwrap(), "not a key");
    }
}
