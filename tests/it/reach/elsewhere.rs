//! Where not all of the file system is there: a container that was lent the cloud's socket, a home that cannot be written.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use aloft_tests::home::{Home, Run, finish, program};

use super::{OWN, command, config, ok, prepared, ssh};

/// Runs a program of the person's with these mounts over what is there.
fn run<S: AsRef<OsStr>>(home: &Home, mounts: &[&OsStr], words: &[S]) -> Run {
    let mut command = Command::new("timeout");
    command.args(["-k", "5", "120", "bwrap", "--dev-bind", "/", "/"]).args(mounts);
    command.arg("--").args(words);
    home.dress(&mut command);
    command.stdin(Stdio::null());
    finish(command)
}

#[test]
fn a_sandbox_that_is_not_seen_is_reached_through_the_cloud() {
    let home = Home::new();
    let (id, host) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);
    ok(&ssh(&home, &[&host, "true"]));
    let folder = guest_folder(&id);
    let config = config(&home);
    let words = ["ssh", "-F", config.to_str().unwrap(), &host, "echo through"];
    let mounts = ["--tmpfs".as_ref(), folder.as_os_str()];
    assert_eq!(ok(&run(&home, &mounts, &words)), "through\n");
}

/// Where the guest of a thread listens.
fn guest_folder(id: &str) -> PathBuf {
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    let ending = format!("/{id}/guest/sock");
    let mut paths = sockets.lines().filter_map(|line| line.split_ascii_whitespace().last());
    let socket = paths.find(|path| path.ends_with(&ending)).unwrap();
    Path::new(socket).parent().unwrap().to_owned()
}

#[test]
fn a_home_that_cannot_be_written_is_told_what_to_add_to_it() {
    let home = Home::new();
    let (_, host) = prepared(&home);
    let folder = home.path("home");
    let mounts = ["--ro-bind".as_ref(), folder.as_os_str(), folder.as_os_str()];
    let aloft = program("aloft");
    let words = [aloft.as_os_str(), "setup".as_ref(), "ssh".as_ref(), "--yes".as_ref()];
    let refused = run(&home, &mounts, &words);
    assert_ne!(refused.code, 0);
    assert_eq!(fs::read_to_string(config(&home)).unwrap(), OWN);
    let (why, lines) = refused.stderr.split_once("add these lines at its top yourself:\n").unwrap();
    assert!(why.contains("config") && why.contains("Read-only file system"), "{why}");

    // They are enough.
    fs::write(config(&home), format!("{lines}\n{OWN}")).unwrap();
    assert_eq!(ok(&finish(command(&home, "ssh", &[&host, "echo in"]))), "in\n");
}
