//! Many at once on one repository: each has its own branch and change, and nothing of another's.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use aloft_tests::{
    git::git,
    home::{Home, assert_whole, finish, items},
    poll,
};
use serde_json::Value;

const THREADS: usize = 20;

#[test]
fn twenty_threads_on_one_repository_keep_to_themselves() {
    let home = Home::new();
    let repository = home.repository();
    let canaries: Vec<String> =
        (0..THREADS).map(|number| home.mark(&format!("canary-{number}-"))).collect();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let begun: Vec<_> = canaries
            .iter()
            .map(|canary| {
                let prompt = format!(
                    "```write own.txt\n{canary}\n```\n$ git add -A; git commit -qm 'Add {canary}'; touch ready.log\n\
                     $ while ! test -e go.log; do sleep 0.1; done\n$ echo {canary} >> README.md\n\
                     $ git fsck --full --strict --no-dangling"
                );
                let (home, repository) = (&home, &repository);
                scope.spawn(move || home.begin(repository, "auto", &prompt))
            })
            .collect();
        begun.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for id in &ids {
        let ready = home.workspace(id).join("ready.log");
        poll::until(&format!("{id} to have committed"), || ready.exists().then_some(()));
    }
    for id in &ids {
        fs::write(home.workspace(id).join("go.log"), "").unwrap();
    }
    let turns: Vec<Value> = ids.iter().map(|id| home.wait_turn(id, 1)).collect();
    assert!(turns.iter().all(|turn| turn["state"] == "completed"), "{turns:?}");
    // RFC 3339 in UTC with as many digits each: the order of the texts is that of the times.
    let time = |turn: &Value, name: &str| turn[name].as_str().unwrap().to_owned();
    let last_start = turns.iter().map(|turn| time(turn, "startTime")).max().unwrap();
    let first_end = turns.iter().map(|turn| time(turn, "endTime")).min().unwrap();
    assert!(last_start < first_end, "{last_start} {first_end}");

    let mut branches = HashSet::new();
    for (id, canary) in ids.iter().zip(&canaries) {
        let shown = home.show(id);
        branches.insert(shown["thread"]["branch"].as_str().unwrap().to_owned());
        let commands = items(&shown, "commandExecution");
        assert!(commands.iter().all(|item| item["exitCode"] == 0), "{commands:?}");
        let diff = home.ok(["diff", id]);
        let expected = expected(&home, &repository, canary);
        assert_eq!(diff, expected);
        let events = home.events(id);
        assert_whole(&events);
        let log = serde_json::to_string(&events).unwrap();
        let sandbox = home.workspace(id).parent().unwrap().to_owned();
        let files = ["workspace", "home"].map(|own| contents(&sandbox.join(own))).concat();
        for (other, foreign) in canaries.iter().enumerate() {
            let own = foreign == canary;
            assert_eq!(log.contains(foreign), own, "the log of {id} and {other}");
            let found = files.windows(foreign.len()).any(|window| window == foreign.as_bytes());
            assert_eq!(found, own, "the files of {id} and {other}");
        }
    }
    assert_eq!(branches.len(), THREADS);
    for repository in repositories(&home) {
        git(&repository, &["fsck", "--full", "--strict", "--no-dangling"]);
    }
}

#[test]
fn ten_bridges_that_watch_one_thread_are_told_the_same() {
    let home = Home::new();
    let prompt = "$ while ! test -e go; do sleep 0.05; done; for i in $(seq 50); do echo $i; sleep 0.01; done";
    let id = home.begin(&home.repository(), "auto", prompt);
    home.wait_state(&id, "running");
    let bridges: Vec<_> = (0..10)
        .map(|number: u64| {
            let mut command = home.command(["follow", &id, "--wait", "--json", "--after"]);
            command.arg(number.to_string()).stdout(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    fs::write(home.workspace(&id).join("go"), "").unwrap();
    let logs: Vec<Vec<Value>> = bridges
        .into_iter()
        .map(|bridge| {
            let output = bridge.wait_with_output().unwrap();
            assert!(output.status.success());
            let text = String::from_utf8(output.stdout).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        })
        .collect();
    let end = home.show(&id)["turns"][0]["endTime"].clone();
    for (after, log) in logs.iter().enumerate() {
        assert_eq!(log[0]["cursor"], after + 1, "each begins after what it knows");
        assert_eq!(log.last().unwrap()["turn"]["endTime"], end);
        let completed = |log: &[Value]| -> Vec<Value> {
            log.iter().filter(|event| event["type"] == "itemCompleted").cloned().collect()
        };
        assert_eq!(completed(log), completed(&logs[0]));
    }
}

#[test]
fn ten_people_work_at_ten_threads_at_once() {
    let home = Home::new();
    let repository = home.repository();
    std::thread::scope(|scope| {
        for number in 0..10 {
            let (home, repository) = (&home, &repository);
            scope.spawn(move || {
                let path = repository.to_str().unwrap();
                let prompt = format!("$ echo {number} > n");
                let run = finish(home.command([
                    "new", "--agent", "shell", "--mode", "auto", "--repo", path, "--wait",
                    "--json", &prompt,
                ]));
                assert_eq!(run.code, 0, "{}", run.stderr);
                let thread: Value = serde_json::from_str(&run.text()).unwrap();
                assert!(
                    home.ok(["diff", thread["id"].as_str().unwrap()])
                        .contains(&format!("+{number}"))
                );
            });
        }
    });
    assert_eq!(home.json(["list"]).as_array().unwrap().len(), 10);
}

/// The change as git alone makes it.
fn expected(home: &Home, repository: &Path, canary: &str) -> String {
    let clone = home.path(&format!("clone-{canary}"));
    git(
        &home.path("home"),
        &["clone", "-q", repository.to_str().unwrap(), clone.to_str().unwrap()],
    );
    fs::write(clone.join("own.txt"), format!("{canary}\n")).unwrap();
    let mut readme = fs::read_to_string(clone.join("README.md")).unwrap();
    readme.extend([canary, "\n"]);
    fs::write(clone.join("README.md"), readme).unwrap();
    git(&clone, &["add", "-A"]);
    let diff = git(&clone, &["diff", "--cached", "-M", "HEAD"]) + "\n";
    fs::remove_dir_all(clone).unwrap();
    diff
}

/// All files below a folder, one after the other.
fn contents(folder: &Path) -> Vec<u8> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .flat_map(|entry| match entry.file_type().unwrap() {
            kind if kind.is_dir() => contents(&entry.path()),
            kind if kind.is_file() => fs::read(entry.path()).unwrap(),
            _ => Vec::new(),
        })
        .collect()
}

/// The mirror and every snapshot repository.
fn repositories(home: &Home) -> Vec<PathBuf> {
    let folders = [home.path("s/mirrors"), home.path("data/cloud/snapshots")];
    let found: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap().flatten())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "git"))
        .collect();
    assert_eq!(found.len(), THREADS + 1);
    found
}
