//! Opens the data directory, which one process holds at a time, and the connections to its database.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use crate::store::{Error, Result, sqlite::schema};

/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 64;
/// KiB of the database that a connection keeps: what one piece of work comes back to. More would be filled with rows of
/// threads that nobody uses; the system keeps the file in memory anyway.
const CACHE: u32 = 256;

/// A directory of this process alone, until it is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory where it is missing, readable by its user alone, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| Error::Directory { path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))?;
        let lock_path = path.join("store.lock");
        let lock = private_file(&lock_path).map_err(failed(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::InUse(path.to_owned()),
            TryLockError::Error(source) => failed(&lock_path)(source),
        })?;
        let directory = Self { path: path.to_owned(), _lock: lock };
        let database = directory.database();
        // SQLite gives its other files the mode of this one.
        private_file(&database).map_err(failed(&database))?;
        File::open(path).and_then(|directory| directory.sync_all()).map_err(failed(path))?;
        Ok(directory)
    }

    /// Returns the path of the database.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join("store.db")
    }
}

/// Opens the connection that writes, with an up-to-date schema.
pub(super) fn for_writing(path: &Path) -> Result<Connection> {
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Nobody else writes, so only a checkpoint that waits for readers can be kept waiting.
    connection.busy_timeout(Duration::from_millis(500))?;
    schema::refuse_newer(&connection, path)?;
    // auto_vacuum has to come before the first table; secure_delete zeroes what is deleted. Before there is a write-ahead
    // log there is a journal, and one whose removal a power cut takes back would undo all that came after it.
    connection.execute_batch(&format!(
        "pragma synchronous = extra;
         pragma auto_vacuum = incremental;
         pragma secure_delete = on;
         pragma journal_mode = wal;
         pragma synchronous = full;
         pragma temp_store = memory;
         pragma cache_size = -{CACHE};
         pragma wal_autocheckpoint = 2000;
         pragma journal_size_limit = 67108864;",
    ))?;
    schema::migrate(&mut connection, schema::MIGRATIONS)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn for_reading(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(Duration::from_secs(5))?;
    let settings = format!("pragma temp_store = memory; pragma cache_size = -{CACHE};");
    connection.execute_batch(&settings)?;
    Ok(connection)
}

/// Opens a file that only this user may read; makes it when it is missing.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use crate::store::sqlite::connection::{Directory, for_writing};

    #[test]
    fn the_writer_waits_for_the_disk_and_zeroes_what_it_deletes() {
        let path = tempfile::tempdir().unwrap();
        let directory = Directory::open(path.path()).unwrap();
        for _ in 0..2 {
            let connection = for_writing(&directory.database()).unwrap();
            let setting = |name| {
                connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap()
            };
            let settings =
                ["synchronous", "secure_delete", "auto_vacuum", "temp_store"].map(setting);
            assert_eq!(settings, [2, 1, 2, 2]);
            let mode =
                connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
            assert_eq!(mode.unwrap(), "wal");
        }
    }
}
