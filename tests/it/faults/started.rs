//! A sandbox that ends just when it has started is seen to be gone, also where nothing is asked of it then.

use aloft_proto::v1::Mode;
use aloft_tests::{
    home::{items, kill},
    poll,
    sender::Sender,
};

use crate::faults::{journeys::settle, stage::Stage};

#[test]
fn a_sandbox_that_ends_at_the_last_step_of_its_start_is_seen_to_be_gone() {
    let stage = Stage::new();
    let home = &stage.home;
    let mut sender = Sender::new(home);
    let thread = sender.create(&stage.url, Mode::Auto, "$ echo first > first");
    settle(&stage, &mut sender, &thread);
    sender.pause(&thread).unwrap();
    home.wait_state(&thread, "paused");
    stage.forget();
    stage.arm("hold", "start.agent", 1);
    sender.resume(&thread).unwrap();
    poll::until("the last step of the start", || stage.is_held().then_some(()));
    for pid in stage.in_sandboxes("guest") {
        kill(pid, libc::SIGKILL);
    }
    poll::until("the sandbox to end", || stage.sandbox_processes(&thread).is_empty().then_some(()));
    // It ended before the start did, and whoever watched it would have told of that by now.
    assert_eq!(home.show(&thread)["thread"]["state"], "starting");
    stage.release();
    let shown = home.wait_state(&thread, "paused");
    let said = |item: &&&serde_json::Value| {
        item["text"].as_str().is_some_and(|text| text.contains("ended unexpectedly"))
    };
    assert_eq!(items(&shown, "notice").iter().filter(said).count(), 1, "{shown:#}");
    // Who comes next brings it back.
    sender.start(&thread, "$ cat first", false).unwrap();
    let shown = settle(&stage, &mut sender, &thread);
    assert_eq!(items(&shown, "commandExecution").last().unwrap()["output"], "first\n");
}
