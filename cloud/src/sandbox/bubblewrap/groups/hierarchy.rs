//! The trees of control groups that are mounted here, and where in them this process may make groups.

use std::fs;
use std::path::{Path, PathBuf};

/// What a sandbox is limited in.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

/// One mounted tree of groups. That of version 2 has no names of controllers here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    mount: PathBuf,
    controllers: Vec<String>,
    own: String,
}

impl Hierarchy {
    /// Whether it is the one tree of version 2.
    pub(super) fn is_unified(&self) -> bool {
        self.controllers.is_empty()
    }

    pub(super) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|one| one == controller)
    }

    /// This process's own group and those above it, nearest first.
    pub(super) fn parents(&self) -> impl Iterator<Item = PathBuf> {
        let own = self.mount.join(self.own.trim_start_matches('/'));
        let inside = own.ancestors().take_while(|one| one.starts_with(&self.mount));
        inside.map(Path::to_owned).collect::<Vec<_>>().into_iter()
    }

    /// Of a version 2 tree: the group below which most controllers are to be had, the nearest of equals.
    pub(super) fn best_parent(&self) -> Option<(PathBuf, Vec<&'static str>)> {
        let mut best: Option<(PathBuf, Vec<&'static str>)> = None;
        for parent in self.parents().filter(|parent| can_make_groups(parent)) {
            let offered: Vec<_> =
                CONTROLLERS.into_iter().filter(|one| offers(&parent, one)).collect();
            let enough = offered.len() == CONTROLLERS.len();
            if best.as_ref().is_none_or(|(_, before)| offered.len() > before.len()) {
                best = Some((parent, offered));
            }
            if enough {
                break;
            }
        }
        best
    }
}

pub(super) fn hierarchies(mounts: &str, memberships: &str) -> Vec<Hierarchy> {
    let mut found = Vec::new();
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(mount), Some(kind), Some(options)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let options: Vec<_> = options.split(',').collect();
        let own = memberships.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let matches = match kind {
                "cgroup2" => controllers.is_empty(),
                "cgroup" => {
                    !controllers.is_empty()
                        && controllers.split(',').all(|one| options.contains(&one))
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

/// Makes a group, moves nothing, and removes it.
pub(super) fn can_make_groups(parent: &Path) -> bool {
    let sample =
        parent.join(format!("aloft-try-{}-{:?}", std::process::id(), std::thread::current().id()));
    let made = fs::create_dir(&sample).is_ok();
    // Joining a group also asks for the right to write to the list of the group that holds both.
    let joinable =
        made && fs::OpenOptions::new().write(true).open(parent.join("cgroup.procs")).is_ok();
    made && fs::remove_dir(&sample).is_ok() && joinable
}

/// Whether groups below this version 2 group have the controller, now or from now on.
fn offers(parent: &Path, controller: &str) -> bool {
    let names = |file: &str, name: &str| {
        let listed = fs::read_to_string(parent.join(file)).unwrap_or_default();
        listed.split_whitespace().any(|one| one == name)
    };
    let enabled = || names("cgroup.subtree_control", controller);
    if enabled() {
        return true;
    }
    // Refused where the group holds processes itself; then the one above may do.
    names("cgroup.controllers", controller)
        && fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}")).is_ok()
        && enabled()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use crate::sandbox::bubblewrap::groups::hierarchy::{Hierarchy, hierarchies};

    #[test]
    fn trees_are_found_in_all_kinds_of_mounts() {
        let hybrid = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
            cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
            cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n\
            cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
        let memberships = "4:memory:/a/b\n3:cpu,cpuacct:/\n0::/user.slice\n";
        let found = hierarchies(hybrid, memberships);
        assert_eq!(found.len(), 3);
        assert!(found[0].has("memory") && !found[0].is_unified());
        let parents: Vec<_> = found[0].parents().collect();
        let expected =
            ["/sys/fs/cgroup/memory/a/b", "/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/memory"];
        assert_eq!(parents, expected.map(PathBuf::from));
        assert!(found[1].has("cpu") && found[1].has("cpuacct"));
        assert!(found[2].is_unified());
        assert_eq!(found[2].own, "/user.slice");
        assert!(hierarchies("", "").is_empty());
        assert!(hierarchies(hybrid, "").is_empty());
    }

    #[test]
    fn all_limits_come_from_one_place() {
        let tree = tempfile::tempdir().unwrap();
        let group = |path: &str, controllers: &str, below: &str| {
            let directory = tree.path().join(path);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("cgroup.controllers"), controllers).unwrap();
            fs::write(directory.join("cgroup.subtree_control"), below).unwrap();
            fs::write(directory.join("cgroup.procs"), "").unwrap();
        };
        group("", "cpu memory pids", "cpu memory pids");
        group("app.slice", "memory pids", "memory pids");
        group("app.slice/own.scope", "", "");
        let own = "/app.slice/own.scope".to_owned();
        let hierarchy = Hierarchy { mount: tree.path().to_owned(), controllers: Vec::new(), own };
        let (parent, offered) = hierarchy.best_parent().unwrap();
        assert_eq!(parent, tree.path());
        assert_eq!(offered, ["memory", "pids", "cpu"]);

        fs::remove_file(tree.path().join("cgroup.procs")).unwrap();
        let (parent, offered) = hierarchy.best_parent().unwrap();
        assert_eq!(parent, tree.path().join("app.slice"));
        assert_eq!(offered, ["memory", "pids"]);
    }
}
