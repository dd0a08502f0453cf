//! Secrets at rest: seals them with a key that never leaves its file. [`authority`] vouches for SSH hosts and people.
//!
//! A sealed secret belongs to one owner and one name and opens for no other. Where sealed bytes are kept is for others to decide.

pub mod authority;

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest,
    rand::{SecureRandom, SystemRandom},
};
use secrecy::{ExposeSecret, SecretString};

const KEY_BYTES: usize = 32;
const VERSION: u8 = 1;
/// Bytes that name the key a secret was sealed with, so that a wrong key is told from damage.
const KEY_NAME_BYTES: usize = 8;
const HEADER_BYTES: usize = 1 + KEY_NAME_BYTES + NONCE_LEN;

/// Why a secret could not be sealed or opened. Each reads after "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key file cannot be read or made.
    #[error("read or make the key file {}", path.display())]
    KeyFile {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The key file is not one of ours.
    #[error("use the key file {}: it has {length} bytes instead of {KEY_BYTES}", path.display())]
    NotAKey {
        /// The key file.
        path: PathBuf,
        /// Its length.
        length: usize,
    },
    /// Others may read the key file.
    #[error("use the key file {}: other users may access it (mode {mode:o}); run chmod 600 on it", path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system gave no random bytes.
    #[error("draw random bytes from the system")]
    Random,
    /// It was sealed with another key.
    #[error(
        "open the secret {name}: it was sealed with another key; put the key file it was sealed with back, or set the secret again"
    )]
    WrongKey {
        /// Name of the secret.
        name: String,
    },
    /// It was changed, or belongs to another owner or name.
    #[error(
        "open the secret {name}: it is damaged or was sealed for another owner or name; set it again"
    )]
    Damaged {
        /// Name of the secret.
        name: String,
    },
}

/// Seals and opens secrets with one key.
pub struct Sealer {
    key: LessSafeKey,
    key_name: [u8; KEY_NAME_BYTES],
    random: SystemRandom,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sealer").finish_non_exhaustive()
    }
}

impl Sealer {
    /// With the key in the file `path`; makes the file, readable by this user alone, where there is none. Its folder must exist.
    pub fn from_key_file(path: &Path) -> Result<Self, Error> {
        let random = SystemRandom::new();
        let in_file = |source| Error::KeyFile { path: path.to_owned(), source };
        let key = match File::open(path) {
            Ok(file) => read_key(file, path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_key(path, &random)?;
                // Read back, for another process may have been first.
                read_key(File::open(path).map_err(in_file)?, path)?
            }
            Err(error) => return Err(in_file(error)),
        };
        let unbound = UnboundKey::new(&AES_256_GCM, &key)
            .map_err(|_| Error::NotAKey { path: path.to_owned(), length: key.len() })?;
        let mut key_name = [0; KEY_NAME_BYTES];
        let hash = digest::digest(&digest::SHA256, &[b"aloft key name".as_slice(), &key].concat());
        key_name.copy_from_slice(&hash.as_ref()[..KEY_NAME_BYTES]);
        Ok(Self { key: LessSafeKey::new(unbound), key_name, random })
    }

    /// Seals a secret of `owner` called `name`.
    pub fn seal(&self, owner: &str, name: &str, secret: &SecretString) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| Error::Random)?;
        let mut body = secret.expose_secret().as_bytes().to_vec();
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                associated_data(owner, name),
                &mut body,
            )
            .map_err(|_| Error::Damaged { name: name.to_owned() })?;
        let mut sealed = Vec::with_capacity(HEADER_BYTES + body.len() + tag.as_ref().len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.key_name);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what [`Sealer::seal`] made for the same owner and name.
    pub fn open(&self, owner: &str, name: &str, sealed: &[u8]) -> Result<SecretString, Error> {
        let damaged = || Error::Damaged { name: name.to_owned() };
        let Some((header, body)) = sealed.split_at_checked(HEADER_BYTES) else {
            return Err(damaged());
        };
        let (key_name, nonce) = header[1..].split_at(KEY_NAME_BYTES);
        if header[0] != VERSION {
            return Err(damaged());
        }
        if key_name != self.key_name {
            return Err(Error::WrongKey { name: name.to_owned() });
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let mut body = body.to_vec();
        let plain = self
            .key
            .open_in_place(nonce, associated_data(owner, name), &mut body)
            .map_err(|_| damaged())?;
        std::str::from_utf8(plain).map(SecretString::from).map_err(|_| damaged())
    }
}

/// Both parts with their lengths, so that no two pairs give the same bytes.
fn associated_data(owner: &str, name: &str) -> Aad<Vec<u8>> {
    let mut data = Vec::with_capacity(owner.len() + name.len() + 16);
    for part in [owner, name] {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    Aad::from(data)
}

fn read_key(file: File, path: &Path) -> Result<Vec<u8>, Error> {
    let in_file = |source| Error::KeyFile { path: path.to_owned(), source };
    let mode = file.metadata().map_err(in_file)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::Exposed { path: path.to_owned(), mode });
    }
    let mut key = Vec::with_capacity(KEY_BYTES);
    file.take(KEY_BYTES as u64 + 1).read_to_end(&mut key).map_err(in_file)?;
    if key.len() != KEY_BYTES {
        return Err(Error::NotAKey { path: path.to_owned(), length: key.len() });
    }
    Ok(key)
}

/// Writes a new key whole or not at all, and never over another.
fn make_key(path: &Path, random: &SystemRandom) -> Result<(), Error> {
    let mut key = [0; KEY_BYTES];
    random.fill(&mut key).map_err(|_| Error::Random)?;
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(folder)?;
        file.write_all(&key)?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
            _ => File::open(folder)?.sync_all(),
        }
    };
    write().map_err(|source| Error::KeyFile { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealer(folder: &tempfile::TempDir, name: &str) -> Sealer {
        Sealer::from_key_file(&folder.path().join(name)).unwrap()
    }

    #[test]
    fn opens_what_it_sealed_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = sealer(&folder, "key").seal("ada", "key/openai", &"sk-1".into()).unwrap();
        let opened = sealer(&folder, "key").open("ada", "key/openai", &sealed).unwrap();
        assert_eq!(opened.expose_secret(), "sk-1");
        assert!(!sealed.windows(4).any(|part| part == b"sk-1"));
        let mode = fs::metadata(folder.path().join("key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_secret_belongs_to_one_owner_and_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = sealer(&folder, "key");
        let sealed = sealer.seal("ada", "x", &"secret".into()).unwrap();
        for (owner, name) in [("bob", "x"), ("ada", "y"), ("adax", "")] {
            assert!(matches!(sealer.open(owner, name, &sealed), Err(Error::Damaged { .. })));
        }
    }

    #[test]
    fn another_key_is_told_from_damage() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = sealer(&folder, "one").seal("ada", "x", &"secret".into()).unwrap();
        let error = sealer(&folder, "two").open("ada", "x", &sealed).unwrap_err();
        assert!(matches!(error, Error::WrongKey { .. }), "{error}");
    }

    #[test]
    fn refuses_a_key_file_that_is_short_or_open_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "short").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Sealer::from_key_file(&path), Err(Error::NotAKey { length: 5, .. })));
        fs::write(&path, [7; KEY_BYTES]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Sealer::from_key_file(&path), Err(Error::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn two_that_start_at_once_share_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let sealers: Vec<Sealer> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| sealer(&folder, "key"))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(sealers.iter().all(|sealer| sealer.key_name == sealers[0].key_name));
    }

    proptest! {
        #[test]
        fn no_changed_byte_opens(secret in ".{0,40}", at in any::<prop::sample::Index>(), flip in 1u8..) {
            let folder = tempfile::tempdir().unwrap();
            let sealer = sealer(&folder, "key");
            let mut sealed = sealer.seal("ada", "x", &secret.into()).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert!(sealer.open("ada", "x", &sealed).is_err());
        }
    }
}
