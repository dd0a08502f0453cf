//! The threads table: rows by id, by name and as pages.

use aloft_proto::v1;
use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, Row, ffi, params};

use crate::store::{
    Error, Found, Result, ThreadCounts, ThreadPage, ThreadQuery, ThreadRow,
    sqlite::{feed, log},
};

/// The shortest prefix of an id that names a thread.
const PREFIX: usize = 3;

/// How many ids an ambiguous prefix is answered with.
const AMBIGUOUS: usize = 10;

/// Inserts or replaces a thread.
pub(super) fn put(db: &Connection, thread: &v1::Thread, private: &[u8]) -> Result<()> {
    let insert = "insert into threads (id, owner, slug, state, repository, branch, words, record, private)
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
        on conflict (id) do update set slug = ?3, state = ?4, repository = ?5, branch = ?6, words = ?7, record = ?8, private = ?9";
    let done = db.prepare_cached(insert)?.execute(params![
        thread.id,
        thread.owner,
        thread.slug,
        thread.state,
        repository(thread),
        thread.branch,
        words(thread),
        thread.encode_to_vec(),
        private
    ]);
    done.map(drop).map_err(|error| slug_error(error, thread))
}

/// Replaces a thread and leaves the runner's record as it is.
pub(super) fn change(db: &Connection, thread: &v1::Thread) -> Result<()> {
    let update = "update threads set slug = ?2, state = ?3, repository = ?4, branch = ?5, words = ?6, record = ?7 where id = ?1";
    let done = db.prepare_cached(update)?.execute(params![
        thread.id,
        thread.slug,
        thread.state,
        repository(thread),
        thread.branch,
        words(thread),
        thread.encode_to_vec()
    ]);
    done.map(drop).map_err(|error| slug_error(error, thread))
}

/// Returns a thread and its newest cursor.
pub(super) fn get(db: &Connection, id: &str) -> Result<Option<(ThreadRow, u64)>> {
    let row = one(db, "select record, private from threads where id = ?", [id], row)?;
    row.map(|row| with_cursor(db, row)).transpose()
}

/// Returns who owns a thread.
pub(super) fn owner(db: &Connection, id: &str) -> Result<Option<String>> {
    one(db, "select owner from threads where id = ?", [id], |row| Ok(row.get(0)?))
}

/// Returns a thread's slug.
pub(super) fn slug(db: &Connection, id: &str) -> Result<Option<String>> {
    one(db, "select slug from threads where id = ?", [id], |row| Ok(row.get(0)?))
}

/// Finds a thread by what a person calls it: what is exact goes before a prefix.
pub(super) fn find(db: &Connection, owner: &str, name: &str) -> Result<Found> {
    let exact = if name == "@last" {
        // One that is being removed is nobody's newest any more.
        let select = "select record, private from threads where owner = ? and state <> ? order by number desc limit 1";
        one(db, select, params![owner, v1::ThreadState::Deleting as i32], row)?
    } else {
        let select = "select record, private from threads where owner = ?1 and (id = ?2 or slug = ?2) order by id = ?2 desc limit 1";
        one(db, select, [owner, name], row)?
    };
    if let Some(row) = exact {
        let (row, cursor) = with_cursor(db, row)?;
        return Ok(Found::One(Box::new(row), cursor));
    }
    if name.chars().count() < PREFIX {
        return Ok(Found::None);
    }
    let select = "select id from threads where owner = ?1 and id > ?2 and id < ?2 || char(0x10ffff) order by id limit ?3";
    let mut statement = db.prepare_cached(select)?;
    let ids = statement
        .query_map(params![owner, name, crate::store::sqlite::limited(AMBIGUOUS)], |row| {
            row.get(0)
        })?;
    let ids = ids.collect::<rusqlite::Result<Vec<String>>>()?;
    match ids.as_slice() {
        [] => Ok(Found::None),
        [id] => {
            Ok(get(db, id)?.map_or(Found::None, |(row, cursor)| Found::One(Box::new(row), cursor)))
        }
        _ => Ok(Found::Ambiguous(ids)),
    }
}

/// Lists an owner's threads, newest first.
pub(super) fn list(db: &Connection, owner: &str, query: &ThreadQuery) -> Result<ThreadPage> {
    let mut page = ThreadPage { feed: feed::newest(db, owner)?, ..ThreadPage::default() };
    let before = match query.page_token.as_str() {
        "" => i64::MAX,
        token => token.parse::<i64>().map_err(|_| Error::PageToken(token.to_owned()))?,
    };
    let wanted = query.query.to_lowercase();
    let states: Vec<i32> = query.states.iter().map(|state| *state as i32).collect();
    let select = "select number, state, words, record from threads where owner = ? and number < ? order by number desc";
    let mut statement = db.prepare_cached(select)?;
    let mut rows = statement.query(params![owner, before])?;
    let mut last = 0;
    while let Some(row) = rows.next()? {
        let words = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        if !(states.is_empty() || states.contains(&row.get(1)?))
            || !wanted.split_whitespace().all(|word| words.contains(word))
        {
            continue;
        }
        if page.threads.len() == query.page_size.max(1) {
            page.next_page_token = i64::to_string(&last);
            break;
        }
        last = row.get(0)?;
        page.threads.push(v1::Thread::decode(blob(row, 3)?)?);
    }
    Ok(page)
}

/// Returns every thread, oldest first.
pub(super) fn all(db: &Connection) -> Result<Vec<ThreadRow>> {
    db.prepare_cached("select record, private from threads order by number")?
        .query_and_then([], row)?
        .collect()
}

/// Counts all threads and those that are busy; both are looked up in an index.
pub(super) fn count(db: &Connection) -> Result<ThreadCounts> {
    let select = "select (select count(*) from threads), (select count(*) from threads where state in (1, 2, 3))";
    let counts = |row: &Row<'_>| Ok(ThreadCounts { all: row.get(0)?, busy: row.get(1)? });
    Ok(db.prepare_cached(select)?.query_row([], counts)?)
}

/// Tells whether a thread has this slug.
pub(super) fn slug_taken(db: &Connection, slug: &str) -> Result<bool> {
    Ok(db.prepare_cached("select 1 from threads where slug = ?")?.exists([slug])?)
}

/// Tells whether a thread of the repository has this branch.
pub(super) fn branch_taken(db: &Connection, repository: &str, branch: &str) -> Result<bool> {
    Ok(db
        .prepare_cached("select 1 from threads where repository = ? and branch = ?")?
        .exists([repository, branch])?)
}

/// Returns the first row of a query, decoded.
pub(super) fn one<T, P, F>(
    db: &Connection,
    select: &str,
    parameters: P,
    decode: F,
) -> Result<Option<T>>
where
    P: rusqlite::Params,
    F: FnOnce(&Row<'_>) -> Result<T>,
{
    let mut statement = db.prepare_cached(select)?;
    statement.query_row(parameters, |row| Ok(decode(row))).optional()?.transpose()
}

/// Borrows a blob of a row.
pub(super) fn blob<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a [u8]> {
    Ok(row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?)
}

fn row(row: &Row<'_>) -> Result<ThreadRow> {
    Ok(ThreadRow { thread: v1::Thread::decode(blob(row, 0)?)?, private: row.get(1)? })
}

fn with_cursor(db: &Connection, row: ThreadRow) -> Result<(ThreadRow, u64)> {
    let cursor = log::newest(db, &row.thread.id)?;
    Ok((row, cursor))
}

fn repository(thread: &v1::Thread) -> &str {
    thread.repository.as_ref().map_or("", |repository| &repository.id)
}

fn words(thread: &v1::Thread) -> String {
    let repository = thread
        .repository
        .as_ref()
        .map_or([""; 3], |repository| [&*repository.name, &*repository.url, &*repository.path]);
    [&[&*thread.title, &*thread.slug, &*thread.branch], &repository[..]]
        .concat()
        .join("\n")
        .to_lowercase()
}

fn slug_error(error: rusqlite::Error, thread: &v1::Thread) -> Error {
    match error.sqlite_extended_error_code() {
        Some(ffi::SQLITE_CONSTRAINT_UNIQUE) => Error::SlugTaken(thread.slug.clone()),
        _ => error.into(),
    }
}
