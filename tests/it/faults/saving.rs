//! A turn whose agent had come to its end is told as that, also where the cloud dies while the end is being saved.

use aloft_proto::v1::Mode;
use aloft_tests::{
    home::{assert_whole, items},
    sender::Sender,
};

use crate::faults::{journeys::settle, stage::Stage};

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
