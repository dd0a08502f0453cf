//! The items table: each item as the newest event that tells the whole of it says, with what was appended after.

use aloft_proto::v1::{Event, Item, event::Payload, item::Kind};
use prost::Message as _;
use rusqlite::{Connection, Row, params};

use crate::store::{
    Error, ITEM_OUTPUT, ItemPage, OutputPage, Result,
    sqlite::{limited, log, pieces, signed, threads},
};

/// Inserts or replaces an item that an event tells as a whole. `completed` is the cursor of that event if it ends the item.
pub(super) fn put(
    db: &Connection,
    thread: &str,
    owner: &str,
    item: &Item,
    cursor: u64,
    completed: Option<u64>,
) -> Result<()> {
    let insert = "insert into items (thread, id, owner, position, state, cursor, completed) values (?1, ?2, ?3, ?4, ?5, ?4, ?6)
        on conflict (thread, id) do update set state = ?5, cursor = ?4, completed = coalesce(?6, completed)";
    db.prepare_cached(insert)?.execute(params![
        thread,
        item.id,
        owner,
        signed(cursor),
        item.state,
        completed.map(signed)
    ])?;
    pieces::replace(db, thread, owner, item, cursor)
}

/// Tells whether the thread has the item.
pub(super) fn exists(db: &Connection, thread: &str, item: &str) -> Result<bool> {
    Ok(db
        .prepare_cached("select 1 from items where thread = ? and id = ?")?
        .exists([thread, item])?)
}

/// Returns one item as it is now.
pub(super) fn get(db: &Connection, thread: &str, item: &str) -> Result<Option<Item>> {
    let select = "select cursor, record from items join events using (thread, cursor) where thread = ? and id = ?";
    threads::one(db, select, [thread, item], |row| current(db, thread, row))
}

/// Bytes of items in a page: far less than fits into one message, and more than anybody reads at once.
const PAGE: usize = 16 << 20;

/// Returns the newest items before one, oldest first: as many as asked for and as fit, and one at least.
pub(super) fn page(
    db: &Connection,
    thread: &str,
    before: Option<&str>,
    limit: usize,
) -> Result<ItemPage> {
    let position = match before.filter(|before| !before.is_empty()) {
        None => i64::MAX,
        Some(item) => {
            let select = "select position from items where thread = ? and id = ?";
            threads::one(db, select, [thread, item], |row| Ok(row.get(0)?))?.ok_or_else(|| {
                Error::UnknownItem { thread: thread.to_owned(), item: item.to_owned() }
            })?
        }
    };
    let limit = limit.max(1);
    let select = "select i.cursor, e.record from items as i cross join events as e on e.thread = i.thread and e.cursor = i.cursor
        where i.thread = ? and i.position < ? order by i.position desc limit ?";
    let mut statement = db.prepare_cached(select)?;
    let mut rows = statement.query(params![thread, position, limited(limit.saturating_add(1))])?;
    let mut page = ItemPage { cursor: log::newest(db, thread)?, ..ItemPage::default() };
    let mut size = 0;
    while let Some(row) = rows.next()? {
        let item = current(db, thread, row)?;
        size += item.encoded_len();
        if page.items.len() == limit || (size > PAGE && !page.items.is_empty()) {
            page.has_more = true;
            break;
        }
        page.items.push(item);
    }
    page.items.reverse();
    Ok(page)
}

/// Returns the items in progress, oldest first.
pub(super) fn open(db: &Connection, thread: &str) -> Result<Vec<Item>> {
    let select = "select i.cursor, e.record from items as i cross join events as e on e.thread = i.thread and e.cursor = i.cursor
        where i.thread = ? and i.state = 1 order by i.position";
    db.prepare_cached(select)?.query_and_then([thread], |row| current(db, thread, row))?.collect()
}

/// Returns a page of an item's output.
pub(super) fn output(
    db: &Connection,
    thread: &str,
    item: &str,
    offset: u64,
    limit: usize,
) -> Result<OutputPage> {
    if !exists(db, thread, item)? {
        return Err(Error::UnknownItem { thread: thread.to_owned(), item: item.to_owned() });
    }
    let total_bytes = pieces::end(db, thread, item)?;
    let (data, next_offset) = pieces::read(db, thread, item, offset.min(total_bytes), limit)?;
    Ok(OutputPage { data: data.into(), next_offset, total_bytes })
}

/// The item of an event (columns: cursor, record) with what was appended after it.
fn current(db: &Connection, thread: &str, row: &Row<'_>) -> Result<Item> {
    let told_at = row.get::<_, i64>(0)?.cast_unsigned();
    let Some(Payload::ItemStarted(mut item) | Payload::ItemCompleted(mut item)) =
        Event::decode(threads::blob(row, 1)?)?.payload
    else {
        return Err(Error::Damaged(format!("event {told_at} of thread `{thread}` tells no item")));
    };
    let Some((end, appended_at)) = pieces::last(db, thread, &item.id)? else { return Ok(item) };
    if appended_at <= told_at {
        return Ok(item);
    }
    match &mut item.kind {
        Some(Kind::AgentMessage(message)) => message.text = text(db, thread, &item.id)?,
        Some(Kind::Reasoning(reasoning)) => reasoning.text = text(db, thread, &item.id)?,
        Some(Kind::CommandExecution(command)) => {
            let start = end.saturating_sub(ITEM_OUTPUT as u64);
            command.output = pieces::read(db, thread, &item.id, start, ITEM_OUTPUT)?.0.into();
            command.output_bytes = end;
            command.truncated = start > 0;
        }
        _ => {}
    }
    Ok(item)
}

/// The whole text of an item. A character may be split between two appends.
fn text(db: &Connection, thread: &str, item: &str) -> Result<String> {
    let (bytes, _) = pieces::read(db, thread, item, 0, usize::MAX)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
