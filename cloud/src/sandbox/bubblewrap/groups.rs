//! Control groups: limits on memory, processes and CPU, and the freezer, as far as this host grants them.
//!
//! What is granted is tried, not guessed: a group is made and removed. A host may have version 2 with or without a
//! delegated subtree, version 1, or both at once (then version 2 freezes and version 1 limits), or nothing.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sandbox::Limits;

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
        let unified = |controller: Option<&str>| {
            let found = hierarchies.iter().find(|hierarchy| hierarchy.controllers.is_empty())?;
            found
                .parents()
                .find(|parent| offers(parent, controller))
                .map(|directory| Parent { directory, version: Version::Two })
        };
        let separate = |controller: &str| {
            let found = hierarchies
                .iter()
                .find(|one| one.controllers.iter().any(|name| name == controller))?;
            found
                .parents()
                .find(|parent| can_make_groups(parent))
                .map(|directory| Parent { directory, version: Version::One })
        };
        let find = |controller: &str| unified(Some(controller)).or_else(|| separate(controller));
        let (memory, processes, cpu) = (find("memory"), find("pids"), find("cpu"));
        // One tree for all if possible: the group that limits then also freezes.
        let limiting = memory
            .iter()
            .chain(&processes)
            .chain(&cpu)
            .find(|parent| parent.version == Version::Two);
        let freezer = limiting.cloned().or_else(|| unified(None)).or_else(|| separate("freezer"));
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

/// One mounted tree of groups. Version 2 has no names of controllers here.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    mount: PathBuf,
    controllers: Vec<String>,
    own: String,
}

impl Hierarchy {
    /// This process's own group and those above it, nearest first.
    fn parents(&self) -> impl Iterator<Item = PathBuf> {
        let own = self.mount.join(self.own.trim_start_matches('/'));
        let mount = self.mount.clone();
        let above: Vec<_> =
            own.ancestors().take_while(|one| one.starts_with(&mount)).map(Path::to_owned).collect();
        above.into_iter()
    }
}

fn hierarchies(mounts: &str, memberships: &str) -> Vec<Hierarchy> {
    let mut found = Vec::new();
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(mount), Some(kind), Some(options)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let own = memberships.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let matches = match kind {
                "cgroup2" => controllers.is_empty(),
                "cgroup" => {
                    !controllers.is_empty()
                        && controllers.split(',').all(|one| options.contains(one))
                }
                _ => false,
            };
            matches.then(|| (controllers.to_owned(), path.to_owned()))
        });
        if let Some((controllers, own)) = own {
            let controllers =
                controllers.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect();
            found.push(Hierarchy { mount: mount.into(), controllers, own });
        }
    }
    found
}

/// A version 2 group below which groups can be made that have this controller and the freezer.
fn offers(parent: &Path, controller: Option<&str>) -> bool {
    let enabled = |name: &str| {
        let control = fs::read_to_string(parent.join("cgroup.subtree_control")).unwrap_or_default();
        control.split_whitespace().any(|one| one == name)
    };
    if let Some(name) = controller
        && !enabled(name)
    {
        // Refused where the group holds processes itself; then the one above may do.
        let request = fs::write(parent.join("cgroup.subtree_control"), format!("+{name}"));
        if request.is_err() || !enabled(name) {
            return false;
        }
    }
    can_make_groups(parent)
}

/// Makes a group, moves nothing, and removes it.
fn can_make_groups(parent: &Path) -> bool {
    let sample =
        parent.join(format!("aloft-try-{}-{:?}", std::process::id(), std::thread::current().id()));
    let made = fs::create_dir(&sample).is_ok();
    // Joining a group also asks for the right to write to the list of the group that holds both.
    let joinable =
        made && fs::OpenOptions::new().write(true).open(parent.join("cgroup.procs")).is_ok();
    made && fs::remove_dir(&sample).is_ok() && joinable
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::sandbox::bubblewrap::groups::hierarchies;

    #[test]
    fn trees_are_found_in_all_kinds_of_mounts() {
        let hybrid = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
            cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
            cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
        let memberships = "4:memory:/a/b\n3:cpu,cpuacct:/\n0::/user.slice\n";
        let found = hierarchies(hybrid, memberships);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].controllers, ["memory"]);
        let parents: Vec<_> = found[0].parents().collect();
        let expected =
            ["/sys/fs/cgroup/memory/a/b", "/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/memory"];
        assert_eq!(parents, expected.map(PathBuf::from));
        assert_eq!(found[1].controllers, ["cpu", "cpuacct"]);
        assert_eq!(found[2].own, "/user.slice");
        assert!(hierarchies("", "").is_empty());
        assert!(hierarchies(hybrid, "").is_empty());
    }
}
