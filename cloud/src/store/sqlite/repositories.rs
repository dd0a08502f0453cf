//! The repositories table: the sources of code that have a mirror.

use rusqlite::{Connection, Row, params};

use crate::store::{Repository, RepositoryKey, Result, sqlite::threads};

/// Inserts or replaces a repository.
pub(super) fn put(db: &Connection, repository: &Repository) -> Result<()> {
    let Repository { id, owner, url, identity, name, path, remote_url, last_used } = repository;
    let insert = "insert or replace into repositories (id, owner, url, identity, name, path, remote_url, last_used)
        values (?, ?, ?, ?, ?, ?, ?, ?)";
    db.prepare_cached(insert)?
        .execute(params![id, owner, url, identity, name, path, remote_url, last_used])?;
    Ok(())
}

/// Returns a repository.
pub(super) fn get(db: &Connection, id: &str) -> Result<Option<Repository>> {
    threads::one(db, "select * from repositories where id = ?", [id], repository)
}

/// Finds an owner's repository; of several, the one used last.
pub(super) fn find(
    db: &Connection,
    owner: &str,
    key: &RepositoryKey,
) -> Result<Option<Repository>> {
    let (select, key) = match key {
        RepositoryKey::Url(url) => {
            ("select * from repositories where owner = ? and url = ? order by last_used desc", url)
        }
        RepositoryKey::Identity(identity) => (
            "select * from repositories where owner = ? and identity = ? order by last_used desc",
            identity,
        ),
    };
    threads::one(db, select, [owner, key], repository)
}

/// Returns the repositories that no thread uses.
pub(super) fn unused(db: &Connection) -> Result<Vec<Repository>> {
    let select = "select * from repositories where not exists (select 1 from threads where repository = repositories.id) order by id";
    db.prepare_cached(select)?.query_and_then([], repository)?.collect()
}

/// Removes a repository that no thread uses; tells whether it is gone.
pub(super) fn delete(db: &Connection, id: &str) -> Result<bool> {
    db.prepare_cached("delete from repositories where id = ?1 and not exists (select 1 from threads where repository = ?1)")?
        .execute([id])?;
    Ok(get(db, id)?.is_none())
}

/// The same where nobody used it from this time on.
pub(super) fn delete_unless_used(db: &Connection, id: &str, since: i64) -> Result<()> {
    if get(db, id)?.is_some_and(|found| found.last_used < since) {
        delete(db, id)?;
    }
    Ok(())
}

fn repository(row: &Row<'_>) -> Result<Repository> {
    Ok(Repository {
        id: row.get("id")?,
        owner: row.get("owner")?,
        url: row.get("url")?,
        identity: row.get("identity")?,
        name: row.get("name")?,
        path: row.get("path")?,
        remote_url: row.get("remote_url")?,
        last_used: row.get("last_used")?,
    })
}
