//! Who may enter, and who is in.
//!
//! The cloud says who may; what it says replaces what it said before, and whoever may no more is shown out. One lock
//! holds both, so that nobody slips in between: a login is judged and noted in one step.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aloft_proto::guest::ConfigureSshRequest;
use russh::Disconnect;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::ssh_key::{Fingerprint, HashAlg};
use russh::keys::{Certificate, PrivateKey, PublicKey};
use russh::server::{Config, Handle};
use tokio_util::sync::CancellationToken;

use crate::guest::refusal::Refusal;
use crate::guest::sshd::{FAREWELL, USER, settings};

/// Who may enter and who is in; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Access(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    rules: Option<Rules>,
    inside: HashMap<u64, Guest>,
    next: u64,
}

/// What the cloud said last.
struct Rules {
    server: Arc<Config>,
    keys: HashSet<KeyData>,
    authorities: HashSet<KeyData>,
    principal: String,
    revoked: HashSet<Fingerprint>,
}

/// One connection.
struct Guest {
    cut: CancellationToken,
    handle: Option<Handle>,
    /// What it proved; absent before.
    proof: Option<Proof>,
}

/// What let somebody in.
#[derive(Clone)]
enum Proof {
    Key(KeyData),
    Certificate { authority: KeyData, subject: KeyData },
}

/// A connection is in until this is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    access: Access,
    number: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("State").field("inside", &self.inside.len()).finish_non_exhaustive()
    }
}

impl Access {
    /// Replaces the rules; how many were shown out.
    pub(super) fn replace(&self, request: &ConfigureSshRequest) -> Result<usize, Refusal> {
        let rules = Rules::read(request)?;
        let mut state = self.lock();
        let leaving: Vec<u64> = state
            .inside
            .iter()
            .filter(|(_, guest)| guest.proof.as_ref().is_some_and(|proof| !rules.admit(proof)))
            .map(|(number, _)| *number)
            .collect();
        state.rules = Some(rules);
        for number in &leaving {
            if let Some(guest) = state.inside.remove(number) {
                guest.show_out();
            }
        }
        Ok(leaving.len())
    }

    /// Ends all connections at once.
    pub(super) fn close_all(&self) {
        self.lock().inside.drain().for_each(|(_, guest)| guest.cut.cancel());
    }

    /// How the server shows itself; none before the cloud said so.
    pub(super) fn server(&self) -> Option<Arc<Config>> {
        self.lock().rules.as_ref().map(|rules| Arc::clone(&rules.server))
    }

    /// Notes a connection that has proved nothing yet and ends by `cut`.
    pub(super) fn enter(&self, cut: CancellationToken) -> Entry {
        let mut state = self.lock();
        state.next += 1;
        let number = state.next;
        state.inside.insert(number, Guest { cut, handle: None, proof: None });
        Entry { access: self.clone(), number }
    }

    /// By which the connection can be told to leave.
    pub(super) fn begun(&self, number: u64, handle: Handle) {
        if let Some(guest) = self.lock().inside.get_mut(&number) {
            guest.handle = Some(handle);
        }
    }

    /// Whether the connection has proved who it is.
    pub(super) fn is_known(&self, number: u64) -> bool {
        self.lock().inside.get(&number).is_some_and(|guest| guest.proof.is_some())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, number: u64, proof: Option<Proof>) -> bool {
        let mut state = self.lock();
        let State { rules: Some(rules), inside, .. } = &mut *state else { return false };
        let Some(guest) = inside.get_mut(&number) else { return false };
        guest.proof = proof.filter(|proof| rules.admit(proof));
        guest.proof.is_some()
    }
}

impl Entry {
    /// Tells the connection from others.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether who has this key may enter; if so they are in.
    pub(super) fn by_key(&self, user: &str, key: &PublicKey) -> bool {
        let proof = (user == USER).then(|| Proof::Key(key.key_data().clone()));
        self.access.judge(self.number, proof)
    }

    /// Whether who has this certificate, whose dates and signature were checked, may enter; if so they are in.
    pub(super) fn by_certificate(&self, user: &str, certificate: &Certificate) -> bool {
        let principal = match &self.access.lock().rules {
            Some(rules) => rules.principal.clone(),
            None => return false,
        };
        // Without principals it would be good for everybody. No option that narrows it can be honoured behind a relay.
        let fits = user == USER
            && certificate.cert_type() == CertType::User
            && certificate.valid_principals().contains(&principal)
            && certificate.critical_options().iter().next().is_none();
        let proof = fits.then(|| Proof::Certificate {
            authority: certificate.signature_key().clone(),
            subject: certificate.public_key().clone(),
        });
        self.access.judge(self.number, proof)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.access.lock().inside.remove(&self.number);
    }
}

impl Rules {
    fn read(request: &ConfigureSshRequest) -> Result<Self, Refusal> {
        let invalid = |what: &'static str| {
            move |error: russh::keys::ssh_key::Error| Refusal::Invalid {
                what,
                why: error.to_string(),
            }
        };
        let key = PrivateKey::from_openssh(&request.host_key).map_err(invalid("host_key"))?;
        let certificate = Some(request.host_certificate.as_str())
            .filter(|certificate| !certificate.is_empty())
            .map(Certificate::from_openssh)
            .transpose()
            .map_err(invalid("host_certificate"))?;
        let keys = |lines: &[String], what| {
            let key =
                |line: &String| PublicKey::from_openssh(line).map(|key| key.key_data().clone());
            lines.iter().map(key).collect::<Result<_, _>>().map_err(invalid(what))
        };
        if request.principal.is_empty() {
            let why = "it is empty".into();
            return Err(Refusal::Invalid { what: "principal", why });
        }
        let revoked = request.revoked.iter().map(|line| line.parse());
        Ok(Self {
            server: settings::server(key, certificate),
            keys: keys(&request.keys, "keys")?,
            authorities: keys(&request.authorities, "authorities")?,
            principal: request.principal.clone(),
            revoked: revoked.collect::<Result<_, _>>().map_err(invalid("revoked"))?,
        })
    }

    fn admit(&self, proof: &Proof) -> bool {
        let is_revoked = |key: &KeyData| self.revoked.contains(&key.fingerprint(HashAlg::Sha256));
        match proof {
            Proof::Key(key) => self.keys.contains(key) && !is_revoked(key),
            Proof::Certificate { authority, subject } => {
                self.authorities.contains(authority) && !is_revoked(subject)
            }
        }
    }
}

impl Guest {
    /// Says why, and ends it if that does not.
    fn show_out(self) {
        let Self { cut, handle, .. } = self;
        let Some(handle) = handle else { return cut.cancel() };
        // Configured from the guest's own thread, which runs for as long as the guest does.
        tokio::spawn(async move {
            let why = "this key may not enter any more".to_owned();
            let said = handle.disconnect(Disconnect::ByApplication, why, String::new());
            let _stuck = tokio::time::timeout(FAREWELL, said).await;
            tokio::time::sleep(FAREWELL).await;
            cut.cancel();
        });
    }
}
