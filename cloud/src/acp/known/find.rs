//! Programs on the host, and how they look inside a sandbox.

use std::{
    fs,
    io::Read as _,
    path::{Component, Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::acp::known::Search;

/// Where agents are mounted inside a sandbox.
const INSIDE: &str = "/srv/aloft/agents";
/// Folders that a sandbox sees at the same place.
const SYSTEM: [&str; 5] = ["/usr", "/bin", "/lib", "/lib64", "/sbin"];

/// A program as a sandbox sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Its path inside.
    pub(super) path: PathBuf,
    /// What to mount for it; `None` = the sandbox has it anyway.
    pub(super) mount: Option<(PathBuf, PathBuf)>,
    /// It is a script for Node.
    pub(super) needs_node: bool,
    /// Of its package; empty = not known.
    pub(super) version: String,
    /// What keeps the users of sandboxes from it.
    pub(super) closed: Option<PathBuf>,
}

/// A Node as a sandbox sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Its path inside.
    pub(super) path: PathBuf,
    /// What to mount for it.
    pub(super) mount: Option<(PathBuf, PathBuf)>,
    /// First number of its version.
    pub(super) major: u32,
    /// What keeps the users of sandboxes from it.
    pub(super) closed: Option<PathBuf>,
}

/// Finds the program of agent `name`: in the folders of agents, then in PATH. `native` is preferred, below an npm prefix.
pub(super) fn program(search: &Search, name: &str, program: &str, native: &str) -> Option<Program> {
    let native = native.replace("ARCH", node_architecture());
    let in_folders = prefixes(search).into_iter().flat_map(|prefix| {
        let places = [
            native.clone(),
            format!("node_modules/.bin/{program}"),
            format!("bin/{program}"),
            program.to_owned(),
        ];
        places.into_iter().filter(|place| !place.is_empty()).map(move |place| prefix.join(place))
    });
    // An absolute path stays itself when it is joined.
    let in_path = search.path.iter().map(|folder| folder.join(program));
    let found = in_folders.chain(in_path).filter(|path| is_program(path));
    let real = found.filter_map(|path| path.canonicalize().ok());
    let all: Vec<_> = real.map(|real| (closed(search, &real), real)).collect();
    let open = all.iter().find(|(closed, _)| closed.is_none());
    let (closed, real) = open.or(all.first())?.clone();
    let needs_node = is_node_script(&real);
    let version = package_version(&real);
    let (path, mount) = inside(&real, &Path::new(INSIDE).join(name));
    Some(Program { path, mount, needs_node, version, closed })
}

/// Every Node that can be found, those of the folders of agents first.
pub(super) fn nodes(search: &Search) -> Vec<Node> {
    let package = format!("node_modules/node-linux-{}/bin/node", node_architecture());
    let in_folders = prefixes(search).into_iter().map(|prefix| prefix.join(&package));
    let in_path = search.path.iter().map(|folder| folder.join("node"));
    let node = |path: PathBuf| {
        let major = node_major(&path)?;
        let real = path.canonicalize().ok()?;
        let (path, mount) = inside(&real, &Path::new(INSIDE).join(format!("node-{major}")));
        Some(Node { path, mount, major, closed: closed(search, &real) })
    };
    in_folders.chain(in_path).filter(|path| is_program(path)).filter_map(node).collect()
}

/// The folders of agents and the folders in them: each may be an npm prefix.
fn prefixes(search: &Search) -> Vec<PathBuf> {
    let mut prefixes = Vec::new();
    for folder in &search.folders {
        prefixes.push(folder.clone());
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let mut below: Vec<_> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        below.sort();
        prefixes.extend(below);
    }
    prefixes
}

/// Where `real` is inside, and what to mount at `place` for it: the whole npm prefix of a package, else the one file.
fn inside(real: &Path, place: &Path) -> (PathBuf, Option<(PathBuf, PathBuf)>) {
    if SYSTEM.iter().any(|folder| real.starts_with(folder)) {
        return (real.to_owned(), None);
    }
    let modules = Component::Normal("node_modules".as_ref());
    let prefix: PathBuf = real.components().take_while(|part| *part != modules).collect();
    match real.strip_prefix(&prefix) {
        Ok(rest) if !rest.as_os_str().is_empty() => {
            (place.join(rest), Some((prefix, place.to_owned())))
        }
        _ => {
            let path = place.join(real.file_name().unwrap_or_default());
            (path.clone(), Some((real.to_owned(), path)))
        }
    }
}

/// The program itself or the folder above it that the users of sandboxes cannot pass; they are others to everything.
fn closed(search: &Search, program: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let lacks = |path: &Path, bits: u32| {
        path.metadata().is_ok_and(|about| about.permissions().mode() & bits != bits)
    };
    if !search.own_users {
        return None;
    }
    let folder = program.ancestors().skip(1).filter(|folder| lacks(folder, 0o001)).last();
    folder.or(Some(program).filter(|program| lacks(program, 0o005))).map(Path::to_owned)
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

fn is_node_script(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(128).read_to_end(&mut head));
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    read.is_ok() && first.starts_with(b"#!") && String::from_utf8_lossy(first).contains("node")
}

/// The version in the nearest `package.json` above a program.
fn package_version(program: &Path) -> String {
    let read = |folder: &Path| fs::read(folder.join("package.json")).ok();
    let package = program.ancestors().skip(1).take(4).find_map(read).unwrap_or_default();
    let package: Value = serde_json::from_slice(&package).unwrap_or_default();
    package["version"].as_str().unwrap_or_default().to_owned()
}

fn node_major(node: &Path) -> Option<u32> {
    let output = Command::new(node)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let version = String::from_utf8_lossy(&output.stdout);
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// As npm packages name this machine's architecture.
fn node_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    }
}
