//! The steps inside a sandbox, run here as they would be there: nothing an agent does to its repository loses work.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use crate::git::diff::DiffOptions;
use crate::git::snapshot::{Snapshot, SnapshotName};
use crate::git::tests::fixture::{World, commit_all, git, git_command, run_step, run_until, write};

/// What an agent may do to its repository, and what it is called.
type RepositoryDeed = (&'static str, fn(&Path));

#[tokio::test]
async fn a_workspace_is_on_its_own_branch_and_shares_the_objects() {
    let mut world = World::with_source(&[("a", "1"), ("d/b", "2")]);
    git(&world.source(), ["branch", "release/1"]);
    git(&world.source(), ["tag", "v1"]);
    world.start("").await;
    let workspace = world.workspace();
    let head = world.head();
    assert_eq!(
        (head.branch.as_deref(), head.commit.as_deref(), head.dirty),
        (Some("aloft/t"), Some(world.base.as_str()), false)
    );
    assert_eq!(
        git(&workspace, ["remote", "get-url", "origin"]),
        "http://127.0.0.1:3128/git/workspace.git"
    );
    assert_eq!(
        git(&workspace, ["rev-parse", "origin/release/1", "v1"]),
        format!("{0}\n{0}", world.base)
    );
    assert_eq!(git(&workspace, ["count-objects"]), "0 objects, 0 kilobytes");
    git(
        &workspace,
        [
            "-c",
            "user.useConfigOnly=true",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "an agent can commit",
        ],
    );
    // Done again, it changes nothing.
    write(&world.file("new"), "work");
    run_step(&world.paths.clone(&world.clone_of(None))[0]).unwrap();
    assert!(world.head().dirty && world.file("new").exists());
    // Nor does it clear what it does not know.
    std::fs::remove_dir_all(&world.paths.snapshots).unwrap();
    assert!(
        run_step(&world.paths.clone(&world.clone_of(None))[0]).unwrap_err().contains("not empty")
    );
    // Left unfinished, it is made anew.
    write(&Path::new(&world.paths.snapshots).join("unfinished"), "");
    run_step(&world.paths.clone(&world.clone_of(None))[0]).unwrap();
    assert!(!world.head().dirty);
}

#[tokio::test]
async fn a_workspace_whose_making_died_at_any_step_is_made_by_the_next() {
    let mut world = World::with_source(&[("a", "1"), ("d/b", "2")]);
    world.prepare("").await;
    let step = &world.paths.clone(&world.clone_of(None))[0];
    let own = &PathBuf::from(&world.paths.snapshots);
    for call in 1.. {
        let died = run_until(step, world.folder.path(), call);
        if died && own.is_dir() {
            leave_locks(own, &["config", "HEAD", "index", "packed-refs", "refs/aloft/base"]);
        }
        run_step(step).unwrap();
        write(&world.file("new"), "work");
        let (bundle, warnings) = world.bundle(SnapshotName::Turn(1));
        assert_eq!(warnings, "", "after a death at call {call}");
        let listed = git(world.folder.path(), ["bundle", "list-heads", bundle.to_str().unwrap()]);
        assert!(listed.ends_with("refs/aloft/turns/1"), "{listed}");
        let head = world.head();
        assert_eq!(head.commit.as_deref(), Some(world.base.as_str()));
        std::fs::remove_dir_all(world.workspace()).unwrap();
        std::fs::remove_dir_all(&world.paths.snapshots).unwrap();
        if !died {
            assert!(call > 20, "only {call} programs were called");
            break;
        }
    }
}

/// What a git that is killed leaves of each file it was about to write.
fn leave_locks(repository: &Path, files: &[&str]) {
    for file in files {
        write(&repository.join(format!("{file}.lock")), "");
    }
}

#[tokio::test]
async fn the_locks_of_a_git_that_was_killed_hold_up_nothing() {
    let mut world = World::new(&[("a", "1")]).await;
    let own = PathBuf::from(&world.paths.snapshots);
    write(&world.file("b"), "2");
    commit_all(&world.workspace(), "work");
    write(&world.file("b"), "3");
    let passing = ["index", "submodules.index", "refs/aloft/head", "refs/aloft/index"];
    leave_locks(&own, &passing);
    leave_locks(&own, &["refs/aloft/turns/1"]);
    let first = world.snapshot(1).await;
    let (head, branch) = (world.head().commit, world.head().branch.unwrap());
    write(&world.file("b"), "4");
    commit_all(&world.workspace(), "more work");
    leave_locks(&own, &passing);
    let refs = ["refs/aloft/restored", "refs/aloft/staged", &format!("refs/heads/{branch}")];
    leave_locks(&world.file(".git"), &refs);
    leave_locks(&world.file(".git"), &["HEAD", "index", "packed-refs"]);
    world.restore(&first, None).unwrap();
    assert_eq!(std::fs::read_to_string(world.file("b")).unwrap(), "3");
    assert_eq!((world.head().commit, world.head().branch), (head, Some(branch)));
}

#[tokio::test]
async fn every_commit_made_in_a_workspace_ends_with_its_trailers_once() {
    const TRAILERS: &str = "Aloft-Thread: t\nCo-authored-by: Ada <ada@aloft.invalid>";
    let world = World::new(&[("a", "1"), ("b", "1")]).await;
    let workspace = world.workspace();
    let body = || git(&workspace, ["log", "-1", "--format=%B"]);
    let ends = |way: &str| {
        let body = body();
        assert!(body.ends_with(&format!("\n\n{TRAILERS}")), "{way}: {body}");
        assert_eq!(body.matches("Aloft-Thread: t").count(), 1, "{way}: {body}");
    };
    let commit = |words: &[&str]| {
        git(&workspace, [&["commit", "-q", "--allow-empty"][..], words].concat());
    };
    commit(&["-m", "fix: one line"]);
    ends("a message");
    commit(&["--no-verify", "-m", "past the checks", "-m", "---\n\nIt is said why."]);
    ends("no checks");
    commit(&["--amend", "--no-edit"]);
    ends("amended");
    commit(&["--amend", "-m", "another\n\nSigned-off-by: Bob <bob@aloft.invalid>"]);
    assert!(body().ends_with(&format!("Bob <bob@aloft.invalid>\n{TRAILERS}")), "{}", body());
    commit(&["--amend", "-m", "theirs\n\nAloft-Thread: other\nCo-authored-by: A <a@b>"]);
    assert!(body().contains(&format!("Aloft-Thread: other\nCo-authored-by: A <a@b>\n{TRAILERS}")));
    for said in ["#12 fix it", "#12: fix it\n\n# a heading"] {
        commit(&["-m", said]);
        ends("what an editor would take for a comment");
        assert!(body().starts_with(said), "{}", body());
    }
    git(
        &workspace,
        ["-c", "core.editor=printf 'by hand\\n' >", "commit", "-q", "--allow-empty", "-v"],
    );
    ends("an editor");
    // What says nothing is no commit, with an editor and without.
    let before = git(&workspace, ["rev-parse", "HEAD"]);
    for words in [["-m", ""], ["-v", "-q"]] {
        let editor = "core.editor=printf '' >";
        let mut empty = git_command(&workspace);
        empty.args(["-c", editor, "commit", "--allow-empty"]).args(words);
        assert!(!empty.output().unwrap().status.success());
    }
    assert_eq!(git(&workspace, ["rev-parse", "HEAD"]), before);

    // What brings commits together, moves them or takes them from elsewhere.
    git(&workspace, ["switch", "-q", "-c", "side", &world.base]);
    write(&world.file("b"), "2");
    commit_all(&workspace, "side");
    let patch = world.folder.path().join("side.patch");
    let text = git(&workspace, ["format-patch", "--stdout", "-1"]).replace(TRAILERS, "");
    write(&patch, text + "\n");
    git(&workspace, ["switch", "-q", "aloft/t"]);
    git(&workspace, ["merge", "-q", "--no-edit", "side"]);
    ends("a merge");
    git(&workspace, ["revert", "--no-edit", "-m", "1", "HEAD"]);
    ends("a revert");
    git(&workspace, ["reset", "-q", "--hard", "HEAD~2"]);
    git(
        &workspace,
        ["-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "bare"],
    );
    git(&workspace, ["-c", "sequence.editor=true", "rebase", "-q", "-i", "--force-rebase", "side"]);
    ends("a rebase");
    git(&workspace, ["reset", "-q", "--soft", "HEAD~2"]);
    commit(&["-m", "squashed"]);
    ends("a squash");
    git(&workspace, ["reset", "-q", "--hard", &world.base]);
    git(&workspace, ["am", "-q", patch.to_str().unwrap()]);
    ends("a patch");
    git(&workspace, ["reset", "-q", "--hard", &world.base]);
    git(&workspace, ["cherry-pick", "side"]);
    ends("a pick");
    let tree = world.folder.path().join("tree");
    git(&workspace, ["worktree", "add", "-q", tree.to_str().unwrap()]);
    commit_all(&tree, "in another tree");
    assert!(git(&tree, ["log", "-1", "--format=%B"]).ends_with(TRAILERS));
    // Without what they say, or with a message that cannot be written: it is a commit all the same.
    git(&workspace, ["config", "--unset-all", "aloft.trailer"]);
    commit(&["-m", "as it is"]);
    assert_eq!(body(), "as it is");
}

#[tokio::test]
async fn a_branch_name_may_be_anything_git_takes() {
    for branch in ["main", "main/below", "v1", "-dash", "a'b\"c$(x)"] {
        let mut world = World::with_source(&[("a", "1")]);
        git(&world.source(), ["tag", "v1"]);
        world.fetch().await.unwrap();
        world.base = world.mirrors.resolve("m", "").await.unwrap().commit;
        let clone =
            crate::git::workspace::Clone { branch: branch.to_owned(), ..world.clone_of(None) };
        let made = run_step(&world.paths.clone(&clone)[0]);
        if branch == "-dash" {
            assert!(made.is_err(), "git takes no branch of this name");
        } else {
            made.unwrap();
            assert_eq!(world.head().branch.as_deref(), Some(branch));
        }
    }
}

#[tokio::test]
async fn carried_changes_are_there_and_not_committed() {
    let mut world = World::with_source(&[("keep", "1"), ("change", "1"), ("delete", "1")]);
    let base = git(&world.source(), ["rev-parse", "HEAD"]);
    write(&world.source().join("change"), "2");
    write(&world.source().join("new"), "2");
    std::fs::remove_file(world.source().join("delete")).unwrap();
    let carry = commit_all(&world.source(), "carry");
    git(&world.source(), ["branch", "carry"]);
    git(&world.source(), ["reset", "-q", "--hard", &base]);
    world.fetch().await.unwrap();
    world.base = base;
    run_step(&world.paths.clone(&world.clone_of(Some(carry.clone())))[0]).unwrap();
    assert_eq!(git(&world.workspace(), ["status", "--porcelain"]), "M change\n D delete\n?? new");
    assert_eq!(world.head().commit.as_deref(), Some(world.base.as_str()));
    world.snapshots.create("t", &world.mirrors.path("m").unwrap(), &carry).await.unwrap();
    let snapshot = world.snapshot(1).await;
    assert_eq!(world.snapshots.stat("t", &carry, &snapshot.commit).await.unwrap().files, 0);
}

#[tokio::test]
async fn a_snapshot_holds_all_but_what_is_ignored() {
    let mut world =
        World::with_source(&[(".gitignore", "*.o\n/build/\nforced\n"), ("a", "1"), ("gone", "1")]);
    write(&world.source().join("forced"), "1");
    git(&world.source(), ["add", "-f", "forced"]);
    commit_all(&world.source(), "tracked although ignored");
    world.start("").await;
    write(&world.file("untracked"), "x");
    write(&world.file("x.o"), "x");
    write(&world.file("build/out"), "x");
    write(&world.file("forced"), "2");
    write(&world.file("by-exclude"), "x");
    write(&world.file(".git/info/exclude"), "by-exclude\n");
    write(&world.file("secret"), "x");
    std::fs::remove_file(world.file("gone")).unwrap();
    symlink("/etc", world.file("link")).unwrap();
    symlink(".", world.file("loop")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        world.file("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    git(&world.workspace(), ["add", "a", "untracked"]);
    let index = std::fs::read(world.file(".git/index")).unwrap();
    let snapshot = world.snapshot(1).await;
    assert_eq!(
        world.files(&snapshot.commit).await,
        [".gitignore", "a", "forced", "link", "loop", "secret", "untracked"]
    );
    assert!(
        std::fs::read(world.file(".git/index")).unwrap() == index,
        "the agent's index is as it was"
    );
    assert_eq!(git(&world.thread(), ["show", &format!("{}:forced", snapshot.commit)]), "2");
    world.checked_diff(&snapshot.commit).await;
    // Nothing changed: another snapshot of the same files, also with an index of ours that is broken.
    write(&Path::new(&world.paths.snapshots).join("index"), "junk");
    let second = world.snapshot(2).await;
    assert_eq!(world.snapshots.stat("t", &snapshot.commit, &second.commit).await.unwrap().files, 0);
    assert_eq!(
        git(&world.thread(), ["rev-parse", &format!("{}^1", second.commit)]),
        snapshot.commit
    );
}

#[tokio::test]
async fn whatever_becomes_of_the_repository_no_file_is_lost() {
    let mut world = World::new(&[("a", "1\n2\n3\n"), ("b", "x\n")]).await;
    let workspace = world.workspace();
    let mut turn = 0;
    let deeds: [RepositoryDeed; 9] = [
        ("commit", |ws| drop(commit_all(ws, "work"))),
        ("amend", |ws| {
            drop(git(ws, ["commit", "-q", "--amend", "--allow-empty", "-m", "amended"]));
        }),
        ("reset", |ws| drop(git(ws, ["reset", "-q", "--soft", "HEAD~1"]))),
        ("rebase", |ws| {
            commit_all(ws, "again");
            git(ws, ["rebase", "-q", "--force-rebase", "--root"]);
        }),
        ("orphan", |ws| drop(git(ws, ["checkout", "-q", "--orphan", "fresh"]))),
        ("detach", |ws| {
            commit_all(ws, "fresh");
            git(ws, ["checkout", "-q", "--detach"]);
        }),
        ("break the index", |ws| std::fs::write(ws.join(".git/index"), "junk").unwrap()),
        ("leave locks", |ws| std::fs::write(ws.join(".git/index.lock"), "").unwrap()),
        ("delete .git", |ws| std::fs::remove_dir_all(ws.join(".git")).unwrap()),
    ];
    for (name, deed) in deeds {
        turn += 1;
        write(&world.file(format!("file-{turn}")), format!("{name}\n"));
        write(&world.file("a"), format!("1\nturn {turn}\n3\n"));
        deed(&workspace);
        let snapshot = world.snapshot(turn).await;
        let files = world.checked_diff(&snapshot.commit).await;
        assert_eq!(files.len(), turn as usize + 1, "{name}");
        assert_eq!(snapshot.head.is_some(), !["orphan", "delete .git"].contains(&name), "{name}");
    }
    // An agent that begins anew, and then breaks it.
    git(&workspace, ["init", "-q"]);
    write(&world.file("late"), "x");
    commit_all(&workspace, "anew");
    std::fs::remove_dir_all(world.file(".git/objects")).unwrap();
    std::fs::create_dir(world.file(".git/objects")).unwrap();
    let (bundle, warnings) = world.bundle(SnapshotName::Turn(20));
    assert!(warnings.contains("commits are not in the snapshot"), "{warnings}");
    let snapshot = world.import(SnapshotName::Turn(20), &bundle).await.unwrap();
    assert!(world.files(&snapshot.commit).await.contains(&"late".to_owned()));
    world.snapshots.fsck("t").await.unwrap();
}

#[tokio::test]
async fn repositories_inside_the_workspace_are_kept_by_their_files() {
    let mut world = World::new(&[("a", "1")]).await;
    let repository = |path: &str, with_commit: bool| {
        std::fs::create_dir_all(world.file(path)).unwrap();
        git(&world.file(path), ["init", "-q"]);
        write(&world.file(path).join("in side\n"), path);
        write(&world.file(path).join(".gitignore"), "*.o\n");
        write(&world.file(path).join("x.o"), "ignored");
        if with_commit {
            commit_all(&world.file(path), "inner");
        }
    };
    repository("with commit", true);
    repository("without", false);
    repository("with commit/deeper/still", true);
    write(&world.file("with commit/not committed"), "x");
    std::fs::create_dir(world.file("empty")).unwrap();
    git(&world.file("empty"), ["init", "-q"]);
    let expected = [
        "a",
        "with commit/.gitignore",
        "with commit/deeper/still/.gitignore",
        "with commit/deeper/still/in side\n",
        "with commit/in side\n",
        "with commit/not committed",
        "without/.gitignore",
        "without/in side\n",
    ];
    let first = world.snapshot(1).await;
    assert_eq!(world.files(&first.commit).await, expected);
    world.checked_diff(&first.commit).await;
    write(&world.file("with commit/not committed"), "y");
    let second = world.snapshot(2).await;
    assert_eq!(world.files(&second.commit).await, expected);
    assert_eq!(world.snapshots.stat("t", &first.commit, &second.commit).await.unwrap().files, 1);
    assert!(world.file("with commit/.git").exists());
}

#[tokio::test]
async fn nothing_of_the_agents_configuration_runs() {
    let mut world = World::new(&[
        ("a", "1"),
        (".gitattributes", "* filter=evil diff=evil\n*.utf16 working-tree-encoding=UTF-16\n"),
    ])
    .await;
    let marker = world.folder.path().join("ran");
    let evil = format!("touch {}; cat", marker.display());
    let workspace = world.workspace();
    write(&world.file(".git/evil"), format!("#!/bin/sh\n{evil}\n"));
    std::fs::set_permissions(world.file(".git/evil"), std::fs::Permissions::from_mode(0o755))
        .unwrap();
    let script = world.file(".git/evil").to_str().unwrap().to_owned();
    for hook in [
        "post-checkout",
        "pre-commit",
        "reference-transaction",
        "post-index-change",
        "pre-auto-gc",
        "fsmonitor-watchman",
    ] {
        std::fs::copy(&script, world.file(".git/hooks").join(hook)).unwrap();
    }
    write(&world.file("a"), "2");
    write(&world.file("not.utf16"), "odd");
    for (key, value) in [
        ("core.fsmonitor", script.as_str()),
        ("filter.evil.clean", &evil),
        ("filter.evil.process", &evil),
        ("filter.evil.required", "true"),
        ("diff.evil.textconv", &script),
        ("diff.external", &script),
        ("core.sshCommand", &script),
        ("uploadpack.packObjectsHook", &script),
        ("core.hooksPath", world.file(".git/hooks").to_str().unwrap()),
    ] {
        assert!(
            git_command(&workspace)
                .args(["-c", "core.fsmonitor=false", "config", key, value])
                .status()
                .unwrap()
                .success()
        );
    }
    let snapshot = world.snapshot(1).await;
    assert!(!marker.exists(), "something of the agent's ran for a snapshot");
    assert!(world.files(&snapshot.commit).await.contains(&"not.utf16".to_owned()));
    world.diff(&world.base, &snapshot.commit, DiffOptions::default()).await;
    world.snapshots.fsck("t").await.unwrap();
    assert!(!marker.exists(), "something of the agent's ran in the cloud's repository");
    // The control: git on the agent's tree does run it.
    git_command(&workspace).arg("status").output().unwrap();
    assert!(marker.exists());
}

#[tokio::test]
async fn going_back_to_a_turn() {
    let mut world = World::new(&[("a", "1"), (".gitignore", "*.o\n"), ("deep/b", "1")]).await;
    write(&world.file("a"), "turn 1");
    let head = commit_all(&world.workspace(), "turn 1");
    write(&world.file("open"), "turn 1");
    let first = world.snapshot(1).await;
    write(&world.file("a"), "turn 2");
    commit_all(&world.workspace(), "turn 2");
    git(&world.workspace(), ["checkout", "-q", "-b", "elsewhere"]);
    write(&world.file("later/x"), "turn 2");
    write(&world.file("x.o"), "ignored");
    std::fs::remove_dir_all(world.file("deep")).unwrap();
    write(&world.file("deep"), "a file now");
    std::fs::remove_file(world.file("open")).unwrap();
    let second = world.snapshot(2).await;
    write(&world.file("never kept"), "x");

    world.restore(&first, None).unwrap();
    assert_eq!(git(&world.workspace(), ["status", "--porcelain"]), "?? open");
    let now = world.head();
    assert_eq!(
        (now.branch.as_deref(), now.commit.as_deref()),
        (Some("aloft/t"), Some(head.as_str()))
    );
    assert!(
        world.file("x.o").exists()
            && !world.file("later").exists()
            && !world.file("never kept").exists()
    );
    assert_eq!(std::fs::read_to_string(world.file("deep/b")).unwrap(), "1");
    let third = world.snapshot(3).await;
    assert_eq!(world.snapshots.stat("t", &first.commit, &third.commit).await.unwrap().files, 0);
    world.restore(&second, None).unwrap();
    assert_eq!(world.head().branch.as_deref(), Some("elsewhere"));
    assert_eq!(std::fs::read_to_string(world.file("later/x")).unwrap(), "turn 2");
    let unknown = Snapshot { commit: "0".repeat(40), ..Snapshot::default() };
    assert!(world.restore(&unknown, None).is_err());
    assert_eq!(std::fs::read_to_string(world.file("later/x")).unwrap(), "turn 2");
}

#[tokio::test]
async fn a_submodule_out_of_reach_is_a_warning() {
    let mut world = World::with_source(&[
        ("a", "1"),
        (".gitmodules", "[submodule \"s\"]\n\tpath = s\n\turl = /nothing/here\n"),
    ]);
    git(
        &world.source(),
        ["update-index", "--add", "--cacheinfo", &format!("160000,{},s", "5".repeat(40))],
    );
    git(&world.source(), ["commit", "-q", "-m", "submodule"]);
    world.fetch().await.unwrap();
    world.base = world.mirrors.resolve("m", "").await.unwrap().commit;
    world.snapshots.create("t", &world.mirrors.path("m").unwrap(), &world.base).await.unwrap();
    let steps = world.paths.clone(&world.clone_of(None));
    run_step(&steps[0]).unwrap();
    let output = run_step(&steps[1]).unwrap();
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("warning: submodules are missing"),
        "{output:?}"
    );
    assert!(!world.head().dirty);
    let snapshot = world.snapshot(1).await;
    assert_eq!(world.snapshots.stat("t", &world.base, &snapshot.commit).await.unwrap().files, 0);
}

#[tokio::test]
async fn a_snapshot_the_cloud_never_got_is_not_built_upon() {
    let mut world = World::new(&[("a", "1")]).await;
    write(&world.file("b"), "1");
    world.bundle(SnapshotName::Turn(1));
    write(&world.file("c"), "1");
    commit_all(&world.workspace(), "work");
    let second = world.snapshot(2).await;
    assert_eq!(world.files(&second.commit).await, ["a", "b", "c"]);
    world.snapshots.fsck("t").await.unwrap();
}

#[derive(Clone, Debug)]
enum Deed {
    Write(u8, Vec<u8>),
    Remove(u8),
    Move(u8, u8),
    Link(u8),
    Executable(u8),
    Commit,
    Amend,
    Reset,
    Snapshot,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let line = prop_oneof![
        Just(b"same\n".to_vec()),
        Just(b"other\r\n".to_vec()),
        Just(b"end".to_vec()),
        prop::collection::vec(any::<u8>(), 0..6)
    ];
    let content = prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat());
    let deed = prop_oneof![
        4 => (0..8_u8, content).prop_map(|(file, content)| Deed::Write(file, content)),
        1 => (0..8_u8).prop_map(Deed::Remove),
        2 => (0..8_u8, 0..8_u8).prop_map(|(from, to)| Deed::Move(from, to)),
        1 => (0..8_u8).prop_map(Deed::Link),
        1 => (0..8_u8).prop_map(Deed::Executable),
        1 => Just(Deed::Commit), 1 => Just(Deed::Amend), 1 => Just(Deed::Reset), 1 => Just(Deed::Snapshot),
    ];
    prop::collection::vec(deed, 1..30)
}

async fn any_history(deeds: Vec<Deed>) {
    const NAMES: [&str; 8] = ["a", "b c", "d/e", "d/f", "\"g\"", "h\ti", "ü", "d/k/l"];
    let mut world = World::new(&[("a", "same\nsame\nother\n"), ("d/e", "x\n"), ("ü", "y")]).await;
    let workspace = world.workspace();
    let mut turn = 0;
    for deed in deeds.into_iter().chain([Deed::Snapshot]) {
        let path = |file: u8| workspace.join(NAMES[usize::from(file)]);
        match deed {
            Deed::Write(file, content) => {
                std::fs::remove_file(path(file)).ok();
                write(&path(file), content);
            }
            Deed::Remove(file) => drop(std::fs::remove_file(path(file))),
            Deed::Move(from, to) => {
                std::fs::create_dir_all(path(to).parent().unwrap()).unwrap();
                std::fs::rename(path(from), path(to)).ok();
            }
            Deed::Link(file) => {
                std::fs::create_dir_all(path(file).parent().unwrap()).unwrap();
                std::fs::remove_file(path(file)).ok();
                symlink("target", path(file)).unwrap();
            }
            Deed::Executable(file) if path(file).is_file() => {
                std::fs::set_permissions(path(file), std::fs::Permissions::from_mode(0o755))
                    .unwrap();
            }
            Deed::Executable(_) => {}
            Deed::Commit => drop(commit_all(&workspace, "work")),
            Deed::Amend => {
                drop(git(
                    &workspace,
                    ["commit", "-q", "--amend", "--allow-empty", "-m", "amended"],
                ));
            }
            Deed::Reset => drop(git(&workspace, ["reset", "-q", "--soft", &world.base])),
            Deed::Snapshot => {
                turn += 1;
                let snapshot = world.snapshot(turn).await;
                world.checked_diff(&snapshot.commit).await;
                // The tree is what git itself would commit.
                commit_all(&workspace, "all");
                assert_eq!(
                    git(&workspace, ["rev-parse", "HEAD^{tree}"]),
                    git(&world.thread(), ["rev-parse", &format!("{}^{{tree}}", snapshot.commit)])
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 30, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_history_gives_gits_own_diff(deeds in deeds()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(any_history(deeds));
    }
}
