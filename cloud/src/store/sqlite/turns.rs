//! The turns table: each turn as the newest event about it says.

use aloft_proto::v1::{Event, Turn, event::Payload};
use prost::Message as _;
use rusqlite::{Connection, Row, params};

use crate::store::{
    Error, Result, Turns,
    sqlite::{signed, threads},
};

/// Inserts or replaces a turn.
pub(super) fn put(
    db: &Connection,
    thread: &str,
    owner: &str,
    id: &str,
    number: u32,
    cursor: u64,
) -> Result<()> {
    let insert = "insert into turns (thread, id, owner, number, cursor) values (?1, ?2, ?3, ?4, ?5)
        on conflict (thread, id) do update set number = ?4, cursor = ?5";
    db.prepare_cached(insert)?.execute(params![thread, id, owner, number, signed(cursor)])?;
    Ok(())
}

/// Returns turns, oldest first.
pub(super) fn list(db: &Connection, thread: &str, turns: &Turns) -> Result<Vec<Turn>> {
    match turns {
        Turns::Numbers(numbers) => {
            let select = "select record from turns join events using (thread, cursor)
                where thread = ? and number between ? and ? order by number, cursor";
            let mut statement = db.prepare_cached(select)?;
            statement
                .query_and_then(params![thread, numbers.start(), numbers.end()], turn)?
                .collect()
        }
        Turns::Ids(ids) => {
            let select = "select record from turns join events using (thread, cursor) where thread = ? and id = ?";
            let mut found = Vec::new();
            for id in ids {
                found.extend(threads::one(db, select, [thread, id], turn)?);
            }
            found.sort_by_key(|turn| turn.number);
            found.dedup_by(|second, first| second.id == first.id);
            Ok(found)
        }
    }
}

/// Returns the turn with this number.
pub(super) fn by_number(db: &Connection, thread: &str, number: u32) -> Result<Option<Turn>> {
    Ok(list(db, thread, &Turns::Numbers(number..=number))?.pop())
}

fn turn(row: &Row<'_>) -> Result<Turn> {
    match Event::decode(threads::blob(row, 0)?)?.payload {
        Some(Payload::TurnStarted(turn) | Payload::TurnCompleted(turn)) => Ok(turn),
        _ => Err(Error::Damaged("a turn's event is of another kind".to_owned())),
    }
}
