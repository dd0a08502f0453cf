//! The SSH keys that open their owners' threads, and those that open nothing any more.
//!
//! Public keys only. Records of all owners lie together, so that it can also be asked whose a key is.

use std::sync::Arc;

use russh::keys::{Algorithm, HashAlg, PublicKey, ssh_key::Fingerprint};
use serde::{Deserialize, Serialize};

use crate::store::{self, Store};

/// The cloud itself, under which the records lie.
const NOBODY: &str = "";
const KEYS: &str = "ssh-key/";
const REVOKED: &str = "ssh-revoked/";

/// Keys of one owner at most.
const MOST: usize = 256;

/// Longest line taken, in bytes.
const LINE: usize = 4_096;

/// How long a revoked key is remembered, in milliseconds: longer than any certificate of it is good.
const REVOKED_AGE: i64 = 24 * 3_600 * 1_000;

/// Why a key could not be kept or found. Each reads after "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing that could be a public key.
    #[error("use this as a public key: {0}")]
    Invalid(String),
    /// The owner has too many.
    #[error("keep another SSH key: there are {MOST} already")]
    TooMany,
    /// There is no such key.
    #[error("find an SSH key with the fingerprint {0}")]
    Unknown(String),
    /// Its place could not be read or written.
    #[error("reach the SSH keys")]
    Store(#[from] store::Error),
}

/// A public key that opens its owner's threads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshKey {
    /// Whose.
    pub owner: String,
    /// As `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// Algorithm and key.
    pub public_key: String,
    /// For people.
    pub name: String,
    /// Unix time in milliseconds.
    pub created: i64,
}

#[derive(Serialize, Deserialize)]
struct Revoked {
    owner: String,
    fingerprint: String,
    time: i64,
}

/// Everybody's keys.
#[derive(Clone, Debug)]
pub struct SshKeys {
    store: Arc<dyn Store>,
}

/// Reads a line as in `id_ed25519.pub`; only what the servers accept too.
pub fn parse(line: &str) -> Result<PublicKey, Error> {
    let line = line.trim();
    let invalid = |why: &str| Error::Invalid(why.to_owned());
    if line.len() > LINE || line.contains('\n') {
        return Err(invalid("it is not one line of a .pub file"));
    }
    if line.contains("PRIVATE KEY") {
        return Err(invalid("it is a private key; give what is in the .pub file"));
    }
    let key =
        PublicKey::from_openssh(line).map_err(|_| invalid("it is not one line of a .pub file"))?;
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => Ok(key),
        other => Err(Error::Invalid(format!("it is {other}; only ed25519 and ECDSA are taken"))),
    }
}

impl SshKeys {
    /// Those in this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Lets a key open the owner's threads; one that does already stays as it is.
    pub async fn register(
        &self,
        owner: &str,
        line: &str,
        name: &str,
        now: i64,
    ) -> Result<SshKey, Error> {
        let mut key = parse(line)?;
        let comment = key.comment().to_string();
        key.set_comment("");
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let own = self.list(owner).await?;
        self.store.delete_setting(NOBODY, &place(REVOKED, owner, &fingerprint)).await?;
        if let Some(known) = own.iter().find(|known| known.fingerprint == fingerprint) {
            return Ok(known.clone());
        }
        if own.len() >= MOST {
            return Err(Error::TooMany);
        }
        let name = if name.trim().is_empty() { &comment } else { name };
        let public_key = key.to_openssh().map_err(|error| Error::Invalid(error.to_string()))?;
        let key = SshKey {
            owner: owner.to_owned(),
            fingerprint,
            public_key,
            name: name.chars().filter(|letter| !letter.is_control()).take(200).collect(),
            created: now,
        };
        let value = serde_json::to_vec(&key).unwrap_or_default();
        let place = place(KEYS, owner, &key.fingerprint);
        self.store.put_setting(NOBODY, &place, value).await?;
        Ok(key)
    }

    /// The owner's keys, oldest first.
    pub async fn list(&self, owner: &str) -> Result<Vec<SshKey>, Error> {
        let mut keys: Vec<SshKey> =
            self.all(KEYS).await?.into_iter().filter(|key: &SshKey| key.owner == owner).collect();
        keys.sort_by(|one, other| {
            (one.created, &one.fingerprint).cmp(&(other.created, &other.fingerprint))
        });
        Ok(keys)
    }

    /// Whose this key is: everybody who registered it.
    pub async fn owners(&self, key: &PublicKey) -> Result<Vec<String>, Error> {
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let keys: Vec<SshKey> = self.all(KEYS).await?;
        let own = keys.into_iter().filter(|key| key.fingerprint == fingerprint);
        Ok(own.map(|key| key.owner).collect())
    }

    /// Takes a key back, and with it every certificate of it.
    pub async fn revoke(&self, owner: &str, fingerprint: &str, now: i64) -> Result<(), Error> {
        if fingerprint.parse::<Fingerprint>().is_err() {
            return Err(Error::Unknown(fingerprint.to_owned()));
        }
        let revoked =
            Revoked { owner: owner.to_owned(), fingerprint: fingerprint.to_owned(), time: now };
        let value = serde_json::to_vec(&revoked).unwrap_or_default();
        // First what forbids, then what allowed: a cloud that ends in between has it forbidden.
        self.store.put_setting(NOBODY, &place(REVOKED, owner, fingerprint), value).await?;
        self.store.delete_setting(NOBODY, &place(KEYS, owner, fingerprint)).await?;
        Ok(())
    }

    /// Fingerprints of the owner's keys of which no certificate may be believed.
    pub async fn revoked(&self, owner: &str, now: i64) -> Result<Vec<String>, Error> {
        let (old, fresh): (Vec<Revoked>, Vec<Revoked>) =
            self.all(REVOKED).await?.into_iter().partition(|one: &Revoked| one.is_old(now));
        for old in old {
            let place = place(REVOKED, &old.owner, &old.fingerprint);
            self.store.delete_setting(NOBODY, &place).await?;
        }
        let own = fresh.into_iter().filter(|one| one.owner == owner);
        Ok(own.map(|one| one.fingerprint).collect())
    }

    async fn all<T: for<'de> Deserialize<'de>>(&self, prefix: &str) -> Result<Vec<T>, Error> {
        let settings = self.store.settings(NOBODY, prefix).await?;
        let read = |(name, value): (String, Vec<u8>)| {
            serde_json::from_slice(&value)
                .inspect_err(|error| tracing::error!(name, %error, "an SSH key is not readable"))
                .ok()
        };
        Ok(settings.into_iter().filter_map(read).collect())
    }
}

impl Revoked {
    fn is_old(&self, now: i64) -> bool {
        now - self.time > REVOKED_AGE
    }
}

fn place(prefix: &str, owner: &str, fingerprint: &str) -> String {
    format!("{prefix}{owner}/{fingerprint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::Sqlite;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti ada@example";

    fn keys() -> (tempfile::TempDir, SshKeys) {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(folder.path()).unwrap();
        (folder, SshKeys::new(Arc::new(store)))
    }

    #[tokio::test]
    async fn a_key_is_its_owners_until_it_is_revoked() {
        let (_folder, keys) = keys();
        let key = keys.register("ada", KEY, "", 1).await.unwrap();
        assert_eq!((key.name.as_str(), key.created), ("ada@example", 1));
        assert_eq!(keys.register("ada", KEY, "other", 2).await.unwrap(), key);
        assert_eq!(keys.list("ada").await.unwrap(), std::slice::from_ref(&key));
        assert!(keys.list("bob").await.unwrap().is_empty());
        let public = parse(KEY).unwrap();
        assert_eq!(keys.owners(&public).await.unwrap(), ["ada"]);
        keys.revoke("bob", &key.fingerprint, 3).await.unwrap();
        assert_eq!(keys.owners(&public).await.unwrap(), ["ada"]);
        keys.revoke("ada", &key.fingerprint, 3).await.unwrap();
        assert!(keys.owners(&public).await.unwrap().is_empty());
        assert_eq!(keys.revoked("ada", 4).await.unwrap(), std::slice::from_ref(&key.fingerprint));
        keys.register("ada", KEY, "", 5).await.unwrap();
        assert!(keys.revoked("ada", 6).await.unwrap().is_empty());
    }

    #[test]
    fn only_public_keys_that_servers_take_are_taken() {
        parse(KEY).unwrap();
        for wrong in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            &format!("{KEY}\n{KEY}"),
            &format!("command=\"x\" {KEY}"),
        ] {
            assert!(matches!(parse(wrong), Err(Error::Invalid(_))), "{wrong}");
        }
    }
}
