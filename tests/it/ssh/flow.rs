//! Nothing that stands still holds up anything else, and nothing that is sent in vain fills the memory.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    time::Duration,
};

use aloft_tests::{home::Home, poll, ssh::Person};

use super::{descriptors, figure, guest, noise, thread};

/// The long forms of these tests.
fn soak() -> bool {
    std::env::var_os("ALOFT_SOAK").is_some()
}

/// What the library's own way of flow control fails: it waits for a reader in the task that all channels of a connection share.
#[test]
fn a_channel_nobody_reads_holds_up_no_other() {
    let home = Home::new();
    let (id, person) = thread(&home);
    let control = person.path("cm");
    let path = format!("ControlPath={}", control.display());
    let host = format!("{id}.aloft");
    let start = |words: &[&str]| {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(person.path("config")).args(["-o", &path]).args(words);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        person.home.dress(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut master = start(&["-M", "-N", &host]);
    poll::until("the master", || control.exists().then_some(()));
    let pid = guest(&id);
    let before = figure(pid, "VmRSS");
    // One that takes nothing in, one whose output is not taken.
    let mut stalled = start(&[&host, "sleep 1000"]);
    let mut deaf = start(&[&host, "cat /dev/zero"]);
    deaf.stdout.as_mut().unwrap().read_exact(&mut [0; 1]).unwrap();
    let mut to = stalled.stdin.take().unwrap();
    let piece = vec![0; 1 << 20];
    for _ in 0..64 {
        // The client takes it: the server must have taken it before.
        to.write_all(&piece).unwrap();
    }
    for number in 0..3 {
        let said = person.ok(&id, &["-o", &path, "--", &format!("echo {number}")]);
        assert_eq!(said, format!("{number}\n"));
    }
    let grown = figure(pid, "VmRSS").saturating_sub(before);
    assert!(grown < 40 * 1024, "{grown} KiB more for 64 MiB that nobody reads");
    for client in [&mut stalled, &mut deaf, &mut master] {
        let _ended = client.kill();
        client.wait().unwrap();
    }
}

#[test]
fn much_passes_both_ways_at_once_with_new_keys_on_the_way() {
    let home = Home::new();
    let (id, person) = thread(&home);
    let (rounds, size) = if soak() { (1, 1 << 30) } else { (2, 12 << 20) };
    let input = noise(size);
    for options in [
        ["-o", "RekeyLimit=1M"],
        ["-o", "Ciphers=chacha20-poly1305@openssh.com"],
        ["-o", "Compression=yes"],
    ] {
        for _ in 0..rounds {
            let words = [&options[..], &["--", "cat"]].concat();
            let run = person.ssh_with(&id, &words, &input);
            assert!(
                run.code == 0 && run.stdout == input,
                "{options:?} {} {}",
                run.code,
                run.stderr
            );
        }
    }
}

#[test]
fn many_come_and_go_and_leave_nothing() {
    let home = Home::new();
    let (id, person) = thread(&home);
    // One stays: without any the sandbox stands still, and what stands still closes nothing.
    let mut stays = client(&person, &id).stdout(Stdio::piped()).spawn().unwrap();
    stays.stdin.as_mut().unwrap().write_all(b"in\n").unwrap();
    stays.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
    let (pid, cloud) = (guest(&id), home.cloud_pid());
    let (all, at_once) = if soak() { (2_000, 40) } else { (60, 6) };
    let before = (descriptors(pid), descriptors(cloud));
    std::thread::scope(|scope| {
        for lane in 0..at_once {
            let (person, id) = (&person, &id);
            scope.spawn(move || {
                for number in 0..all / at_once {
                    match (lane + number) % 3 {
                        // Some leave in the middle.
                        0 => leave(person, id),
                        _ => assert_eq!(person.ok(id, &["echo in"]), "in\n"),
                    }
                }
            });
        }
    });
    poll::until("what they had open to be closed", || {
        let now = (descriptors(pid), descriptors(cloud));
        let grown = |now: Option<u32>, before: Option<u32>, by| now > before.map(|it| it + by);
        (!grown(now.0, before.0, 2) && !grown(now.1, before.1, 4)).then_some(())
    });
    assert_eq!(person.ok(&id, &["echo still"]), "still\n");
    drop(stays.stdin.take());
    assert!(stays.wait().unwrap().success());
}

/// A client whose command says what it is told.
fn client(person: &Person<'_>, id: &str) -> Command {
    let mut command = Command::new("ssh");
    command.arg("-F").arg(person.path("config")).args([&format!("{id}.aloft"), "cat"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    person.home.dress(&mut command);
    command
}

fn leave(person: &Person<'_>, id: &str) {
    let mut client = client(person, id).spawn().unwrap();
    // Wherever it is by then.
    std::thread::sleep(Duration::from_millis(50));
    client.kill().unwrap();
    client.wait().unwrap();
}
