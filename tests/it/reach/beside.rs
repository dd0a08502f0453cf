//! A cloud on the person's own machine: what ssh and the sandbox say to each other does not pass through it.

use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
};

use aloft_tests::{
    home::{Home, kill},
    poll,
};

use super::{Ended, command, prepared};

/// A process that stands still, until this is dropped.
struct Halted(i32);

impl Halted {
    fn new(pid: i32) -> Self {
        kill(pid, libc::SIGSTOP);
        poll::until("the process to stand still", || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.contains(") T ").then_some(())
        });
        Self(pid)
    }
}

impl Drop for Halted {
    fn drop(&mut self) {
        kill(self.0, libc::SIGCONT);
    }
}

#[test]
fn a_cloud_that_stands_still_holds_up_no_bytes_and_one_that_ends_ends_them() {
    let home = Home::new();
    let (id, host) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);
    let mut ssh = Ended(
        command(&home, "ssh", &[&host, "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut typed = ssh.0.stdin.take().unwrap();
    let mut said = BufReader::new(ssh.0.stdout.take().unwrap());
    let mut echo = |line: &str| {
        typed.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut heard = String::new();
        said.read_line(&mut heard).unwrap();
        assert_eq!(heard.trim_end(), line);
    };
    echo("before");
    let halted = Halted::new(home.cloud_pid());
    for number in 0..50 {
        echo(&format!("{number} {}", "during".repeat(20_000)));
    }
    drop(halted);
    echo("after");

    // The cloud still has a say in it.
    home.ok(["pause", &id]);
    home.wait_state(&id, "paused");
    assert_eq!(ssh.0.wait().unwrap().code(), Some(255));
}
