//! Looks around, inside a sandbox and outside: the same program in both places, so that each refusal inside has its
//! success outside. Prints one line for each thing it tried.

#![expect(unsafe_code, reason = "the system calls that are to be refused have no safe form")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

use aloft_cloud::sandbox::Sandbox;
use aloft_cloud::sandbox::guest::Command;

use crate::host::{Host, LIMIT, spec};

/// Where this test program is seen inside.
const PROGRAM: &str = "/srv/aloft/probe";

/// Before each line, since the test program prints more.
const MARK: &str = "seen ";

/// What was seen, by name.
pub(crate) type Seen = BTreeMap<String, String>;

/// Started inside a sandbox by the other tests; on its own it is one more look from outside.
#[test]
fn look() {
    for (name, value) in look_around() {
        println!("\n{MARK}{name} {value}");
    }
}

/// Adds this test program to what a sandbox sees.
pub(crate) fn spec_with_program(host: &Host, id: &str) -> aloft_cloud::sandbox::Spec {
    let mut spec = spec(id);
    let program = host.path("probe");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    spec.read_only.push((program, PROGRAM.into()));
    spec
}

pub(crate) async fn look_from(sandbox: &Sandbox) -> Seen {
    let command =
        Command::new([PROGRAM, "inside::look", "--exact", "--nocapture", "--test-threads=1"]);
    let output = sandbox.guest.run(&command, b"", LIMIT, 1 << 20).await.unwrap();
    assert!(output.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix(MARK)?.split_once(' '));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

pub(crate) fn look_around() -> Seen {
    let mut seen = Seen::new();
    look_at_itself(&mut seen);
    call_the_kernel(&mut seen);
    read_and_write(&mut seen);
    seen
}

fn look_at_itself(seen: &mut Seen) {
    let mut see = |name: &str, value: String| {
        seen.insert(name.to_owned(), value);
    };
    for namespace in ["user", "pid", "net", "ipc", "uts", "cgroup", "mnt"] {
        let link = fs::read_link(format!("/proc/self/ns/{namespace}")).unwrap();
        see(&format!("namespace-{namespace}"), link.display().to_string());
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    for field in ["CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "Uid"] {
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{field}:"))).unwrap();
        see(field, line.split_whitespace().next().unwrap().to_owned());
    }
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let processes = processes
        .filter(|entry| entry.file_name().to_str().unwrap().parse::<u32>().is_ok())
        .count();
    see("processes", processes.to_string());
    let mut variables: Vec<_> =
        std::env::vars_os().map(|(name, _)| name.into_string().unwrap()).collect();
    variables.sort_unstable();
    see("variables", variables.join(","));
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let mut files: Vec<_> = descriptors
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|link| link.display().to_string())
        .collect();
    files.sort_unstable();
    see("descriptors", files.join(","));
}

fn call_the_kernel(seen: &mut Seen) {
    let mut see = |name: &str, value: String| {
        seen.insert(name.to_owned(), value);
    };
    for (name, family) in
        [("vsock", libc::AF_VSOCK), ("packet", libc::AF_PACKET), ("inet", libc::AF_INET)]
    {
        // SAFETY: takes numbers only.
        let socket = unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        see(name, outcome(socket.into()));
    }
    // Of each call: harmless arguments, for which an unhindered kernel has another answer than EPERM.
    for (name, number, arguments) in [
        ("io-uring", libc::SYS_io_uring_setup, [0, 0]),
        ("ptrace", libc::SYS_ptrace, [i64::from(libc::PTRACE_DETACH), i64::from(i32::MAX)]),
        ("keyctl", libc::SYS_keyctl, [-1, 0]),
        ("bpf", libc::SYS_bpf, [-1, 0]),
        ("mount", libc::SYS_mount, [0, 0]),
        ("unshare", libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0]),
    ] {
        let [first, second] = arguments;
        // SAFETY: the arguments are numbers, or null pointers that the kernel refuses to read.
        let call = || unsafe { libc::syscall(number, first, second, 0, 0, 0, 0) };
        see(name, child_outcome(call));
    }
    let interfaces = fs::read_to_string("/proc/net/dev").unwrap();
    let interfaces: Vec<_> =
        interfaces.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    see("interfaces", interfaces.join(","));
    see(
        "connect",
        std::net::UdpSocket::bind("0.0.0.0:0")
            .and_then(|socket| socket.connect("192.0.2.1:9"))
            .map_or_else(name_of, |()| "ok".to_owned()),
    );
}

fn read_and_write(seen: &mut Seen) {
    let mut see = |name: &str, value: String| {
        seen.insert(name.to_owned(), value);
    };
    for path in [
        "/etc/shadow",
        "/etc/passwd",
        "/root",
        "/home",
        "/var/lib",
        "/proc/1/environ",
        "/srv/aloft/mirror.git/HEAD",
    ] {
        let read = if Path::new(path).is_dir() {
            fs::read_dir(path).map(|entries| {
                let mut names: Vec<_> = entries
                    .flatten()
                    .map(|entry| entry.file_name().into_string().unwrap())
                    .collect();
                names.sort_unstable();
                names.join(",")
            })
        } else {
            fs::read(path).map(|content| format!("{} bytes", content.len()))
        };
        see(&format!("read:{path}"), read.unwrap_or_else(name_of));
    }
    let inside = std::env::current_exe().unwrap() == Path::new(PROGRAM);
    for directory in [
        "/",
        "/usr",
        "/etc",
        "/dev",
        "/run/aloft",
        "/srv/aloft",
        "/srv/aloft/mirror.git",
        "/proc/sys/kernel",
        "/workspace",
        "/mnt/persist/workspace",
        "/home/agent",
        "/tmp",
        "/dev/shm",
        "/run",
        "/srv/aloft/snapshot.git",
        "/var/tmp",
    ] {
        // Outside, the system is left alone.
        if !inside && !directory.ends_with("tmp") {
            continue;
        }
        let file = Path::new(directory).join(format!(".aloft-{}", std::process::id()));
        let written = fs::write(&file, "x").map(|()| fs::remove_file(&file));
        see(&format!("write:{directory}"), written.map_or_else(name_of, |_| "ok".to_owned()));
    }
    see(
        "relay",
        UnixStream::connect("/run/aloft/cloud.sock").map_or_else(name_of, |_| "ok".to_owned()),
    );
}

/// Tried in a child: outside, some of them succeed, and change the process.
fn child_outcome(call: impl Fn() -> i64) -> String {
    // SAFETY: the child makes one system call and exits.
    match unsafe { libc::fork() } {
        0 => {
            let code =
                if call() < 0 { io::Error::last_os_error().raw_os_error().unwrap() } else { 0 };
            // SAFETY: ends the child.
            unsafe { libc::_exit(code) }
        }
        child => {
            let mut status = 0;
            // SAFETY: waits for the child just made.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            match libc::WEXITSTATUS(status) {
                0 => "ok".to_owned(),
                code => name_of(io::Error::from_raw_os_error(code)),
            }
        }
    }
}

fn outcome(result: i64) -> String {
    if result < 0 { name_of(io::Error::last_os_error()) } else { "ok".to_owned() }
}

#[expect(clippy::needless_pass_by_value, reason = "given to functions that map errors")]
fn name_of(error: io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM) => "EPERM".to_owned(),
        Some(libc::EACCES) => "EACCES".to_owned(),
        Some(libc::EROFS) => "EROFS".to_owned(),
        Some(libc::ENOENT) => "ENOENT".to_owned(),
        Some(libc::ENETUNREACH) => "ENETUNREACH".to_owned(),
        Some(libc::ENOSPC) => "ENOSPC".to_owned(),
        _ => error.to_string(),
    }
}
