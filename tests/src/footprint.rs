//! What a machine's cloud takes of its host: the same before and after, where nothing is left behind.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::home::{Home, alive};

/// What must be the same again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// The cloud, what descends from it and what lives in its sandboxes, by name.
    pub processes: BTreeMap<String, u32>,
    /// What the cloud has open, by kind or path.
    pub descriptors: BTreeMap<String, u32>,
    /// Mounts of the host in the folders of sandboxes.
    pub mounts: Vec<String>,
    /// Control groups of its sandboxes.
    pub groups: Vec<PathBuf>,
    /// Files in the folders of sandboxes, in mirrors and in snapshots, with what they hold.
    pub files: BTreeMap<PathBuf, Content>,
}

/// What a file is.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Who may do what with it.
    rights: String,
    /// What it holds, or leads to.
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let beginning = &self.bytes[..self.bytes.len().min(80)];
        let beginning = String::from_utf8_lossy(beginning);
        write!(formatter, "{} {} bytes {beginning:?}", self.rights, self.bytes.len())
    }
}

/// What may grow a little.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    /// Memory of the cloud, in KiB.
    pub memory: u64,
    /// Its rows and logs on disk, in KiB.
    pub store: u64,
}

impl Footprint {
    /// Looks at everything now. Nothing is asked of the cloud, which is this process: an answered connection closes a moment later.
    pub fn of(home: &Home, cloud: i32) -> Self {
        let mut files = BTreeMap::new();
        for folder in ["s", "data/cloud/snapshots", "data/cloud/scratch"] {
            read_tree(&home.path(folder), &mut files);
        }
        Self {
            processes: processes(home, cloud),
            descriptors: descriptors(cloud).unwrap(),
            mounts: mounts(home),
            groups: control_groups(home),
            files,
        }
    }
}

impl Weight {
    /// Looks at it now.
    pub fn of(home: &Home, cloud: i32) -> Self {
        let status = fs::read_to_string(format!("/proc/{cloud}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let memory = line.trim().trim_end_matches(" kB").parse().unwrap();
        let entries = fs::read_dir(home.path("data/cloud")).unwrap().flatten();
        let blocks: u64 = entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("store."))
            .filter_map(|entry| Some(entry.metadata().ok()?.blocks()))
            .sum();
        Self { memory, store: blocks / 2 }
    }
}

/// Control groups of this machine's sandboxes.
pub fn control_groups(home: &Home) -> Vec<PathBuf> {
    let about = fs::metadata(home.path("s/s")).unwrap();
    let name = format!("aloft-{:x}-{:x}-", about.dev(), about.ino());
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_group = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_group && entry.file_name().to_string_lossy().starts_with(&name) {
                found.push(entry.path());
            } else if is_group {
                waiting.push(entry.path());
            }
        }
    }
    found.sort_unstable();
    found
}

fn mounts(home: &Home) -> Vec<String> {
    let folder = home.path("s").display().to_string();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts.lines().filter(|line| line.contains(&folder)).map(str::to_owned).collect()
}

fn processes(home: &Home, cloud: i32) -> BTreeMap<String, u32> {
    let mounted = format!(" {}/", home.path("s/s").display());
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        if let Some(parent) = parent.and_then(|parent| parent.parse::<i32>().ok()) {
            parents.insert(pid, parent);
        }
    }
    let descends = |mut pid: i32| {
        while let Some(parent) = parents.get(&pid) {
            if *parent == cloud {
                return true;
            }
            pid = *parent;
        }
        pid == cloud
    };
    let mut found = BTreeMap::new();
    for pid in parents.keys() {
        let inside = || {
            let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
            mounts.contains(&mounted)
        };
        if *pid == cloud || descends(*pid) || inside() {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let dead = if alive(*pid) { "" } else { ", ended and not taken" };
            *found.entry(format!("{}{dead}", name.trim())).or_default() += 1;
        }
    }
    found
}

/// What a process has open, by kind or path. A guest lets only root look into it.
pub fn descriptors(pid: i32) -> io::Result<BTreeMap<String, u32>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))?.flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let target = target.display().to_string();
        // Connections to the store are few and are opened when they are needed for the first time.
        if target.contains("/store.db") {
            continue;
        }
        // Of sockets and pipes the number says nothing.
        let kind = target.split(":[").next().unwrap_or_default().to_owned();
        *found.entry(kind).or_default() += 1;
    }
    Ok(found)
}

/// Every file below a folder: what it is, who may do what with it, and what it holds. Made anew with each start are sockets, and the
/// token that a sandbox shows.
fn read_tree(folder: &Path, into: &mut BTreeMap<PathBuf, Content>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let about = fs::symlink_metadata(&path).unwrap();
        let mode = about.permissions().mode();
        let bytes = if about.is_dir() {
            read_tree(&path, into);
            Vec::new()
        } else if about.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else if about.is_file() && !path.ends_with(".config/aloft/token") {
            fs::read(&path).unwrap()
        } else {
            continue;
        };
        let rights = format!("{mode:o} {}:{}", about.uid(), about.gid());
        into.insert(path, Content { rights, bytes });
    }
}
