//! The notices table: words to an owner, posted once and read everywhere at once.

use aloft_proto::v1::Notice;
use prost::Message as _;
use rusqlite::{Connection, params};

use crate::{
    clock,
    store::{
        NoticePage, Result,
        sqlite::{
            feed::{self, About, Entry},
            limited, signed, threads,
            writer::News,
        },
    },
};

/// Posts a notice; one whose id is known already stays as it is.
pub(super) fn post(
    db: &Connection,
    owner: &str,
    thread: &str,
    notice: &Notice,
    news: &mut News,
) -> Result<()> {
    let thread = if notice.thread_id.is_empty() { thread } else { &notice.thread_id };
    let time = notice.create_time.map_or_else(clock::now, |time| time.seconds.saturating_mul(1000));
    let record =
        Notice { thread_id: thread.to_owned(), read: false, ..notice.clone() }.encode_to_vec();
    let insert = "insert into notices (id, owner, thread, time, read, record) values (?, ?, ?, ?, ?, ?) on conflict (id) do nothing";
    let inserted = db.prepare_cached(insert)?.execute(params![
        notice.id,
        owner,
        thread,
        time,
        notice.read,
        record
    ])?;
    if inserted > 0 {
        let entry = if notice.read { Entry::Gone } else { Entry::Current };
        feed::enter(db, owner, About::Notice, &notice.id, entry, news)?;
        news.notices += 1;
    }
    Ok(())
}

/// Lists notices of every owner after a number, oldest first.
pub(super) fn after(db: &Connection, number: u64, limit: usize) -> Result<Vec<(u64, Notice)>> {
    let select =
        "select number, read, record from notices where number > ? order by number limit ?";
    let mut statement = db.prepare_cached(select)?;
    statement
        .query_and_then(params![signed(number), limited(limit)], |row| {
            let notice = Notice { read: row.get(1)?, ..Notice::decode(threads::blob(row, 2)?)? };
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), notice))
        })?
        .collect()
}

/// Returns the number of the newest notice that was ever posted, also when it is gone.
pub(super) fn newest(db: &Connection) -> Result<u64> {
    let select = "select seq from sqlite_sequence where name = 'notices'";
    let number = threads::one(db, select, [], |row| Ok(row.get::<_, i64>(0)?))?;
    Ok(number.unwrap_or(0).cast_unsigned())
}

/// Lists an owner's notices, newest first.
pub(super) fn list(db: &Connection, owner: &str, unread: bool, limit: usize) -> Result<NoticePage> {
    let select = "select read, record from notices where owner = ? and read <= ? order by number desc limit ?";
    let mut statement = db.prepare_cached(select)?;
    let notices = statement
        .query_and_then(params![owner, !unread, limited(limit)], |row| {
            Ok(Notice { read: row.get(0)?, ..Notice::decode(threads::blob(row, 1)?)? })
        })?
        .collect::<Result<_>>()?;
    Ok(NoticePage { notices, feed: feed::newest(db, owner)? })
}

/// Marks an owner's notices read, all when none is named; returns the ids the owner has no notice of.
pub(super) fn mark_read(
    db: &Connection,
    owner: &str,
    ids: &[String],
    news: &mut News,
) -> Result<Vec<String>> {
    let unread =
        ids_of(db, "select id from notices where owner = ? and read = 0 order by number", owner)?;
    for id in unread.iter().filter(|id| ids.is_empty() || ids.contains(id)) {
        db.prepare_cached("update notices set read = 1 where id = ?")?.execute([id])?;
        feed::enter(db, owner, About::Notice, id, Entry::Gone, news)?;
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let known = ids_of(db, "select id from notices where owner = ?", owner)?;
    Ok(ids.iter().filter(|id| !known.contains(id)).cloned().collect())
}

/// Returns the ids of a thread's notices that nobody has read.
pub(super) fn unread_of_thread(db: &Connection, thread: &str) -> Result<Vec<String>> {
    ids_of(db, "select id from notices where thread = ? and read = 0 order by number", thread)
}

fn ids_of(db: &Connection, select: &str, of: &str) -> Result<Vec<String>> {
    let mut statement = db.prepare_cached(select)?;
    Ok(statement.query_map([of], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}
