//! Going back to a snapshot: what was staged, what lies in submodules and nested repositories, and a repository that is gone.

use std::path::Path;

use crate::git::snapshot::{Snapshot, SnapshotName};
use crate::git::tests::fixture::{World, commit_all, git, run_step, write};
use crate::git::workspace::TakeSnapshot;

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Whether the workspace differs from the newest snapshot.
fn changed(world: &World) -> bool {
    let take = TakeSnapshot {
        name: SnapshotName::Before(9),
        base: world.base.clone(),
        previous: world.previous.clone(),
        with_commits: true,
        only_changed: true,
        wanted: None,
    };
    !run_step(&world.paths.snapshot(&take)).unwrap().stdout.is_empty()
}

#[tokio::test]
async fn what_was_staged_is_staged_again() {
    let mut world = World::new(&[("a", "1"), ("b", "1")]).await;
    let workspace = world.workspace();
    write(&world.file("a"), "staged");
    git(&workspace, ["add", "a"]);
    write(&world.file("a"), "not staged");
    write(&world.file("new"), "x");
    git(&workspace, ["add", "new"]);
    let index = std::fs::read(world.file(".git/index")).unwrap();
    let first = world.snapshot(1).await;
    assert!(std::fs::read(world.file(".git/index")).unwrap() == index, "the index is as it was");
    let before = git(&workspace, ["status", "--porcelain"]);
    commit_all(&workspace, "all");
    std::fs::remove_dir_all(world.file(".git")).unwrap();
    write(&world.file("b"), "2");
    world.snapshot(2).await;
    world.restore(&first, None).unwrap();
    assert_eq!(git(&workspace, ["status", "--porcelain"]), before);
    assert_eq!(git(&workspace, ["show", ":a"]), "staged");
    assert_eq!(world.head().branch.as_deref(), Some("aloft/t"));
    assert_eq!(git(&workspace, ["config", "user.name"]), "Agent");
    assert!(!git(&workspace, ["for-each-ref"]).contains("refs/aloft"));
}

#[tokio::test]
async fn only_a_change_makes_another_snapshot() {
    let mut world = World::new(&[("a", "1"), (".gitignore", "*.o\n")]).await;
    assert!(!changed(&world));
    write(&world.file("a"), "2");
    assert!(changed(&world));
    world.snapshot(1).await;
    assert!(!changed(&world));
    write(&world.file("x.o"), "ignored");
    commit_all(&world.workspace(), "no file changes");
    assert!(!changed(&world));
    std::fs::remove_file(world.file("a")).unwrap();
    assert!(changed(&world));
}

#[tokio::test]
async fn what_a_rewind_would_write_over_is_kept_although_it_is_ignored() {
    let mut world = World::new(&[("a", "1")]).await;
    write(&world.file("notes.log"), "of turn 1");
    let first = world.snapshot(1).await;
    std::fs::remove_file(world.file("notes.log")).unwrap();
    write(&world.file(".gitignore"), "*.log\n");
    write(&world.file("other.log"), "stays");
    let second = world.snapshot(2).await;
    write(&world.file("notes.log"), "by hand");
    let take = TakeSnapshot {
        name: SnapshotName::Safety(1),
        base: world.base.clone(),
        previous: Some(second.commit.clone()),
        with_commits: true,
        only_changed: false,
        wanted: Some(first.commit.clone()),
    };
    let bundle = world.folder.path().join("safety");
    write(&bundle, run_step(&world.paths.snapshot(&take)).unwrap().stdout);
    let safety = world.import(SnapshotName::Safety(1), &bundle).await.unwrap();
    world.restore(&first, None).unwrap();
    assert_eq!(read(world.file("notes.log")), "of turn 1");
    assert_eq!(read(world.file("other.log")), "stays");
    world.restore(&safety, None).unwrap();
    assert_eq!(read(world.file("notes.log")), "by hand");
}

/// A source with a submodule `s`, and a workspace that has it.
async fn with_submodule() -> World {
    let mut world = World::with_source(&[("a", "1")]);
    let library = world.folder.path().join("library");
    git(world.folder.path(), ["init", "-q", "-b", "main", "library"]);
    write(&library.join("lib"), "1");
    write(&library.join(".gitignore"), "*.o\n");
    commit_all(&library, "library");
    git(&world.source(), ["submodule", "--quiet", "add", library.to_str().unwrap(), "s"]);
    commit_all(&world.source(), "submodule");
    world.start("").await;
    assert_eq!(read(world.file("s/lib")), "1");
    world
}

#[tokio::test]
async fn files_inside_a_submodule_come_back() {
    let mut world = with_submodule().await;
    write(&world.file("s/lib"), "not committed");
    write(&world.file("s/new"), "untracked");
    write(&world.file("s/x.o"), "ignored");
    let first = world.snapshot(1).await;
    assert!(first.submodules.is_some());
    // git's own view of the submodule is as ever: no file of it is in the diff.
    assert_eq!(world.files(&first.commit).await, [".gitmodules", "a", "s"]);
    assert!(world.checked_diff(&first.commit).await.is_empty());
    assert!(!changed(&world));
    write(&world.file("s/lib"), "turn 2");
    assert!(changed(&world));
    std::fs::remove_file(world.file("s/new")).unwrap();
    write(&world.file("s/late"), "turn 2");
    let second = world.snapshot(2).await;
    let shown = |world: &World| {
        let there = |name: &str| world.file("s").join(name).exists();
        (read(world.file("s/lib")), there("new"), there("late"), there("x.o"), there(".git"))
    };
    world.restore(&first, None).unwrap();
    assert_eq!(shown(&world), ("not committed".into(), true, false, true, true));
    world.restore(&second, None).unwrap();
    assert_eq!(shown(&world), ("turn 2".into(), false, true, true, true));
    // In another sandbox, which has nothing.
    let bundle = fresh(&world, &first).await;
    world.restore(&first, Some(&bundle)).unwrap();
    assert_eq!(read(world.file("s/lib")), "not committed");
    assert_eq!(read(world.file("s/new")), "untracked");
    // It is still a submodule there, though of a commit of ours: its own could not be fetched.
    let third = world.snapshot(3).await;
    assert_eq!(world.files(&third.commit).await, [".gitmodules", "a", "s"]);
    assert!(third.submodules.is_some());
    world.snapshots.fsck("t").await.unwrap();
}

#[tokio::test]
async fn files_of_a_nested_repository_come_back() {
    let mut world = World::new(&[("a", "1")]).await;
    git(&world.workspace(), ["init", "-q", "inner"]);
    write(&world.file("inner/f"), "turn 1");
    commit_all(&world.file("inner"), "inner");
    write(&world.file("inner/open"), "not committed");
    let first = world.snapshot(1).await;
    write(&world.file("inner/f"), "turn 2");
    write(&world.file("inner/late"), "turn 2");
    std::fs::remove_file(world.file("inner/open")).unwrap();
    let second = world.snapshot(2).await;
    world.restore(&first, None).unwrap();
    assert_eq!(
        (read(world.file("inner/f")), read(world.file("inner/open"))),
        ("turn 1".into(), "not committed".into())
    );
    assert!(!world.file("inner/late").exists() && world.file("inner/.git").exists());
    std::fs::remove_dir_all(world.file("inner")).unwrap();
    world.restore(&second, None).unwrap();
    assert_eq!(read(world.file("inner/late")), "turn 2");
    let bundle = fresh(&world, &first).await;
    world.restore(&first, Some(&bundle)).unwrap();
    assert_eq!(read(world.file("inner/open")), "not committed");
}

#[tokio::test]
async fn a_thread_takes_the_snapshots_of_another() {
    let mut world = World::new(&[("a", "1")]).await;
    for turn in 1..=3 {
        write(&world.file("a"), format!("turn {turn}"));
        world.snapshot(turn).await;
    }
    let mirror = world.mirrors.path("m").unwrap();
    world.snapshots.create("u", &mirror, &world.base).await.unwrap();
    let start = world.snapshots.get("t", SnapshotName::Turn(2)).await.unwrap().unwrap().commit;
    world.snapshots.copy("t", "u", 2, &start).await.unwrap();
    world.snapshots.remove("t").await.unwrap();
    world.snapshots.fsck("u").await.unwrap();
    let second = world.snapshots.get("u", SnapshotName::Turn(2)).await.unwrap().unwrap();
    assert!(world.snapshots.get("u", SnapshotName::Turn(3)).await.unwrap().is_none());
    let began = world.snapshots.get("u", SnapshotName::Before(2)).await.unwrap().unwrap();
    assert_eq!(world.snapshots.stat("u", &began.commit, &second.commit).await.unwrap().files, 1);
}

/// Another sandbox with a new clone; gives the bundle that brings a snapshot there.
async fn fresh(world: &World, snapshot: &Snapshot) -> std::path::PathBuf {
    std::fs::remove_dir_all(world.workspace()).unwrap();
    std::fs::remove_dir_all(&world.paths.snapshots).unwrap();
    run_step(&world.paths.clone(&world.clone_of(None))[0]).unwrap();
    let bundle = world.folder.path().join("restore.bundle");
    let export = world.snapshots.export_snapshot("t", &snapshot.commit).await.unwrap();
    let mut file = export.file.unwrap();
    let mut kept = tokio::fs::File::create(&bundle).await.unwrap();
    tokio::io::copy(&mut file, &mut kept).await.unwrap();
    tokio::io::AsyncWriteExt::flush(&mut kept).await.unwrap();
    bundle
}
