//! Repositories and settings, copies, and the data directory itself.

use std::os::unix::fs::PermissionsExt as _;

use aloft_proto::v1;

use crate::model::time::timestamp;
use crate::store::{
    Commit, Error, Repository, RepositoryKey, Store as _, ThreadRow,
    sqlite::{
        Sqlite,
        tests::{create, found_below, fresh, thread},
    },
};

#[tokio::test]
async fn a_repository_lives_as_long_as_a_thread_uses_it() {
    let (_directory, store) = fresh();
    let repository = |id: &str, last_used| Repository {
        id: id.to_owned(),
        owner: "local".to_owned(),
        url: "https://example.org/a.git".to_owned(),
        identity: format!("identity of {id}"),
        last_used,
        ..Repository::default()
    };
    store.put_repository(repository("r1", 5)).await.unwrap();
    store.put_repository(repository("r2", 3)).await.unwrap();
    store.put_repository(repository("r2", 4)).await.unwrap();
    assert_eq!(store.repository("r2").await.unwrap(), Some(repository("r2", 4)));
    let by =
        async |owner, key| store.find_repository(owner, key).await.unwrap().map(|found| found.id);
    let url = RepositoryKey::Url(repository("r1", 0).url);
    assert_eq!(by("local", url.clone()).await.as_deref(), Some("r1"));
    assert_eq!(by("other", url).await, None);
    assert_eq!(
        by("local", RepositoryKey::Identity("identity of r2".to_owned())).await.as_deref(),
        Some("r2")
    );

    let used = v1::Repository { id: "r1".to_owned(), ..v1::Repository::default() };
    let row = ThreadRow {
        thread: v1::Thread { repository: Some(used), ..thread("user") },
        private: Vec::new(),
    };
    store.commit(Commit { thread: Some(row.clone()), ..Commit::default() }).await.unwrap();
    assert_eq!(store.repositories_unused().await.unwrap(), [repository("r2", 4)]);
    assert!(!store.delete_repository("r1").await.unwrap());
    assert!(store.delete_repository("r2").await.unwrap());
    // One that was wanted for another thread after this one was to go stays.
    for (used, stays) in [(7_000, true), (6_999, false)] {
        store.put_repository(repository("r1", used)).await.unwrap();
        store.commit(Commit { thread: Some(row.clone()), ..Commit::default() }).await.unwrap();
        let thread = v1::Thread { update_time: Some(timestamp(7_000)), ..row.thread.clone() };
        let gone = ThreadRow { thread, private: Vec::new() };
        store
            .commit(Commit { thread: Some(gone), delete_thread: true, ..Commit::default() })
            .await
            .unwrap();
        assert_eq!(store.repository("r1").await.unwrap().is_some(), stays);
    }
}

#[tokio::test]
async fn a_setting_that_is_replaced_or_deleted_leaves_no_byte() {
    let (directory, store) = fresh();
    for (name, value) in [("key.a", "secret-one"), ("key.b", "secret-two"), ("other", "value")] {
        store.put_setting("local", name, value.into()).await.unwrap();
    }
    store.put_setting("local", "key.a", b"third".to_vec()).await.unwrap();
    assert_eq!(store.setting("local", "key.a").await.unwrap(), Some(b"third".to_vec()));
    assert_eq!(store.setting("other", "key.a").await.unwrap(), None);
    let listed =
        [("key.a".to_owned(), b"third".to_vec()), ("key.b".to_owned(), b"secret-two".to_vec())];
    assert_eq!(store.settings("local", "key.").await.unwrap(), listed);
    assert!(store.delete_setting("local", "key.b").await.unwrap());
    assert!(!store.delete_setting("local", "key.b").await.unwrap());
    assert!(
        !found_below(directory.path(), b"secret-one")
            && !found_below(directory.path(), b"secret-two")
    );
    assert!(found_below(directory.path(), b"third"));
}

#[tokio::test]
async fn a_copy_is_a_store_of_its_own() {
    let (_directory, store) = fresh();
    create(&store, "copied").await;
    let target = tempfile::tempdir().unwrap();
    let path = target.path().join("store.db");
    store.backup(path.clone()).await.unwrap();
    create(&store, "later").await;
    assert!(matches!(store.backup(path.clone()).await, Err(Error::Directory { .. })));
    let copy = Sqlite::open(target.path()).unwrap();
    copy.integrity_check().await.unwrap();
    assert_eq!(copy.all_threads().await.unwrap().len(), 1);
    assert_eq!(create(&copy, "own").await.feed, 2);
}

#[tokio::test]
async fn the_directory_is_private_and_held_by_one() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/b");
    let store = Sqlite::open(&directory).unwrap();
    create(&store, "first").await;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for entry in directory.read_dir().unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let error = Sqlite::open(&directory).unwrap_err();
    assert!(matches!(error, Error::InUse(_)));
    assert_eq!(
        error.to_string(),
        format!("open the store in `{}`: another process is using it", directory.display())
    );
    drop(store);
    assert_eq!(Sqlite::open(&directory).unwrap().all_threads().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let (directory, store) = fresh();
    drop(store);
    let path = directory.path().join("store.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Sqlite::open(directory.path()).unwrap_err();
    assert!(matches!(error, Error::Newer { found: 99, known, .. } if known < 99));
    assert!(std::fs::read(&path).unwrap() == before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("store.db"), "words, not pages. ".repeat(1000)).unwrap();
    assert!(matches!(Sqlite::open(directory.path()), Err(Error::Database(_))));
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(Sqlite::open(&file), Err(Error::Directory { .. })));
}
