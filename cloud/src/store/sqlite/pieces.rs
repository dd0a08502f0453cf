//! The pieces table: where the bytes of an item's text or output are in the log.
//!
//! The bytes themselves are in the events alone. An append adds a piece at the end. An item that is told as a whole replaces
//! what it covers: all of a text, the last part of an output. So the pieces of an item never overlap, a page of output is one
//! range scan, and no row is written again as output grows.

use aloft_proto::v1::{Event, Item, event::Payload, item::Kind};
use prost::Message as _;
use rusqlite::{Connection, params};

use crate::store::{
    Result,
    sqlite::{signed, threads},
};

/// Returns where the next byte of an item goes.
pub(super) fn end(db: &Connection, thread: &str, item: &str) -> Result<u64> {
    Ok(last(db, thread, item)?.map_or(0, |(end, _)| end))
}

/// Returns the end of an item's last piece, and the cursor of the event that holds it.
pub(super) fn last(db: &Connection, thread: &str, item: &str) -> Result<Option<(u64, u64)>> {
    let select = "select start + size, cursor from pieces where thread = ? and item = ? order by start desc limit 1";
    threads::one(db, select, [thread, item], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
    })
}

/// Adds a piece at the end.
pub(super) fn add(
    db: &Connection,
    thread: &str,
    owner: &str,
    item: &str,
    start: u64,
    size: usize,
    cursor: u64,
) -> Result<()> {
    if size == 0 {
        return Ok(());
    }
    let insert =
        "insert into pieces (thread, item, start, owner, size, cursor) values (?, ?, ?, ?, ?, ?)";
    db.prepare_cached(insert)?.execute(params![
        thread,
        item,
        signed(start),
        owner,
        signed(size as u64),
        signed(cursor)
    ])?;
    Ok(())
}

/// Takes the text or output of an item that was told as a whole for what it covers.
pub(super) fn replace(
    db: &Connection,
    thread: &str,
    owner: &str,
    item: &Item,
    cursor: u64,
) -> Result<()> {
    let (start, bytes) = grown(item);
    db.prepare_cached("delete from pieces where thread = ? and item = ? and start >= ?")?
        .execute(params![thread, item.id, signed(start)])?;
    db.prepare_cached(
        "update pieces set size = ?3 - start where thread = ?1 and item = ?2 and start + size > ?3
         and start = (select max(start) from pieces where thread = ?1 and item = ?2)",
    )?
    .execute(params![thread, item.id, signed(start)])?;
    add(db, thread, owner, &item.id, start, bytes.len(), cursor)
}

/// Reads at most `limit` bytes of an item from `offset` on; returns them and where they end.
pub(super) fn read(
    db: &Connection,
    thread: &str,
    item: &str,
    offset: u64,
    limit: usize,
) -> Result<(Vec<u8>, u64)> {
    // `cross join` keeps the pieces the outer loop: one range scan, each piece's event found by its key.
    let select = "select p.start, p.size, e.record from pieces as p cross join events as e on e.thread = p.thread and e.cursor = p.cursor
        where p.thread = ?1 and p.item = ?2
        and p.start >= coalesce((select max(start) from pieces where thread = ?1 and item = ?2 and start <= ?3), 0)
        order by p.start";
    let mut statement = db.prepare_cached(select)?;
    let mut rows = statement.query(params![thread, item, signed(offset)])?;
    let (mut data, mut next) = (Vec::new(), offset);
    while let Some(row) = rows.next()? {
        if data.len() >= limit {
            break;
        }
        let (start, size) =
            (row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned());
        let event = Event::decode(threads::blob(row, 2)?)?;
        // An item that told only the end of its output leaves nothing to read before it.
        next = next.max(start);
        let from = usize::try_from(next - start).unwrap_or(usize::MAX);
        let to = usize::try_from(size)
            .unwrap_or(usize::MAX)
            .min(from.saturating_add(limit - data.len()));
        if let Some(bytes) = held(&event).get(from..to) {
            data.extend_from_slice(bytes);
            next += bytes.len() as u64;
        }
    }
    Ok((data, next))
}

/// The bytes an event holds of an item's text or output.
fn held(event: &Event) -> &[u8] {
    match &event.payload {
        Some(Payload::ItemAppended(appended)) => &appended.delta,
        Some(Payload::ItemStarted(item) | Payload::ItemCompleted(item)) => grown(item).1,
        _ => &[],
    }
}

/// The text or output of an item that can grow, and where it begins in the whole of it.
fn grown(item: &Item) -> (u64, &[u8]) {
    match &item.kind {
        Some(Kind::AgentMessage(message)) => (0, message.text.as_bytes()),
        Some(Kind::Reasoning(reasoning)) => (0, reasoning.text.as_bytes()),
        Some(Kind::CommandExecution(command)) => {
            (command.output_bytes.saturating_sub(command.output.len() as u64), &command.output)
        }
        _ => (0, &[]),
    }
}
