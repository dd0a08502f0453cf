//! A thread's repository: what comes in, what it refuses, what goes out.

use std::path::Path;

use tokio::io::AsyncReadExt;

use crate::git::snapshot::{Export, SnapshotName};
use crate::git::tests::fixture::{World, commit_all, git, git_command, run_step, write};
use crate::git::{BUNDLE_LIMIT, Error};

fn state(repository: &Path) -> (String, usize) {
    (
        git(repository, ["for-each-ref"]),
        std::fs::read_dir(repository.join("objects/pack")).map_or(0, Iterator::count),
    )
}

async fn save(export: Export, path: &Path) {
    let mut bytes = Vec::new();
    export.file.unwrap().read_to_end(&mut bytes).await.unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_bad_bundle_changes_nothing() {
    let world = World::new(&[("a", "1")]).await;
    write(&world.file("b"), "2");
    let before = state(&world.thread());
    let (bundle, _) = world.bundle(SnapshotName::Turn(1));
    let good = std::fs::read(&bundle).unwrap();
    let refused = async |name: SnapshotName, bytes: &[u8], limit: u64| {
        std::fs::write(&bundle, bytes).unwrap();
        let error = world.snapshots.import("t", name, None, &bundle, limit).await.unwrap_err();
        assert_eq!(state(&world.thread()), before, "{error}");
        error
    };
    assert!(matches!(refused(SnapshotName::Turn(2), &good, BUNDLE_LIMIT).await, Error::Bundle(_)));
    assert!(matches!(refused(SnapshotName::Turn(1), &good, 100).await, Error::TooLarge { .. }));
    assert!(matches!(
        refused(SnapshotName::Turn(1), &good[..good.len() - 10], BUNDLE_LIMIT).await,
        Error::Bundle(_)
    ));
    assert!(matches!(refused(SnapshotName::Turn(1), b"", BUNDLE_LIMIT).await, Error::Bundle(_)));
    let mut corrupt = good.clone();
    let middle = good.len() - 40;
    corrupt[middle] ^= 1;
    assert!(matches!(
        refused(SnapshotName::Turn(1), &corrupt, BUNDLE_LIMIT).await,
        Error::Bundle(_)
    ));
    let text = String::from_utf8_lossy(&good).into_owned();
    let head = text.lines().find(|line| line.ends_with("refs/aloft/turns/1")).unwrap().to_owned();
    let at = text.find(&head).unwrap();
    let extra =
        [&good[..at], format!("{} refs/heads/main\n", world.base).as_bytes(), &good[at..]].concat();
    assert!(matches!(refused(SnapshotName::Turn(1), &extra, BUNDLE_LIMIT).await, Error::Bundle(_)));
    let stranger =
        [&good[..at], format!("-{} x\n", "3".repeat(40)).as_bytes(), &good[at..]].concat();
    assert!(matches!(
        refused(SnapshotName::Turn(1), &stranger, BUNDLE_LIMIT).await,
        Error::MissingBase(_)
    ));

    std::fs::write(&bundle, &good).unwrap();
    let snapshot = world.import(SnapshotName::Turn(1), &bundle).await.unwrap();
    assert_eq!(
        world.snapshots.get("t", SnapshotName::Turn(1)).await.unwrap(),
        Some(snapshot.clone())
    );
    assert_eq!(
        world.import(SnapshotName::Turn(1), &bundle).await.unwrap(),
        snapshot,
        "taken twice"
    );
    world.snapshots.fsck("t").await.unwrap();
    assert!(matches!(
        world.snapshots.get("nothing", SnapshotName::Turn(1)).await,
        Err(Error::NoRepository(_))
    ));
    assert_eq!(world.snapshots.get("t", SnapshotName::Turn(9)).await.unwrap(), None);
}

#[tokio::test]
async fn a_thread_keeps_its_base() {
    let mut world = World::new(&[("a", "1")]).await;
    let mirror = world.mirrors.path("m").unwrap();
    let second = commit_all(&world.source(), "second");
    world.fetch().await.unwrap();
    world.snapshots.create("t", &mirror, &second).await.unwrap();
    assert_eq!(world.snapshots.base("t").await.unwrap(), second, "nothing was kept yet");
    world.snapshots.create("t", &mirror, &world.base).await.unwrap();
    world.snapshot(1).await;
    world.snapshots.create("t", &mirror, &world.base).await.unwrap();
    assert!(matches!(
        world.snapshots.create("t", &mirror, &second).await,
        Err(Error::OtherBase(_))
    ));
    assert!(matches!(
        world.snapshots.create("u", &mirror, &"0".repeat(40)).await,
        Err(Error::UnknownCommit(_))
    ));
    assert!(world.snapshots.create("../t", &mirror, &second).await.is_err());
    world.snapshots.remove("t").await.unwrap();
    world.snapshots.remove("t").await.unwrap();
    assert!(!world.thread().exists());
}

#[tokio::test]
async fn the_branch_leaves_as_a_bundle() {
    let mut world = World::new(&[("a", "1")]).await;
    write(&world.file("b"), "2");
    let head = commit_all(&world.workspace(), "by the agent");
    write(&world.file("c"), "not committed");
    let snapshot = world.snapshot(1).await;
    assert_eq!(
        (snapshot.head.as_deref(), snapshot.branch.as_deref()),
        (Some(head.as_str()), Some("aloft/t"))
    );
    let tip = world
        .snapshots
        .commit("t", &snapshot.commit, (&head, None), "The rest\n", ("Ann", "ann@aloft.invalid"))
        .await
        .unwrap();
    // A later snapshot of the same files: the commit that was made of the earlier one is still it.
    let later = world.snapshot(2).await.commit;
    let ann = ("Ann", "ann@aloft.invalid");
    for (known, expected) in [(Some(tip.as_str()), true), (Some(head.as_str()), false)] {
        let same = world.snapshots.commit("t", &later, (&head, known), "Again\n", ann).await;
        assert_eq!(same.unwrap() == tip, expected);
    }
    assert_eq!(
        world
            .snapshots
            .commit("t", &snapshot.commit, (&tip, None), "Nothing\n", ("Ann", "ann@aloft.invalid"))
            .await
            .unwrap(),
        tip
    );

    let file = world.folder.path().join("branch.bundle");
    let have = [world.base.clone(), "0".repeat(40), "junk".to_owned()];
    let export = world.snapshots.export("t", "aloft/t", &tip, &have).await.unwrap();
    assert_eq!(
        (export.ref_name.as_str(), export.commit.as_str()),
        ("refs/heads/aloft/t", tip.as_str())
    );
    save(export, &file).await;
    git(
        &world.source(),
        ["fetch", "-q", file.to_str().unwrap(), "refs/heads/aloft/t:refs/heads/aloft/t"],
    );
    assert_eq!(
        git(&world.source(), ["log", "--format=%s %an", "main..aloft/t"]),
        "The rest Ann\nby the agent Test"
    );
    assert_eq!(git(&world.source(), ["show", "aloft/t:c"]), "not committed");
    assert!(
        world
            .snapshots
            .export("t", "aloft/t", &tip, std::slice::from_ref(&tip))
            .await
            .unwrap()
            .file
            .is_none()
    );
    assert!(
        world.snapshots.export("t", "aloft/t", &world.base, &[head]).await.unwrap().file.is_none()
    );
    assert!(world.snapshots.export("t", "a b", &tip, &[]).await.is_err());
    // Whole, for one who has nothing.
    save(world.snapshots.export("t", "x", &tip, &[]).await.unwrap(), &file).await;
    git(world.folder.path(), ["clone", "-q", "-b", "x", file.to_str().unwrap(), "whole"]);
    let leftovers = std::fs::read_dir(world.thread())
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("bundle-"));
    assert_eq!(leftovers.count(), 0);
}

#[tokio::test]
async fn where_it_left_the_upstream_branch() {
    let mut world = World::new(&[("a", "1")]).await;
    write(&world.source().join("up"), "1");
    let upstream = commit_all(&world.source(), "upstream goes on");
    world.fetch().await.unwrap();
    let first = world.snapshot(1).await;
    assert_eq!(
        world.snapshots.merge_base("t", &first.commit, "", &upstream).await.unwrap().as_deref(),
        Some(world.base.as_str())
    );
    // The agent merges what is new: the mirror's objects reach it by the same loan.
    git(&world.workspace(), ["merge", "-q", "--no-ff", "-m", "merge", &upstream]);
    let second = world.snapshot(2).await;
    assert_eq!(
        world.snapshots.merge_base("t", &second.commit, "", &upstream).await.unwrap().as_deref(),
        Some(upstream.as_str())
    );
    world.snapshots.fsck("t").await.unwrap();
}

#[tokio::test]
async fn many_turns_stay_in_few_packs_and_all_are_kept() {
    let mut world = World::new(&[("a", "1")]).await;
    let mut commits = Vec::new();
    for turn in 1..=55 {
        write(&world.file("a"), turn.to_string());
        commits.push(world.snapshot(turn).await.commit);
    }
    let packs = std::fs::read_dir(world.thread().join("objects/pack"))
        .unwrap()
        .flatten()
        .filter(|file| file.path().extension().is_some_and(|kind| kind == "pack"));
    assert!(packs.count() < 10);
    for (turn, commit) in (1..).zip(&commits) {
        assert_eq!(git(&world.thread(), ["show", &format!("{commit}:a")]), turn.to_string());
    }
    world.snapshots.fsck("t").await.unwrap();
}

#[tokio::test]
async fn a_claim_of_a_snapshot_counts_only_when_true() {
    let world = World::new(&[("a", "1")]).await;
    // What an agent could make instead of our script.
    let forge = world.folder.path().join("forge");
    git(world.folder.path(), ["clone", "-q", world.paths.mirror.as_str(), "forge"]);
    let tree = git(&forge, ["rev-parse", "HEAD^{tree}"]);
    let message = format!("x\n\nAloft-Head: {}\nAloft-Branch: refs/heads/main\n", "4".repeat(40));
    let commit = git(&forge, ["commit-tree", &tree, "-p", "HEAD", "-m", &message]);
    git(&forge, ["update-ref", "refs/aloft/turns/1", &commit]);
    let bundle = world.folder.path().join("forged");
    git(
        &forge,
        ["bundle", "create", "-q", bundle.to_str().unwrap(), "refs/aloft/turns/1", "^HEAD"],
    );
    let snapshot = world.import(SnapshotName::Turn(1), &bundle).await.unwrap();
    assert_eq!((snapshot.head, snapshot.branch), (None, None));
    // A ref of something that is no commit.
    let mut update = git_command(&forge);
    std::fs::write(forge.join(".git/refs/aloft/turns/1"), &tree).unwrap();
    update.args(["bundle", "create", "-q", bundle.to_str().unwrap(), "refs/aloft/turns/1"]);
    if update.output().unwrap().status.success() {
        assert!(matches!(
            world.import(SnapshotName::Turn(1), &bundle).await,
            Err(Error::Bundle(_))
        ));
    }
}

#[tokio::test]
async fn a_snapshot_fills_a_new_sandbox() {
    let mut world = World::new(&[("a", "1"), ("gone", "x"), (".gitignore", "*.o\n")]).await;
    write(&world.file("b"), "2");
    let head = commit_all(&world.workspace(), "by the agent");
    write(&world.file("c"), "3");
    write(&world.file("a"), "changed");
    std::fs::remove_file(world.file("gone")).unwrap();
    let snapshot = world.snapshot(1).await;
    std::fs::remove_dir_all(world.workspace()).unwrap();
    std::fs::remove_dir_all(&world.paths.snapshots).unwrap();

    let bundle = world.folder.path().join("restore.bundle");
    save(world.snapshots.export_snapshot("t", &snapshot.commit).await.unwrap(), &bundle).await;
    for step in world.paths.clone(&world.clone_of(None)) {
        run_step(&step).unwrap();
    }
    world.restore(&snapshot, Some(&bundle)).unwrap();
    assert_eq!(world.head().commit.as_deref(), Some(head.as_str()));
    assert_eq!(world.head().branch.as_deref(), Some("aloft/t"));
    assert_eq!(git(&world.workspace(), ["status", "--porcelain"]), "M a\n D gone\n?? c");
    // The next snapshot builds on it, and holds the same.
    let second = world.snapshot(2).await;
    assert_eq!(world.snapshots.stat("t", &snapshot.commit, &second.commit).await.unwrap().files, 0);
    world.snapshots.fsck("t").await.unwrap();
}
