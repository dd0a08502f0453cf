//! The way out to a webhook: each notice once at least, in order, signed, whatever the other end does meanwhile.
//!
//! How far it is stands in the store, so a cloud that was killed goes on where it was. Nothing waits for it: it reads the
//! inbox as an editor would. Signed as the specification Standard Webhooks has it.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use aloft_proto::v1::Notice;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, StatusCode, Url, redirect};
use ring::hmac;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    clock, config,
    notices::{body::Body, target},
    store::{self, Store},
};

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The first pause after a failure, and the longest; each is twice the one before.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// How long one notice is tried, in milliseconds. Those behind it wait.
const PATIENCE: i64 = 3 * 24 * 60 * 60 * 1000;
/// How often one is tried that the other end refuses by its own words.
const REFUSALS: u32 = 5;
/// Notices read at once.
const PAGE: usize = 100;
/// Whose setting the progress is, and its name.
const PROGRESS: (&str, &str) = ("", "notices.webhook");
/// What marks a secret that is written in base64.
const ENCODED: &str = "whsec_";

/// Why there is no webhook.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its address.
    #[error(transparent)]
    Target(#[from] target::Error),
    /// The file of its secret.
    #[error("read the webhook's secret from {path}")]
    Secret {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The secret is none.
    #[error("use the webhook's secret in {path}: it must have 16 bytes at least")]
    Weak {
        /// The file.
        path: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A webhook that can be called.
pub struct Webhook {
    url: Url,
    key: hmac::Key,
    allow_private: bool,
}

impl fmt::Debug for Webhook {
    /// The address may hold a secret too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Progress {
    /// A hash of the address: another one begins anew.
    address: String,
    /// The last notice that is done with.
    number: u64,
    /// How often the next one failed, and since when, in Unix milliseconds.
    failures: u32,
    since: i64,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    /// The other end will not have it.
    Refused,
    /// It may work later.
    Failed,
}

impl Webhook {
    /// Makes it of its settings, or says what is wrong with them.
    pub fn open(settings: &config::Webhook) -> Result<Self, Error> {
        let url = target::parse(&settings.url, settings.allow_private)?;
        Ok(Self {
            url,
            key: read_key(&settings.secret_file)?,
            allow_private: settings.allow_private,
        })
    }

    /// Sends what is posted until the cloud stops.
    pub async fn run(self, store: Arc<dyn Store>, stop: CancellationToken) {
        let mut news = store.watch_notices();
        let mut unreadable = 0;
        loop {
            news.mark_unchanged();
            let pause = match self.send_all(store.as_ref()).await {
                Ok(failures) => failures,
                Err(error) => {
                    unreadable += 1;
                    tracing::error!(%error, "the webhook cannot read what it is to send");
                    unreadable
                }
            };
            let rest = async {
                match pause {
                    0 => {
                        unreadable = 0;
                        // The sender lives as long as the store.
                        drop(news.changed().await);
                    }
                    failures => tokio::time::sleep(pause_after(failures)).await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = rest => {}
            }
        }
    }

    /// Forgets how far it was, where none is configured: one that is configured later begins with what is new.
    pub async fn forget(store: &dyn Store) -> Result<(), Error> {
        store.delete_setting(PROGRESS.0, PROGRESS.1).await?;
        Ok(())
    }

    /// Sends everything that waits; returns how often the first that failed has failed.
    async fn send_all(&self, store: &dyn Store) -> Result<u32, Error> {
        let mut progress = self.progress(store).await?;
        loop {
            let page = store.notices_after(progress.number, PAGE).await?;
            if page.is_empty() {
                return Ok(0);
            }
            for (number, notice) in page {
                let id = notice.id.clone();
                let outcome = self.send(store, notice).await?;
                let now = clock::now();
                if outcome != Outcome::Taken {
                    progress.failures += 1;
                    if progress.failures == 1 {
                        progress.since = now;
                    }
                    let given_up = now - progress.since > PATIENCE
                        || (outcome == Outcome::Refused && progress.failures >= REFUSALS);
                    if !given_up {
                        save(store, &progress).await?;
                        return Ok(progress.failures);
                    }
                    tracing::error!(
                        notice = id,
                        "the webhook does not take a notice; it is left out"
                    );
                }
                progress = Progress { number, failures: 0, since: 0, ..progress };
                save(store, &progress).await?;
            }
        }
    }

    async fn progress(&self, store: &dyn Store) -> Result<Progress, Error> {
        let address = fingerprint(self.url.as_str());
        let known = store.setting(PROGRESS.0, PROGRESS.1).await?;
        let known = known.and_then(|bytes| serde_json::from_slice::<Progress>(&bytes).ok());
        if let Some(progress) = known.filter(|progress| progress.address == address) {
            return Ok(progress);
        }
        let number = store.newest_notice().await?;
        let progress = Progress { address, number, ..Progress::default() };
        save(store, &progress).await?;
        Ok(progress)
    }

    async fn send(&self, store: &dyn Store, notice: Notice) -> Result<Outcome, Error> {
        let id = notice.id.clone();
        let thread = store.thread(&notice.thread_id).await?.map(|(row, _)| row.thread);
        let body = match serde_json::to_vec(&Body::new(notice, thread)) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(notice = id, %error, "a notice cannot be written");
                return Ok(Outcome::Refused);
            }
        };
        Ok(self.call(&id, body).await)
    }

    async fn call(&self, id: &str, body: Vec<u8>) -> Outcome {
        let addresses = match target::addresses(&self.url, self.allow_private).await {
            Ok(addresses) => addresses,
            Err(error) => {
                tracing::warn!(notice = id, %error, "the webhook cannot be called");
                return Outcome::Failed;
            }
        };
        let host = self.url.host_str().unwrap_or_default();
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            // A proxy would look the name up itself.
            .no_proxy()
            .resolve_to_addrs(host, &addresses)
            .user_agent(concat!("aloft/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = match client {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(%error, "no HTTP client can be made for the webhook");
                return Outcome::Failed;
            }
        };
        let time = clock::now() / 1000;
        let request = client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", time.to_string())
            .header("webhook-signature", sign(&self.key, id, time, &body))
            .body(body);
        match request.send().await {
            Ok(response) => outcome(id, response.status()),
            Err(error) => {
                // Its text has the whole address.
                let error = error.without_url();
                tracing::warn!(notice = id, %error, "the webhook was not reached");
                Outcome::Failed
            }
        }
    }
}

fn outcome(id: &str, status: StatusCode) -> Outcome {
    if status.is_success() {
        return Outcome::Taken;
    }
    tracing::warn!(notice = id, status = status.as_u16(), "the webhook did not take a notice");
    let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if status.is_client_error() && !later.contains(&status) {
        Outcome::Refused
    } else {
        Outcome::Failed
    }
}

/// `v1,` and the HMAC-SHA256 of id, time and body, in base64.
fn sign(key: &hmac::Key, id: &str, time: i64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(format!("{id}.{time}.").as_bytes());
    context.update(body);
    format!("v1,{}", STANDARD.encode(context.sign()))
}

fn read_key(path: &Path) -> Result<hmac::Key, Error> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Secret { path: shown.clone(), source })?;
    let text = text.trim();
    let encoded = text.strip_prefix(ENCODED).and_then(|encoded| STANDARD.decode(encoded).ok());
    let secret = encoded.unwrap_or_else(|| text.as_bytes().to_vec());
    if secret.len() < 16 {
        return Err(Error::Weak { path: shown });
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &secret))
}

async fn save(store: &dyn Store, progress: &Progress) -> Result<(), Error> {
    let bytes = serde_json::to_vec(progress).unwrap_or_default();
    Ok(store.put_setting(PROGRESS.0, PROGRESS.1, bytes).await?)
}

fn fingerprint(text: &str) -> String {
    STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()))
}

fn pause_after(failures: u32) -> Duration {
    PAUSES.0.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(PAUSES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // The example of the specification's own libraries.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let key = read_key(&file).unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = sign(&key, id, 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        std::fs::write(&file, "short").unwrap();
        assert!(matches!(read_key(&file), Err(Error::Weak { .. })));
        assert!(matches!(read_key(Path::new("/not/there")), Err(Error::Secret { .. })));
    }

    #[test]
    fn what_the_other_end_says_decides_whether_it_is_tried_again() {
        let cases = [
            (200, Outcome::Taken),
            (204, Outcome::Taken),
            (301, Outcome::Failed),
            (400, Outcome::Refused),
            (410, Outcome::Refused),
            (408, Outcome::Failed),
            (429, Outcome::Failed),
            (500, Outcome::Failed),
            (503, Outcome::Failed),
        ];
        for (status, expected) in cases {
            assert_eq!(outcome("n", StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
        assert_eq!(pause_after(1), PAUSES.0);
        assert_eq!(pause_after(3), PAUSES.0 * 4);
        assert_eq!(pause_after(1_000), PAUSES.1);
    }
}
