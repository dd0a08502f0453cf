//! SSH into a thread's sandbox, with OpenSSH's own programs (and paramiko, which is none of them) against the real cloud.

mod clients;
mod files;
mod flow;
mod forwards;
mod gateway;
mod sessions;
mod trust;

use aloft_tests::{footprint, home::Home, poll, ssh::Person};

/// A thread that is idle, and somebody who may enter it.
fn thread(home: &Home) -> (String, Person<'_>) {
    let repository = home.repository();
    let thread = home.shell(&repository, "auto", "$ echo hello > made");
    (thread["id"].as_str().unwrap().to_owned(), Person::registered(home))
}

/// The guest of a thread, as this machine sees it.
fn guest(thread: &str) -> i32 {
    // The sandbox's first process has it in its command line too; the guest is the younger one.
    let mark = format!("--sandbox\0{thread}");
    poll::until("the guest", || Home::processes_with(&mark).into_iter().max())
}

/// A figure of a process's status, such as `VmRSS` in KiB.
fn figure(pid: i32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.split_ascii_whitespace().next().unwrap().parse().unwrap()
}

/// How many descriptors a process has open, where one may look into it.
fn descriptors(pid: i32) -> Option<u32> {
    match footprint::descriptors(pid) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            eprintln!("not counted: what process {pid} has open, as only root may look into it");
            None
        }
        open => Some(open.unwrap().values().sum()),
    }
}

/// Bytes that no two places have alike.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
