//! The feed table: the newest change of each thread and notice of an owner, numbered. Entries point at rows and are joined with
//! them when they are read, so the feed does not grow as the same thread changes again and again.

use aloft_proto::v1::{FeedEvent, Notice, Thread, feed_event::Payload};
use prost::Message as _;
use rusqlite::{Connection, params};

use crate::{
    clock,
    store::{
        Result,
        sqlite::{limited, signed, threads, writer::News},
    },
};

/// What an entry is about; the numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// A thread.
    Thread = 1,
    /// A notice.
    Notice = 2,
}

/// What an entry says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// It is as its row says.
    Current,
    /// The thread was deleted, or the notice was read.
    Gone,
}

/// Writes the newest entry about something, in place of the one before; returns its number.
pub(super) fn enter(
    db: &Connection,
    owner: &str,
    about: About,
    subject: &str,
    entry: Entry,
    news: &mut News,
) -> Result<u64> {
    let count = "insert into owners (owner, feed) values (?, 1) on conflict (owner) do update set feed = feed + 1 returning feed";
    let number: i64 = db.prepare_cached(count)?.query_row([owner], |row| row.get(0))?;
    let insert = "insert into feed (owner, about, subject, number, gone, time) values (?1, ?2, ?3, ?4, ?5, ?6)
        on conflict (owner, about, subject) do update set number = ?4, gone = ?5, time = ?6";
    db.prepare_cached(insert)?.execute(params![
        owner,
        about as i64,
        subject,
        number,
        entry == Entry::Gone,
        clock::now()
    ])?;
    news.feeds.push((owner.to_owned(), number.cast_unsigned()));
    Ok(number.cast_unsigned())
}

/// Returns the newest number of an owner's feed.
pub(super) fn newest(db: &Connection, owner: &str) -> Result<u64> {
    let number = threads::one(db, "select feed from owners where owner = ?", [owner], |row| {
        Ok(row.get::<_, i64>(0)?)
    })?;
    Ok(number.unwrap_or(0).cast_unsigned())
}

/// Reads the entries after a number.
pub(super) fn read(
    db: &Connection,
    owner: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<FeedEvent>> {
    let select =
        "select f.number, f.about, f.gone, f.subject, coalesce(t.record, n.record) from feed as f
        left join threads as t on f.about = 1 and t.id = f.subject
        left join notices as n on f.about = 2 and n.id = f.subject
        where f.owner = ? and f.number > ? order by f.number limit ?";
    let mut statement = db.prepare_cached(select)?;
    let mut rows = statement.query(params![owner, signed(after), limited(limit)])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let payload = match (row.get::<_, i64>(1)? == About::Thread as i64, row.get(2)?) {
            (true, true) => Payload::ThreadDeleted(row.get(3)?),
            (true, false) => Payload::ThreadChanged(Thread::decode(threads::blob(row, 4)?)?),
            (false, true) => Payload::NoticeRead(row.get(3)?),
            (false, false) => Payload::NoticePosted(Notice::decode(threads::blob(row, 4)?)?),
        };
        events.push(FeedEvent {
            feed: row.get::<_, i64>(0)?.cast_unsigned(),
            payload: Some(payload),
        });
    }
    Ok(events)
}
