//! The events table: each thread's log, numbered without gaps, and what each event changes beside it.

use aloft_proto::v1::{Event, Turn, event::Payload};
use prost::Message as _;
use rusqlite::{Connection, params};

use crate::store::{
    Error, Result,
    sqlite::{items, limited, pieces, signed, threads, turns},
};

/// How many bytes of records one answer holds, about.
const ANSWER: usize = 1024 * 1024;

/// Returns the newest cursor of a thread; 0 when its log is empty.
pub(super) fn newest(db: &Connection, thread: &str) -> Result<u64> {
    let mut statement =
        db.prepare_cached("select coalesce(max(cursor), 0) from events where thread = ?")?;
    Ok(statement.query_row([thread], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

/// Appends events and derives turns, items and output from them; returns the newest cursor.
pub(super) fn append(
    db: &Connection,
    thread: &str,
    owner: &str,
    events: &mut [Event],
) -> Result<u64> {
    let mut cursor = newest(db, thread)?;
    let mut insert = db.prepare_cached(
        "insert into events (thread, cursor, owner, item, record) values (?, ?, ?, ?, ?)",
    )?;
    for event in events {
        cursor += 1;
        derive(db, thread, owner, cursor, event)?;
        let record = encode(event);
        let item = match &event.payload {
            Some(Payload::ItemAppended(appended)) => Some(&appended.item_id),
            _ => None,
        };
        insert.execute(params![thread, signed(cursor), owner, item, record])?;
    }
    Ok(cursor)
}

/// Reads events after a cursor.
pub(super) fn read(
    db: &Connection,
    thread: &str,
    after: u64,
    limit: usize,
    fold: bool,
) -> Result<Vec<Event>> {
    let select = if fold {
        "select cursor, record from events as e where thread = ?1 and cursor > ?2 and (item is null or not exists (
         select 1 from items where items.thread = e.thread and items.id = e.item and items.completed > e.cursor))
         order by cursor limit ?3"
    } else {
        "select cursor, record from events where thread = ?1 and cursor > ?2 order by cursor limit ?3"
    };
    let mut statement = db.prepare_cached(select)?;
    let mut rows = statement.query(params![thread, signed(after), limited(limit)])?;
    let (mut events, mut size, mut previous) = (Vec::new(), 0, after);
    while let Some(row) = rows.next()? {
        let record = threads::blob(row, 1)?;
        size += record.len();
        if size > ANSWER && !events.is_empty() {
            break;
        }
        let cursor = row.get::<_, i64>(0)?.cast_unsigned();
        let event = Event::decode(record)?;
        // Without gaps in the log, what is missing before this event is what was left out.
        let folded = cursor - previous - 1;
        events.push(Event { thread_id: thread.to_owned(), cursor, folded, ..event });
        previous = cursor;
    }
    if events.is_empty() && threads::owner(db, thread)?.is_none() {
        return Err(Error::UnknownThread(thread.to_owned()));
    }
    Ok(events)
}

fn derive(
    db: &Connection,
    thread: &str,
    owner: &str,
    cursor: u64,
    event: &mut Event,
) -> Result<()> {
    match &mut event.payload {
        Some(Payload::TurnStarted(turn) | Payload::TurnCompleted(turn)) => {
            let Turn { id, number, .. } = turn;
            turns::put(db, thread, owner, id, *number, cursor)
        }
        Some(Payload::ItemStarted(item)) => items::put(db, thread, owner, item, cursor, None),
        Some(Payload::ItemCompleted(item)) => {
            items::put(db, thread, owner, item, cursor, Some(cursor))
        }
        Some(Payload::ItemAppended(appended)) => {
            if !items::exists(db, thread, &appended.item_id)? {
                return Err(Error::UnknownItem {
                    thread: thread.to_owned(),
                    item: appended.item_id.clone(),
                });
            }
            appended.offset = pieces::end(db, thread, &appended.item_id)?;
            pieces::add(
                db,
                thread,
                owner,
                &appended.item_id,
                appended.offset,
                appended.delta.len(),
                cursor,
            )
        }
        Some(Payload::ThreadChanged(_) | Payload::DiffChanged(_)) | None => Ok(()),
    }
}

/// Encodes an event without what the row says already.
fn encode(event: &mut Event) -> Vec<u8> {
    let thread = std::mem::take(&mut event.thread_id);
    (event.cursor, event.folded) = (0, 0);
    let record = event.encode_to_vec();
    event.thread_id = thread;
    record
}
