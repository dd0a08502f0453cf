//! Brings a database up to date: each migration is one transaction, and `user_version` counts those applied.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::store::{Error, Result};

/// All migrations, oldest first. One that was released never changes.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/0001_threads.sql"),
    include_str!("../../../migrations/0002_request_cursor.sql"),
    include_str!("../../../migrations/0003_ledger.sql"),
    include_str!("../../../migrations/0004_expired.sql"),
];

/// Refuses a database that a newer program has written, before anything in it is touched.
pub(super) fn refuse_newer(connection: &Connection, path: &Path) -> Result<()> {
    let (found, known) = (version(connection)?, MIGRATIONS.len());
    if found > known {
        let number = |version| u32::try_from(version).unwrap_or(u32::MAX);
        return Err(Error::Newer {
            path: path.to_owned(),
            found: number(found),
            known: number(known),
        });
    }
    Ok(())
}

/// Applies the migrations that the database has not had.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<()> {
    for (index, migration) in migrations.iter().enumerate().skip(version(connection)?) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(
            None,
            "user_version",
            i64::try_from(index + 1).unwrap_or(i64::MAX),
        )?;
        transaction.commit()?;
    }
    Ok(())
}

fn version(connection: &Connection) -> Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use crate::store::sqlite::schema::{MIGRATIONS, migrate, version};

    #[test]
    fn an_old_database_is_brought_up_to_date_and_keeps_its_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        for known in 1..=MIGRATIONS.len() {
            migrate(&mut connection, &MIGRATIONS[..known]).unwrap();
            assert_eq!(version(&connection).unwrap(), known);
        }
        connection.execute("insert into settings values ('local', 'a', x'01')", []).unwrap();
        let next = [MIGRATIONS, &["alter table settings add column note text"]].concat();
        migrate(&mut connection, &next).unwrap();
        migrate(&mut connection, &next).unwrap();
        let row: (String, Option<String>) = connection
            .query_row("select name, note from settings", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(row, ("a".to_owned(), None));
    }

    #[test]
    fn a_migration_that_breaks_leaves_the_old_version() {
        let mut connection = Connection::open_in_memory().unwrap();
        let broken = [MIGRATIONS, &["create table half (a) strict; create nonsense"]].concat();
        migrate(&mut connection, &broken).unwrap_err();
        assert_eq!(version(&connection).unwrap(), MIGRATIONS.len());
        migrate(&mut connection, MIGRATIONS).unwrap();
        connection.prepare("select * from half").unwrap_err();
    }

    #[test]
    fn every_table_has_an_owner() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        let missing: Vec<String> = connection
            .prepare(
                "select name from sqlite_schema as t where type = 'table' and name not like 'sqlite_%'
                 and not exists (select 1 from pragma_table_info(t.name) as c where c.name = 'owner')",
            )
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(missing, Vec::<String>::new());
    }
}
