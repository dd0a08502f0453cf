//! A stop at every step of a start is a stop: the turn ends as stopped by whom it was, and its message is not carried out.

use aloft_proto::v1::Mode;
use aloft_tests::{home::items, poll, sender::Sender};

use crate::faults::{
    journeys::settle,
    stage::{Stage, has_word},
};

/// From the fetch to the agent.
const STEPS: [&str; 8] = [
    "start.mirror",
    "start.based",
    "start.snapshots",
    "start.socket",
    "start.spawned",
    "start.sandbox",
    "start.workspace",
    "start.agent",
];

#[test]
fn a_stop_holds_at_every_step_of_a_start() {
    let stage = Stage::new();
    let mut sender = Sender::new(&stage.home);
    for step in STEPS {
        stage.forget();
        stage.arm("hold", step, 1);
        let thread = sender.create(&stage.url, Mode::Auto, "$ touch went-on");
        poll::until(&format!("{step} to be come to"), || stage.is_held().then_some(()));
        sender.interrupt(&thread, "t1").unwrap();
        stage.release();
        let shown = settle(&stage, &mut sender, &thread);
        let turn = &shown["turns"][0];
        assert_eq!(turn["state"], "interrupted", "{step}: {shown:#}");
        assert_eq!(turn["stoppedBy"], "local", "{step}: {shown:#}");
        poll::until(&format!("every process to be gone after {step}"), || {
            let inside = stage.sandbox_processes(&thread);
            inside.iter().all(|pid| !has_word(*pid, "agent")).then_some(())
        });
        sender.start(&thread, "$ ls", false).unwrap();
        let shown = settle(&stage, &mut sender, &thread);
        assert_eq!(shown["thread"]["lastTurn"]["state"], "completed", "{step}: {shown:#}");
        let said = items(&shown, "commandExecution").last().unwrap()["output"].to_string();
        assert!(said.contains("README.md") && !said.contains("went-on"), "{step}: {said}");
    }
}
