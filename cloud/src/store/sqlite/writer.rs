//! The one thread that writes. It takes all work that waits, does each piece in a savepoint of one transaction, and answers
//! when that transaction is on disk: many commits share one flush, and a lone one waits for nobody. A piece that fails is rolled
//! back alone; when the whole transaction fails, each piece is tried again by itself.

use std::{future::Future, sync::Arc, thread};

use aloft_fault::pass;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::{
    Error, Result,
    sqlite::{Listeners, connection::Directory},
};

/// Work that may wait for the writer, and that it does at most in one transaction; more is held back at the sender.
const QUEUE: usize = 256;

/// The sending side of the thread that writes. Dropping it waits for what was accepted.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Work>>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What a piece of work changed that others wait for.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Threads with their newest cursors.
    pub(super) threads: Vec<(String, u64)>,
    /// Threads that are gone.
    pub(super) deleted: Vec<String>,
    /// Owners with the newest numbers of their feeds.
    pub(super) feeds: Vec<(String, u64)>,
    /// Notices that were posted.
    pub(super) notices: u64,
    /// Something was deleted that the write-ahead log must not keep either.
    pub(super) scrub: bool,
}

/// Something to write. It may be done more than once, each time after what it did before was rolled back.
trait Work: Send {
    fn perform(&mut self, db: &Connection, news: &mut News) -> Result<()>;
    fn answer(self: Box<Self>, outcome: Result<()>);
}

/// Work made of a closure, with the one who waits for it.
struct Task<T, F> {
    work: F,
    value: Option<T>,
    waiter: oneshot::Sender<Result<T>>,
}

impl Writer {
    /// Starts the thread; it holds the directory until it ends.
    pub(super) fn start(
        directory: Directory,
        connection: Connection,
        listeners: Arc<Listeners>,
    ) -> Result<Self> {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let database = directory.database();
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                run(&connection, inbox, &listeners);
                drop(connection);
                drop(directory);
            })
            .map_err(|source| Error::Directory { path: database, source })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Writes something; done when it is on disk.
    pub(super) fn write<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &mut News) -> Result<T> + Send + 'static,
    {
        let queue = self.queue.clone();
        async move {
            let (waiter, answer) = oneshot::channel();
            let task = Box::new(Task { work, value: None, waiter });
            queue.ok_or(Error::Closed)?.send(task).await.map_err(|_| Error::Closed)?;
            answer.await.map_err(|_| Error::Closed)?
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's thread panicked");
        }
    }
}

impl<T, F> Work for Task<T, F>
where
    T: Send,
    F: FnMut(&Connection, &mut News) -> Result<T> + Send,
{
    fn perform(&mut self, db: &Connection, news: &mut News) -> Result<()> {
        self.value = Some((self.work)(db, news)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self { value, waiter, .. } = *self;
        // Whoever asked may be gone; what was written stays.
        drop(waiter.send(outcome.and_then(|()| value.ok_or(Error::Closed))));
    }
}

fn run(db: &Connection, mut inbox: mpsc::Receiver<Box<dyn Work>>, listeners: &Listeners) {
    // A process that was killed may have left deleted bytes in its log.
    let mut scrub = !truncate_log(db);
    while let Some(first) = inbox.blocking_recv() {
        let mut group = vec![first];
        while group.len() < QUEUE
            && let Ok(next) = inbox.try_recv()
        {
            group.push(next);
        }
        write(db, group, listeners, &mut scrub);
    }
}

/// Writes a group, and answers each of it.
fn write(db: &Connection, mut group: Vec<Box<dyn Work>>, listeners: &Listeners, scrub: &mut bool) {
    pass!("store.before");
    match transact(db, &mut group) {
        Ok(outcomes) => {
            pass!("store.committed");
            *scrub |= outcomes.iter().flatten().any(|news| news.scrub);
            // Before the answers: who deletes something hears of it when its bytes are gone.
            if *scrub {
                *scrub = !truncate_log(db);
            }
            for (work, outcome) in group.into_iter().zip(outcomes) {
                work.answer(outcome.map(|news| listeners.tell(&news)));
            }
        }
        Err(_) if group.len() > 1 => {
            for work in group {
                write(db, vec![work], listeners, scrub);
            }
        }
        Err(error) => {
            if let Some(work) = group.pop() {
                work.answer(Err(error));
            }
        }
    }
}

/// Performs a group in one transaction. The outer error says that nothing of it was kept.
fn transact(db: &Connection, group: &mut [Box<dyn Work>]) -> Result<Vec<Result<News>>> {
    let transaction = db.unchecked_transaction()?;
    let mut outcomes = Vec::with_capacity(group.len());
    for work in group {
        execute(db, "savepoint work")?;
        let mut news = News::default();
        let outcome = work.perform(db, &mut news).map(|()| news);
        if outcome.is_err() {
            // A full disk can take the whole transaction back, not only the savepoint.
            if db.is_autocommit() {
                return Err(outcome.err().unwrap_or(Error::Closed));
            }
            execute(db, "rollback to work")?;
        }
        execute(db, "release work")?;
        outcomes.push(outcome);
    }
    transaction.commit()?;
    Ok(outcomes)
}

fn execute(db: &Connection, statement: &str) -> Result<()> {
    db.prepare_cached(statement)?.execute([])?;
    Ok(())
}

/// Moves the write-ahead log into the database and empties it; tells whether it could: a reader may hold it a little longer.
fn truncate_log(db: &Connection) -> bool {
    match db.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get::<_, i64>(0)) {
        Ok(busy) => busy == 0,
        Err(error) => {
            tracing::warn!(%error, "the write-ahead log could not be emptied");
            false
        }
    }
}

impl Listeners {
    fn tell(&self, news: &News) {
        for (thread, cursor) in &news.threads {
            self.threads.wake(thread, *cursor);
        }
        for thread in &news.deleted {
            self.threads.close(thread);
        }
        for (owner, number) in &news.feeds {
            self.feeds.wake(owner, *number);
        }
        if news.notices > 0 {
            self.notices.send_modify(|count| *count += news.notices);
        }
    }
}
