//! The sandbox's SSH server beside OpenSSH's own on this machine: the same client with the same ciphers, in turn, so that what
//! else the machine does falls on both; and the whole way through the cloud beside the direct one.

mod moving;
mod side;

use std::{path::Path, process::Stdio, time::Duration};

use aloft_tests::{home::Home, poll, ssh::Person};
use anyhow::Context as _;

use crate::{
    report::{Goal, Report, milliseconds},
    ssh::{
        moving::{MOVES, Move},
        side::{Reference, SSHD, Side, guest_of, resident},
    },
};

/// Connections with a command that does nothing, on each side.
const CONNECTS: usize = 20;
/// Transfers of each kind, on each side.
const ROUNDS: usize = 3;
/// Connections that lie idle while memory is looked at.
const IDLE: usize = 60;

const CIPHERS: &[(&str, &str)] =
    &[("aes128-gcm", "aes128-gcm@openssh.com"), ("chacha20", "chacha20-poly1305@openssh.com")];

pub(crate) fn measure(report: &mut Report) -> anyhow::Result<()> {
    if !Path::new(SSHD).exists() {
        println!("{SSHD} is not here: there is nothing to measure SSH beside");
        return Ok(());
    }
    let home = Home::new();
    let thread = home.shell(&home.repository(), "auto", "$ true");
    let id = thread["id"].as_str().context("a thread without id")?;
    let person = Person::registered(&home);
    // A sandbox in which nothing happens is frozen, or paused; whoever is in keeps it going.
    let host = format!("{id}.aloft");
    let mut held = person
        .command("ssh", [host.as_str(), "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (pid, socket) = guest_of(id)?;
    let ours = Side::ours(&person, &socket)?;
    let reference = Reference::start(&home, &person, pid)?;
    let sshd = Side::openssh(&person, &reference)?;
    let whole = Side::whole(&home, &person, id)?;

    connects(report, &ours, &sshd)?;
    memory(report, &ours, pid)?;
    for side in [&ours, &sshd] {
        side.prepare()?;
    }
    for (short, cipher) in CIPHERS {
        for what in MOVES {
            transfers(report, what, (short, cipher), &ours, &sshd, &whole)?;
        }
    }
    drop(held.stdin.take());
    held.wait()?;
    Ok(())
}

/// The quotient of each pair.
fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()
}

fn connects(report: &mut Report, ours: &Side, sshd: &Side) -> anyhow::Result<()> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..CONNECTS {
        first.push(milliseconds(ours.run(&[], "true")?));
        second.push(milliseconds(sshd.run(&[], "true")?));
    }
    report.add("ssh: connect and true", "ms", None, &first);
    report.add("ssh: connect and true, sshd", "ms", None, &second);
    let ratios = ratios(&first, &second);
    report.add("ssh: connect and true, to sshd", "×", Some(Goal::AtMost(0.6)), &ratios);
    Ok(())
}

/// What an idle connection holds of the guest's memory.
fn memory(report: &mut Report, ours: &Side, guest: i32) -> anyhow::Result<()> {
    let descriptors = || std::fs::read_dir(format!("/proc/{guest}/fd")).map(Iterator::count);
    let (before, open) = (resident(guest)?, descriptors()?);
    let mut clients = Vec::new();
    for _ in 0..IDLE {
        clients.push(ours.command(&["-N"], None).spawn()?);
    }
    poll::within(Duration::from_secs(120), "the idle connections", || {
        descriptors().is_ok_and(|now| now >= open + IDLE).then_some(())
    });
    // The last of them are still being let in.
    std::thread::sleep(Duration::from_secs(3));
    let each = (resident(guest)? - before) / f64::from(u32::try_from(IDLE)?);
    for client in &mut clients {
        client.kill()?;
        client.wait()?;
    }
    report.add("ssh: memory of an idle connection", "KiB", Some(Goal::AtMost(100.0)), &[each]);
    Ok(())
}

fn transfers(
    report: &mut Report,
    what: &Move,
    (short, cipher): (&str, &str),
    ours: &Side,
    sshd: &Side,
    whole: &Side,
) -> anyhow::Result<()> {
    let (mut first, mut second, mut third) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        first.push(what.speed(ours, cipher)?);
        second.push(what.speed(sshd, cipher)?);
        third.push(what.speed(whole, cipher)?);
    }
    let name = format!("ssh: {}, {short}", what.name);
    report.add(&name, "MiB/s", None, &first);
    report.add(&format!("{name}, sshd"), "MiB/s", None, &second);
    let goal = Some(Goal::AtLeast(1.0));
    report.add(&format!("{name}, to sshd"), "×", goal, &ratios(&first, &second));
    let goal = Some(Goal::AtLeast(0.7));
    report.add(
        &format!("{name}, through the cloud, to direct"),
        "×",
        goal,
        &ratios(&third, &first),
    );
    Ok(())
}
