//! The requests table: what was answered to whom, so that a request sent again is applied once.

use rusqlite::{Connection, params};

use crate::store::{Error, REQUEST_AGE, Request, Result, sqlite::threads};

/// Remembers a request; refused when it is remembered already.
pub(super) fn insert(db: &Connection, thread: &str, request: &Request, cursor: u64) -> Result<()> {
    let insert = "insert into requests (owner, id, thread, fingerprint, answer, time, cursor) values (?1, ?2, ?3, ?4, ?5, ?6, ?8)
        on conflict (owner, id) do update set thread = ?3, fingerprint = ?4, answer = ?5, time = ?6, cursor = ?8 where time < ?6 - ?7";
    let Request { owner, id, fingerprint, answer, time, cursor: _ } = request;
    let inserted = db.prepare_cached(insert)?.execute(params![
        owner,
        id,
        thread,
        fingerprint,
        answer,
        time,
        REQUEST_AGE,
        cursor.cast_signed()
    ])?;
    if inserted == 0 {
        return Err(Error::RequestExists(id.clone()));
    }
    Ok(())
}

/// Returns a request that is remembered.
pub(super) fn get(db: &Connection, owner: &str, id: &str) -> Result<Option<Request>> {
    let select =
        "select fingerprint, answer, time, cursor from requests where owner = ? and id = ?";
    threads::one(db, select, [owner, id], |row| {
        Ok(Request {
            owner: owner.to_owned(),
            id: id.to_owned(),
            fingerprint: row.get(0)?,
            answer: row.get(1)?,
            time: row.get(2)?,
            cursor: row.get::<_, i64>(3)?.cast_unsigned(),
        })
    })
}
