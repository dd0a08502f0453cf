//! What keeps the database in order: forgetting what is old, giving room back, checking and copying.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use rusqlite::{Connection, params};

use crate::{
    model::usage,
    store::{
        Error, NOTICE_AGE, REQUEST_AGE, Result, USAGE_DAYS,
        sqlite::{connection, feed::About, ledger, writer::News},
    },
};

/// Pages given back to the disk at a time: 16 MiB, so that writers never wait long.
const PAGES: u32 = 4096;

/// Forgets what is too old at `now`.
pub(super) fn prune(db: &Connection, now: i64, news: &mut News) -> Result<()> {
    let (requests, notices) = (now.saturating_sub(REQUEST_AGE), now.saturating_sub(NOTICE_AGE));
    let entries = "delete from feed where (gone and time < ?1)
        or (about = ?2 and subject in (select id from notices where time < ?1))";
    let forgotten =
        db.prepare_cached("delete from requests where time < ?")?.execute([requests])?
            + db.prepare_cached(entries)?.execute(params![notices, About::Notice as i64])?
            + db.prepare_cached("delete from notices where time < ?")?.execute([notices])?
            + ledger::prune(db, usage::day(now).saturating_sub(USAGE_DAYS))?;
    news.scrub |= forgotten > 0;
    Ok(())
}

/// Gives some free pages back to the disk; tells whether there are more.
pub(super) fn give_back(db: &Connection, news: &mut News) -> Result<bool> {
    let free = || db.pragma_query_value(None, "freelist_count", |row| row.get::<_, u32>(0));
    let before = free()?;
    if before > 0 {
        let mut vacuum = db.prepare(&format!("pragma incremental_vacuum({PAGES})"))?;
        let mut steps = vacuum.query([])?;
        while steps.next()?.is_some() {}
        news.scrub = true;
    }
    let after = free()?;
    Ok(after > 0 && after < before)
}

/// Reads the whole database, and looks for gaps in the logs.
pub(super) fn check(db: &Connection) -> Result<()> {
    let problem: String = db.query_row("pragma integrity_check(1)", [], |row| row.get(0))?;
    if problem != "ok" {
        return Err(Error::Damaged(problem));
    }
    let mut gaps = db.prepare("select thread from events group by thread having max(cursor) <> count(*) or min(cursor) <> 1 limit 1")?;
    match gaps.query([])?.next()? {
        Some(row) => Err(Error::Damaged(format!(
            "the log of thread `{}` has a gap",
            row.get::<_, String>(0)?
        ))),
        None => Ok(()),
    }
}

/// Copies the database as it is now to a file that must not exist. The copy appears whole or not at all.
pub(super) fn backup(database: &Path, path: &Path) -> Result<()> {
    let failed = |source: io::Error| Error::Directory { path: path.to_owned(), source };
    if path.try_exists().map_err(failed)? {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".part");
    let unfinished = Path::new(&unfinished);
    match fs::remove_file(unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let target = connection::private_file(unfinished).map_err(failed)?;
    let source = connection::for_reading(database)?;
    source.execute("vacuum into ?", [unfinished.to_string_lossy()])?;
    target.sync_all().map_err(failed)?;
    fs::rename(unfinished, path).map_err(failed)?;
    let directory =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}
