//! The settings table: small values under names. What must be secret arrives here encrypted.

use rusqlite::{Connection, params};

use crate::store::{
    Result,
    sqlite::{threads, writer::News},
};

/// Keeps a value; the one before leaves no bytes behind.
pub(super) fn put(
    db: &Connection,
    owner: &str,
    name: &str,
    value: &[u8],
    news: &mut News,
) -> Result<()> {
    news.scrub |= get(db, owner, name)?.is_some();
    db.prepare_cached("insert or replace into settings (owner, name, value) values (?, ?, ?)")?
        .execute(params![owner, name, value])?;
    Ok(())
}

/// Returns a value.
pub(super) fn get(db: &Connection, owner: &str, name: &str) -> Result<Option<Vec<u8>>> {
    threads::one(
        db,
        "select value from settings where owner = ? and name = ?",
        [owner, name],
        |row| Ok(row.get(0)?),
    )
}

/// Forgets a value; tells whether there was one.
pub(super) fn delete(db: &Connection, owner: &str, name: &str, news: &mut News) -> Result<bool> {
    let deleted = db
        .prepare_cached("delete from settings where owner = ? and name = ?")?
        .execute([owner, name])?;
    news.scrub |= deleted > 0;
    Ok(deleted > 0)
}

/// Returns the names that begin with `prefix`, with their values.
pub(super) fn list(db: &Connection, owner: &str, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let select = "select name, value from settings where owner = ?1 and substr(name, 1, length(?2)) = ?2 order by name";
    let mut statement = db.prepare_cached(select)?;
    Ok(statement
        .query_map([owner, prefix], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?)
}
