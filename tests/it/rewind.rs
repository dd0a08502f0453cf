//! Back to the end of a turn, in place or in a new thread: nothing is lost, and what is seen is what was there.

use std::{fs, path::Path, process::Command};

use aloft_tests::{
    home::{Home, assert_whole, finish, items},
    poll,
};
use serde_json::Value;

/// A thread with three turns: each writes its number into `a`, a new file of its own, and commits in the second.
fn three_turns(home: &Home) -> String {
    let repository = home.repository();
    let first = "$ echo 1 > a; echo 1 > one; echo kept > own.log";
    let id = home.shell(&repository, "auto", first)["id"].as_str().unwrap().to_owned();
    home.ok(["send", &id, "--wait", "$ echo 2 > a; echo 2 > two; git add .; git commit -qm two"]);
    home.ok(["send", &id, "--wait", "$ echo 3 > a; rm one; echo 3 > three; git add three"]);
    id
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What a workspace is: the files with their content, and how its repository stands.
fn seen(home: &Home, id: &str) -> (Vec<(String, String)>, String) {
    let workspace = home.workspace(id);
    let mut files: Vec<(String, String)> = fs::read_dir(&workspace)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), read(entry.path())))
        .collect();
    files.sort();
    (files, inside(home, id, &["status", "--porcelain=v2", "--branch"]))
}

/// Runs git in a workspace from outside, reading only, with the objects it borrows from the mirror.
fn inside(home: &Home, id: &str, args: &[&str]) -> String {
    let workspace = home.workspace(id);
    let mirrors = fs::read_dir(home.path("s/mirrors")).unwrap().flatten();
    let objects: Vec<String> =
        mirrors.map(|entry| entry.path().join("objects").display().to_string()).collect();
    let mut command = Command::new("git");
    let safe = format!("safe.directory={}", workspace.display());
    command.current_dir(&workspace).args(["-c", safe.as_str()]).args(args);
    command
        .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects.join(":"))
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let run = finish(command);
    assert_eq!(run.code, 0, "git {args:?}: {}", run.stderr);
    run.text()
}

fn ending(shown: &Value) -> &Value {
    items(shown, "notice").last().copied().unwrap()
}

#[test]
fn a_rewind_brings_everything_back_and_can_be_undone() {
    let home = Home::new();
    let id = three_turns(&home);
    let workspace = home.workspace(&id);
    let third = seen(&home, &id);
    home.ok(["rewind", &id, "--turn", "2"]);
    assert_eq!(read(workspace.join("a")), "2\n");
    assert!(workspace.join("one").exists() && !workspace.join("three").exists());
    assert_eq!(read(workspace.join("own.log")), "kept\n", "ignored files stay");
    let second = seen(&home, &id);
    let shown = home.show(&id);
    assert!(ending(&shown)["text"].as_str().unwrap().contains("--safety 1"), "{shown}");
    assert_eq!(shown["thread"]["state"], "idle");
    assert!(!home.ok(["diff", &id]).contains("three"));

    home.ok(["rewind", &id, "--turn", "1"]);
    let (_, stands) = seen(&home, &id);
    assert!(stands.contains("? one"), "the commit of turn 2 is undone: {stands}");
    home.ok(["rewind", &id, "--turn", "0"]);
    assert!(!workspace.join("a").exists());
    assert_eq!(home.ok(["diff", &id]), "");
    // Each can be undone, in any order.
    home.ok(["rewind", &id, "--safety", "1"]);
    assert_eq!(seen(&home, &id), third);
    home.ok(["rewind", &id, "--safety", "2"]);
    assert_eq!(seen(&home, &id), second);

    // The next turn goes on from there, and its diff is what it did.
    home.ok(["send", &id, "--wait", "$ echo 4 > four"]);
    let diff = home.ok(["diff", &id, "--turn", "4", "--name-only"]);
    assert_eq!(diff.lines().collect::<Vec<_>>(), ["four"]);
    assert_eq!(home.ok(["diff", &id, "--turn", "3", "--name-only"]).lines().count(), 3);
    assert_whole(&home.events(&id));
}

#[test]
fn a_rewind_refuses_to_undo_what_a_person_did() {
    let home = Home::new();
    let id = three_turns(&home);
    let workspace = home.workspace(&id);
    by_hand(&workspace.join("by-hand"), "mine\n");
    let error = home.fails(1, ["rewind", &id, "--turn", "1"]);
    assert_eq!(error["reason"], "WORKSPACE_CHANGED");
    assert!(error["message"].as_str().unwrap().contains("by-hand"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("--force"), "{error}");
    assert_eq!(
        (read(workspace.join("a")), read(workspace.join("by-hand"))),
        ("3\n".into(), "mine\n".into())
    );
    assert_eq!(home.fails(1, ["rewind", &id, "--safety", "1"])["reason"], "NO_SNAPSHOT");
    home.ok(["rewind", &id, "--turn", "1", "--force"]);
    assert!(!workspace.join("by-hand").exists());
    home.ok(["rewind", &id, "--safety", "1"]);
    assert_eq!(read(workspace.join("by-hand")), "mine\n");

    assert_eq!(home.fails(1, ["rewind", &id, "--turn", "9"])["reason"], "TURN_NOT_FOUND");
    home.ok(["send", &id, "$ while ! test -e go; do sleep 0.05; done"]);
    home.wait_state(&id, "running");
    assert_eq!(home.fails(1, ["rewind", &id, "--turn", "1"])["reason"], "TURN_ACTIVE");
    by_hand(&workspace.join("go"), "");
    home.wait_turn(&id, 4);
}

#[test]
fn a_paused_thread_is_rewound_when_it_is_up() {
    let home = Home::new();
    let id = three_turns(&home);
    home.ok(["pause", &id]);
    home.wait_state(&id, "paused");
    home.ok(["rewind", &id, "--turn", "1"]);
    assert_eq!(read(home.workspace(&id).join("a")), "1\n");
    assert_eq!(home.show(&id)["thread"]["state"], "idle");
}

#[test]
fn a_repository_that_is_gone_comes_back_with_a_rewind() {
    let home = Home::new();
    let id = three_turns(&home);
    home.ok(["send", &id, "--wait", "$ rm -rf .git"]);
    home.ok(["rewind", &id, "--turn", "2"]);
    home.ok(["send", &id, "--wait", "$ git log -1 --format=%s; git status --porcelain"]);
    let shown = home.show(&id);
    let output = &items(&shown, "commandExecution").last().unwrap()["output"];
    assert_eq!(output, "two\n");
}

#[test]
fn a_fork_has_the_files_and_the_conversation_of_that_turn() {
    let home = Home::new();
    let id = three_turns(&home);
    home.ok(["rewind", &id, "--turn", "2"]);
    let second = seen(&home, &id);
    home.ok(["rewind", &id, "--safety", "1"]);
    home.ok(["pause", &id]);
    home.wait_state(&id, "paused");
    let fork = home.json(["fork", &id, "--turn", "2"]);
    let (source, fork) = (home.show(&id), fork["id"].as_str().unwrap().to_owned());
    let shown = home.wait_state(&fork, "idle");
    for field in ["id", "slug", "branch"] {
        assert_ne!(shown["thread"][field], source["thread"][field]);
    }
    assert_eq!(shown["thread"]["baseCommit"], source["thread"]["baseCommit"]);
    home.ok(["delete", &id, "--yes"]);
    home.wait_gone(&id);

    // The same files, and its own branch where the other had its own; ignored files stay where they were.
    let (files, stands) = seen(&home, &fork);
    let branch = shown["thread"]["branch"].as_str().unwrap();
    let own = source["thread"]["branch"].as_str().unwrap();
    let expected: Vec<_> = second.0.into_iter().filter(|(name, _)| name != "own.log").collect();
    assert_eq!(files, expected);
    let tracked = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with("# branch.upstream"))
            .map(|line| line.replace(own, branch))
            .collect()
    };
    assert_eq!(tracked(&stands), tracked(&second.1));
    assert_eq!(home.ok(["diff", &fork, "--turn", "2", "--name-only"]), "a\ntwo\n");
    assert_eq!(home.ok(["diff", &fork, "--turn", "1", "--name-only"]), "a\none\n");
    let said: Vec<String> = items(&shown, "userMessage")
        .iter()
        .map(|item| item["input"][0]["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(shown["turns"].as_array().unwrap().len(), 2);
    assert_whole(&home.events(&fork));

    home.ok(["send", &fork, "--wait", "$ cat a; git branch --show-current"]);
    let shown = home.show(&fork);
    assert_eq!(shown["turns"].as_array().unwrap().len(), 3);
    let output = &items(&shown, "commandExecution").last().unwrap()["output"];
    assert_eq!(*output, format!("2\n{branch}\n"));
    // It can be rewound to what the other one did.
    home.ok(["rewind", &fork, "--turn", "1"]);
    assert!(!home.workspace(&fork).join("two").exists());
    assert_eq!(home.show(&fork)["thread"]["state"], "idle");
}

#[test]
fn a_fork_may_begin_before_the_first_turn() {
    let home = Home::new();
    let repository = home.repository();
    fs::write(repository.join("README.md"), "carried\n").unwrap();
    let words = [
        "new",
        "--agent",
        "shell",
        "--mode",
        "auto",
        "--dirty",
        "carry",
        "--wait",
        "--repo",
        repository.to_str().unwrap(),
        "$ rm README.md",
    ];
    let id = home.json(words)["id"].as_str().unwrap().to_owned();
    let fork = home.json(["fork", &id, "--turn", "0"])["id"].as_str().unwrap().to_owned();
    let shown = home.wait_state(&fork, "idle");
    assert_eq!(shown["turns"].as_array().unwrap().len(), 0);
    assert_eq!(read(home.workspace(&fork).join("README.md")), "carried\n");
    let newest = home.json(["fork", &id])["id"].as_str().unwrap().to_owned();
    home.wait_state(&newest, "idle");
    assert!(!home.workspace(&newest).join("README.md").exists());
    assert_eq!(home.fails(1, ["fork", &id, "--turn", "7"])["reason"], "TURN_NOT_FOUND");
}

/// Writes a file as the sandbox's own user would.
fn by_hand(path: &Path, content: &str) {
    use std::os::unix::fs::MetadataExt;
    let owner = fs::metadata(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
    poll::until("the file to be there", || path.exists().then_some(()));
}
