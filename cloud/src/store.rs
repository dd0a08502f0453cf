//! Where everything durable lives: rows, the event log, the feed.
//!
//! A [`Commit`] is everything one accepted input changes. It is written as one transaction and acknowledged once it is on disk;
//! only then do watchers wake. A watcher takes a receiver first, reads after its cursor, and then waits for the receiver to
//! change, so replay and live are one path and nothing falls between them.
//!
//! The store stamps numbers (cursors, offsets, feed numbers) and derives turns, items and output from the events; what the events
//! mean, who may see them and when rows are old enough to go is for others. The trait knows no SQL: [`sqlite`] is its first driver.

pub mod sqlite;
mod watchers;

use std::{ops::RangeInclusive, path::PathBuf};

use aloft_proto::v1;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::model::budget::Spent;

/// How much of a command's output an item carries itself, in bytes; the whole of it is read by [`Store::output`].
pub const ITEM_OUTPUT: usize = 64 * 1024;

/// How long a request and its answer are remembered, in milliseconds.
pub const REQUEST_AGE: i64 = 24 * 60 * 60 * 1000;

/// How long a notice and the trace of a deleted thread in the feed are kept, in milliseconds.
pub const NOTICE_AGE: i64 = 90 * 24 * 60 * 60 * 1000;

/// How many days it is known what was used.
pub const USAGE_DAYS: u32 = 400;

/// What a store answers.
pub type Result<T> = std::result::Result<T, Error>;

/// An answer of a store that is still to come.
pub type Answer<'a, T> = BoxFuture<'a, Result<T>>;

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk is full or takes no more. Nothing of the commit was kept; it may be tried again.
    #[error("write to the store: its disk is full or refuses to be written")]
    Full(#[source] BoxError),
    /// The request was applied before: its answer is in [`Store::request`].
    #[error("apply request `{0}`: it was applied before")]
    RequestExists(String),
    /// Another thread has the slug.
    #[error("name a thread `{0}`: another thread has that slug")]
    SlugTaken(String),
    /// There is no such thread.
    #[error("find thread `{0}`")]
    UnknownThread(String),
    /// The thread has no such item.
    #[error("find item `{item}` in thread `{thread}`")]
    UnknownItem {
        /// The thread.
        thread: String,
        /// The item.
        item: String,
    },
    /// The page token is not one of this store's.
    #[error("read the page token `{0}`")]
    PageToken(String),
    /// A commit contradicts itself or what is stored.
    #[error("commit: {0}")]
    Contradiction(String),
    /// Another process has the data directory open.
    #[error("open the store in `{}`: another process is using it", .0.display())]
    InUse(PathBuf),
    /// The data directory was written by a newer version of the program.
    #[error("open the store in `{}`: its schema is version {found}, and this program knows versions up to {known}", .path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// The version it has.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// The data directory or a file in it cannot be used.
    #[error("use `{}`", .path.display())]
    Directory {
        /// What was used.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A stored record cannot be decoded.
    #[error("decode a record of the store")]
    Record(#[from] prost::DecodeError),
    /// The integrity check found damage.
    #[error("check the store: {0}")]
    Damaged(String),
    /// The database failed in another way.
    #[error("use the store's database")]
    Database(#[source] BoxError),
    /// The store is closed, or its thread is gone.
    #[error("reach the store: it is closed")]
    Closed,
}

/// An error of a driver.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Everything one accepted input changes, written as one transaction.
#[derive(Debug, Default)]
pub struct Commit {
    /// The new value of the thread's row; absent = as it was, but for what a `thread_changed` event says.
    pub thread: Option<ThreadRow>,
    /// New events, in order. The store stamps cursors and offsets; the thread is that of the row, or without a row
    /// the one the first event names.
    pub events: Vec<v1::Event>,
    /// The request that brought the input, remembered with its answer for [`REQUEST_AGE`]. It is forgotten with the
    /// thread, unless it is the one that deletes it.
    pub request: Option<Request>,
    /// New notices, for the thread's owner, or without a thread the request's.
    pub notices: Vec<v1::Notice>,
    /// What was used, to be added to what was.
    pub usage: Vec<v1::UsageRow>,
    /// Entries of the ledger; one with the same subject of its thread is replaced.
    pub ledger: Vec<v1::LedgerEntry>,
    /// Removes every row of the thread, and that of its repository where no other thread has it and nobody used it since; its feed entry becomes
    /// `thread_deleted` and an audit row stays.
    pub delete_thread: bool,
    /// It is removed because nobody used it, which the audit row says.
    pub expired: bool,
}

/// A thread with what only its runner reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThreadRow {
    /// The thread.
    pub thread: v1::Thread,
    /// The runner's own record, opaque here.
    pub private: Vec<u8>,
}

/// A client-made request with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who sent it.
    pub owner: String,
    /// The id the client made.
    pub id: String,
    /// Of the request's content: the same id with another content is a mistake of the client.
    pub fingerprint: [u8; 32],
    /// The encoded response, without the cursor.
    pub answer: Vec<u8>,
    /// The thread's newest event after it. The store fills it in: nobody knows it before.
    pub cursor: u64,
    /// When it was accepted, in Unix milliseconds.
    pub time: i64,
}

/// A commit is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The thread's newest event; 0 when it has none or is gone.
    pub cursor: u64,
    /// The newest number of the owner's feed.
    pub feed: u64,
}

/// What a name of a thread stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// This thread, and its newest cursor.
    One(Box<ThreadRow>, u64),
    /// Nothing.
    None,
    /// A prefix of these ids, at most ten.
    Ambiguous(Vec<String>),
}

/// Which threads to list.
#[derive(Clone, Debug, Default)]
pub struct ThreadQuery {
    /// None = all.
    pub states: Vec<v1::ThreadState>,
    /// Words that all have to be in title, slug, branch or repository, in any case.
    pub query: String,
    /// At most this many.
    pub page_size: usize,
    /// From the page before; empty = from the newest.
    pub page_token: String,
}

/// Threads, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThreadPage {
    /// The threads.
    pub threads: Vec<v1::Thread>,
    /// Empty on the last page.
    pub next_page_token: String,
    /// Watching the feed after this misses nothing.
    pub feed: u64,
}

/// Which turns to read.
#[derive(Clone, Debug)]
pub enum Turns {
    /// Those with these ids.
    Ids(Vec<String>),
    /// Those with these numbers.
    Numbers(RangeInclusive<u32>),
}

/// How many threads there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadCounts {
    /// Of every owner.
    pub all: u32,
    /// Those that start or have a turn under way.
    pub busy: u32,
}

/// Items of a thread, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemPage {
    /// The items as they are now.
    pub items: Vec<v1::Item>,
    /// There are items before these.
    pub has_more: bool,
    /// The thread's newest cursor when they were read.
    pub cursor: u64,
}

/// A thread with a page of its items, as they were at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The thread; without one the rest is empty.
    pub found: Found,
    /// The items.
    pub page: ItemPage,
    /// The turns of these items, oldest first.
    pub turns: Vec<v1::Turn>,
}

/// What stays of a thread that was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Its id.
    pub thread: String,
    /// Its slug.
    pub slug: String,
    /// When, in Unix milliseconds.
    pub time: i64,
    /// Because nobody used it; else somebody deleted it.
    pub expired: bool,
}

/// Bytes of a command's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputPage {
    /// Exactly what was appended.
    pub data: Bytes,
    /// Where the next page begins.
    pub next_offset: u64,
    /// Size of the whole output so far.
    pub total_bytes: u64,
}

/// Notices of an owner, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NoticePage {
    /// The notices.
    pub notices: Vec<v1::Notice>,
    /// Watching the feed after this misses nothing.
    pub feed: u64,
}

/// What was used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Sums, oldest day first.
    pub rows: Vec<v1::UsageRow>,
    /// Entries of the ledger, oldest first.
    pub entries: Vec<v1::LedgerEntry>,
}

/// A source of code that has a mirror.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    /// The cloud's name of the mirror.
    pub id: String,
    /// Who brought it.
    pub owner: String,
    /// Where it is fetched from; empty for an uploaded one.
    pub url: String,
    /// Of an uploaded one: made by the bridge, the same for the same checkout; otherwise empty.
    pub identity: String,
    /// Short, for people.
    pub name: String,
    /// Of an uploaded one: the checkout.
    pub path: String,
    /// Of an uploaded one: its own remote.
    pub remote_url: String,
    /// When a thread last began from it, in Unix milliseconds.
    pub last_used: i64,
}

/// What a repository is looked up by.
#[derive(Clone, Debug)]
pub enum RepositoryKey {
    /// The address it is fetched from.
    Url(String),
    /// The identity of an uploaded one.
    Identity(String),
}

/// The durable truth of the cloud.
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Writes a commit; done when it is on disk. A dropped future does not take it back.
    fn commit(&self, commit: Commit) -> Answer<'_, Committed>;
    /// Returns a request that was applied, with its answer.
    fn request<'a>(&'a self, owner: &'a str, id: &'a str) -> Answer<'a, Option<Request>>;
    /// Forgets what is too old at `now`, in Unix milliseconds, and gives freed room back to the disk.
    fn prune(&self, now: i64) -> Answer<'_, ()>;

    /// Returns a thread and its newest cursor.
    fn thread<'a>(&'a self, id: &'a str) -> Answer<'a, Option<(ThreadRow, u64)>>;
    /// Finds an owner's thread by its id, a prefix of at least three characters, its slug, or `@last`.
    fn find_thread<'a>(&'a self, owner: &'a str, name: &'a str) -> Answer<'a, Found>;
    /// Finds a thread as [`Store::find_thread`] does, and returns it with the newest items before the item `before`, or the
    /// newest of all.
    fn read_thread<'a>(
        &'a self,
        owner: &'a str,
        name: &'a str,
        before: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Reading>;
    /// Lists an owner's threads.
    fn list_threads<'a>(&'a self, owner: &'a str, query: ThreadQuery) -> Answer<'a, ThreadPage>;
    /// Returns every thread of every owner, oldest first.
    fn all_threads(&self) -> Answer<'_, Vec<ThreadRow>>;
    /// Counts the threads of every owner, without reading them.
    fn count_threads(&self) -> Answer<'_, ThreadCounts>;
    /// Returns what stays of an owner's removed threads, newest first.
    fn removed_threads<'a>(&'a self, owner: &'a str, limit: usize) -> Answer<'a, Vec<Removed>>;
    /// Tells whether some thread has this slug.
    fn slug_taken<'a>(&'a self, slug: &'a str) -> Answer<'a, bool>;
    /// Tells whether some thread of the repository has this branch.
    fn branch_taken<'a>(&'a self, repository: &'a str, branch: &'a str) -> Answer<'a, bool>;

    /// Returns turns of a thread, oldest first.
    fn turns<'a>(&'a self, thread: &'a str, turns: Turns) -> Answer<'a, Vec<v1::Turn>>;
    /// Returns the turn with this number.
    fn turn_by_number<'a>(&'a self, thread: &'a str, number: u32) -> Answer<'a, Option<v1::Turn>>;
    /// Returns the newest items before the item `before`, or the newest of all.
    fn items<'a>(
        &'a self,
        thread: &'a str,
        before: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, ItemPage>;
    /// Returns one item as it is now.
    fn item<'a>(&'a self, thread: &'a str, item: &'a str) -> Answer<'a, Option<v1::Item>>;
    /// Returns the items in progress as they are now, oldest first.
    fn open_items<'a>(&'a self, thread: &'a str) -> Answer<'a, Vec<v1::Item>>;
    /// Returns events after a cursor: at most `limit` and about 1 MiB, but one at least when there is one. With `fold`,
    /// appends are left out whose item ended later.
    fn events<'a>(
        &'a self,
        thread: &'a str,
        after: u64,
        limit: usize,
        fold: bool,
    ) -> Answer<'a, Vec<v1::Event>>;
    /// Returns at most `limit` bytes of an item's output from `offset` on.
    fn output<'a>(
        &'a self,
        thread: &'a str,
        item: &'a str,
        offset: u64,
        limit: usize,
    ) -> Answer<'a, OutputPage>;

    /// Returns what changed in an owner's lists after a number: the newest entry of each thread and notice.
    fn feed<'a>(
        &'a self,
        owner: &'a str,
        after: u64,
        limit: usize,
    ) -> Answer<'a, Vec<v1::FeedEvent>>;
    /// Returns an owner's notices.
    fn notices<'a>(&'a self, owner: &'a str, unread: bool, limit: usize) -> Answer<'a, NoticePage>;
    /// Returns notices of every owner after a number, oldest first, each with its number.
    fn notices_after(&self, number: u64, limit: usize) -> Answer<'_, Vec<(u64, v1::Notice)>>;
    /// Returns the number of the newest notice of all; 0 when there is none.
    fn newest_notice(&self) -> Answer<'_, u64>;
    /// Marks notices read, all when none is named; returns the ids the owner has no notice of.
    fn read_notices<'a>(&'a self, owner: &'a str, ids: &'a [String]) -> Answer<'a, Vec<String>>;

    /// Returns what all threads of an owner used on a day.
    fn spent<'a>(&'a self, owner: &'a str, day: u32) -> Answer<'a, Spent>;
    /// Returns what an owner used on these days, of all threads or of one.
    fn usage<'a>(
        &'a self,
        owner: &'a str,
        days: RangeInclusive<u32>,
        thread: Option<&'a str>,
    ) -> Answer<'a, Usage>;

    /// Returns a receiver of the thread's newest cursor. It changes after each commit that is on disk, and closes when the
    /// thread is deleted; its first value may be 0.
    fn watch_thread(&self, thread: &str) -> watch::Receiver<u64>;
    /// Returns a receiver of the newest number of an owner's feed; its first value may be 0.
    fn watch_feed(&self, owner: &str) -> watch::Receiver<u64>;

    /// Returns a receiver that changes when a notice is posted, to whomever.
    fn watch_notices(&self) -> watch::Receiver<u64>;

    /// Inserts or replaces a repository.
    fn put_repository(&self, repository: Repository) -> Answer<'_, ()>;
    /// Returns a repository.
    fn repository<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Repository>>;
    /// Finds an owner's repository.
    fn find_repository<'a>(
        &'a self,
        owner: &'a str,
        key: RepositoryKey,
    ) -> Answer<'a, Option<Repository>>;
    /// Returns the repositories that no thread uses.
    fn repositories_unused(&self) -> Answer<'_, Vec<Repository>>;
    /// Removes a repository unless a thread uses it; tells whether it is gone.
    fn delete_repository<'a>(&'a self, id: &'a str) -> Answer<'a, bool>;

    /// Keeps a value under a name.
    fn put_setting<'a>(&'a self, owner: &'a str, name: &'a str, value: Vec<u8>) -> Answer<'a, ()>;
    /// Returns a value.
    fn setting<'a>(&'a self, owner: &'a str, name: &'a str) -> Answer<'a, Option<Vec<u8>>>;
    /// Forgets a value; tells whether there was one.
    fn delete_setting<'a>(&'a self, owner: &'a str, name: &'a str) -> Answer<'a, bool>;
    /// Returns the names that begin with `prefix`, with their values.
    fn settings<'a>(
        &'a self,
        owner: &'a str,
        prefix: &'a str,
    ) -> Answer<'a, Vec<(String, Vec<u8>)>>;

    /// Reads everything and reports damage as [`Error::Damaged`].
    fn integrity_check(&self) -> Answer<'_, ()>;
    /// Writes a whole copy to a file that must not exist.
    fn backup(&self, path: PathBuf) -> Answer<'_, ()>;
}
