//! A thread that rests: frozen after its turn, suspended after the idle time, brought back by whoever needs it.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use aloft_tests::{
    home::{Home, alive, items, kill},
    poll,
    remote::free_port,
    ssh::Person,
};

/// A command that counts in a file of the workspace as long as it runs, known by `mark`.
fn counting(mark: &str) -> String {
    format!(
        "$ nohup bash -c ': {mark}; i=0; while :; do i=$((i+1)); echo $i > .new; mv .new count; sleep 0.02; done' > /dev/null 2>&1 &"
    )
}

/// How far the count is.
fn count(home: &Home, id: &str) -> u64 {
    let text = fs::read_to_string(home.workspace(id).join("count")).unwrap_or_default();
    text.trim().parse().unwrap_or_default()
}

/// Waits until the count stands still.
fn stands_still(home: &Home, id: &str) -> u64 {
    poll::until("the count to stand still", || {
        let before = count(home, id);
        sleep(Duration::from_millis(300));
        (before > 0 && before == count(home, id)).then_some(before)
    })
}

/// What the thread was told, in order.
fn told(home: &Home, id: &str) -> Vec<String> {
    let shown = home.show(id);
    let notices = items(&shown, "notice").into_iter();
    notices.map(|item| item["text"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the thread was told something that begins so.
fn wait_told(home: &Home, id: &str, begins: &str) -> String {
    poll::until(&format!("{id} to be told: {begins}"), || {
        told(home, id).into_iter().find(|text| text.starts_with(begins))
    })
}

#[test]
fn a_sandbox_stands_still_after_its_turn_and_goes_on_with_the_next() {
    let home = Home::new();
    let mark = home.mark("job");
    let id = home.begin(&home.repository(), "auto", &counting(&mark));
    home.wait_turn(&id, 1);
    let named = wait_told(&home, &id, "Left running in the background");
    assert!(named.contains(&mark), "{named}");
    let still = stands_still(&home, &id);
    // Its processes are there, and the thread is as ready as ever.
    assert!(!Home::processes_with(&mark).is_empty());
    assert_eq!(home.show(&id)["thread"]["state"], "idle");
    // The turn lasts until the job was seen to go on.
    home.ok([
        "send",
        &id,
        "--wait",
        &format!("$ until [ $(cat count) -gt {still} ]; do sleep 0.05; done"),
    ]);
    assert!(count(&home, &id) > still);
    // It stands still again, and is not named again.
    stands_still(&home, &id);
    assert_eq!(told(&home, &id).len(), 1, "{:?}", told(&home, &id));
    // A pause ends it, and says so.
    home.ok(["pause", &id]);
    home.wait_state(&id, "paused");
    poll::until("the job to be gone", || Home::processes_with(&mark).is_empty().then_some(()));
    let ended = wait_told(&home, &id, "Ended in the background");
    assert!(ended.contains(&mark), "{ended}");
}

#[test]
fn a_frozen_sandbox_outlives_its_cloud_and_answers_the_next() {
    let home = Home::new();
    let mark = home.mark("job");
    let id = home.begin(&home.repository(), "auto", &counting(&mark));
    home.wait_turn(&id, 1);
    stands_still(&home, &id);
    home.kill_cloud();
    // The job belonged to an agent whose cloud is gone: it ends, and the thread says so.
    wait_told(&home, &id, "Ended in the background");
    home.ok(["send", &id, "--wait", "$ test -e count && echo kept > kept"]);
    assert_eq!(home.show(&id)["thread"]["lastTurn"]["state"], "completed");
    assert_eq!(Home::processes_with(&mark), Vec::<i32>::new());
}

#[test]
fn what_stands_still_ends_where_its_cloud_was_killed_and_does_not_come_back() {
    let home = Home::new();
    home.configure("outliveSeconds = 2\n");
    let mark = home.mark("job");
    let id = home.begin(&home.repository(), "auto", &counting(&mark));
    home.wait_turn(&id, 1);
    stands_still(&home, &id);
    let inside = Home::processes_with(&mark);
    assert!(!inside.is_empty());
    home.kill_cloud();
    // Nobody asks anything here: that would start another cloud.
    poll::until("the sandbox to be gone", || inside.iter().all(|pid| !alive(*pid)).then_some(()));
    poll::until("its heir to be gone", || heirs(&home).is_empty().then_some(()));
    home.ok(["send", &id, "--wait", "$ test -e count && echo kept > kept"]);
    assert_eq!(home.show(&id)["thread"]["lastTurn"]["state"], "completed");
    wait_told(&home, &id, "Ended in the background");
}

#[test]
fn a_cloud_has_one_heir_also_after_it_was_killed() {
    let home = Home::new();
    let id = home.begin(&home.repository(), "auto", "$ true");
    home.wait_turn(&id, 1);
    let first = poll::until("the heir", || heirs(&home).first().copied());
    home.kill_cloud();
    home.wait_state(&id, "idle");
    poll::until("another heir, and no more than that", || {
        let heirs = heirs(&home);
        (heirs.len() == 1 && heirs[0] != first).then_some(())
    });
    home.ok(["cloud", "stop"]);
    poll::until("no heir, where nothing is left", || heirs(&home).is_empty().then_some(()));
}

/// Who would end this machine's sandboxes after its cloud.
fn heirs(home: &Home) -> Vec<i32> {
    Home::processes_with(&format!("--sandboxes\0{}", home.path("s/s").display()))
}

#[test]
fn a_cloud_that_stops_leaves_nothing_that_stands_still() {
    let home = Home::new();
    let mark = home.mark("job");
    let id = home.begin(&home.repository(), "auto", &counting(&mark));
    home.wait_turn(&id, 1);
    stands_still(&home, &id);
    home.ok(["cloud", "stop"]);
    assert_eq!(Home::processes_with(&mark), Vec::<i32>::new());
    home.ok(["send", &id, "--wait", "$ test -e count && echo kept > kept"]);
    assert_eq!(home.show(&id)["thread"]["lastTurn"]["state"], "completed");
    wait_told(&home, &id, "Ended in the background");
}

#[test]
fn an_idle_thread_is_suspended_and_a_message_brings_everything_back() {
    let home = Home::new();
    home.configure("idleSeconds = 3\nafterTurn = \"run\"\n");
    let mark = home.mark("job");
    let id = home.begin(
        &home.repository(),
        "auto",
        &format!(
            "$ echo '#!/bin/sh' > $HOME/tool; echo 'echo tool works' >> $HOME/tool; chmod +x $HOME/tool; echo draft > new; git branch side\n{}",
            counting(&mark)
        ),
    );
    home.wait_turn(&id, 1);
    // It runs on until the idle time is over.
    let processes = Home::wait_processes(&mark, 1);
    home.wait_state(&id, "paused");
    poll::until("everything to be gone", || processes.iter().all(|pid| !alive(*pid)).then_some(()));
    let ended = wait_told(&home, &id, "Ended in the background");
    assert!(ended.contains(&mark), "{ended}");
    home.ok([
        "send",
        &id,
        "--wait",
        "$ $HOME/tool; cat new; git branch --format='%(refname:short)'; git status --porcelain new",
    ]);
    let shown = home.show(&id);
    let branch = shown["thread"]["branch"].as_str().unwrap();
    let output = items(&shown, "commandExecution").last().unwrap()["output"].as_str().unwrap();
    for kept in ["tool works", "draft", branch, "side", "?? new"] {
        assert!(output.contains(kept), "{kept} is not in {output}");
    }
    // `resume` alone brings it back too; then it is idle for its time again.
    home.wait_state(&id, "paused");
    home.ok(["resume", &id]);
    home.wait_state(&id, "idle");
    home.wait_state(&id, "paused");
}

#[test]
fn an_open_session_keeps_a_thread_up_and_its_end_lets_it_rest() {
    let home = Home::new();
    home.configure("idleSeconds = 2\n");
    let id = home.begin(&home.repository(), "auto", "$ true");
    home.wait_turn(&id, 1);
    let person = Person::registered(&home);
    let host = format!("{id}.aloft");
    let mut command = person.command("ssh", [&host, "cat"]);
    let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut said, mut heard) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
    let mut echoes = || {
        let mut word = [0; 6];
        said.write_all(b"awake\n").unwrap();
        heard.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"awake\n");
    };
    echoes();
    // Several times as long as it may be idle, with nothing said.
    sleep(Duration::from_secs(8));
    assert_eq!(home.show(&id)["thread"]["state"], "idle");
    echoes();
    drop(said);
    assert!(client.wait().unwrap().success());
    home.wait_state(&id, "paused");
}

#[test]
fn an_open_forward_keeps_a_thread_up_and_its_end_lets_it_rest() {
    let home = Home::new();
    home.configure("idleSeconds = 2\n");
    let id = home.begin(&home.repository(), "auto", "$ true");
    home.wait_turn(&id, 1);
    let person = Person::registered(&home);
    let (host, port) = (format!("{id}.aloft"), free_port());
    let forward = format!("{port}:127.0.0.1:9");
    let mut client = person.command("ssh", ["-N", "-L", &forward, &host]).spawn().unwrap();
    poll::until("the forward", || TcpStream::connect(("127.0.0.1", port)).ok());
    // Several times as long as it may be idle, with nothing passed on.
    sleep(Duration::from_secs(8));
    assert_eq!(home.show(&id)["thread"]["state"], "idle");
    kill(client.id().cast_signed(), libc::SIGTERM);
    client.wait().unwrap();
    home.wait_state(&id, "paused");
}

#[test]
fn a_setting_suspends_at_the_end_of_the_turn() {
    let home = Home::new();
    home.configure("afterTurn = \"suspend\"\n");
    let id = home.begin(&home.repository(), "auto", "$ echo one > one");
    home.wait_turn(&id, 1);
    home.wait_state(&id, "paused");
    home.ok(["send", &id, "--wait", "$ cat one"]);
    home.wait_state(&id, "paused");
}
