//! Threads nobody uses: announced, then removed without a trace; under a clock that the tests move.

use std::fs;

use aloft_tests::{
    home::{Home, items},
    poll,
};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::journey::{holding, named};

/// What the owner was told of a thread's end, oldest first.
fn announced(home: &Home, id: &str) -> Vec<Value> {
    let notices = home.json(["notice", "list"]);
    let mut own: Vec<Value> = notices
        .as_array()
        .unwrap()
        .iter()
        .filter(|notice| notice["threadId"] == id && notice["kind"] == "expiring")
        .cloned()
        .collect();
    own.reverse();
    own
}

fn wait_announced(home: &Home, id: &str, count: usize) -> Vec<Value> {
    poll::until(&format!("{id} to be announced {count} times"), || {
        let told = announced(home, id);
        (told.len() == count).then_some(told)
    })
}

/// Days from its last use to the end of a thread, as its record says.
fn days_left(shown: &Value) -> f64 {
    let time = |value: &Value| {
        let text = value.as_str().unwrap_or_else(|| panic!("{shown:#}"));
        OffsetDateTime::parse(text, &Rfc3339).unwrap()
    };
    let thread = &shown["thread"];
    (time(&thread["expireTime"]) - time(&thread["updateTime"])).as_seconds_f64() / 86_400.0
}

#[test]
fn an_unused_thread_is_announced_twice_and_leaves_nothing() {
    let home = Home::new().with_clock();
    let repository = home.repository();
    let canary = home.mark("canary");
    let prompt = format!(
        "$ echo {canary}-file > {canary}-name.txt; git add -A; git commit -q -m {canary}-commit; echo {canary}-home > $HOME/x; echo {canary}-out"
    );
    let repository_name = repository.to_str().unwrap();
    let args = ["new", "--agent", "shell", "--mode", "auto", "--title", "Old work", "--repo"];
    let thread = home.json([&args[..], &[repository_name, "--wait", &prompt]].concat());
    let id = thread["id"].as_str().unwrap();
    let kept = home.begin(&repository, "auto", "$ echo kept > kept.txt");
    home.wait_turn(&kept, 1);
    home.ok(["keep", &kept]);
    assert_eq!(home.show(&kept)["thread"]["expireTime"], Value::Null);
    assert!((29.9..30.1).contains(&days_left(&home.show(id))));
    let places = ["data", "s", "run"].map(|place| home.path(place));
    assert!(!holding(&places, &canary).is_empty(), "the canary is looked for in the wrong places");

    home.later(23.1);
    let told = wait_announced(&home, id, 1);
    assert_eq!(told[0]["title"], "Old work is removed in 7 days", "{told:?}");
    let body = told[0]["body"].as_str().unwrap();
    assert!(body.contains("1 file +1 -0") && body.contains("aloft keep old-work"), "{body}");
    // By now it rests; being told is no use of it.
    home.wait_state(id, "paused");
    home.later(29.1);
    let told = wait_announced(&home, id, 2);
    assert_eq!(told[1]["title"], "Old work is removed in 1 day", "{told:?}");
    assert_eq!(home.show(id)["thread"]["state"], "paused");
    home.later(30.1);
    home.wait_gone(id);

    poll::until("the store to be scrubbed", || {
        let left = holding(&places, &canary);
        let is_store = |path: &String| path.ends_with("store.db") || path.ends_with("store.db-wal");
        assert!(left.iter().all(is_store), "{left:?}");
        if !left.is_empty() {
            // A reader may have held it up: then the next write does it.
            home.ok(["mute", &kept]);
        }
        left.is_empty().then_some(())
    });
    assert_eq!(named(&places, id), Vec::<String>::new());
    // What stays: one line that says so.
    let removed = home.json(["list", "--removed"]);
    assert_eq!(removed[0]["id"], id, "{removed}");
    assert_eq!(
        (&removed[0]["slug"], &removed[0]["expired"]),
        (&thread["slug"], &Value::Bool(true))
    );
    // The pinned one is as it was, and was never announced.
    assert_eq!(announced(&home, &kept), [Value::Null; 0]);
    home.ok(["send", &kept, "--wait", "$ cat kept.txt"]);
    assert_eq!(items(&home.show(&kept), "commandExecution").last().unwrap()["output"], "kept\n");
}

#[test]
fn a_cloud_that_was_down_removes_after_its_start_what_was_announced_and_announces_the_rest() {
    let home = Home::new().with_clock();
    let repository = home.repository();
    let old = home.begin(&repository, "auto", "$ echo old > old.txt");
    home.wait_turn(&old, 1);
    home.later(10.0);
    let young = home.begin(&repository, "auto", "$ echo young > young.txt");
    home.wait_turn(&young, 1);
    home.later(29.1);
    wait_announced(&home, &old, 1);
    // Down on the thirtieth day of the one, and through all that would have been said of the other.
    home.ok(["cloud", "stop"]);
    home.later(60.0);
    home.ok(["cloud", "start"]);
    home.wait_gone(&old);
    let told = wait_announced(&home, &young, 1);
    assert!(told[0]["title"].as_str().unwrap().ends_with("is removed in 1 day"), "{told:?}");
    // A use makes it young again.
    home.ok(["send", &young, "--wait", "$ cat young.txt"]);
    assert!((29.9..30.1).contains(&days_left(&home.show(&young))));
    home.later(83.1);
    let told = wait_announced(&home, &young, 2);
    assert!(told[1]["title"].as_str().unwrap().ends_with("is removed in 7 days"), "{told:?}");
    let removed = home.json(["list", "--removed"]);
    assert_eq!(removed.as_array().unwrap().len(), 1, "{removed}");
}

/// Spoils what a stopped cloud has on disk of a thread's first turn.
fn spoil(home: &Home, id: &str) {
    let store = home.path("data/cloud/store.db");
    let mut bytes = fs::read(&store).unwrap();
    // Id, number and thread, as they stand in the record; no field begins with 0x0f.
    let turn = [&b"\x0a\x02t1\x10\x01\x1a"[..], &[u8::try_from(id.len()).unwrap()], id.as_bytes()]
        .concat();
    let found: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&turn)).collect();
    assert!(!found.is_empty(), "the turn is not on disk in these words");
    for at in found {
        bytes[at] = 0x0f;
    }
    fs::write(&store, bytes).unwrap();
}

#[test]
fn a_thread_that_cannot_be_read_keeps_no_other_from_being_announced() {
    let home = Home::new().with_clock();
    let repository = home.repository();
    // Who is older is looked at first.
    let [spoiled, whole] = ["spoiled", "whole"].map(|word| {
        let id = home.begin(&repository, "auto", &format!("$ echo {word} > {word}.txt"));
        home.wait_turn(&id, 1);
        id
    });
    home.ok(["cloud", "stop"]);
    spoil(&home, &spoiled);
    home.later(23.1);
    home.ok(["cloud", "start"]);
    let told = wait_announced(&home, &whole, 1);
    assert!(told[0]["title"].as_str().unwrap().ends_with("is removed in 7 days"), "{told:?}");
    assert_eq!(announced(&home, &spoiled), [Value::Null; 0]);
}
