//! Stop means stopped, guiding means the new thing, and what waits keeps its order.

mod matrix;

use aloft_tests::{
    home::{Home, items},
    poll,
};
use serde_json::Value;

/// A command that leaves processes behind in every way there is; all ignore the signals that ask.
/// Its argument is the mark of its processes.
const HARD: &str = "trap '' TERM HUP INT
(setsid bash -c \"exec -a $1-orphan sleep 1000\" > /dev/null 2>&1 &)
bash -c \"exec -a $1-child sleep 1000\" &
setsid bash -c \"(bash -c 'exec -a $1-deep sleep 1000' &)\" &
exec -a $1-main sleep 1000
";

fn hard(mark: &str) -> String {
    format!("```write hard.sh\n{HARD}```\n$ bash hard.sh {mark}")
}

#[test]
fn a_stop_ends_everything_a_command_started() {
    let home = Home::new();
    let repository = home.repository();
    let mark = home.mark("stop");
    let id = home.begin(&repository, "auto", &hard(&mark));
    for kind in ["orphan", "child", "deep", "main"] {
        Home::wait_processes(&format!("{mark}-{kind}"), 1);
    }
    let thread = home.json(["stop", &id]);
    assert_eq!(Home::processes_with(&mark), [0; 0]);
    assert_eq!(thread["lastTurn"]["state"], "interrupted");
    let shown = home.show(&id);
    let turn = &shown["turns"][0];
    assert_eq!(turn["state"], "interrupted");
    assert!(turn["stoppedBy"].is_string(), "{turn}");
    assert!(items(&shown, "commandExecution").iter().all(|item| item["state"] != "inProgress"));
    // What the turn did until then is kept.
    assert!(home.ok(["diff", &id]).contains("hard.sh"));

    home.ok(["send", &id, "--wait", "$ cat hard.sh"]);
    let shown = home.show(&id);
    assert_eq!(shown["thread"]["lastTurn"]["state"], "completed");
    assert_eq!(items(&shown, "commandExecution").last().unwrap()["output"], HARD);
}

#[test]
fn a_stop_during_set_up_is_a_stop_of_the_turn() {
    let home = Home::new();
    let repository = home.repository();
    let id = home.begin(&repository, "auto", "$ touch began");
    // Wherever the start is: the stop wins or the turn was through already.
    let run = home.run(["stop", &id, "--json"]);
    let turn = home.wait_turn(&id, 1);
    if run.code == 0 {
        assert_eq!(turn["state"], "interrupted", "{turn}");
    } else {
        assert_eq!(turn["state"], "completed", "{turn}");
    }
    home.ok(["send", &id, "--wait", "$ echo again"]);
    let shown = home.show(&id);
    assert_eq!(items(&shown, "commandExecution").last().unwrap()["output"], "again\n");
}

#[test]
fn a_stop_withdraws_the_open_question() {
    let home = Home::new();
    let repository = home.repository();
    let id = home.begin(&repository, "manual", "$ touch asked");
    home.wait_state(&id, "requiresAction");
    home.ok(["stop", &id]);
    let shown = home.show(&id);
    assert_eq!(shown["thread"]["lastTurn"]["state"], "interrupted");
    assert_eq!(shown["thread"]["state"], "idle");
    assert!(items(&shown, "permission").iter().all(|item| item["state"] != "inProgress"));
    assert!(!home.workspace(&id).join("asked").exists());
    assert_eq!(home.fails(1, ["answer", &id, "allow"])["reason"], "NO_QUESTION");
}

#[test]
fn a_guided_turn_does_the_new_thing_and_the_old_one_is_gone() {
    let home = Home::new();
    let repository = home.repository();
    let mark = home.mark("guide");
    let id = home.begin(&repository, "auto", &format!("{}\n$ touch old-went-on", hard(&mark)));
    Home::wait_processes(&format!("{mark}-orphan"), 1);
    Home::wait_processes(&format!("{mark}-main"), 1);
    let run = home.run(["send", &id, "--wait", "$ echo new > guided.txt"]);
    let turn = home.wait_turn(&id, 2);
    assert_eq!(turn["state"], "completed", "{} {}", run.code, run.stderr);
    assert_eq!(Home::processes_with(&mark), [0; 0]);
    let shown = home.show(&id);
    assert_eq!(shown["turns"][0]["state"], "interrupted");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let diff = home.ok(["diff", &id]);
    assert!(diff.contains("guided.txt") && !diff.contains("old-went-on"), "{diff}");
}

#[test]
fn waiting_messages_keep_the_order_they_were_given() {
    let home = Home::new();
    let repository = home.repository();
    let id = home.begin(&repository, "auto", "$ while ! test -e go; do sleep 0.05; done");
    home.wait_state(&id, "running");
    for name in ["a", "b", "c", "d"] {
        home.ok(["send", &id, "--queue", &format!("$ echo {name} >> order")]);
    }
    let waiting = queue(&home, &id);
    assert_eq!(waiting.len(), 4);
    assert_eq!(home.show(&id)["thread"]["queued"], 4);
    home.ok(["queue", &id, "move", &waiting[3], "0"]);
    home.ok(["queue", &id, "drop", &waiting[1]]);
    assert_eq!(queue(&home, &id), [&*waiting[3], &*waiting[0], &*waiting[2]]);
    assert_eq!(home.fails(1, ["queue", &id, "drop", &waiting[1]])["reason"], "NOT_QUEUED");
    std::fs::write(home.workspace(&id).join("go"), "").unwrap();
    home.wait_turn(&id, 4);
    home.wait_state(&id, "idle");
    assert_eq!(std::fs::read_to_string(home.workspace(&id).join("order")).unwrap(), "d\na\nc\n");
    let shown = home.show(&id);
    assert!(shown["turns"].as_array().unwrap().iter().all(|turn| turn["state"] == "completed"));
    assert_eq!(shown["thread"]["queued"], 0);
}

#[test]
fn after_a_stop_the_queue_waits_for_the_next_message() {
    let home = Home::new();
    let repository = home.repository();
    let id = home.begin(&repository, "auto", "$ sleep 1000");
    home.wait_state(&id, "running");
    home.ok(["send", &id, "--queue", "$ echo queued >> order"]);
    home.ok(["stop", &id]);
    home.wait_state(&id, "idle");
    assert_eq!(queue(&home, &id).len(), 1);
    home.ok(["send", &id, "--wait", "$ echo sent >> order"]);
    home.wait_turn(&id, 3);
    home.wait_state(&id, "idle");
    let order = std::fs::read_to_string(home.workspace(&id).join("order")).unwrap();
    assert_eq!(order, "sent\nqueued\n");
}

#[test]
fn a_stopped_turn_can_be_tried_again() {
    let home = Home::new();
    let repository = home.repository();
    let id = home.begin(
        &repository,
        "auto",
        "$ echo tried >> tries; test $(wc -l < tries) -gt 1 || sleep 1000",
    );
    poll::until("the command to run", || home.workspace(&id).join("tries").exists().then_some(()));
    home.ok(["stop", &id]);
    home.ok(["retry", &id, "--wait"]);
    let shown = home.show(&id);
    let states: Vec<&Value> =
        shown["turns"].as_array().unwrap().iter().map(|turn| &turn["state"]).collect();
    assert_eq!(states, ["interrupted", "completed"]);
}

/// Ids of the messages that wait.
fn queue(home: &Home, thread: &str) -> Vec<String> {
    let listed = home.json(["queue", thread]);
    listed.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}
