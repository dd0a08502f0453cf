//! The tables usage and ledger: what was used, summed by day, thread, agent and model, and one entry for each turn, pull
//! request and resume. Both outlive their thread.

use std::ops::RangeInclusive;

use aloft_proto::v1::{LedgerEntry, LedgerKind, UsageRow};
use prost::Message as _;
use rusqlite::{Connection, Row, params};

use crate::{
    model::{budget::Spent, time::millis, usage::day},
    store::{
        Result, Usage,
        sqlite::{signed, threads},
    },
};

/// Adds to what was used.
pub(super) fn add(db: &Connection, owner: &str, row: &UsageRow) -> Result<()> {
    let insert = "insert into usage (owner, day, thread, agent, model, currency, calls, input_tokens, cached_tokens, output_tokens, cost_micros, millis)
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
        on conflict do update set calls = calls + ?7, input_tokens = input_tokens + ?8, cached_tokens = cached_tokens + ?9,
          output_tokens = output_tokens + ?10, cost_micros = cost_micros + ?11, millis = millis + ?12";
    db.prepare_cached(insert)?.execute(params![
        owner,
        row.day,
        row.thread_id,
        row.agent,
        row.model,
        row.currency,
        counted(row.calls),
        counted(row.input_tokens),
        counted(row.cached_tokens),
        counted(row.output_tokens),
        counted(row.cost_micros),
        counted(row.millis)
    ])?;
    Ok(())
}

/// Writes an entry; one with the same subject is replaced, and stays in its place.
pub(super) fn enter(db: &Connection, owner: &str, entry: &LedgerEntry) -> Result<()> {
    let time = entry.time.as_ref().map_or(0, millis);
    let insert =
        "insert into ledger (thread, subject, owner, day, kind, record) values (?1, ?2, ?3, ?4, ?5, ?6)
        on conflict (thread, subject) do update set record = ?6 where kind = ?5";
    db.prepare_cached(insert)?.execute(params![
        entry.thread_id,
        entry.subject,
        owner,
        day(time),
        entry.kind,
        entry.encode_to_vec()
    ])?;
    Ok(())
}

/// Returns what all threads of an owner used on a day.
pub(super) fn spent(db: &Connection, owner: &str, day: u32) -> Result<Spent> {
    let select = "select coalesce(sum(input_tokens + output_tokens), 0), coalesce(sum(cost_micros), 0), coalesce(sum(millis), 0),
        (select count(*) from ledger where owner = ?1 and day = ?2 and kind = ?3) from usage where owner = ?1 and day = ?2";
    let kind = LedgerKind::Turn as i32;
    let spent = |row: &Row<'_>| {
        Ok(Spent {
            tokens: number(row, 0)?,
            cost: number(row, 1)?,
            millis: number(row, 2)?,
            turns: number(row, 3)?,
        })
    };
    Ok(threads::one(db, select, params![owner, day, kind], spent)?.unwrap_or_default())
}

/// Returns what an owner used on these days, of all threads or of one.
pub(super) fn read(
    db: &Connection,
    owner: &str,
    days: &RangeInclusive<u32>,
    thread: Option<&str>,
) -> Result<Usage> {
    let range = params![owner, days.start(), days.end(), thread];
    let select = "select day, thread, agent, model, currency, calls, input_tokens, cached_tokens, output_tokens, cost_micros, millis
        from usage where owner = ?1 and day between ?2 and ?3 and (?4 is null or thread = ?4) order by day, thread, agent, model";
    let row = |row: &Row<'_>| -> Result<UsageRow> {
        Ok(UsageRow {
            day: row.get(0)?,
            thread_id: row.get(1)?,
            agent: row.get(2)?,
            model: row.get(3)?,
            currency: row.get(4)?,
            calls: number(row, 5)?,
            input_tokens: number(row, 6)?,
            cached_tokens: number(row, 7)?,
            output_tokens: number(row, 8)?,
            cost_micros: number(row, 9)?,
            millis: number(row, 10)?,
        })
    };
    let rows = db.prepare_cached(select)?.query_and_then(range, row)?.collect::<Result<_>>()?;
    let select = "select record from ledger where owner = ?1 and day between ?2 and ?3 and (?4 is null or thread = ?4) order by number";
    let entry =
        |row: &Row<'_>| -> Result<LedgerEntry> { Ok(LedgerEntry::decode(threads::blob(row, 0)?)?) };
    let entries =
        db.prepare_cached(select)?.query_and_then(range, entry)?.collect::<Result<_>>()?;
    Ok(Usage { rows, entries })
}

/// Forgets what was used before a day; how much that was.
pub(super) fn prune(db: &Connection, before: u32) -> Result<usize> {
    Ok(db.prepare_cached("delete from usage where day < ?")?.execute([before])?
        + db.prepare_cached("delete from ledger where day < ?")?.execute([before])?)
}

/// A figure that can be summed without coming near the end of the database's numbers.
fn counted(figure: u64) -> i64 {
    signed(figure).min(i64::MAX >> 16)
}

fn number(row: &Row<'_>, column: usize) -> Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}
