//! A kill ends everything a process started, and nothing else.

use std::{collections::HashSet, time::Instant};

use tonic::Code;

use crate::harness::{Guest, PATIENCE, start, until};

#[tokio::test]
async fn what_ignores_left_its_session_and_hides_is_ended_too() {
    let guest = Guest::start();
    let script = "trap '' TERM; env -i setsid sh -c \"trap '' TERM; (trap '' TERM; sleep 1000 & sleep 1001) & exit\"; \
                  setsid sleep 1002 & sleep 1003";
    guest.shell("agent", script).await;
    guest.shell("other", "setsid sleep 2000 & sleep 2001").await;
    let other_daemon = "env -i sleep 2002 & exit";
    guest.shell("daemon", other_daemon).await;
    guest.whole("daemon").await;
    let all = ["1000", "1001", "1002", "1003", "2000", "2001", "2002"]
        .map(|seconds| format!("sleep {seconds}"));
    until("all run", || all.iter().all(|line| command_lines(&guest).contains(line)).then_some(()))
        .await;

    let killed = guest.kill("agent", 100).await.unwrap();

    assert!(killed >= 4, "{killed} were ended");
    let left: HashSet<String> =
        command_lines(&guest).into_iter().filter(|line| line.starts_with("sleep")).collect();
    let others = all[4..].iter().cloned().collect();
    assert_eq!(left, others, "the agent's are gone, the others live");
    assert_eq!(guest.whole("agent").await.ended.signal, 9);
    assert!(guest.kill("", 0).await.unwrap() >= 3);
    assert_eq!(guest.descendants(), []);
}

#[tokio::test]
async fn who_ends_when_asked_is_not_forced() {
    let guest = Guest::start();
    guest
        .shell("polite", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done")
        .await;
    let mut stream = guest.attach("polite", 0).await;
    assert!(stream.message().await.unwrap().is_some());
    guest.kill("polite", 5000).await.unwrap();
    let whole = guest.whole("polite").await;
    assert_eq!((whole.ended.exit_code, whole.ended.signal), (Some(3), 0));
    assert_eq!(whole.stdout, b"ready\nbye\n");
}

#[tokio::test]
async fn a_kill_of_what_has_ended_finds_what_it_left() {
    let guest = Guest::start();
    guest.shell("gone", "setsid sleep 1000 >/dev/null 2>&1 & exit 0").await;
    assert_eq!(guest.whole("gone").await.ended.exit_code, Some(0));
    assert_eq!(guest.kill("gone", 0).await.unwrap(), 1);
    assert_eq!(guest.descendants(), []);
    assert_eq!(guest.kill("gone", 0).await.unwrap(), 0);
    assert_eq!(guest.kill("never", 0).await.unwrap_err().code(), Code::NotFound);
}

/// Each process of these starts its successor and ends, so that whoever is looked at is already gone.
async fn ends_a_bomb(starter: &str) {
    let guest = Guest::start();
    let bomb = guest.root().join("bomb");
    // It ends by itself should the test fail: after so many generations.
    let script = format!("#!/bin/sh\n[ \"$1\" -gt 4000 ] || {starter} \"$0\" $(($1 + 1)) &\n");
    std::fs::write(&bomb, script).unwrap();
    let bomb = bomb.to_str().unwrap();
    guest.processes().start(start("other", &["sleep", "1000"])).await.unwrap();
    let light = format!(
        "for each in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do sh {bomb} 0 & done; wait; sleep 1000"
    );
    guest.shell("bomb", &light).await;
    until("it grows", || (guest.descendants().len() > 9).then_some(())).await;

    end(&guest).await;
    let left = guest.descendants();
    assert_eq!(left.len(), 1, "only the other one lives: {left:?}");
}

#[tokio::test]
async fn a_fork_bomb_is_ended() {
    ends_a_bomb("sh").await;
}

#[tokio::test]
async fn a_fork_bomb_that_hides_is_ended() {
    ends_a_bomb("setsid env -i /bin/sh").await;
}

#[tokio::test]
async fn a_fork_bomb_that_needs_no_program_is_ended() {
    let guest = Guest::start();
    let script = "f() { [ $1 -gt 30000 ] || f $(($1 + 1)) & }; for each in 1 2 3 4 5 6 7 8; do f 0; done; sleep 1000";
    guest.shell("bomb", script).await;
    until("it grows", || (guest.descendants().len() > 4).then_some(())).await;
    end(&guest).await;
    assert_eq!(guest.descendants(), []);
}

/// Kills the bomb. A machine with much to do may need a second try; a cloud then ends the whole sandbox instead.
async fn end(guest: &Guest) {
    let given_up = Instant::now() + PATIENCE;
    while let Err(status) = guest.kill("bomb", 0).await {
        let busy = status.code() == Code::DeadlineExceeded && Instant::now() < given_up;
        assert!(busy, "{status}");
    }
}

#[tokio::test]
async fn a_crowd_is_ended_at_once() {
    let guest = Guest::start();
    guest.shell("crowd", "i=0; while [ $i -lt 200 ]; do i=$((i + 1)); (while :; do :; done) & done; echo all; wait").await;
    assert!(guest.attach("crowd", 0).await.message().await.unwrap().is_some());
    let killed = guest.kill("crowd", 0).await.unwrap();
    assert_eq!(killed, 201);
    assert_eq!(guest.descendants(), []);
}

fn command_lines(guest: &Guest) -> Vec<String> {
    let line = |(pid, _)| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let shown =
        |line: Vec<u8>| String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ");
    guest.descendants().into_iter().map(line).map(shown).collect()
}
