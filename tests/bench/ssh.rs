//! The sandbox's SSH server beside OpenSSH's own on this machine: the same client with the same ciphers, in turn, so that what
//! else the machine does falls on both; and the whole way of a person, with the cloud on this machine and with one behind a
//! port, beside the direct one.

mod moving;
mod side;

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use aloft_tests::{
    home::Home,
    poll,
    remote::{Remote, TOKEN},
    ssh::Person,
};
use anyhow::Context as _;

use crate::{
    report::{Goal, Report, milliseconds},
    ssh::{
        moving::MOVES,
        side::{Reference, SSHD, Side, guest_of, resident},
    },
};

/// Connections with a command that does nothing, on each side.
const CONNECTS: usize = 20;
/// Transfers of each kind, on each side.
const ROUNDS: usize = 5;
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
    let mut held = hold(person.command("ssh", [&format!("{id}.aloft"), "cat"]))?;
    let (pid, socket) = guest_of(id)?;
    let ours = Side::ours(&person, &socket)?;
    let reference = Reference::start(&home, &person, pid)?;
    let sshd = Side::openssh(&person, &reference)?;
    let whole = Side::whole(&home, id)?;

    let far = Home::new();
    let remote = Remote::start(&far);
    std::fs::write(far.path("config/token"), TOKEN)?;
    far.configure(&format!(
        "cloud = \"far\"\n[clouds.far]\naddress = \"{}\"\ntokenFile = \"token\"\n",
        remote.url()
    ));
    let thread = far.shell(&far.repository(), "auto", "$ true");
    let network = Side::whole(&far, thread["id"].as_str().context("a thread without id")?)?;
    let mut held_far = hold(network.command(&[], Some("cat")))?;

    connects(report, &ours, &sshd)?;
    memory(report, &ours, pid)?;
    for side in [&ours, &sshd, &network] {
        side.prepare()?;
    }
    for (short, cipher) in CIPHERS {
        for what in MOVES {
            let mut speeds = Vec::new();
            for _ in 0..ROUNDS {
                for side in [&ours, &sshd, &whole, &network] {
                    speeds.push(what.speed(side, cipher)?);
                }
            }
            tell(report, &format!("ssh: {}, {short}", what.name), &speeds);
        }
    }
    for held in [&mut held, &mut held_far] {
        drop(held.stdin.take());
        held.wait()?;
    }
    Ok(())
}

/// Somebody who is in: a sandbox in which nothing happens is frozen, or paused.
fn hold(mut command: Command) -> anyhow::Result<Child> {
    Ok(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?)
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

/// Speeds of our server, of sshd, and of both ways of a person, in turn.
fn tell(report: &mut Report, name: &str, speeds: &[f64]) {
    let of = |side: usize| -> Vec<f64> { speeds.iter().skip(side).step_by(4).copied().collect() };
    let (direct, sshd) = (of(0), of(1));
    report.add(name, "MiB/s", None, &direct);
    report.add(&format!("{name}, sshd"), "MiB/s", None, &sshd);
    let mut ratio = |what: &str, goal, of: &[f64], to: &[f64]| {
        report.add(&format!("{name}, {what}"), "×", Some(Goal::AtLeast(goal)), &ratios(of, to));
    };
    ratio("to sshd", 1.0, &direct, &sshd);
    ratio("by a cloud of this machine, to direct", 0.7, &of(2), &direct);
    ratio("by a cloud behind a port, to direct", 0.7, &of(3), &direct);
}
