//! A cloud that dies while the end of a turn is being saved: the turn is told as what it was, and it is saved by one alone.

use std::fs;

use aloft_proto::v1::Mode;
use aloft_tests::{
    home::{alive, assert_whole, items, kill},
    poll,
    sender::Sender,
};

use crate::faults::{
    journeys::settle,
    stage::{Stage, has_word},
};

/// From the agent's end to that of the turn.
const STEPS: [&str; 4] =
    ["effect.snapshot.before", "snapshot.bundled", "snapshot.kept", "snapshot.taken"];

#[test]
fn a_turn_that_came_to_its_end_is_completed_although_the_cloud_dies_while_it_is_saved() {
    let stage = Stage::new();
    let mut sender = Sender::new(&stage.home);
    for step in STEPS {
        let thread = sender.create(&stage.url, Mode::Auto, "$ echo first > first");
        settle(&stage, &mut sender, &thread);
        stage.forget();
        stage.arm("kill", step, 1);
        sender.start(&thread, "$ echo second | tee second", false).unwrap();
        // It goes on by itself with what waits for the end of the turn.
        sender.start(&thread, "$ echo third > third", true).unwrap();
        let shown = settle(&stage, &mut sender, &thread);
        assert!(stage.disarm(), "nobody died at {step}");

        let turns = shown["turns"].as_array().unwrap();
        let states: Vec<_> = turns.iter().map(|turn| turn["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["completed"; 3], "{step}: {shown:#}");
        assert_eq!(turns[1]["error"], serde_json::Value::Null, "{step}: {shown:#}");
        let outputs = items(&shown, "commandExecution");
        let said = outputs.iter().filter(|item| item["output"] == "second\n").count();
        assert_eq!(said, 1, "{step}: what the agent did is told once: {shown:#}");
        // It was saved after all.
        let diff = stage.home.ok(["diff", &thread, "--turn", "2"]);
        assert!(diff.contains("+second") && !diff.contains("+third"), "{step}: {diff}");
        assert_whole(&stage.home.events(&thread));
    }
}

/// Of zeros: git is at it for seconds.
const LARGE: u64 = 2 << 30;

#[test]
fn what_a_dead_cloud_left_at_work_on_the_files_is_ended_before_anybody_works_on_them_again() {
    let stage = Stage::new();
    let mut sender = Sender::new(&stage.home);
    let thread = sender.create(&stage.url, Mode::Auto, "$ echo first > first");
    settle(&stage, &mut sender, &thread);
    let large = stage.home.workspace(&thread).join("large");
    sender.start(&thread, &format!("$ truncate -s {LARGE} large"), false).unwrap();
    let git = poll::until("git to save the files", || {
        let mut gits = stage.sandbox_processes(&thread).into_iter();
        large.exists().then(|| gits.find(|pid| has_word(*pid, "git"))).flatten()
    });
    // It would never come to its end by itself.
    kill(git, libc::SIGSTOP);
    stage.home.kill_cloud();
    fs::remove_file(&large).unwrap();
    assert!(alive(git), "it outlives the cloud");

    settle(&stage, &mut sender, &thread);
    sender.start(&thread, "$ echo third > third", false).unwrap();
    let shown = settle(&stage, &mut sender, &thread);
    assert_eq!(shown["thread"]["lastTurn"]["state"], "completed", "{shown:#}");
    assert!(!alive(git), "two work on the files");
    let diff = stage.home.ok(["diff", &thread]);
    assert!(diff.contains("+third") && !diff.contains("large"), "{diff}");
}
