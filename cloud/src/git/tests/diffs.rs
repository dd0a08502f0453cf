//! What a diff shows is byte for byte what git shows.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use aloft_proto::v1::FileStatus;

use crate::git::diff::DiffOptions;
use crate::git::tests::fixture::{World, assert_same, commit_all, git, write};

const TEXT: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

fn make_executable(path: &std::path::Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn every_kind_of_change() {
    let mut world = World::with_source(&[
        ("modify", TEXT),
        ("delete", TEXT),
        ("move me", "a\nb\nc\nd\ne\n"),
        ("move+edit", "1\n2\n3\n4\n5\n6\n7\n8\n9\n"),
        ("mode.sh", "#!/bin/sh\n"),
        ("to-link", "file\n"),
        ("crlf", "a\r\nb\r\n"),
        ("no-newline", "a\nb"),
        ("empty", ""),
        ("src/ünï.rs", "fn main() {}\n"),
        ("lib.rs", "fn first() {\n    1;\n    2;\n    3;\n    4;\n    5;\n    6;\n    7;\n}\n"),
        (".gitattributes", "*.rs diff=rust\n*.lock -diff\n"),
        ("a.lock", "1\n"),
    ]);
    let source = world.source();
    write(&source.join("binary"), [0_u8, 1, 2, 255]);
    write(&source.join("latin1"), b"caf\xe9\n");
    write(&source.join(OsStr::from_bytes(b"n\xe9me")), "x\n");
    symlink("modify", source.join("link")).unwrap();
    symlink("modify", source.join("link-to-file")).unwrap();
    git(&source, ["init", "-q", "sub"]);
    commit_all(&source.join("sub"), "sub");
    git(&source, ["init", "-q", "sub-gone"]);
    commit_all(&source.join("sub-gone"), "sub");
    commit_all(&source, "more");
    world.start("").await;

    write(&world.file("modify"), TEXT.replace("four", "FOUR"));
    std::fs::remove_file(world.file("delete")).unwrap();
    std::fs::rename(world.file("move me"), world.file("moved \"quoted\"\tname\n")).unwrap();
    std::fs::remove_file(world.file("move+edit")).unwrap();
    write(&world.file("deep/er/moved+edited"), "1\n2\n3\n4\n5\n6\n7\n8\nnine\n");
    make_executable(&world.file("mode.sh"));
    std::fs::remove_file(world.file("to-link")).unwrap();
    symlink("/etc/passwd", world.file("to-link")).unwrap();
    write(&world.file("crlf"), "a\r\nc\r\n");
    write(&world.file("no-newline"), "a\nc");
    write(&world.file("empty"), "no more\n");
    write(&world.file("new-empty"), "");
    write(&world.file("src/ünï.rs"), "fn main() { }\n");
    write(
        &world.file("lib.rs"),
        "fn first() {\n    1;\n    2;\n    3;\n    4;\n    5;\n    6;\n    8;\n}\n",
    );
    write(&world.file("a.lock"), "2\n");
    write(&world.file("binary"), [0_u8, 1, 2, 3]);
    write(&world.file("new-binary"), [0_u8; 100]);
    write(&world.file("latin1"), b"caf\xe8\n");
    write(&world.file(OsStr::from_bytes(b"n\xe9me")), "y\n");
    write(&world.file(OsStr::from_bytes(b"\xff new")), "y\n");
    std::fs::remove_file(world.file("link")).unwrap();
    symlink("nowhere", world.file("link")).unwrap();
    std::fs::remove_file(world.file("link-to-file")).unwrap();
    write(&world.file("link-to-file"), "now a file\n");
    write(&world.file("with space"), "diff --git a/x b/x\n");
    std::fs::remove_dir_all(world.file("sub-gone")).unwrap();
    write(&world.file("sub-gone"), "a file\n");

    let snapshot = world.snapshot(1).await;
    let files = world.checked_diff(&snapshot.commit).await;
    let of = |path: &str| {
        files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}"))
    };
    let status = |path: &str| of(path).status();
    assert_eq!(status("modify"), FileStatus::Modified);
    assert_eq!(status("delete"), FileStatus::Deleted);
    assert_eq!(
        (status("moved \"quoted\"\tname\n"), of("moved \"quoted\"\tname\n").old_path.as_str()),
        (FileStatus::Renamed, "move me")
    );
    assert_eq!(
        (status("deep/er/moved+edited"), of("deep/er/moved+edited").additions),
        (FileStatus::Renamed, 1)
    );
    assert_eq!(
        (of("mode.sh").old_mode.as_str(), of("mode.sh").new_mode.as_str()),
        ("100644", "100755")
    );
    assert_eq!(
        (status("to-link"), of("to-link").new_mode.as_str()),
        (FileStatus::TypeChanged, "120000")
    );
    assert_eq!(
        (status("sub-gone"), of("sub-gone").old_mode.as_str(), of("sub-gone").old_size),
        (FileStatus::TypeChanged, "160000", 0)
    );
    assert_eq!(
        (status("new-empty"), of("new-empty").old_mode.as_str(), of("new-empty").new_size),
        (FileStatus::Added, "", 0)
    );
    assert!(
        of("binary").binary
            && of("new-binary").binary
            && of("a.lock").binary
            && !of("latin1").binary
    );
    assert_eq!((of("new-binary").old_size, of("new-binary").new_size), (0, 100));
    assert!(String::from_utf8_lossy(&of("lib.rs").patch).contains("@@ fn first() {"));
    assert_eq!(status("\"n\\351me\""), FileStatus::Modified);
    assert!(!files.iter().any(|file| file.path == "sub"), "a submodule that was not touched");
}

#[tokio::test]
async fn one_file_with_its_texts() {
    let mut world = World::new(&[("a/old", TEXT), ("b", "b\n"), ("*", "star\n")]).await;
    std::fs::rename(world.file("a/old"), world.file("new")).unwrap();
    write(&world.file("b"), "c\n");
    write(&world.file("*"), "stars\n");
    let snapshot = world.snapshot(1).await;
    let all = world.checked_diff(&snapshot.commit).await;
    for path in ["new", "b", "*"] {
        let options =
            DiffOptions { path: Some(path.to_owned()), with_texts: true, ..DiffOptions::default() };
        let one = world.diff(&world.base, &snapshot.commit, options).await;
        let expected = all.iter().find(|file| file.path == path).unwrap();
        assert_eq!(one.len(), 1, "{path}");
        assert_same(&one[0].patch, &expected.patch);
        assert_eq!(one[0].old_path, expected.old_path);
        assert_eq!(one[0].new_text.as_ref().unwrap().len() as u64, expected.new_size);
        assert_eq!(one[0].old_text.as_ref().unwrap().len() as u64, expected.old_size);
    }
    let by_old_name = DiffOptions { path: Some("a/old".to_owned()), ..DiffOptions::default() };
    assert_eq!(world.diff(&world.base, &snapshot.commit, by_old_name).await[0].path, "new");
    let unknown = DiffOptions { path: Some("nothing".to_owned()), ..DiffOptions::default() };
    assert!(world.diff(&world.base, &snapshot.commit, unknown).await.is_empty());
    let stat_only = DiffOptions { stat_only: true, ..DiffOptions::default() };
    assert!(
        world
            .diff(&world.base, &snapshot.commit, stat_only)
            .await
            .iter()
            .all(|file| file.patch.is_empty())
    );
    assert!(
        world
            .snapshots
            .diff("t", "--output=/tmp/x", &world.base, DiffOptions::default())
            .await
            .is_err()
    );
    assert!(
        world
            .snapshots
            .diff("t", &"0".repeat(40), &world.base, DiffOptions::default())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_large_file_and_thousands_of_small_ones() {
    let mut world = World::new(&[("a", "a\n")]).await;
    let line = [b"0123456789abcdefghijklmnopqrstuvwxyz".as_slice(), b"\n"].concat();
    write(&world.file("large"), line.repeat((20 << 20) / line.len()));
    for number in 0..5000 {
        write(&world.file(format!("many/{:02}/{number}", number % 50)), format!("{number}\n"));
    }
    let snapshot = world.snapshot(1).await;
    let files = world.checked_diff(&snapshot.commit).await;
    assert_eq!(files.len(), 5001);
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_the_work() {
    let mut world = World::new(&[("a", "a\n")]).await;
    for number in 0..100 {
        write(&world.file(format!("{number}")), "x\n");
    }
    let snapshot = world.snapshot(1).await;
    let mut receiver = world
        .snapshots
        .diff("t", &world.base, &snapshot.commit, DiffOptions::default())
        .await
        .unwrap();
    assert!(receiver.recv().await.unwrap().is_ok());
    drop(receiver);
}
