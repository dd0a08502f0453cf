//! The certificate authority of SSH: vouches for sandboxes as hosts, and for people for a short time.
//!
//! Every key of it follows from one secret, so there is one thing to keep, and a host has the same key each time it is
//! started. A sandbox gets its own key and what says whose it is, never the authority's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use russh::keys::{
    PrivateKey, PublicKey,
    ssh_key::{
        self, LineEnding,
        certificate::{Builder, CertType},
        private::{Ed25519Keypair, KeypairData},
        public::KeyData,
    },
};
use secrecy::{ExposeSecret, SecretString};

/// The login name in every sandbox.
pub const USER: &str = "agent";

/// Ends what ssh calls a sandbox.
pub const HOST_SUFFIX: &str = ".aloft";

const SECRET_BYTES: usize = 32;
const NONCE_BYTES: usize = 32;

/// How long a host is vouched for; it is vouched for anew each time somebody connects.
const HOST_LIFE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// How far clocks may differ.
const SKEW: Duration = Duration::from_secs(3_600);

/// Why something could not be vouched for. Each reads after "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system gave no random bytes.
    #[error("draw random bytes from the system")]
    Random,
    /// The secret is not one of ours.
    #[error("read the secret of the certificate authority")]
    Secret,
    /// A key or a certificate could not be made.
    #[error("make an SSH key or certificate")]
    Ssh(#[from] ssh_key::Error),
}

/// The certificate authority.
pub struct Authority {
    secret: hmac::Key,
    random: SystemRandom,
}

/// What a host shows.
#[derive(Debug)]
pub struct HostIdentity {
    /// Its private key, in OpenSSH's form.
    pub key: SecretString,
    /// What vouches for it; empty where nothing needs to.
    pub certificate: String,
    /// Its public key.
    pub public_key: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// A secret for a new authority.
    pub fn new_secret() -> Result<SecretString, Error> {
        let mut bytes = [0; SECRET_BYTES];
        SystemRandom::new().fill(&mut bytes).map_err(|_| Error::Random)?;
        let hex = bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        Ok(SecretString::from(hex))
    }

    /// The authority of a secret.
    pub fn of(secret: &SecretString) -> Result<Self, Error> {
        let hex = secret.expose_secret();
        if hex.len() != 2 * SECRET_BYTES || !hex.is_ascii() {
            return Err(Error::Secret);
        }
        let mut bytes = [0; SECRET_BYTES];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).map_err(|_| Error::Secret)?;
        }
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        Ok(Self { secret, random: SystemRandom::new() })
    }

    /// Whose host certificates clients believe.
    pub fn host_authority(&self) -> Result<String, Error> {
        public(&self.key("host authority")?)
    }

    /// Whose user certificates hosts believe.
    pub fn user_authority(&self) -> Result<String, Error> {
        public(&self.key("user authority")?)
    }

    /// What the sandbox of a thread shows; nobody but `<id>.aloft` may.
    pub fn sandbox(&self, id: &str, now: SystemTime) -> Result<HostIdentity, Error> {
        let key = self.key(&format!("host {id}"))?;
        let mut builder =
            self.builder(key.public_key().key_data().clone(), now - SKEW, now + HOST_LIFE)?;
        builder.cert_type(CertType::Host)?.key_id(id)?.valid_principal(host_name(id))?;
        let certificate = builder.sign(&self.key("host authority")?)?.to_openssh()?;
        identity(&key, certificate)
    }

    /// What the gateway shows.
    pub fn gateway(&self) -> Result<HostIdentity, Error> {
        identity(&self.key("gateway")?, String::new())
    }

    /// Says of a public key that it is `owner`'s, for so long.
    pub fn user_certificate(
        &self,
        owner: &str,
        key: &PublicKey,
        life: Duration,
        now: SystemTime,
    ) -> Result<String, Error> {
        let mut serial = [0; 8];
        self.random.fill(&mut serial).map_err(|_| Error::Random)?;
        let mut builder = self.builder(key.key_data().clone(), now - SKEW, now + life)?;
        builder
            .serial(u64::from_be_bytes(serial))?
            .cert_type(CertType::User)?
            .key_id(owner)?
            .valid_principal(owner)?;
        for right in ["permit-agent-forwarding", "permit-port-forwarding", "permit-pty"] {
            builder.extension(right, "")?;
        }
        Ok(builder.sign(&self.key("user authority")?)?.to_openssh()?)
    }

    fn builder(&self, key: KeyData, from: SystemTime, to: SystemTime) -> Result<Builder, Error> {
        let mut nonce = vec![0; NONCE_BYTES];
        self.random.fill(&mut nonce).map_err(|_| Error::Random)?;
        let seconds = |time: SystemTime| {
            time.duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
        };
        Ok(Builder::new(nonce, key, seconds(from), seconds(to))?)
    }

    fn key(&self, name: &str) -> Result<PrivateKey, Error> {
        let tag = hmac::sign(&self.secret, name.as_bytes());
        let seed: [u8; SECRET_BYTES] = tag.as_ref().try_into().map_err(|_| Error::Secret)?;
        Ok(PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed)), "")?)
    }
}

/// What ssh calls the sandbox of a thread.
pub fn host_name(id: &str) -> String {
    format!("{id}{HOST_SUFFIX}")
}

fn public(key: &PrivateKey) -> Result<String, Error> {
    Ok(key.public_key().to_openssh()?)
}

fn identity(key: &PrivateKey, certificate: String) -> Result<HostIdentity, Error> {
    let secret = key.to_openssh(LineEnding::LF)?;
    Ok(HostIdentity {
        key: SecretString::from(secret.to_string()),
        certificate,
        public_key: public(key)?,
    })
}

#[cfg(test)]
mod tests {
    use russh::keys::{Certificate, HashAlg};

    use super::*;

    fn authority() -> Authority {
        Authority::of(&SecretString::from("ab".repeat(SECRET_BYTES))).unwrap()
    }

    #[test]
    fn a_host_is_vouched_for_under_its_own_name_only() {
        let (authority, now) = (authority(), SystemTime::now());
        let one = authority.sandbox("one", now).unwrap();
        let certificate = Certificate::from_openssh(&one.certificate).unwrap();
        assert_eq!(certificate.valid_principals(), ["one.aloft"]);
        assert_eq!(certificate.cert_type(), CertType::Host);
        let ca = PublicKey::from_openssh(&authority.host_authority().unwrap()).unwrap();
        certificate.validate(&[ca.fingerprint(HashAlg::Sha256)]).unwrap();
        assert_ne!(one.public_key, authority.sandbox("two", now).unwrap().public_key);
        assert_eq!(one.public_key, authority.sandbox("one", now).unwrap().public_key);
    }

    #[test]
    fn a_person_is_vouched_for_by_another_key_than_hosts_and_not_for_long() {
        let (authority, now) = (authority(), SystemTime::now());
        let key = authority.key("somebody").unwrap();
        let line = authority
            .user_certificate("ada", key.public_key(), Duration::from_secs(60), now)
            .unwrap();
        let certificate = Certificate::from_openssh(&line).unwrap();
        assert_eq!(certificate.valid_principals(), ["ada"]);
        assert_eq!(certificate.cert_type(), CertType::User);
        let ca = PublicKey::from_openssh(&authority.user_authority().unwrap()).unwrap();
        assert_ne!(ca, PublicKey::from_openssh(&authority.host_authority().unwrap()).unwrap());
        let trusted = [ca.fingerprint(HashAlg::Sha256)];
        certificate.validate(&trusted).unwrap();
        let later = certificate.valid_before() + 1;
        assert!(certificate.validate_at(later, &trusted).is_err());
    }

    #[test]
    fn only_a_secret_of_ours_is_taken() {
        for wrong in ["", "ab", &"zz".repeat(SECRET_BYTES), &"é".repeat(SECRET_BYTES)] {
            assert!(Authority::of(&SecretString::from(wrong.to_owned())).is_err(), "{wrong}");
        }
        Authority::of(&Authority::new_secret().unwrap()).unwrap();
    }
}
