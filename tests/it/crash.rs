//! Whatever dies in mid-turn: nothing acknowledged is lost, and the next message works.

use std::{
    fs,
    process::{Child, Stdio},
};

use aloft_tests::{
    home::{Home, alive, assert_whole, items, kill},
    poll,
};

/// A thread whose turn has written `before` and goes on for long.
fn at_work(home: &Home, mark: &str) -> String {
    let prompt = format!(
        "$ echo remembered > $HOME/own; echo said\n$ echo before > before; exec bash -c 'exec -a {mark} sleep 1000'"
    );
    let id = home.begin(&home.repository(), "auto", &prompt);
    // The shell that is to write it bears the mark too.
    let written = home.workspace(&id).join("before");
    poll::until("the turn to have written", || {
        fs::read_to_string(&written).is_ok_and(|text| text == "before\n").then_some(())
    });
    Home::wait_processes(mark, 1);
    // What was said before is on its way to the log meanwhile; a crash takes what has not arrived.
    poll::until("the log to have what was said", || {
        let shown = home.show(&id);
        items(&shown, "commandExecution")
            .first()
            .filter(|item| item["output"] == "said\n")
            .map(drop)
    });
    id
}

/// After a crash: not running, the log whole, the files as they were, and the next message works.
fn goes_on(home: &Home, id: &str, states: &[&str]) {
    let shown = home.show(id);
    let state = shown["thread"]["state"].as_str().unwrap();
    assert!(states.contains(&state), "{state} is none of {states:?}");
    assert_eq!(shown["turns"][0]["state"], shown["thread"]["lastTurn"]["state"]);
    assert!(items(&shown, "commandExecution").iter().all(|item| item["state"] != "inProgress"));
    assert_eq!(items(&shown, "commandExecution")[0]["output"], "said\n");
    home.ok(["send", id, "--wait", "$ cat before $HOME/own; git branch --show-current"]);
    let shown = home.show(id);
    let branch = shown["thread"]["branch"].as_str().unwrap();
    let expected = format!("before\nremembered\n{branch}\n");
    assert_eq!(items(&shown, "commandExecution").last().unwrap()["output"], expected.as_str());
    assert_eq!(shown["thread"]["lastTurn"]["state"], "completed");
    assert!(home.ok(["diff", id]).contains("+before"));
    assert_whole(&home.events(id));
}

#[test]
fn a_killed_cloud_comes_back_and_its_threads_go_on() {
    let home = Home::new();
    let mark = home.mark("turn");
    let id = at_work(&home, &mark);
    let before = home.events(&id);
    home.kill_cloud();
    let turn = home.wait_turn(&id, 1);
    assert_eq!(turn["state"], "interrupted", "{turn}");
    // What was told before is told again in the same words.
    assert_eq!(home.events(&id)[..before.len()], before);
    poll::until("the turn's processes to be gone", || {
        Home::processes_with(&mark).is_empty().then_some(())
    });
    goes_on(&home, &id, &["idle", "paused"]);
}

#[test]
fn a_question_open_at_the_crash_is_withdrawn() {
    let home = Home::new();
    let id = home.begin(&home.repository(), "manual", "$ touch asked");
    home.wait_state(&id, "requiresAction");
    home.kill_cloud();
    home.wait_turn(&id, 1);
    let shown = home.show(&id);
    assert!(items(&shown, "permission").iter().all(|item| item["state"] != "inProgress"));
    assert!(!home.workspace(&id).join("asked").exists());
    let run = home.run(["send", &id, "--wait", "$ touch again"]);
    assert_eq!(run.code, 6, "{}", run.stderr);
    home.ok(["answer", &id, "allow"]);
    home.wait_turn(&id, 2);
    assert!(home.workspace(&id).join("again").exists());
}

#[test]
fn messages_that_waited_at_the_crash_are_kept_in_order() {
    let home = Home::new();
    let mark = home.mark("turn");
    let id = at_work(&home, &mark);
    for word in ["one", "two"] {
        home.ok(["send", &id, "--queue", &format!("$ echo {word} >> order")]);
    }
    home.kill_cloud();
    home.wait_turn(&id, 1);
    let waiting = home.json(["queue", &id]);
    let delivered = home.show(&id)["turns"].as_array().unwrap().len();
    assert_eq!(waiting.as_array().unwrap().len() + delivered - 1, 2, "{waiting}");
    home.ok(["send", &id, "--wait", "$ echo sent"]);
    home.wait_turn(&id, 4);
    home.wait_state(&id, "idle");
    assert_eq!(fs::read_to_string(home.workspace(&id).join("order")).unwrap(), "one\ntwo\n");
}

#[test]
fn a_killed_agent_fails_its_turn_and_comes_back_with_the_next_message() {
    let home = Home::new();
    let mark = home.mark("turn");
    let id = at_work(&home, &mark);
    let agent = below_sandbox(&home, &id, "agent");
    kill(agent, libc::SIGKILL);
    let turn = home.wait_turn(&id, 1);
    assert_eq!(turn["state"], "failed", "{turn}");
    let error = &turn["error"];
    assert!(error["reason"].is_string() && error["message"].is_string(), "{turn}");
    poll::until("the turn's processes to be gone", || {
        Home::processes_with(&mark).is_empty().then_some(())
    });
    goes_on(&home, &id, &["idle"]);
}

#[test]
fn a_vanished_sandbox_is_told_and_made_again() {
    for victim in ["guest", "bwrap"] {
        let home = Home::new();
        let mark = home.mark("turn");
        let id = at_work(&home, &mark);
        kill(below_sandbox(&home, &id, victim), libc::SIGKILL);
        let turn = home.wait_turn(&id, 1);
        assert!(turn["state"] == "failed" || turn["state"] == "interrupted", "{victim}: {turn}");
        poll::until("the turn's processes to be gone", || {
            Home::processes_with(&mark).is_empty().then_some(())
        });
        goes_on(&home, &id, &["idle", "paused", "failed"]);
    }
}

#[test]
fn a_turn_ends_although_nobody_watches() {
    let home = Home::new();
    let prompt = "$ while ! test -e go; do sleep 0.05; done\n$ echo after > after";
    let id = home.begin(&home.repository(), "auto", prompt);
    let mut bridge = home.command(["follow", &id]).stdout(Stdio::piped()).spawn().unwrap();
    home.wait_state(&id, "running");
    bridge.kill().unwrap();
    bridge.wait().unwrap();
    fs::write(home.workspace(&id).join("go"), "").unwrap();
    poll::until("the turn to have written", || {
        home.workspace(&id).join("after").exists().then_some(())
    });
    assert_eq!(home.wait_turn(&id, 1)["state"], "completed");
    assert!(home.ok(["diff", &id]).contains("+after"));
}

#[test]
fn a_paused_thread_has_no_process_and_comes_back_whole() {
    let home = Home::new();
    let mark = home.mark("left");
    let prompt = format!(
        "$ echo said; echo before > before; echo remembered > $HOME/own\n$ (setsid bash -c 'exec -a {mark} sleep 1000' > /dev/null 2>&1 &)"
    );
    let thread = home.shell(&home.repository(), "auto", &prompt);
    let id = thread["id"].as_str().unwrap();
    Home::wait_processes(&mark, 1);
    home.ok(["pause", id]);
    home.wait_state(id, "paused");
    assert_eq!(Home::processes_with(&mark), [0; 0]);
    assert_eq!(sandbox_processes(&home, id), [0; 0]);
    // What it changed can be read all the same.
    assert!(home.ok(["diff", id]).contains("+before"));
    home.ok(["resume", id]);
    home.wait_state(id, "idle");
    goes_on(&home, id, &["idle"]);
    // A message wakes it as well.
    home.ok(["pause", id]);
    home.wait_state(id, "paused");
    home.ok(["send", id, "--wait", "$ cat before"]);
    assert_eq!(items(&home.show(id), "commandExecution").last().unwrap()["output"], "before\n");
}

#[test]
fn a_stopped_cloud_leaves_no_process() {
    let home = Home::new();
    let mark = home.mark("turn");
    let id = at_work(&home, &mark);
    let pid = home.cloud_pid();
    home.ok(["cloud", "stop"]);
    assert!(!alive(pid));
    assert_eq!(Home::processes_with(&mark), [0; 0]);
    assert_eq!(sandbox_processes(&home, &id), [0; 0]);
    assert_eq!(home.fails(4, ["cloud", "status"])["reason"], "CLOUD_NOT_RUNNING");
    // Asking for anything starts it again.
    assert_eq!(home.show(&id)["turns"][0]["state"], "interrupted");
    goes_on(&home, &id, &["idle", "paused"]);
}

#[test]
fn ten_that_ask_at_once_start_one_cloud() {
    let home = Home::new();
    let asking: Vec<Child> = (0..10)
        .map(|_| {
            let mut command = home.command(["list", "--json"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in asking {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "[]");
    }
    // Not its heir, which looks at the same folder.
    let data = format!("--data\0{}", home.path("data/cloud").display());
    let clouds: Vec<i32> = Home::processes_with(&data);
    assert_eq!(clouds, [home.cloud_pid()]);
}

/// The process of a sandbox that has this word among its arguments.
fn below_sandbox(home: &Home, id: &str, word: &str) -> i32 {
    poll::until(&format!("the {word} of {id}"), || {
        sandbox_processes(home, id).into_iter().find(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut words = line.split(|byte| *byte == 0);
            words.any(|part| {
                part == word.as_bytes() || part.ends_with(format!("/{word}").as_bytes())
            })
        })
    })
}

/// Processes that live in a thread's sandbox, by the workspace they have mounted.
fn sandbox_processes(home: &Home, id: &str) -> Vec<i32> {
    let workspace = home.workspace(id);
    let mounted = workspace.to_str().unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let mounts = fs::read_to_string(entry.path().join("mountinfo")).unwrap_or_default();
        if alive(pid) && mounts.lines().any(|line| line.contains(&format!(" {mounted} "))) {
            found.push(pid);
        }
    }
    found.sort_unstable();
    found
}
