//! A thread as one file: it comes back as it was, also where nothing else of it is left; what is no whole archive leaves
//! no trace.

use std::fs;

use aloft_tests::home::{Home, assert_whole, items};
use serde_json::Value;

/// A thread with two turns, the second of them not committed.
fn two_turns(home: &Home) -> String {
    let repository = home.repository();
    let first = "$ echo 1 > a; git add a; git commit -qm one; seq 30000";
    let id = home.shell(&repository, "auto", first)["id"].as_str().unwrap().to_owned();
    home.ok(["send", &id, "--wait", "$ echo 2 > a; printf '\\377\\0' > binary; ln -s a link"]);
    id
}

/// What people see of a thread, without what names it.
fn seen(home: &Home, id: &str) -> (Vec<Value>, Vec<Value>, String, String) {
    let shown = home.show(id);
    let mut turns = shown["turns"].as_array().unwrap().clone();
    for turn in &mut turns {
        turn["threadId"].take();
    }
    let items = shown["items"].as_array().unwrap().clone();
    (turns, items, home.ok(["diff", id]), home.ok(["diff", id, "--turn", "2"]))
}

fn files_below(home: &Home, folder: &str) -> usize {
    fs::read_dir(home.path(folder)).map_or(0, |entries| entries.flatten().count())
}

#[test]
fn a_thread_comes_back_from_its_file_when_everything_else_is_gone() {
    let home = Home::new();
    let id = two_turns(&home);
    let before = seen(&home, &id);
    let thread = home.show(&id)["thread"].clone();
    let events = home.events(&id);
    let file = home.path("home/thread.aloft");
    let file = file.to_str().unwrap();
    home.ok(["archive", &id, file]);
    assert_eq!(home.fails(1, ["archive", &id, file])["reason"], "FILE_EXISTS");

    // While the thread is there, another one comes of it.
    let second = home.json(["restore", file]);
    assert_eq!(second["state"], "paused");
    for field in ["id", "slug", "branch"] {
        assert_ne!(second[field], thread[field]);
    }
    let second = second["id"].as_str().unwrap().to_owned();
    assert_eq!(seen(&home, &second), before);
    home.ok(["delete", &id, &second, "--yes"]);
    home.wait_gone(&id);
    home.wait_gone(&second);
    fs::remove_dir_all(home.path("repository")).unwrap();

    let back = home.json(["restore", file]);
    for field in ["id", "slug", "branch", "title", "baseCommit", "diff", "lastTurn", "createTime"] {
        assert_eq!(back[field], thread[field], "{field}");
    }
    assert_eq!(seen(&home, &id), before);
    let again = home.events(&id);
    assert_eq!(again.len(), events.len() + 1, "the log is as it was, and tells of the restore");
    assert_whole(&again);
    home.ok(["send", &id, "--wait", "$ cat a; git log -1 --format=%s; git branch --show-current"]);
    let shown = home.show(&id);
    let branch = thread["branch"].as_str().unwrap();
    let output = &items(&shown, "commandExecution").last().unwrap()["output"];
    assert_eq!(*output, format!("2\none\n{branch}\n"));
    assert_eq!(home.ok(["diff", &id, "--turn", "3"]), "");
    home.ok(["rewind", &id, "--turn", "1"]);
    assert_eq!(fs::read_to_string(home.workspace(&id).join("a")).unwrap(), "1\n");
}

#[test]
fn a_file_that_is_no_whole_archive_leaves_nothing_behind() {
    let home = Home::new();
    let id = two_turns(&home);
    let file = home.path("home/thread.aloft");
    home.ok(["archive", &id, file.to_str().unwrap()]);
    let good = fs::read(&file).unwrap();
    let text = |bytes: &[u8]| bytes.to_vec();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("another file", text(b"PK\x03\x04../../etc/passwd")),
        ("another version", [b"aloft archive 9\n", &good[16..]].concat()),
        ("only its head", text(&good[..16])),
        ("a huge record", [&good[..16], b"\xff\xff\xff\xff", &good[20..]].concat()),
        ("cut in the log", text(&good[..good.len() / 3])),
        ("cut before its end", text(&good[..good.len() - 20])),
        ("a bit in the header", flipped(60)),
        ("a bit in the log", flipped(good.len() / 3)),
        ("a bit in the bundle", flipped(good.len() - 2_000)),
        ("more after its end", [&good[..], b"x"].concat()),
        ("twice", [&good[..], &good[..]].concat()),
    ];
    let before = (
        home.json(["list", "--all"]),
        files_below(&home, "data/cloud/threads"),
        files_below(&home, "s/mirrors"),
    );
    for (name, bytes) in bad {
        let path = home.path("home/bad.aloft");
        fs::write(&path, bytes).unwrap();
        let error = home.fails(1, ["restore", path.to_str().unwrap()]);
        assert_eq!(error["reason"], "ARCHIVE_INVALID", "{name}: {error}");
        let after = (
            home.json(["list", "--all"]),
            files_below(&home, "data/cloud/threads"),
            files_below(&home, "s/mirrors"),
        );
        assert_eq!(after, before, "{name}");
    }
    assert_eq!(home.fails(1, ["restore", "/nothing/here"])["reason"], "LOCAL_IO");
    assert_eq!(home.fails(1, ["archive", &id, "/nothing/here/file"])["reason"], "LOCAL_IO");
}
