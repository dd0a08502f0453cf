//! The main job, as a person does it: create, watch, look at the change, follow up, delete.

use std::{fs, path::Path, process::Command};

use aloft_tests::{
    git::{git, git_bytes},
    home::{Home, assert_whole, items},
    poll,
};

/// Changes of every kind, one of them committed, the rest not.
const CHANGES: &str = "printf 'FLAG = True\\n' > src/main.py
git add -A && git -c user.name=A -c user.email=a@localhost commit -q -m flag
printf 'one\\ntwo\\nthree\\n' > notes.txt
printf '\\000\\001binary\\377' > data.bin
git mv README.md READ.me
chmod +x src/main.py
ln -s notes.txt link
rm -f .gitignore
mkdir -p 'deep/with space' && printf 'x' > 'deep/with space/\u{e4}.txt'";

#[test]
fn a_diff_equals_that_of_the_same_commands_in_a_clone() {
    let home = Home::new();
    let repository = home.repository();
    let thread = home.shell(&repository, "auto", &format!("```sh\n{CHANGES}\n```"));
    let id = thread["id"].as_str().unwrap();
    assert_eq!(thread["state"], "idle");
    assert_eq!(thread["lastTurn"]["state"], "completed");

    let clone = home.path("clone");
    git(
        &home.path("home"),
        &["clone", "-q", repository.to_str().unwrap(), clone.to_str().unwrap()],
    );
    sh(&clone, CHANGES);
    git(&clone, &["add", "-A"]);
    let base = thread["baseCommit"].as_str().unwrap();
    assert_eq!(base, git(&repository, &["rev-parse", "HEAD"]));
    let expected = git_bytes(&clone, &["diff", "--cached", "-M", base]);
    let shown = home.run(["diff", id]);
    assert_eq!(shown.text(), String::from_utf8_lossy(&expected));
    assert_eq!(shown.stdout, expected);

    let names = git(&clone, &["diff", "--cached", "-M", "--name-only", "-z", base]);
    let mut names: Vec<&str> = names.split_terminator('\0').collect();
    names.sort_unstable();
    let mut listed: Vec<String> =
        home.ok(["diff", id, "--name-only"]).lines().map(str::to_owned).collect();
    listed.sort_unstable();
    assert_eq!(listed, names);

    let files = home.json(["diff", id])["files"].clone();
    let file = |path: &str| {
        let found = files.as_array().unwrap().iter().find(|file| file["path"] == path);
        found.unwrap_or_else(|| panic!("{path} in {files}")).clone()
    };
    assert_eq!(file("READ.me")["status"], "renamed");
    assert_eq!(file("READ.me")["oldPath"], "README.md");
    assert_eq!(file("src/main.py")["oldMode"], "100644");
    assert_eq!(file("src/main.py")["newMode"], "100755");
    assert_eq!(file("data.bin")["binary"], true);
    assert_eq!(file("link")["newMode"], "120000");
    assert_eq!(file(".gitignore")["status"], "deleted");
    let shortstat = git(&clone, &["diff", "--cached", "-M", "--numstat", base]);
    let column = |at: usize| -> u64 {
        shortstat.lines().filter_map(|line| line.split('\t').nth(at)?.parse::<u64>().ok()).sum()
    };
    assert_eq!(thread["diff"]["files"], names.len());
    assert_eq!(thread["diff"]["additions"], column(0));
    assert_eq!(thread["diff"]["deletions"], column(1));

    // Against the last commit only what is not committed remains.
    let head = git(&clone, &["rev-parse", "HEAD"]);
    let expected = git_bytes(&clone, &["diff", "--cached", "-M", &head]);
    assert_eq!(home.ok(["diff", id, "--uncommitted"]), String::from_utf8_lossy(&expected));
}

#[test]
fn a_second_turn_goes_on_where_the_first_ended() {
    let home = Home::new();
    let repository = home.repository();
    let thread = home.shell(
        &repository,
        "auto",
        "plan: write\nplan: look\n```write a/note.txt\nfirst\n```\n$ echo kept > $HOME/own\n$ cat a/note.txt",
    );
    let id = thread["id"].as_str().unwrap();
    home.ok([
        "send",
        id,
        "--wait",
        "$ cat a/note.txt $HOME/own; git branch --show-current\n$ echo second >> a/note.txt",
    ]);

    let shown = home.show(id);
    assert_eq!(shown["turns"].as_array().unwrap().len(), 2);
    let commands = items(&shown, "commandExecution");
    let outputs: Vec<&str> = commands.iter().map(|item| item["output"].as_str().unwrap()).collect();
    let branch = thread["branch"].as_str().unwrap();
    assert_eq!(outputs, ["", "first\n", &format!("first\nkept\n{branch}\n"), ""]);
    assert!(commands.iter().all(|item| item["exitCode"] == 0 && item["state"] == "completed"));
    assert_eq!(items(&shown, "plan")[0]["steps"][1]["state"], "completed");
    assert_eq!(items(&shown, "userMessage").len(), 2);
    let first = home.ok(["diff", id, "--turn", "1"]);
    let second = home.ok(["diff", id, "--turn", "2"]);
    assert!(first.contains("+first") && !first.contains("+second"), "{first}");
    assert!(second.contains("+second") && !second.contains("+first"), "{second}");

    let events = home.events(id);
    assert_whole(&events);
    let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((count("turnStarted"), count("turnCompleted")), (2, 2));
    let markdown = home.ok(["show", id, "--markdown"]);
    assert!(markdown.contains("cat a/note.txt"), "{markdown}");
}

#[test]
fn a_failing_command_ends_the_turn_and_says_so() {
    let home = Home::new();
    let repository = home.repository();
    let thread = home.shell(&repository, "auto", "$ echo no >&2; exit 3\n$ touch never");
    let shown = home.show(thread["id"].as_str().unwrap());
    let commands = items(&shown, "commandExecution");
    assert_eq!(commands.len(), 1);
    assert_eq!(commands[0]["exitCode"], 3);
    assert_eq!(commands[0]["state"], "failed");
    assert_eq!(commands[0]["output"], "no\n");
    assert!(!home.workspace(thread["id"].as_str().unwrap()).join("never").exists());
}

#[test]
fn small_changes_of_a_thread_are_seen_everywhere() {
    let home = Home::new();
    let repository = home.repository();
    let thread = home.shell(&repository, "manual", "say something");
    let id = thread["id"].as_str().unwrap();
    let slug = thread["slug"].as_str().unwrap();
    home.ok(["rename", id, "Another name"]);
    home.ok(["mute", slug]);
    home.ok(["keep", &id[..6]]);
    home.ok(["mode", "@last", "auto"]);
    let listed = home.json(["list"]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let changed = &listed[0];
    assert_eq!(changed["title"], "Another name");
    assert_eq!(changed["muted"], true);
    assert_eq!(changed["keep"], true);
    assert_eq!(changed["mode"], "auto");
    assert_eq!(changed["slug"], slug);
    home.ok(["unmute", id]);
    home.ok(["keep", id, "--off"]);
    let shown = home.show(id)["thread"].clone();
    assert_eq!((&shown["muted"], &shown["keep"]), (&false.into(), &false.into()));
    let list = home.ok(["list"]);
    assert!(list.contains(slug) && list.contains("Another name"), "{list}");
    assert!(home.json(["list", "--state", "running"]).as_array().unwrap().is_empty());
}

#[test]
fn exit_codes_tell_how_it_went() {
    let home = Home::new();
    let repository = home.repository();
    assert_eq!(home.run(["new"]).code, 2);
    assert_eq!(home.run(["nothing-such"]).code, 2);
    assert_eq!(home.fails(1, ["show", "nobody"])["reason"], "THREAD_NOT_FOUND");
    let unreachable = ["--cloud", "unix:/nonexistent/socket", "list"];
    assert_eq!(home.fails(4, unreachable)["retryable"], true);
    let thread = home.shell(&repository, "auto", "$ true");
    let id = thread["id"].as_str().unwrap();
    assert_eq!(home.fails(1, ["stop", id])["reason"], "NO_TURN");
    assert_eq!(home.fails(1, ["answer", id, "allow"])["reason"], "NO_QUESTION");
    assert_eq!(home.fails(1, ["retry", id])["reason"], "NOTHING_TO_RETRY");
    assert_eq!(home.fails(2, ["delete", id])["reason"], "USAGE");
}

#[test]
fn deleting_a_thread_leaves_nothing_of_it() {
    let home = Home::new();
    let repository = home.repository();
    let canary = home.mark("canary");
    let mark = home.mark("left");
    let prompt = format!(
        "```write {canary}-name.txt\n{canary}-file\n```\n$ git add -A; git commit -q -m {canary}-commit; echo {canary}-home > $HOME/x; echo {canary}-out\n\
         $ (setsid bash -c 'exec -a {mark} sleep 1000' > /dev/null 2>&1 &)"
    );
    let thread = home.shell(&repository, "auto", &prompt);
    let id = thread["id"].as_str().unwrap();
    let other = home.shell(&repository, "auto", "$ echo other > other.txt");
    let places = ["data", "s", "run"].map(|place| home.path(place));
    assert!(!holding(&places, &canary).is_empty(), "the canary is looked for in the wrong places");
    assert!(home.workspace(id).exists());

    home.ok(["delete", id, "--yes"]);
    home.wait_gone(id);
    assert_eq!(Home::processes_with(&mark), [0; 0]);
    let other_id = other["id"].as_str().unwrap();
    poll::until("the store to be scrubbed", || {
        let left = holding(&places, &canary);
        let is_store = |path: &String| path.ends_with("store.db") || path.ends_with("store.db-wal");
        assert!(left.iter().all(is_store), "{left:?}");
        if !left.is_empty() {
            // A reader may have held it up: then the next write does it.
            home.ok(["mute", other_id]);
        }
        left.is_empty().then_some(())
    });
    let named: Vec<String> = named(&places, id);
    assert_eq!(named, Vec::<String>::new());
    // The other thread lives on.
    let other = other["id"].as_str().unwrap();
    home.ok(["send", other, "--wait", "$ cat other.txt; git fsck"]);
    home.ok(["delete", other, "--yes"]);
    poll::until("the mirror nobody uses to be freed", || {
        let mirrors = fs::read_dir(home.path("s/mirrors")).unwrap().flatten();
        let kept = mirrors.filter(|entry| entry.file_name().to_string_lossy().ends_with(".git"));
        (kept.count() == 0).then_some(())
    });
}

#[test]
fn a_delete_goes_on_when_the_cloud_ends_in_the_middle() {
    let home = Home::new();
    let repository = home.repository();
    let id = home.begin(
        &repository,
        "auto",
        "$ for i in $(seq 2000); do echo $i > f$i; done; sleep 1000",
    );
    home.wait_state(&id, "running");
    home.ok(["delete", &id, "--yes"]);
    home.kill_cloud();
    home.wait_gone(&id);
    assert_eq!(named(&[home.path("s"), home.path("data")], &id), Vec::<String>::new());
}

fn sh(dir: &Path, script: &str) {
    let status = Command::new("sh").args(["-ec", script]).current_dir(dir).status().unwrap();
    assert!(status.success());
}

/// Files below these folders whose content or name holds `text`.
pub(crate) fn holding(places: &[std::path::PathBuf], text: &str) -> Vec<String> {
    walk(places)
        .into_iter()
        .filter(|path| {
            let content = fs::read(path).unwrap_or_default();
            path.to_string_lossy().contains(text)
                || content.windows(text.len()).any(|window| window == text.as_bytes())
        })
        .map(|path| path.display().to_string())
        .collect()
}

/// Paths below these folders with `text` in them.
pub(crate) fn named(places: &[std::path::PathBuf], text: &str) -> Vec<String> {
    walk(places)
        .into_iter()
        .map(|path| path.display().to_string())
        .filter(|path| path.contains(text))
        .collect()
}

fn walk(places: &[std::path::PathBuf]) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = places.to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}
