//! Removes a thread from everywhere.

use std::time::Duration;

use aloft_fault::pass;

use crate::{
    model::machine::Machine,
    runner::{
        Error,
        effects::{Live, World},
        now,
        stored::encode_memory,
        whole,
    },
    store::{Commit, ThreadRow},
};

/// How long a repository without a thread is kept, in milliseconds: a bridge may be about to create one.
const UNUSED_AGE: i64 = 24 * 60 * 60 * 1000;
/// Between tries to remove a thread.
const DESTROY_AGAIN: Duration = Duration::from_secs(2);

impl World {
    /// Removes the thread, again and again until it works or the cloud stops; then the next start goes on with it.
    pub(super) async fn destroy_at_last(&self, machine: &Machine) {
        while let Err(error) = self.destroy(machine).await {
            tracing::error!(
                thread = machine.thread().id,
                error = whole(&error),
                "could not remove a thread"
            );
            tokio::select! {
                () = self.scope.cancelled() => return,
                () = tokio::time::sleep(DESTROY_AGAIN) => {}
            }
        }
    }

    /// Removes the thread from everywhere, rows last: what a crash leaves is removed at the next start.
    pub(super) async fn destroy(&self, machine: &Machine) -> Result<(), Error> {
        self.sandbox_scope.cancel();
        *self.live.lock().await = Live::default();
        let thread = machine.thread().clone();
        self.parts.runtime.destroy(&thread.id).await?;
        pass!("delete.sandbox");
        self.parts.snapshots.remove(&thread.id).await?;
        pass!("delete.snapshots");
        let row = ThreadRow { thread, private: encode_memory(machine.memory()) };
        self.parts
            .store
            .commit(Commit {
                thread: Some(row),
                delete_thread: true,
                expired: machine.memory().expired,
                ..Commit::default()
            })
            .await?;
        pass!("delete.rows");
        self.parts.store.prune(now()).await?;
        pass!("delete.pruned");
        let own = machine
            .thread()
            .repository
            .as_ref()
            .map(|repository| repository.id.clone())
            .unwrap_or_default();
        if !own.is_empty() && self.parts.store.repository(&own).await?.is_none() {
            self.parts.mirrors.remove(&own).await?;
        }
        // One that was brought for a thread that is still to be created is unused too: only old ones of others go.
        let unused = self.parts.store.repositories_unused().await?;
        for unused in unused.into_iter().filter(|unused| now() - unused.last_used > UNUSED_AGE) {
            if self.parts.store.delete_repository(&unused.id).await? {
                self.parts.mirrors.remove(&unused.id).await?;
            }
        }
        Ok(())
    }
}
