//! Reads `/proc`: which processes live, who their parents are, what they are called.
//!
//! What is read may be gone in the next moment; signals therefore go only to the very process that was seen.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::process::{Pid, PidfdFlags, Signal};

/// One name of the longest in `/proc`, or a few numbers.
const NAMES_BYTES: usize = 128;

/// A process as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    /// Ended, but not yet reaped by its parent.
    pub(super) zombie: bool,
    /// Since boot, in clock ticks: tells it from a later process of the same number.
    pub(super) started: u64,
}

/// All processes at one look.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// By number.
    pub(super) all: HashMap<i32, Seen>,
    /// Some ended while we looked. What they started meanwhile may have been missed.
    pub(super) hasty: bool,
}

/// Looks at all processes.
pub(super) fn processes() -> io::Result<Look> {
    let mut look = Look::default();
    let folder = rustix::fs::open(
        "/proc",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    // Room for few names: the kernel fills what there is, and a process can be gone before its turn comes.
    let mut names = [MaybeUninit::uninit(); NAMES_BYTES];
    let mut entries = RawDir::new(folder, &mut names);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) else {
            continue;
        };
        match process(pid) {
            Some(seen) => drop(look.all.insert(pid, seen)),
            None => look.hasty = true,
        }
    }
    Ok(look)
}

/// One process.
pub(super) fn process(pid: i32) -> Option<Seen> {
    parse_stat(pid, &std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Its command line; the short name in brackets if it has none.
pub(super) fn command_line(pid: i32) -> Vec<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words: Vec<String> =
        line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into()).collect();
    // Each argument ends with a zero byte.
    words.pop();
    if words.is_empty() {
        words.push(format!("[{}]", short_name(pid).unwrap_or_default()));
    }
    words
}

/// The name the kernel keeps, at most 15 bytes.
pub(super) fn short_name(pid: i32) -> Option<String> {
    let name = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

/// A variable of the environment it was started with, where that can be read.
pub(super) fn variable(pid: i32, name: &str) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find_map(|pair| {
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into())
    })
}

/// Sends a signal to the process that was seen, and to no later one of the same number. False if it is gone.
pub(super) fn signal(seen: &Seen, signal: Signal) -> bool {
    let Some(pid) = Pid::from_raw(seen.pid) else { return false };
    let Ok(handle) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return false };
    // Only now does the number stand for one process for good.
    process(seen.pid).is_some_and(|now| now.started == seen.started)
        && rustix::process::pidfd_send_signal(&handle, signal).is_ok()
}

fn parse_stat(pid: i32, stat: &[u8]) -> Option<Seen> {
    // The name is in parentheses and may itself hold parentheses and spaces.
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 2..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let state = *fields.first()?;
    let threads: u32 = fields.get(17)?.parse().ok()?;
    Some(Seen {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        // One whose first thread alone has ended looks like a zombie, and lives.
        zombie: matches!(state, "Z" | "X") && threads <= 1,
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_hides_nothing() {
        let stat = b"42 (a) S 1 (\xff) Z 7 8 9 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 1234 9 9\n";
        let expected =
            Seen { pid: 42, parent: 7, group: 8, session: 9, zombie: true, started: 1234 };
        assert_eq!(parse_stat(42, stat), Some(expected));
    }

    #[test]
    fn this_process_is_seen() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(processes().unwrap().all[&own].pid, own);
        assert!(!command_line(own)[0].is_empty());
        assert_eq!(variable(own, "PATH"), std::env::var("PATH").ok());
    }
}
