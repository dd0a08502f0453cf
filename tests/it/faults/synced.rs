//! What a snapshot consists of is on disk for certain before anybody hears of it.

use std::{fs, process::Command};

use aloft_proto::v1::Mode;
use aloft_tests::{home::Home, poll, sender::Sender};

use crate::faults::{journeys::settle, stage::Stage};

/// Notes syncs and renames of a process.
const NOTES: &str = include_str!("synced.c");

#[test]
fn a_snapshot_is_synced_before_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("synced.so");
    let (source, notes) = (folder.path().join("synced.c"), folder.path().join("notes"));
    fs::write(&source, NOTES).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(built.success());
    let home = Home::new()
        .with("LD_PRELOAD", library.to_str().unwrap())
        .with("ALOFT_SYNCED", notes.to_str().unwrap());
    let stage = Stage::on(home);
    let mut sender = Sender::new(&stage.home);
    stage.forget();
    stage.arm("hold", "snapshot.taken", 1);
    let thread = sender.create(&stage.url, Mode::Auto, "$ echo one > one");
    // From here on it is told.
    poll::until("the snapshot to be taken", || stage.is_held().then_some(()));
    let noted = fs::read_to_string(&notes).unwrap();
    stage.release();
    settle(&stage, &mut sender, &thread);

    let repository = stage.home.path(&format!("data/cloud/snapshots/{thread}.git"));
    let repository = repository.to_str().unwrap();
    let noted: Vec<Vec<&str>> = noted.lines().map(|line| line.split(' ').collect()).collect();
    let is_synced = |path: &str, among: &[Vec<&str>]| {
        among.iter().any(|words| words[0] == "sync" && words[1] == path)
    };
    let packs = format!("{repository}/objects/pack");
    let mut last = None;
    for (at, words) in noted.iter().enumerate() {
        if words[0] == "rename" && words[2].starts_with(&packs) && words[1].contains("/incoming-") {
            assert!(
                is_synced(words[1], &noted[..at]),
                "{words:?} was not synced before: {noted:#?}"
            );
            last = Some(at);
        }
    }
    let last = last.unwrap_or_else(|| panic!("no pack came: {noted:#?}"));
    for folder in [packs, format!("{repository}/refs/aloft/turns")] {
        assert!(is_synced(&folder, &noted[last..]), "{folder} was not synced: {noted:#?}");
    }
}
