//! What a person changes in a workspace between two turns is the person's: kept, told, and no part of a turn.

use std::fs;

use aloft_tests::home::{Home, items, kill};

#[test]
fn what_a_person_changed_is_shown_apart_from_the_turn() {
    let home = Home::new();
    let thread = home.shell(&home.repository(), "auto", "$ echo 1 > by-agent; echo 1 > both");
    let id = thread["id"].as_str().unwrap();
    let workspace = home.workspace(id);
    // Nothing changed: nothing is said.
    home.ok(["send", id, "--wait", "$ echo 2 > second"]);
    assert!(items(&home.show(id), "fileChange").iter().all(|item| item["author"] != "person"));

    fs::write(workspace.join("by-hand"), "mine\n").unwrap();
    fs::write(workspace.join("both"), "mine\n").unwrap();
    fs::write(workspace.join("not.log"), "ignored\n").unwrap();
    fs::remove_file(workspace.join("second")).unwrap();
    home.ok(["send", id, "--wait", "$ cat by-hand; echo 3 >> both; echo 3 > third"]);
    let shown = home.show(id);
    let changes: Vec<_> =
        items(&shown, "fileChange").into_iter().filter(|item| item["author"] == "person").collect();
    assert_eq!(changes.len(), 1, "{shown:#}");
    let files: Vec<(&str, &str)> = changes[0]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["path"].as_str().unwrap(), file["status"].as_str().unwrap()))
        .collect();
    assert_eq!(files, [("both", "modified"), ("by-hand", "added"), ("second", "deleted")]);
    assert!(changes[0]["changes"][1]["patch"].as_str().unwrap().contains("+mine"), "{shown:#}");

    let of_turn = home.ok(["diff", id, "--turn", "3"]);
    assert!(of_turn.contains("+3\n") && !of_turn.contains("+mine"), "{of_turn}");
    assert_eq!(home.ok(["diff", id, "--turn", "3", "--name-only"]), "both\nthird\n");
    assert_eq!(home.ok(["diff", id, "--turn", "2", "--name-only"]), "second\n");
    let whole = home.ok(["diff", id, "--name-only"]);
    assert_eq!(whole, "both\nby-agent\nby-hand\nthird\n");
    // It is kept like anything else: a rewind to before it can be undone.
    home.ok(["rewind", id, "--turn", "2"]);
    assert!(!workspace.join("by-hand").exists());
    home.ok(["rewind", id, "--turn", "3"]);
    assert_eq!(fs::read_to_string(workspace.join("by-hand")).unwrap(), "mine\n");
}

#[test]
fn what_a_person_changed_is_the_persons_also_where_the_sandbox_died_meanwhile() {
    let home = Home::new();
    let thread = home.shell(&home.repository(), "auto", "$ echo 1 > by-agent");
    let id = thread["id"].as_str().unwrap();
    fs::write(home.workspace(id).join("by-hand"), "mine\n").unwrap();
    let mounted = format!("/{id}/workspace ");
    for pid in Home::processes_with("guest") {
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        if mounts.contains(&mounted) {
            kill(pid, libc::SIGKILL);
        }
    }
    home.ok(["send", id, "--wait", "$ echo 2 > second"]);
    let shown = home.show(id);
    assert_eq!(shown["thread"]["lastTurn"]["state"], "completed", "{shown:#}");
    assert!(items(&shown, "fileChange").iter().any(|item| item["author"] == "person"), "{shown:#}");
    assert_eq!(home.ok(["diff", id, "--turn", "2", "--name-only"]), "second\n");
}
