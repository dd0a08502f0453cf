//! The audit table: one row for each thread that was removed. It holds the thread's name, and nothing of what it was about.

use rusqlite::{Connection, params};

use crate::store::{Removed, Result, sqlite::limited};

/// Writes that a thread is removed.
pub(super) fn write(db: &Connection, owner: &str, removed: &Removed) -> Result<()> {
    let insert = "insert into audit (time, owner, thread, slug, expired) values (?, ?, ?, ?, ?)";
    let Removed { thread, slug, time, expired } = removed;
    db.prepare_cached(insert)?.execute(params![time, owner, thread, slug, expired])?;
    Ok(())
}

/// Lists an owner's removed threads, newest first.
pub(super) fn list(db: &Connection, owner: &str, limit: usize) -> Result<Vec<Removed>> {
    let select = "select thread, slug, time, expired from audit where owner = ? order by number desc limit ?";
    let mut statement = db.prepare_cached(select)?;
    let rows = statement.query_map(params![owner, limited(limit)], |row| {
        Ok(Removed {
            thread: row.get(0)?,
            slug: row.get(1)?,
            time: row.get(2)?,
            expired: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
