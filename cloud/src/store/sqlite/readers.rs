//! A few connections that read beside the writer, each call on one snapshot.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tokio::{sync::Semaphore, task};

use crate::store::{Error, Result, sqlite::connection};

/// Reads at once; more wait.
const READERS: usize = 4;

/// The connections.
#[derive(Debug)]
pub(super) struct Readers {
    shared: Arc<Shared>,
    permits: Arc<Semaphore>,
}

#[derive(Debug)]
struct Shared {
    database: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// Opens none yet.
    pub(super) fn new(database: PathBuf) -> Self {
        let shared = Arc::new(Shared { database, idle: Mutex::default() });
        Self { shared, permits: Arc::new(Semaphore::new(READERS)) }
    }

    /// Reads something on a thread that may block.
    pub(super) fn read<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (shared, permits) = (self.shared.clone(), self.permits.clone());
        async move {
            let permit = permits.acquire_owned().await.map_err(|_| Error::Closed)?;
            let reading = task::spawn_blocking(move || {
                let _permit = permit;
                let connection = shared.take()?;
                let transaction = connection.unchecked_transaction()?;
                let outcome = work(&transaction);
                transaction.finish()?;
                // What it read is of no use to it after the next commit, and may be rows of threads nobody uses.
                connection.release_memory()?;
                shared.put(connection);
                outcome
            });
            reading.await.map_err(|_| Error::Closed)?
        }
    }
}

impl Shared {
    fn take(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| connection::for_reading(&self.database), Ok)
    }

    fn put(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}
