//! What lies where on disk, who owns it, and how it is removed.
//!
//! ```text
//! ROOT/                 0711
//!   etc/                what every sandbox sees in /etc
//!   programs/           the guest's program, one per version, so that an upgrade takes nothing from under a sandbox
//!   users/BASE -> ID    which range of user ids belongs to which sandbox
//!   ID/                 0710, reachable for its own user only
//!     record.json       the running process
//!     guest/sock        0700, the cloud's way to the guest; no path leads there from inside
//!     relay/cloud.sock  the sandbox's way to the cloud
//!     home/ workspace/ snapshot/   0700, owned by the sandbox's user
//! ```

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sandbox::bubblewrap::process::Identity;
use crate::sandbox::bubblewrap::users::User;
use crate::sandbox::{Error, Hindrance, Result};

/// Longest path of a socket; the kernel takes 107 bytes.
const LONGEST_SOCKET: usize = 100;

/// Longest id of a sandbox.
const LONGEST_ID: usize = 64;

/// Names in the root that are no sandboxes.
const OWN_NAMES: &[&str] = &["etc", "programs", "users"];

/// Files every sandbox sees in `/etc`.
const ETC: &[(&str, &str)] = &[
    (
        "passwd",
        "root:x:0:0:root:/root:/usr/sbin/nologin\nagent:x:1000:1000:Aloft:/home/agent:/bin/bash\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    ("group", "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n"),
    ("hosts", "127.0.0.1 localhost aloft\n::1 localhost\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ("gitconfig", include_str!("gitconfig")),
];

/// The directory of all sandboxes.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

/// The running process of a sandbox, written when it starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) incarnation: u64,
    /// First process of its pid namespace.
    pub(super) init: Identity,
    /// The process of bubblewrap that waits for it outside.
    pub(super) monitor: Identity,
}

/// The directories of one sandbox.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) directory: PathBuf,
}

impl Layout {
    /// Prepares the root; with `shared`, so that users other than this one can pass through it.
    pub(super) fn prepare(root: &Path, shared: bool) -> Result<Self> {
        let root = std::path::absolute(root).map_err(Error::file("find", root))?;
        let mode = if shared { 0o711 } else { 0o700 };
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(&root)
            .map_err(Error::file("create", &root))?;
        // The path of a socket may not go through links that someone else owns, nor be longer than it looks.
        let root = root.canonicalize().map_err(Error::file("find", &root))?;
        set_mode(&root, mode)?;
        if shared {
            check_passable(&root)?;
        }
        let layout = Self { root };
        for name in OWN_NAMES {
            let directory = layout.root.join(name);
            DirBuilder::new()
                .recursive(true)
                .create(&directory)
                .map_err(Error::file("create", &directory))?;
            set_mode(&directory, if *name == "users" { 0o700 } else { mode })?;
        }
        for (name, content) in ETC {
            replace(&layout.etc(name), content.as_bytes(), 0o644)?;
        }
        Ok(layout)
    }

    /// A root that was prepared; `None` where there is none.
    pub(super) fn find(root: &Path) -> Option<Self> {
        root.canonicalize().ok().map(|root| Self { root })
    }

    /// A name of this root that no other on this machine has.
    pub(super) fn owner(&self) -> Result<String> {
        let metadata = fs::metadata(&self.root).map_err(Error::file("look at", &self.root))?;
        Ok(format!("{:x}-{:x}", metadata.dev(), metadata.ino()))
    }

    pub(super) fn etc(&self, name: &str) -> PathBuf {
        self.root.join("etc").join(name)
    }

    pub(super) fn etc_names() -> impl Iterator<Item = &'static str> {
        ETC.iter().map(|(name, _)| *name)
    }

    pub(super) fn users(&self) -> PathBuf {
        self.root.join("users")
    }

    /// The directories of a sandbox, whether they exist or not.
    pub(super) fn home(&self, id: &str) -> Result<Home> {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let reason = if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(fine) {
            "only letters, digits, - and _ are allowed, and at most 64 of them"
        } else if OWN_NAMES.contains(&id) {
            "the name is taken"
        } else {
            return Ok(Home { directory: self.root.join(id) });
        };
        Err(Error::Invalid { what: format!("sandbox id {id:?}"), reason })
    }

    /// Names of all sandboxes of which something is there.
    pub(super) fn ids(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(&self.root).map_err(Error::file("list", &self.root))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut ids: Vec<_> = names.filter(|name| self.home(name).is_ok()).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// The guest's program under a path that stays as it is when the installed one is replaced or removed.
    pub(super) fn keep_program(&self, program: &Path) -> Result<PathBuf> {
        let source = fs::metadata(program).map_err(Error::file("find", program))?;
        let name = format!(
            "{:x}-{:x}-{:x}{:x}",
            source.ino(),
            source.len(),
            source.mtime(),
            source.mtime_nsec()
        );
        let directory = self.root.join("programs");
        let kept = directory.join(&name);
        if !kept.exists() {
            let fresh = tempfile::Builder::new().prefix("new-").tempdir_in(&directory);
            let fresh = fresh.map_err(Error::file("create a directory in", &directory))?;
            let copy = fresh.path().join("aloft-cloud");
            // A link costs nothing, but others must be able to run it as it is.
            let linked = source.mode() & 0o005 == 0o005
                && source.nlink() > 0
                && link(program, &copy).is_ok();
            if !linked {
                fs::copy(program, &copy).map_err(Error::file("copy the program to", &kept))?;
                set_mode(&copy, 0o755)?;
            }
            fs::rename(&copy, &kept).map_err(Error::file("keep", &kept))?;
        }
        let others = fs::read_dir(&directory).map_err(Error::file("list", &directory))?;
        for other in others.flatten().filter(|other| *other.file_name() != *name) {
            // A running sandbox keeps its own: the file lives on without its name.
            fs::remove_file(other.path()).ok();
        }
        Ok(kept)
    }
}

impl Home {
    /// Makes what is missing.
    pub(super) fn create(&self, user: User) -> Result<()> {
        let directory = |path: &Path, mode, owner| {
            match DirBuilder::new().mode(mode).create(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
                other => other.map_err(Error::file("create", path))?,
            }
            if let Some((user, group)) = owner {
                chown(path, Some(user), Some(group))
                    .map_err(Error::file("change the owner of", path))?;
            }
            set_mode(path, mode)
        };
        let owner = user.identity();
        directory(&self.directory, 0o710, owner.map(|(_, group)| (0, group)))?;
        directory(&self.guest(), 0o700, None)?;
        directory(&self.relay(), 0o755, None)?;
        for own in [self.home(), self.workspace(), self.snapshot()] {
            directory(&own, 0o700, owner)?;
        }
        let longest = self.relay_socket();
        if longest.as_os_str().len() > LONGEST_SOCKET {
            return Err(Hindrance {
                code: "SANDBOX_PATH_TOO_LONG",
                cause: format!(
                    "{} is longer than {LONGEST_SOCKET} bytes, too long for a socket",
                    longest.display()
                ),
                fix: "choose a data directory with a shorter path".to_owned(),
            }
            .into());
        }
        Ok(())
    }

    pub(super) fn guest(&self) -> PathBuf {
        self.directory.join("guest")
    }

    pub(super) fn guest_socket(&self) -> PathBuf {
        self.guest().join("sock")
    }

    pub(super) fn relay(&self) -> PathBuf {
        self.directory.join("relay")
    }

    pub(super) fn relay_socket(&self) -> PathBuf {
        self.relay().join("cloud.sock")
    }

    pub(super) fn home(&self) -> PathBuf {
        self.directory.join("home")
    }

    pub(super) fn workspace(&self) -> PathBuf {
        self.directory.join("workspace")
    }

    pub(super) fn snapshot(&self) -> PathBuf {
        self.directory.join("snapshot")
    }

    pub(super) fn exists(&self) -> bool {
        self.directory.exists()
    }

    /// The running process as last recorded; `None` when it never ran, or was stopped.
    pub(super) fn record(&self) -> Option<Record> {
        let path = self.directory.join("record.json");
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    pub(super) fn set_record(&self, record: &Record) -> Result<()> {
        let path = self.directory.join("record.json");
        let text = serde_json::to_vec(record)
            .map_err(|error| Error::file("write", &path)(error.into()))?;
        replace(&path, &text, 0o600)
    }

    /// Forgets the process that has ended, and the socket that led to it.
    pub(super) fn clear_record(&self) -> Result<()> {
        for path in [self.directory.join("record.json"), self.guest_socket()] {
            remove_file(&path)?;
        }
        Ok(())
    }

    /// Removes everything, also what the sandbox's user made unreadable. No process of it may live.
    pub(super) fn remove(&self) -> Result<()> {
        let removed = match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                open_up(&self.directory).and_then(|()| fs::remove_dir_all(&self.directory))
            }
            other => other,
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(Error::file("remove", &self.directory)),
        }
    }
}

/// Removes a file that may be missing.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(Error::file("remove", path)),
    }
}

pub(super) fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(Error::file("change the mode of", path))
}

/// Other users can reach what lies in here only through directories that let them pass.
fn check_passable(root: &Path) -> Result<()> {
    for directory in root.ancestors() {
        let metadata = fs::metadata(directory).map_err(Error::file("look at", directory))?;
        if metadata.mode() & 0o001 == 0 {
            let shown = directory.display();
            return Err(Hindrance {
                code: "SANDBOX_DIRECTORY_CLOSED",
                cause: format!("the users of sandboxes cannot pass through {shown} to {}", root.display()),
                fix: format!("run `chmod o+x {shown}`, or use a data directory elsewhere, such as /var/lib/aloft"),
            }
            .into());
        }
    }
    Ok(())
}

/// Puts a whole file in place at once. What is there already as it should be needs no room on the disk.
fn replace(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let has_mode = |about: fs::Metadata| about.is_file() && about.mode() & 0o7777 == mode;
    if fs::symlink_metadata(path).is_ok_and(has_mode)
        && fs::read(path).is_ok_and(|old| old == content)
    {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    let write = || {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
        file.write_all(content)?;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(Error::file("write", path))
}

/// Follows the magic link of a program that runs, which `fs::hard_link` does not.
fn link(program: &Path, to: &Path) -> io::Result<()> {
    let here = rustix::fs::CWD;
    Ok(rustix::fs::linkat(here, program, here, to, rustix::fs::AtFlags::SYMLINK_FOLLOW)?)
}

/// Gives this user back the directories it cannot read. Links are not followed.
fn open_up(directory: &Path) -> io::Result<()> {
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use crate::sandbox::Error;
    use crate::sandbox::bubblewrap::layout::{Layout, open_up};

    #[test]
    fn ids_cannot_lead_elsewhere() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(&root.path().join("s"), false).unwrap();
        for id in ["", ".", "..", "a/b", "a b", "users", "programs", "etc", "é", &"x".repeat(65)] {
            assert!(matches!(layout.home(id), Err(Error::Invalid { .. })), "{id}");
        }
        assert!(layout.home("0199a3-Ab_c").is_ok());
        assert!(layout.ids().unwrap().is_empty());
    }

    #[test]
    fn what_is_there_is_not_written_again() {
        let root = tempfile::tempdir().unwrap();
        let prepare = || Layout::prepare(&root.path().join("s"), false).unwrap();
        let passwd = || std::fs::metadata(prepare().etc("passwd")).unwrap();
        let before = passwd();
        assert_eq!(passwd().ino(), before.ino());
        std::fs::write(prepare().etc("passwd"), "other").unwrap();
        assert_eq!(passwd().len(), before.len());
        let open = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(prepare().etc("passwd"), open).unwrap();
        assert_eq!(passwd().mode(), before.mode());
    }

    #[test]
    fn a_closed_parent_is_named_with_its_fix() {
        let closed = tempfile::tempdir().unwrap();
        std::fs::set_permissions(closed.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let error = Layout::prepare(&closed.path().join("s"), true).unwrap_err();
        assert_eq!(error.code(), "SANDBOX_DIRECTORY_CLOSED");
        assert!(error.hint().unwrap().contains("chmod o+x"));
    }

    #[test]
    fn a_program_outlives_its_replacement() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(&root.path().join("s"), false).unwrap();
        let program = root.path().join("program");
        std::fs::write(&program, "one").unwrap();
        let kept = layout.keep_program(&program).unwrap();
        assert_eq!(layout.keep_program(&program).unwrap(), kept);
        std::fs::remove_file(&program).unwrap();
        assert_eq!(std::fs::read(&kept).unwrap(), b"one");
        assert_eq!(std::fs::metadata(&kept).unwrap().mode() & 0o777, 0o755);

        std::fs::write(&program, "second").unwrap();
        let newer = layout.keep_program(&program).unwrap();
        assert_ne!(newer, kept);
        assert!(!kept.exists());
    }

    #[test]
    fn closed_directories_are_opened() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        for directory in [&inner, &root.path().join("a")] {
            std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o000)).unwrap();
        }
        open_up(root.path()).unwrap();
        assert_eq!(std::fs::metadata(&inner).unwrap().mode() & 0o777, 0o700);
    }
}
