//! How the server speaks SSH: algorithms, time limits, buffers. The reasons are beside the values.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, Certificate, EcdsaCurve, PrivateKey};
use russh::server::Config;
use russh::{MethodKind, MethodSet, Preferred, SshId, cipher, kex};

/// What the server calls itself.
const IDENTIFICATION: &str = concat!("SSH-2.0-Aloft_", env!("CARGO_PKG_VERSION"));

/// A client that is silent is asked so often, and given up after [`KEEP_ALIVES`] times.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVES: usize = 3;

/// A server that shows this key and its certificate.
pub(super) fn server(key: PrivateKey, certificate: Option<Certificate>) -> Arc<Config> {
    Arc::new(Config {
        server_id: SshId::Standard(Cow::Borrowed(IDENTIFICATION)),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // Every client asks first what there is, with a login that must fail.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        certificates: certificate.into_iter().collect(),
        // An editor may say nothing for hours.
        inactivity_timeout: None,
        keepalive_interval: Some(KEEP_ALIVE),
        keepalive_max: KEEP_ALIVES,
        event_buffer_size: 64,
        preferred: preferred(),
        ..Config::default()
    })
}

fn preferred() -> Preferred {
    let mut kexes = Preferred::DEFAULT.kex.into_owned();
    // Some clients have no other.
    kexes.insert(2, kex::ECDH_SHA2_NISTP256);
    let mut ciphers = Preferred::DEFAULT.cipher.into_owned();
    // The fastest, and not in the library's own list.
    ciphers.insert(0, cipher::AES_128_GCM);
    let curves = [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521];
    let keys = std::iter::once(Algorithm::Ed25519)
        .chain(curves.map(|curve| Algorithm::Ecdsa { curve }))
        .collect();
    Preferred {
        kex: Cow::Owned(kexes),
        cipher: Cow::Owned(ciphers),
        key: Cow::Owned(keys),
        ..Preferred::DEFAULT
    }
}
