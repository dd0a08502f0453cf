//! Control groups: limits on memory, processes and CPU, and the freezer, as far as this host grants them.
//!
//! What is granted is tried, not guessed: a group is made and removed. A host may have version 2 with or without a
//! delegated subtree, version 1, or both at once (then version 2 freezes and version 1 limits), or nothing.

mod hierarchy;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sandbox::Limits;
use crate::sandbox::bubblewrap::groups::hierarchy::{Hierarchy, can_make_groups, hierarchies};

/// How long a group may take to freeze, to thaw, or to be found empty.
const PATIENCE: Duration = Duration::from_secs(5);

/// Period over which CPU time is counted.
const CPU_PERIOD_MICROS: u64 = 100_000;

/// Where groups of sandboxes can be made; each `None` is something this host does not grant.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    /// Tells groups of one cloud from those of another on the same machine.
    owner: String,
    pub(super) memory: Option<Parent>,
    pub(super) processes: Option<Parent>,
    pub(super) cpu: Option<Parent>,
    pub(super) freezer: Option<Parent>,
}

/// A group below which others can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    directory: PathBuf,
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Groups {
    /// Tries what this host grants to this process.
    pub(super) fn find(owner: String) -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let memberships = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let hierarchies = hierarchies(&mounts, &memberships);
        // In version 2 a process is in one group only, so all its limits must come from the same place.
        let unified =
            hierarchies.iter().find(|one| one.is_unified()).and_then(Hierarchy::best_parent);
        let of_two =
            |directory: &PathBuf| Parent { directory: directory.clone(), version: Version::Two };
        let of_one = |controller: &str| {
            let found = hierarchies.iter().find(|one| one.has(controller))?;
            let directory = found.parents().find(|parent| can_make_groups(parent))?;
            Some(Parent { directory, version: Version::One })
        };
        let find = |controller: &str| match &unified {
            Some((directory, offered)) if offered.contains(&controller) => Some(of_two(directory)),
            _ => of_one(controller),
        };
        let (memory, processes, cpu) = (find("memory"), find("pids"), find("cpu"));
        // Version 2 freezes even where it limits nothing.
        let freezer =
            unified.as_ref().map(|(directory, _)| of_two(directory)).or_else(|| of_one("freezer"));
        Self { owner, memory, processes, cpu, freezer }
    }

    /// Makes the groups of one sandbox and sets its limits; answers what its first process must join.
    pub(super) fn create(&self, id: &str, limits: &Limits) -> io::Result<Vec<OwnedFd>> {
        for directory in self.directories(id) {
            match fs::create_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
        }
        if let Some(parent) = &self.memory {
            limit_memory(&self.group(parent, id), parent.version, limits.memory_bytes)?;
        }
        if let Some(parent) = &self.processes {
            let most =
                if limits.processes == 0 { "max".to_owned() } else { limits.processes.to_string() };
            fs::write(self.group(parent, id).join("pids.max"), most)?;
        }
        if let Some(parent) = &self.cpu {
            limit_cpu(&self.group(parent, id), parent.version, limits.cpu_milli)?;
        }
        let open = |directory: PathBuf| {
            fs::OpenOptions::new()
                .write(true)
                .open(directory.join("cgroup.procs"))
                .map(OwnedFd::from)
        };
        self.directories(id).into_iter().map(open).collect()
    }

    /// Removes the groups of one sandbox, with what still lives in them.
    pub(super) fn remove(&self, id: &str) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for directory in self.directories(id) {
            while let Err(error) = fs::remove_dir(&directory) {
                match error.kind() {
                    io::ErrorKind::NotFound => break,
                    // The kernel lets go of ended processes a moment after they are gone.
                    io::ErrorKind::ResourceBusy if Instant::now() < deadline => {
                        kill_members(&directory);
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    _ => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Whether sandboxes can be frozen by their group.
    pub(super) fn can_freeze(&self) -> bool {
        self.freezer.is_some()
    }

    /// Freezes or thaws a group; returns when the kernel says that it has.
    pub(super) fn set_frozen(&self, id: &str, frozen: bool) -> io::Result<()> {
        let parent = self.freezer.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let group = self.group(parent, id);
        let deadline = Instant::now() + PATIENCE;
        let (file, state) = match (parent.version, frozen) {
            (Version::One, true) => ("freezer.state", "FROZEN"),
            (Version::One, false) => ("freezer.state", "THAWED"),
            (Version::Two, true) => ("cgroup.freeze", "1"),
            (Version::Two, false) => ("cgroup.freeze", "0"),
        };
        fs::write(group.join(file), state)?;
        while parent.is_frozen(&group)? != frozen {
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn group(&self, parent: &Parent, id: &str) -> PathBuf {
        parent.directory.join(format!("aloft-{}-{id}", self.owner))
    }

    fn directories(&self, id: &str) -> Vec<PathBuf> {
        let parents = [&self.memory, &self.processes, &self.cpu, &self.freezer];
        let mut directories: Vec<_> =
            parents.into_iter().flatten().map(|parent| self.group(parent, id)).collect();
        directories.sort_unstable();
        directories.dedup();
        directories
    }
}

impl Parent {
    fn is_frozen(&self, group: &Path) -> io::Result<bool> {
        Ok(match self.version {
            Version::One => fs::read_to_string(group.join("freezer.state"))?.trim() == "FROZEN",
            Version::Two => fs::read_to_string(group.join("cgroup.events"))?
                .lines()
                .any(|line| line == "frozen 1"),
        })
    }
}

fn limit_memory(group: &Path, version: Version, bytes: u64) -> io::Result<()> {
    let (most, with_swap, none) = match version {
        Version::One => ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "-1"),
        Version::Two => ("memory.max", "memory.swap.max", "max"),
    };
    if bytes == 0 {
        return fs::write(group.join(most), none);
    }
    fs::write(group.join(most), bytes.to_string())?;
    // Counted only where the kernel counts swap: version 1 wants the sum, version 2 the swap alone.
    let swap = if version == Version::One { bytes.to_string() } else { "0".to_owned() };
    match fs::write(group.join(with_swap), swap) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn limit_cpu(group: &Path, version: Version, milli: u32) -> io::Result<()> {
    let quota = u64::from(milli) * CPU_PERIOD_MICROS / 1000;
    match version {
        Version::One => {
            fs::write(group.join("cpu.cfs_period_us"), CPU_PERIOD_MICROS.to_string())?;
            let quota = if milli == 0 { "-1".to_owned() } else { quota.to_string() };
            fs::write(group.join("cpu.cfs_quota_us"), quota)
        }
        Version::Two => {
            let quota = if milli == 0 { "max".to_owned() } else { quota.to_string() };
            fs::write(group.join("cpu.max"), format!("{quota} {CPU_PERIOD_MICROS}"))
        }
    }
}

fn kill_members(group: &Path) {
    let members = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in members
        .lines()
        .filter_map(|line| line.parse().ok())
        .filter_map(rustix::process::Pid::from_raw)
    {
        // Gone in between is as good.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
