//! The store of one machine: `SQLite` with a write-ahead log, in one directory that one process holds.
//!
//! One thread writes ([`writer`]); a few connections read ([`readers`]), each call on one snapshot. The other files own a table
//! or two each, as plain functions over a connection; this one only joins them to the [`Store`] trait. [`connection`] opens
//! directory and database, [`schema`] brings the database up to date, [`commit`] is where one input becomes rows.

mod audit;
mod commit;
mod connection;
mod feed;
mod items;
mod ledger;
mod log;
mod notices;
mod pieces;
mod readers;
mod repositories;
mod requests;
mod schema;
mod settings;
#[cfg(test)]
mod tests;
mod threads;
mod turns;
mod upkeep;
mod writer;

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use aloft_proto::v1;
use futures_util::FutureExt as _;
use rusqlite::{Connection, ErrorCode, ffi};
use tokio::sync::watch;

use crate::{
    model::budget::Spent,
    store::{
        Answer, Commit, Committed, Error, Found, ItemPage, NoticePage, OutputPage, Reading,
        Removed, Repository, RepositoryKey, Request, Result, Store, ThreadCounts, ThreadPage,
        ThreadQuery, ThreadRow, Turns, Usage,
        sqlite::{connection::Directory, readers::Readers, writer::Writer},
        watchers::Watchers,
    },
};

/// A store in one directory of this machine. Dropping it finishes what is being written and frees the directory.
#[derive(Debug)]
pub struct Sqlite {
    // Before the writer: the last connection to close folds the write-ahead log into the database.
    readers: Readers,
    writer: Writer,
    listeners: Arc<Listeners>,
    database: PathBuf,
}

/// Who waits for news.
#[derive(Debug, Default)]
struct Listeners {
    threads: Watchers,
    feeds: Watchers,
    /// Counts what was posted.
    notices: watch::Sender<u64>,
}

impl Sqlite {
    /// Opens the store in a directory, which is made when it is not there. Blocks on the disk.
    pub fn open(directory: &Path) -> Result<Self> {
        let directory = Directory::open(directory)?;
        let database = directory.database();
        let connection = connection::for_writing(&database)?;
        let listeners = Arc::new(Listeners::default());
        let writer = Writer::start(directory, connection, listeners.clone())?;
        Ok(Self { readers: Readers::new(database.clone()), writer, listeners, database })
    }

    fn read<T, F>(&self, work: F) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.readers.read(work).boxed()
    }
}

impl Store for Sqlite {
    fn commit(&self, mut commit: Commit) -> Answer<'_, Committed> {
        self.writer.write(move |db, news| commit::apply(db, &mut commit, news)).boxed()
    }

    fn request<'a>(&'a self, owner: &'a str, id: &'a str) -> Answer<'a, Option<Request>> {
        let (owner, id) = (owner.to_owned(), id.to_owned());
        self.read(move |db| requests::get(db, &owner, &id))
    }

    fn prune(&self, now: i64) -> Answer<'_, ()> {
        async move {
            self.writer.write(move |db, news| upkeep::prune(db, now, news)).await?;
            // Piece by piece, so that others write in between.
            while self.writer.write(upkeep::give_back).await? {}
            Ok(())
        }
        .boxed()
    }

    fn thread<'a>(&'a self, id: &'a str) -> Answer<'a, Option<(ThreadRow, u64)>> {
        let id = id.to_owned();
        self.read(move |db| threads::get(db, &id))
    }

    fn find_thread<'a>(&'a self, owner: &'a str, name: &'a str) -> Answer<'a, Found> {
        let (owner, name) = (owner.to_owned(), name.to_owned());
        self.read(move |db| threads::find(db, &owner, &name))
    }

    fn read_thread<'a>(
        &'a self,
        owner: &'a str,
        name: &'a str,
        before: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Reading> {
        let (owner, name) = (owner.to_owned(), name.to_owned());
        let before = before.map(str::to_owned);
        self.read(move |db| {
            let found = threads::find(db, &owner, &name)?;
            let Found::One(row, _) = &found else {
                return Ok(Reading { found, page: ItemPage::default(), turns: Vec::new() });
            };
            let page = items::page(db, &row.thread.id, before.as_deref(), limit)?;
            let mut named: Vec<_> = page.items.iter().map(|item| item.turn_id.clone()).collect();
            named.dedup();
            let turns = turns::list(db, &row.thread.id, &Turns::Ids(named))?;
            Ok(Reading { found, page, turns })
        })
    }

    fn list_threads<'a>(&'a self, owner: &'a str, query: ThreadQuery) -> Answer<'a, ThreadPage> {
        let owner = owner.to_owned();
        self.read(move |db| threads::list(db, &owner, &query))
    }

    fn all_threads(&self) -> Answer<'_, Vec<ThreadRow>> {
        self.read(threads::all)
    }

    fn count_threads(&self) -> Answer<'_, ThreadCounts> {
        self.read(threads::count)
    }

    fn removed_threads<'a>(&'a self, owner: &'a str, limit: usize) -> Answer<'a, Vec<Removed>> {
        let owner = owner.to_owned();
        self.read(move |db| audit::list(db, &owner, limit))
    }

    fn slug_taken<'a>(&'a self, slug: &'a str) -> Answer<'a, bool> {
        let slug = slug.to_owned();
        self.read(move |db| threads::slug_taken(db, &slug))
    }

    fn branch_taken<'a>(&'a self, repository: &'a str, branch: &'a str) -> Answer<'a, bool> {
        let (repository, branch) = (repository.to_owned(), branch.to_owned());
        self.read(move |db| threads::branch_taken(db, &repository, &branch))
    }

    fn turns<'a>(&'a self, thread: &'a str, turns: Turns) -> Answer<'a, Vec<v1::Turn>> {
        let thread = thread.to_owned();
        self.read(move |db| turns::list(db, &thread, &turns))
    }

    fn turn_by_number<'a>(&'a self, thread: &'a str, number: u32) -> Answer<'a, Option<v1::Turn>> {
        let thread = thread.to_owned();
        self.read(move |db| turns::by_number(db, &thread, number))
    }

    fn items<'a>(
        &'a self,
        thread: &'a str,
        before: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, ItemPage> {
        let (thread, before) = (thread.to_owned(), before.map(str::to_owned));
        self.read(move |db| items::page(db, &thread, before.as_deref(), limit))
    }

    fn item<'a>(&'a self, thread: &'a str, item: &'a str) -> Answer<'a, Option<v1::Item>> {
        let (thread, item) = (thread.to_owned(), item.to_owned());
        self.read(move |db| items::get(db, &thread, &item))
    }

    fn open_items<'a>(&'a self, thread: &'a str) -> Answer<'a, Vec<v1::Item>> {
        let thread = thread.to_owned();
        self.read(move |db| items::open(db, &thread))
    }

    fn events<'a>(
        &'a self,
        thread: &'a str,
        after: u64,
        limit: usize,
        fold: bool,
    ) -> Answer<'a, Vec<v1::Event>> {
        let thread = thread.to_owned();
        self.read(move |db| log::read(db, &thread, after, limit, fold))
    }

    fn output<'a>(
        &'a self,
        thread: &'a str,
        item: &'a str,
        offset: u64,
        limit: usize,
    ) -> Answer<'a, OutputPage> {
        let (thread, item) = (thread.to_owned(), item.to_owned());
        self.read(move |db| items::output(db, &thread, &item, offset, limit))
    }

    fn feed<'a>(
        &'a self,
        owner: &'a str,
        after: u64,
        limit: usize,
    ) -> Answer<'a, Vec<v1::FeedEvent>> {
        let owner = owner.to_owned();
        self.read(move |db| feed::read(db, &owner, after, limit))
    }

    fn notices<'a>(&'a self, owner: &'a str, unread: bool, limit: usize) -> Answer<'a, NoticePage> {
        let owner = owner.to_owned();
        self.read(move |db| notices::list(db, &owner, unread, limit))
    }

    fn notices_after(&self, number: u64, limit: usize) -> Answer<'_, Vec<(u64, v1::Notice)>> {
        self.read(move |db| notices::after(db, number, limit))
    }

    fn newest_notice(&self) -> Answer<'_, u64> {
        self.read(notices::newest)
    }

    fn read_notices<'a>(&'a self, owner: &'a str, ids: &'a [String]) -> Answer<'a, Vec<String>> {
        let (owner, ids) = (owner.to_owned(), ids.to_vec());
        self.writer.write(move |db, news| notices::mark_read(db, &owner, &ids, news)).boxed()
    }

    fn spent<'a>(&'a self, owner: &'a str, day: u32) -> Answer<'a, Spent> {
        let owner = owner.to_owned();
        self.read(move |db| ledger::spent(db, &owner, day))
    }

    fn usage<'a>(
        &'a self,
        owner: &'a str,
        days: RangeInclusive<u32>,
        thread: Option<&'a str>,
    ) -> Answer<'a, Usage> {
        let (owner, thread) = (owner.to_owned(), thread.map(str::to_owned));
        self.read(move |db| ledger::read(db, &owner, &days, thread.as_deref()))
    }

    fn watch_thread(&self, thread: &str) -> watch::Receiver<u64> {
        self.listeners.threads.watch(thread)
    }

    fn watch_feed(&self, owner: &str) -> watch::Receiver<u64> {
        self.listeners.feeds.watch(owner)
    }

    fn watch_notices(&self) -> watch::Receiver<u64> {
        self.listeners.notices.subscribe()
    }

    fn put_repository(&self, repository: Repository) -> Answer<'_, ()> {
        self.writer.write(move |db, _| repositories::put(db, &repository)).boxed()
    }

    fn repository<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Repository>> {
        let id = id.to_owned();
        self.read(move |db| repositories::get(db, &id))
    }

    fn find_repository<'a>(
        &'a self,
        owner: &'a str,
        key: RepositoryKey,
    ) -> Answer<'a, Option<Repository>> {
        let owner = owner.to_owned();
        self.read(move |db| repositories::find(db, &owner, &key))
    }

    fn repositories_unused(&self) -> Answer<'_, Vec<Repository>> {
        self.read(repositories::unused)
    }

    fn delete_repository<'a>(&'a self, id: &'a str) -> Answer<'a, bool> {
        let id = id.to_owned();
        self.writer.write(move |db, _| repositories::delete(db, &id)).boxed()
    }

    fn put_setting<'a>(&'a self, owner: &'a str, name: &'a str, value: Vec<u8>) -> Answer<'a, ()> {
        let (owner, name) = (owner.to_owned(), name.to_owned());
        self.writer.write(move |db, news| settings::put(db, &owner, &name, &value, news)).boxed()
    }

    fn setting<'a>(&'a self, owner: &'a str, name: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        let (owner, name) = (owner.to_owned(), name.to_owned());
        self.read(move |db| settings::get(db, &owner, &name))
    }

    fn delete_setting<'a>(&'a self, owner: &'a str, name: &'a str) -> Answer<'a, bool> {
        let (owner, name) = (owner.to_owned(), name.to_owned());
        self.writer.write(move |db, news| settings::delete(db, &owner, &name, news)).boxed()
    }

    fn settings<'a>(
        &'a self,
        owner: &'a str,
        prefix: &'a str,
    ) -> Answer<'a, Vec<(String, Vec<u8>)>> {
        let (owner, prefix) = (owner.to_owned(), prefix.to_owned());
        self.read(move |db| settings::list(db, &owner, &prefix))
    }

    fn integrity_check(&self) -> Answer<'_, ()> {
        self.read(upkeep::check)
    }

    fn backup(&self, path: PathBuf) -> Answer<'_, ()> {
        let database = self.database.clone();
        self.read(move |_| upkeep::backup(&database, &path))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        // A full disk shows as itself, or, where it cannot even grow its shared memory or a quota ends, as a failed write.
        let full = error.sqlite_error_code() == Some(ErrorCode::DiskFull)
            || matches!(
                error.sqlite_extended_error_code(),
                Some(ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_WRITE)
            );
        if full { Self::Full(error.into()) } else { Self::Database(error.into()) }
    }
}

/// A number as the database holds it. What does not fit is past the end of everything.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A limit as the database holds it.
fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
