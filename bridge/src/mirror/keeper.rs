//! Delivers the requests that were kept while the cloud could not be reached, by whichever bridge kept them.
//!
//! It looks when the bridge begins, when something was kept, when the cloud is heard again, and now and then, for what
//! another bridge kept. As long as nothing is kept, no cloud is asked for anything.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::client::Client;
use crate::mirror::handle::Command;
use crate::mirror::{Connection, Update};
use crate::offline::Offline;
use crate::protocol::error::Error;
use crate::protocol::kept::Kept;

/// How often it looks for what other bridges kept.
const LOOK: Duration = Duration::from_secs(10);
/// Words of a refused message that a warning repeats.
const WORDS: usize = 500;

/// The keeper and what it needs.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) client: Client,
    pub(super) offline: Offline,
    pub(super) out: mpsc::Sender<Update>,
    /// Weak: the mirror ends when all others are gone.
    pub(super) commands: mpsc::WeakSender<Command>,
    pub(super) wake: Arc<Notify>,
}

impl Keeper {
    /// Runs until nobody takes updates any more.
    pub(super) async fn run(self) {
        let mut failures = 0;
        loop {
            let waited = self.offline.waits();
            let error = self.deliver().await;
            if self.tell_refused().await.is_none() {
                return;
            }
            if let Some(error) = error {
                failures += 1;
                self.heard(Connection::told_by(&error), Some(error));
            } else {
                failures = 0;
                if waited {
                    self.heard(Connection::Connected, None);
                }
            }
            let rest = async {
                match failures {
                    0 => tokio::time::sleep(LOOK).await,
                    _ => drop(self.client.rest(failures).await),
                }
            };
            tokio::select! {
                () = rest => {}
                () = self.wake.notified() => {}
                () = self.out.closed() => return,
            }
        }
    }

    async fn deliver(&self) -> Option<Error> {
        let delivery = self.offline.deliver(&self.client, Duration::ZERO).await;
        for kept in delivery.delivered {
            self.out.send(Update::Delivered(kept)).await.ok()?;
        }
        delivery.error
    }

    /// Tells the person what was refused, then forgets it; `None` when nobody hears it.
    async fn tell_refused(&self) -> Option<()> {
        let refused = self.offline.refused().unwrap_or_else(|error| {
            tracing::warn!(%error, "what the cloud refused cannot be told");
            Vec::new()
        });
        for kept in refused {
            self.out.send(Update::Refused(kept.clone())).await.ok()?;
            self.out.send(Update::Warning(refusal(&kept))).await.ok()?;
            if let Err(error) = self.offline.remove(&kept.request_id) {
                tracing::warn!(%error, "what was told could not be forgotten");
            }
        }
        Some(())
    }

    fn heard(&self, state: Connection, error: Option<Error>) {
        if let Some(commands) = self.commands.upgrade() {
            // A word that finds no room is no loss: the next one says the same.
            drop(commands.try_send(Command::Heard(state, error)));
        }
    }
}

fn refusal(kept: &Kept) -> String {
    let why = kept.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
    let text = match &kept.text {
        Some(text) => format!(" It was: {}", text.chars().take(WORDS).collect::<String>()),
        None => String::new(),
    };
    format!("Aloft: the {} to {} that was kept was not taken: {why}.{text}", kept.what(), kept.slug)
}
