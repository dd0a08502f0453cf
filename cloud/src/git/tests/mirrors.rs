//! Mirrors: one fetch for many, nothing ever pruned, names resolved, uploads taken whole or not at all.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::git::mirror::{Freshness, Mirrors, Resolved};
use crate::git::tests::fixture::{World, commit_all, git, git_command, write};
use crate::git::{BUNDLE_LIMIT, Error};

fn branch(commit: &str, name: &str) -> Resolved {
    Resolved { commit: commit.to_owned(), name: name.to_owned(), is_branch: true }
}

/// Everything of a mirror that a rejected upload must not change.
fn state(mirror: &Path) -> (String, usize, usize) {
    let files = |path: PathBuf| std::fs::read_dir(path).map_or(0, Iterator::count);
    (git(mirror, ["for-each-ref"]), files(mirror.join("objects/pack")), files(mirror.to_owned()))
}

fn bundle(repository: &Path, args: &[&str]) -> PathBuf {
    let file = repository.join("../upload.bundle");
    git(repository, ["bundle", "create", "-q", file.to_str().unwrap()].iter().chain(args));
    file
}

#[tokio::test]
async fn names_of_every_kind_resolve() {
    let world = World::with_source(&[("a", "1")]);
    let source = world.source();
    let first = git(&source, ["rev-parse", "HEAD"]);
    git(&source, ["tag", "-a", "v1.0", "-m", "release"]);
    git(&source, ["checkout", "-q", "-b", "feature/with/slashes"]);
    let second = commit_all(&source, "second");
    git(&source, ["checkout", "-q", "main"]);
    world.fetch().await.unwrap();
    let resolve = async |name: &str| world.mirrors.resolve("m", name).await;

    assert_eq!(resolve("").await.unwrap(), branch(&first, "main"));
    assert_eq!(resolve("HEAD").await.unwrap(), branch(&first, "main"));
    assert_eq!(
        resolve("feature/with/slashes").await.unwrap(),
        branch(&second, "feature/with/slashes")
    );
    assert_eq!(resolve("refs/heads/main").await.unwrap(), branch(&first, "main"));
    let tag = resolve("v1.0").await.unwrap();
    assert_eq!((tag.commit, tag.name, tag.is_branch), (first.clone(), "v1.0".to_owned(), false));
    assert_eq!(resolve(&second).await.unwrap().commit, second);
    assert_eq!(resolve(&second[..9]).await.unwrap().commit, second);
    for (asked, meant) in [
        ("mian", "main"),
        ("origin/main", "main"),
        ("feature/with/slash", "feature/with/slashes"),
        ("v1", "v1.0"),
    ] {
        let Err(Error::UnknownRef { near, .. }) = resolve(asked).await else { panic!("{asked}") };
        assert_eq!(near.first().map(String::as_str), Some(meant), "{asked}");
    }
    for bad in [
        "main~1",
        "--all",
        "main..v1.0",
        "@{-1}",
        "a b",
        "\0",
        "main^{tree}",
        "refs/heads/nothing",
        &"0".repeat(40),
    ] {
        let error = resolve(bad).await.unwrap_err();
        assert!(matches!(error, Error::UnknownRef { .. }), "{bad}: {error}");
    }
    assert_eq!(
        world
            .mirrors
            .has("m", &[first.clone(), "0".repeat(40), "junk\nx".to_owned()])
            .await
            .unwrap(),
        std::slice::from_ref(&first)
    );
    let tips = world.mirrors.tips("m").await.unwrap();
    assert_eq!(tips.iter().find(|tip| tip.name == "refs/tags/v1.0").unwrap().commit, first);
    assert!(matches!(world.mirrors.resolve("other", "").await, Err(Error::NoRepository(_))));
    assert_eq!(world.mirrors.list().await.unwrap(), ["m"]);
    world.mirrors.remove("m").await.unwrap();
    world.mirrors.remove("m").await.unwrap();
    assert!(world.mirrors.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_gone_at_the_source_loses_its_name_and_never_its_objects() {
    let world = World::with_source(&[("a", "1")]);
    let source = world.source();
    git(&source, ["checkout", "-q", "-b", "topic"]);
    let lost = commit_all(&source, "to be lost");
    world.fetch().await.unwrap();
    git(&source, ["checkout", "-q", "main"]);
    git(&source, ["branch", "-q", "-D", "topic"]);
    // A branch below the name of one that is gone, and another default branch.
    git(&source, ["checkout", "-q", "-b", "topic/below"]);
    let below = commit_all(&source, "below");
    world.fetch().await.unwrap();
    assert_eq!(world.mirrors.resolve("m", "").await.unwrap(), branch(&below, "topic/below"));
    assert!(
        world.mirrors.tips("m").await.unwrap().iter().all(|tip| tip.name != "refs/heads/topic")
    );
    let mirror = world.mirrors.path("m").unwrap();
    git(&mirror, ["gc", "--quiet"]);
    assert_eq!(world.mirrors.resolve("m", &lost).await.unwrap().commit, lost);
}

#[tokio::test]
async fn a_commit_that_is_not_advertised_is_asked_for() {
    let world = World::with_source(&[("a", "1")]);
    let source = world.source();
    world.fetch().await.unwrap();
    let tree = git(&source, ["rev-parse", "HEAD^{tree}"]);
    let hidden = git(&source, ["commit-tree", &tree, "-m", "hidden"]);
    git(&source, ["update-ref", "refs/pull/7/head", &hidden]);
    assert_eq!(world.mirrors.resolve("m", "refs/pull/7/head").await.unwrap().commit, hidden);
    let other = git(&source, ["commit-tree", &tree, "-m", "other"]);
    git(&source, ["update-ref", "refs/pull/8/head", &other]);
    assert_eq!(world.mirrors.resolve("m", &other).await.unwrap().commit, other);
}

#[tokio::test]
async fn ten_at_once_share_a_fetch() {
    let world = World::with_source(&[("a", "1")]);
    let url = world.source().to_str().unwrap().to_owned();
    let fetches = (0..10).map(|_| {
        let (mirrors, url) = (world.mirrors.clone(), url.clone());
        tokio::spawn(async move { mirrors.fetch("m", &url, Freshness::Recent, |_| {}).await })
    });
    for fetch in fetches.collect::<Vec<_>>() {
        fetch.await.unwrap().unwrap();
    }
    let mirror = world.mirrors.path("m").unwrap();
    let packs = std::fs::read_dir(mirror.join("objects/pack"))
        .unwrap()
        .flatten()
        .filter(|file| file.path().extension().is_some_and(|kind| kind == "pack"));
    assert_eq!(packs.count(), 1, "fetched once");
    git(&mirror, ["fsck", "--full"]);
    // A fetch that just ended is not repeated, unless asked for; another process's mirrors know nothing of it.
    let second = commit_all(&world.source(), "second");
    world.mirrors.fetch("m", &url, Freshness::Recent, |_| {}).await.unwrap();
    assert_ne!(world.mirrors.resolve("m", "").await.unwrap().commit, second);
    let stranger = Mirrors::new(world.folder.path().join("mirrors"));
    let mut phases = Vec::new();
    let (ours, theirs) = tokio::join!(
        world.mirrors.fetch("m", &url, Freshness::Now, |step| phases.push(step.phase)),
        stranger.fetch("m", &url, Freshness::Now, |_| {})
    );
    ours.unwrap();
    theirs.unwrap();
    assert_eq!(world.mirrors.resolve("m", "").await.unwrap().commit, second);
}

#[tokio::test]
async fn ten_at_once_share_a_failure_and_leave_nothing() {
    let world = World::with_source(&[("a", "1")]);
    let url = world.folder.path().join("nothing").to_str().unwrap().to_owned();
    let fetches = (0..10).map(|_| {
        let (mirrors, url) = (world.mirrors.clone(), url.clone());
        tokio::spawn(async move { mirrors.fetch("m", &url, Freshness::Recent, |_| {}).await })
    });
    for fetch in fetches.collect::<Vec<_>>() {
        let error = fetch.await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Fetch { .. }), "{error}");
        assert!(error.hint().is_some(), "{error}");
    }
    assert!(world.mirrors.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_fetch_cut_short_leaves_no_mirror_and_the_next_clears_up() {
    let world = World::with_source(&[("a", "1")]);
    let url = world.source().to_str().unwrap().to_owned();
    let cut = tokio::time::timeout(
        std::time::Duration::from_millis(5),
        world.mirrors.fetch("m", &url, Freshness::Now, |_| {}),
    )
    .await;
    assert!(cut.is_err());
    std::fs::create_dir_all(world.folder.path().join("mirrors/.m.0.unfinished/objects")).unwrap();
    world.fetch().await.unwrap();
    let names: Vec<_> = std::fs::read_dir(world.folder.path().join("mirrors"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains("unfinished")), "{names:?}");
}

#[tokio::test]
async fn every_user_of_the_machine_can_read_it() {
    let world = World::with_source(&[("a/b", "1")]);
    world.fetch().await.unwrap();
    git(&world.source(), ["checkout", "-q", "-b", "new/branch"]);
    commit_all(&world.source(), "second");
    world.fetch().await.unwrap();
    let mut folders = vec![world.mirrors.path("m").unwrap()];
    while let Some(folder) = folders.pop() {
        assert_eq!(
            folder.metadata().unwrap().permissions().mode() & 0o777,
            0o755,
            "{}",
            folder.display()
        );
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                assert!(mode == 0o644 || mode == 0o444, "{}: {mode:o}", entry.path().display());
            }
        }
    }
}

#[tokio::test]
async fn odd_sources_work_or_say_why_not() {
    // Without a commit.
    let world = World::with_source(&[]);
    world.fetch().await.unwrap();
    let error = world.mirrors.resolve("m", "").await.unwrap_err();
    assert!(matches!(error, Error::Empty(_)) && error.hint().is_some());
    assert!(matches!(world.mirrors.resolve("m", "main").await, Err(Error::Empty(_))));
    // The first commit, later.
    write(&world.source().join("a"), "1");
    let first = commit_all(&world.source(), "first");
    world.fetch().await.unwrap();
    assert_eq!(world.mirrors.resolve("m", "").await.unwrap(), branch(&first, "main"));
    // HEAD on no branch, then on one that is not there.
    git(&world.source(), ["checkout", "-q", "--detach"]);
    let detached = commit_all(&world.source(), "detached");
    world.fetch().await.unwrap();
    let head = world.mirrors.resolve("m", "").await.unwrap();
    assert_eq!((head.commit.as_str(), head.is_branch), (detached.as_str(), false));
    git(&world.source(), ["symbolic-ref", "HEAD", "refs/heads/gone"]);
    let other = Mirrors::new(world.folder.path().join("others"));
    other.fetch("m", world.source().to_str().unwrap(), Freshness::Now, |_| {}).await.unwrap();
    assert_eq!(other.resolve("m", "").await.unwrap(), branch(&first, "main"));
    // A part of a history.
    let url = format!("file://{}", world.source().display());
    git(&world.source(), ["symbolic-ref", "HEAD", "refs/heads/main"]);
    git(&world.source(), ["reset", "-q", "--hard", &detached]);
    git(world.folder.path(), ["clone", "-q", "--depth=1", &url, "shallow"]);
    let error = other
        .fetch("s", world.folder.path().join("shallow").to_str().unwrap(), Freshness::Now, |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Shallow), "{error}");
    assert_eq!(other.list().await.unwrap(), ["m"]);
    // Another hash.
    git(world.folder.path(), ["init", "-q", "-b", "main", "--object-format=sha256", "sha256"]);
    let commit = commit_all(&world.folder.path().join("sha256"), "first");
    other
        .fetch("h", world.folder.path().join("sha256").to_str().unwrap(), Freshness::Now, |_| {})
        .await
        .unwrap();
    assert_eq!(
        (commit.len(), other.resolve("h", "").await.unwrap()),
        (64, branch(&commit, "main"))
    );
}

#[tokio::test]
async fn an_upload_makes_a_mirror_and_adds_to_it() {
    let world = World::with_source(&[("a", "1")]);
    let source = world.source();
    let first = git(&source, ["rev-parse", "HEAD"]);
    git(&source, ["update-ref", "refs/aloft/carry/x", &first]);
    git(&source, ["tag", "-a", "-m", "x", "v1"]);
    let tag = git(&source, ["rev-parse", "v1"]);
    let file = bundle(&source, &["refs/heads/main", "refs/aloft/carry/x", "refs/tags/v1"]);
    let name = |name: &str, commit: &str| (name.to_owned(), commit.to_owned());
    let all = [
        name("refs/heads/main", &first),
        name("refs/aloft/carry/x", &first),
        name("refs/tags/v1", &tag),
    ];
    world.mirrors.import("u", &file, &all, BUNDLE_LIMIT).await.unwrap();
    assert_eq!(world.mirrors.resolve("u", "").await.unwrap(), branch(&first, "main"));
    assert_eq!(world.mirrors.resolve("u", "v1").await.unwrap().commit, first);
    // Only what is new, on a branch below a name that was one.
    git(&source, ["checkout", "-q", "-b", "next"]);
    let second = commit_all(&source, "second");
    let file = bundle(&source, &["next", "^main"]);
    world
        .mirrors
        .import("u", &file, &[name("refs/heads/next", &second)], BUNDLE_LIMIT)
        .await
        .unwrap();
    std::fs::write(&file, "").unwrap();
    world
        .mirrors
        .import("u", &file, &[name("refs/heads/next/below", &second)], BUNDLE_LIMIT)
        .await
        .unwrap();
    assert_eq!(world.mirrors.resolve("u", "next/below").await.unwrap().commit, second);
    assert!(matches!(world.mirrors.resolve("u", "next").await, Err(Error::UnknownRef { .. })));
    let unknown = world
        .mirrors
        .import("u", &file, &[name("refs/heads/x", &"1".repeat(40))], BUNDLE_LIMIT)
        .await;
    assert!(matches!(unknown, Err(Error::MissingBase(_))));
    git(&world.mirrors.path("u").unwrap(), ["fsck", "--full"]);
}

#[tokio::test]
async fn a_bad_upload_changes_nothing() {
    let world = World::with_source(&[("a", "1")]);
    let source = world.source();
    let first = git(&source, ["rev-parse", "HEAD"]);
    world.fetch().await.unwrap();
    let mirror = world.mirrors.path("m").unwrap();
    write(&source.join("big"), (0..200_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    let second = commit_all(&source, "second");
    let third = commit_all(&source, "third");
    git(&source, ["update-ref", "refs/heads/extra", &second]);
    let before = state(&mirror);
    let name = |name: &str, commit: &str| (name.to_owned(), commit.to_owned());
    let next = [name("refs/heads/next", &third)];
    git(&source, ["update-ref", "refs/heads/next", &third]);
    let refused = async |file: &Path, refs: &[(String, String)], limit: u64| {
        let error = world.mirrors.import("m", file, refs, limit).await.unwrap_err();
        assert_eq!(state(&mirror), before, "{error}");
        error
    };

    let extra = bundle(&source, &["next", "extra", "^main~2"]);
    assert!(matches!(refused(&extra, &next, BUNDLE_LIMIT).await, Error::Bundle(_)));
    let based = bundle(&source, &["next", &format!("^{second}")]);
    assert!(
        matches!(refused(&based, &next, BUNDLE_LIMIT).await, Error::MissingBase(commit) if commit == second)
    );
    let good = bundle(&source, &["next", &format!("^{first}")]);
    assert!(matches!(refused(&good, &next, 1000).await, Error::TooLarge { .. }));
    assert!(matches!(
        refused(&good, &[name("refs/heads/next", &second)], BUNDLE_LIMIT).await,
        Error::Bundle(_)
    ));
    for bad in
        ["refs/aloft/turns/1", "refs/remotes/origin/x", "HEAD", "refs/heads/../x", "refs/heads/a b"]
    {
        assert!(
            matches!(
                refused(&good, &[name(bad, &third)], BUNDLE_LIMIT).await,
                Error::InvalidName { .. }
            ),
            "{bad}"
        );
    }
    let bytes = std::fs::read(&good).unwrap();
    let file = world.folder.path().join("broken");
    for (at, length) in [
        (bytes.len() - 3000, bytes.len()),
        (bytes.len() - 1, bytes.len()),
        (bytes.len(), bytes.len() - 30),
        (bytes.len(), 20),
        (2, bytes.len()),
    ] {
        let mut broken = bytes[..length].to_vec();
        if let Some(byte) = broken.get_mut(at) {
            *byte ^= 0x55;
        }
        std::fs::write(&file, broken).unwrap();
        let error = refused(&file, &next, BUNDLE_LIMIT).await;
        assert!(matches!(error, Error::Bundle(_)), "{error}");
    }
    // A head that promises more than the pack holds.
    let head_end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
    let lie = format!("\n{} refs/heads/lie", "2".repeat(40));
    std::fs::write(&file, [&bytes[..head_end], lie.as_bytes(), &bytes[head_end..]].concat())
        .unwrap();
    let refs = [next[0].clone(), name("refs/heads/lie", &"2".repeat(40))];
    assert!(matches!(refused(&file, &refs, BUNDLE_LIMIT).await, Error::Bundle(_)));
    // A pack that leaves out a file of its own commit.
    let mut pack = git_command(&source);
    let objects = world.folder.path().join("objects");
    std::fs::write(&objects, format!("{third}\n{second}\n")).unwrap();
    let output = pack
        .args(["pack-objects", "-q", "--stdout"])
        .stdin(std::fs::File::open(&objects).unwrap())
        .output()
        .unwrap();
    std::fs::write(
        &file,
        [
            format!("# v2 git bundle\n-{first}\n{third} refs/heads/next\n\n").into_bytes(),
            output.stdout,
        ]
        .concat(),
    )
    .unwrap();
    assert!(matches!(refused(&file, &next, BUNDLE_LIMIT).await, Error::Bundle(_)));

    // A mirror that was never there is not there after a bad upload either; the good one is taken.
    assert!(world.mirrors.import("new", &good, &next, BUNDLE_LIMIT).await.is_err());
    assert_eq!(world.mirrors.list().await.unwrap(), ["m"]);
    world.mirrors.import("m", &good, &next, BUNDLE_LIMIT).await.unwrap();
    assert_eq!(world.mirrors.resolve("m", "next").await.unwrap().commit, third);
}
