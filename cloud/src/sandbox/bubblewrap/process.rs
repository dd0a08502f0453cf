//! Processes of a sandbox as the host sees them: identity that survives reuse of pids, and their end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open, pidfd_send_signal,
    waitid,
};
use serde::{Deserialize, Serialize};

use crate::sandbox::bubblewrap::spawn;

/// How long processes may take to stop or to go on.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process that is told apart from a later one with the same number, also after the machine was started anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pid: i32,
    /// Ticks after the machine's start.
    began: u64,
    boot: String,
}

impl Identity {
    /// Of a process that lives now.
    pub(super) fn of(pid: i32) -> io::Result<Self> {
        let state = stat(pid)?;
        Ok(Self { pid, began: state.began, boot: boot()? })
    }

    /// A descriptor of it; `None` when it has ended.
    pub(super) fn open(&self) -> io::Result<Option<OwnedFd>> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(None) };
        let descriptor = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => descriptor,
            Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Looked at after opening: now the number cannot come to mean another process.
        Ok(self.lives().then_some(descriptor))
    }

    /// Whether it has not ended.
    pub(super) fn lives(&self) -> bool {
        let same_boot = boot().is_ok_and(|boot| boot == self.boot);
        same_boot && stat(self.pid).is_ok_and(|state| state.began == self.began && !state.ended())
    }

    /// Its user on this host.
    pub(super) fn user(&self) -> io::Result<u32> {
        // Not the owner of the entry itself: that is root for a process that hides.
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
        line.split_whitespace()
            .next()
            .and_then(|user| user.parse().ok())
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Itself and everything that descends from it: for the first process of a pid namespace, all of the namespace.
    /// The kernel's own record of parents is used because a guest that hides from its user hides its namespaces too.
    pub(super) fn family(&self) -> io::Result<Vec<i32>> {
        let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if let Ok(state) = stat(pid) {
                children.entry(state.parent).or_default().push(pid);
            }
        }
        let mut family = vec![self.pid];
        let mut next = 0;
        while let Some(pid) = family.get(next) {
            family.extend(children.remove(pid).unwrap_or_default());
            next += 1;
        }
        Ok(family)
    }

    /// Stops or continues the whole family by signals; returns when every member has. For hosts without a freezer.
    pub(super) fn set_stopped(&self, stopped: bool) -> io::Result<()> {
        let signal = if stopped { Signal::STOP } else { Signal::CONT };
        let deadline = Instant::now() + PATIENCE;
        let mut told = BTreeSet::new();
        loop {
            let mut pending = false;
            for pid in self.family()? {
                let Ok(state) = stat(pid) else { continue };
                if state.ended() || (told.contains(&pid) && state.obeys(stopped)) {
                    continue;
                }
                // Everyone is told at least once: whoever goes on must also lose a stop it has not come to take.
                pending = told.contains(&pid) || !state.obeys(stopped) || pending;
                told.insert(pid);
                if let Some(pid) = Pid::from_raw(pid) {
                    match kill_process(pid, signal) {
                        Ok(()) | Err(Errno::SRCH) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            // A process may have been born behind our back: only a round without work is the last.
            if !pending {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Kills a process; it may have ended.
pub(super) fn kill(descriptor: &OwnedFd) -> io::Result<()> {
    match pidfd_send_signal(descriptor, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits for the end of a process, and gives its descriptor back. That of a pid namespace's first process comes after that of all others in it.
pub(super) async fn ended(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    let watched = spawn::watched(descriptor)?;
    watched.readable().await?.retain_ready();
    Ok(watched.into_inner())
}

/// Takes the remains of an ended child of this process; anything else is left alone.
pub(super) fn reap(descriptor: &OwnedFd) {
    waitid(WaitId::PidFd(descriptor.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG).ok();
}

struct Stat {
    state: char,
    parent: i32,
    began: u64,
}

impl Stat {
    fn ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    fn stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    /// Whether it does what it was told. One that waits inside the kernel takes its stop before it comes back to its program,
    /// and may wait for another that is stopped: a parent for the child it forked to begin its own program.
    fn obeys(&self, stopped: bool) -> bool {
        if stopped { self.stopped() || self.state == 'D' } else { !self.stopped() }
    }
}

fn stat(pid: i32) -> io::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_stat(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The command's name comes second, in parentheses, and may hold anything.
fn parse_stat(text: &str) -> Option<Stat> {
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let began = fields.nth(17)?.parse().ok()?;
    Some(Stat { state, parent, began })
}

fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use crate::sandbox::bubblewrap::process::{Identity, ended, kill, parse_stat, reap, stat};

    #[test]
    fn names_with_parentheses_are_read() {
        let line = "42 (a) b (c) T 7 42 42 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 987654 0 0";
        let state = parse_stat(line).unwrap();
        assert_eq!((state.parent, state.began, state.stopped()), (7, 987_654, true));
        assert!(parse_stat("").is_none());
        assert!(parse_stat("1 (x) R").is_none());
    }

    #[tokio::test]
    async fn a_process_is_told_from_a_later_one() {
        let mut child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let identity = Identity::of(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(identity.lives());
        let later = Identity { began: identity.began + 1, ..identity.clone() };
        assert!(!later.lives() && later.open().unwrap().is_none());
        let other_boot = Identity { boot: "another".to_owned(), ..identity.clone() };
        assert!(!other_boot.lives());

        identity.set_stopped(true).unwrap();
        identity.set_stopped(false).unwrap();
        let descriptor = identity.open().unwrap().unwrap();
        kill(&descriptor).unwrap();
        let descriptor = ended(descriptor).await.unwrap();
        assert!(!identity.lives());
        reap(&descriptor);
        // Nothing is left to be waited for.
        assert!(child.wait().is_err());
        assert!(identity.open().unwrap().is_none());
    }

    #[test]
    fn a_whole_family_stops_and_goes_on() {
        let script = "sleep 600 & sleep 600 & wait";
        let mut child =
            Command::new("sh").args(["-c", script]).stdin(Stdio::null()).spawn().unwrap();
        let identity = Identity::of(i32::try_from(child.id()).unwrap()).unwrap();
        let family = loop {
            let family = identity.family().unwrap();
            if family.len() == 3 {
                break family;
            }
            std::thread::yield_now();
        };
        identity.set_stopped(true).unwrap();
        assert!(family.iter().all(|pid| stat(*pid).unwrap().stopped()));
        identity.set_stopped(false).unwrap();
        assert!(!family.iter().any(|pid| stat(*pid).unwrap().stopped()));
        for pid in family {
            let _ = rustix::process::kill_process(
                rustix::process::Pid::from_raw(pid).unwrap(),
                rustix::process::Signal::KILL,
            );
        }
        child.wait().unwrap();
    }
}
