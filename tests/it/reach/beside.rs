//! A cloud on the person's own machine: what ssh and the sandbox say to each other passes neither through it nor through the
//! proxy that ssh started.

use std::{
    io::{BufRead, BufReader, IoSlice, Read, Write},
    net::Shutdown,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use aloft_tests::{
    home::{Home, kill, program},
    poll,
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::{Ended, command, prepared};

/// How long the end of a connection may take to be seen.
const GONE: Duration = Duration::from_secs(40);

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

/// A `cat` in the sandbox.
struct Echo {
    ssh: Ended,
    typed: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl Echo {
    fn new(home: &Home, host: &str) -> Self {
        let mut command = command(home, "ssh", &[host, "cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut ssh = Ended(command.spawn().unwrap());
        let typed = ssh.0.stdin.take().unwrap();
        let said = BufReader::new(ssh.0.stdout.take().unwrap());
        Self { ssh, typed, said }
    }

    fn says(&mut self, line: &str) {
        self.typed.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut heard = String::new();
        self.said.read_line(&mut heard).unwrap();
        assert!(heard.trim_end() == line, "{} bytes came back, not {}", heard.len(), line.len());
    }
}

/// The proxy that ssh started for this thread.
fn proxy_of(id: &str) -> i32 {
    let found = Home::processes_with(&format!("{id}.aloft\0"));
    let [proxy] = found[..] else { panic!("{found:?} are not one proxy") };
    proxy
}

#[test]
fn neither_cloud_nor_proxy_holds_up_bytes_and_a_cloud_that_ends_a_thread_ends_them() {
    let home = Home::new();
    let (id, host) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);
    let mut echo = Echo::new(&home, &host);
    echo.says("before");
    let halted = [Halted::new(home.cloud_pid()), Halted::new(proxy_of(&id))];
    for number in 0..50 {
        echo.says(&format!("{number} {}", "during".repeat(20_000)));
    }
    drop(halted);
    echo.says("after");

    // The cloud still has a say in it.
    home.ok(["pause", &id]);
    home.wait_state(&id, "paused");
    assert_eq!(echo.ssh.0.wait().unwrap().code(), Some(255));
}

#[test]
fn a_proxy_that_dies_takes_its_connection_along() {
    let home = Home::new();
    let (id, host) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);
    let mut echo = Echo::new(&home, &host);
    echo.says("before");
    kill(proxy_of(&id), libc::SIGKILL);
    // Nothing holds the sandbox for it any more. By itself ssh would give up after 75 s in one that stands still.
    let ended = poll::within(GONE, "ssh to end", || echo.ssh.0.try_wait().unwrap());
    assert_eq!(ended.code(), Some(255));
}

/// The proxy as ssh starts it.
fn proxy(home: &Home, id: &str) -> Command {
    let mut command = Command::new(program("aloft"));
    command.args(["ssh-proxy", "--data"]).arg(home.path("data")).arg(format!("{id}.aloft"));
    home.dress(&mut command);
    command
}

/// Says that the client leaves, before any key was agreed on.
const DISCONNECT: [u8; 24] =
    [0, 0, 0, 20, 6, 1, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn a_client_that_waits_for_the_servers_last_byte_hears_it_and_its_pipes_are_as_they_were() {
    let home = Home::new();
    let (id, _) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);
    let (input, mut typed) = std::io::pipe().unwrap();
    let (mut said, output) = std::io::pipe().unwrap();
    let mut command = proxy(&home, &id);
    command.stdin(input.try_clone().unwrap()).stdout(output.try_clone().unwrap());
    let mut proxy = Ended(command.spawn().unwrap());
    drop(command);
    typed.write_all(b"SSH-2.0-person\r\n").unwrap();
    let mut greeting = [0; 8];
    said.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"SSH-2.0-");
    typed.write_all(&DISCONNECT).unwrap();
    // It does not say its own last byte.
    poll::within(GONE, "the proxy to end", || proxy.0.try_wait().unwrap());
    for shared in [OwnedFd::from(input), OwnedFd::from(output)] {
        let flags = rustix::fs::fcntl_getfl(&shared).unwrap();
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "{flags:?}");
    }
}

#[test]
fn a_caller_that_brings_no_two_pipes_is_sent_away_and_nobody_else_notices() {
    let home = Home::new();
    let (id, host) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);
    let mut echo = Echo::new(&home, &host);
    let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
    let end = format!("/{id}/guest/sock");
    let socket = sockets.split_ascii_whitespace().find(|word| word.ends_with(&end)).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    let (reader, writer, file) = (reader.as_fd(), writer.as_fd(), file.as_fd());
    let wrong: [&[BorrowedFd<'_>]; 5] =
        [&[], &[reader], &[writer, reader], &[file, file], &[reader, writer, reader]];
    for brought in wrong {
        let mut caller = UnixStream::connect(socket).unwrap();
        let mut room = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut message = SendAncillaryBuffer::new(&mut room);
        assert!(brought.is_empty() || message.push(SendAncillaryMessage::ScmRights(brought)));
        sendmsg(&caller, &[IoSlice::new(&[1])], &mut message, SendFlags::empty()).unwrap();
        let mut answer = Vec::new();
        caller.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"", "{} descriptors were taken", brought.len());
    }
    echo.says("still here");
}

#[test]
fn a_proxy_without_pipes_carries_the_bytes_itself() {
    let home = Home::new();
    let (id, _) = prepared(&home);
    home.ok(["setup", "ssh", "--yes"]);
    // As programs start one that have sockets for pipes.
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut command = proxy(&home, &id);
    command.stdin(OwnedFd::from(theirs.try_clone().unwrap()));
    let mut proxy = Ended(command.stdout(OwnedFd::from(theirs)).spawn().unwrap());
    drop(command);
    ours.write_all(b"SSH-2.0-person\r\n").unwrap();
    let mut greeting = [0; 8];
    ours.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"SSH-2.0-");
    ours.shutdown(Shutdown::Both).unwrap();
    assert_eq!(proxy.0.wait().unwrap().code(), Some(0));
}
