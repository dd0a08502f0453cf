//! Where the cloud keeps what.
//!
//! The data directory is its user's alone. What sandboxes must reach (their own folders, and the mirrors they borrow objects
//! from) lies beside it when the cloud runs as an ordinary user, and below `/var/lib/aloft` when root started it: a sandbox's own
//! user cannot pass through a home folder.

use std::{
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use ring::digest::{SHA256, digest};

use crate::sandbox::bubblewrap::Ranges;

/// Where root's sandboxes live.
const SYSTEM: &str = "/var/lib/aloft";

/// All folders of a cloud.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Rows and logs.
    pub store: PathBuf,
    /// The key that seals secrets.
    pub key: PathBuf,
    /// Where the SSH gateway asks.
    pub gateway: PathBuf,
    /// Locked by whoever answers for the sandboxes.
    pub answerable: PathBuf,
    /// Snapshots of threads: mounted in no sandbox.
    pub snapshots: PathBuf,
    /// Where bundles pass through.
    pub scratch: PathBuf,
    /// Folders of sandboxes.
    pub sandboxes: PathBuf,
    /// Mirrors of repositories: read by sandboxes.
    pub mirrors: PathBuf,
}

impl Places {
    /// Makes what is missing, and empties what a crash left half done.
    pub(super) fn prepare(data: &Path, sandbox_dir: Option<&Path>) -> anyhow::Result<Self> {
        make(data, 0o700)?;
        let data = data.canonicalize().with_context(|| format!("find {}", data.display()))?;
        let shared = match sandbox_dir {
            Some(configured) => configured.to_owned(),
            None if rustix::process::geteuid().is_root() => {
                Path::new(SYSTEM).join(short_name(&data))
            }
            None => data.clone(),
        };
        make(&shared, 0o711)?;
        let shared = shared.canonicalize().with_context(|| format!("find {}", shared.display()))?;
        let places = Self {
            key: data.join("secret.key"),
            gateway: data.join("gateway.sock"),
            answerable: data.join("sandboxes.lock"),
            snapshots: data.join("snapshots"),
            scratch: data.join("scratch"),
            store: data,
            sandboxes: shared.join("s"),
            mirrors: shared.join("mirrors"),
        };
        if places.scratch.exists() {
            std::fs::remove_dir_all(&places.scratch)
                .with_context(|| format!("empty {}", places.scratch.display()))?;
        }
        // Who removes the data directory finds the rest by this.
        let elsewhere = places.store.join("elsewhere");
        if shared == places.store {
            let _absent = std::fs::remove_file(&elsewhere);
        } else {
            use std::os::unix::ffi::OsStrExt;
            std::fs::write(&elsewhere, shared.as_os_str().as_bytes())
                .with_context(|| format!("write {}", elsewhere.display()))?;
        }
        make(&places.snapshots, 0o700)?;
        make(&places.scratch, 0o700)?;
        make(&places.sandboxes, 0o711)?;
        make(&places.mirrors, 0o755)?;
        Ok(places)
    }
}

impl Places {
    /// The ids that sandboxes run under when root started the cloud: two clouds on one machine hardly have the same.
    pub(super) fn ranges(&self) -> Ranges {
        use std::os::unix::ffi::OsStrExt;
        let hash = digest(&SHA256, self.sandboxes.as_os_str().as_bytes());
        let ranges = Ranges::default();
        Ranges {
            first: u32::from(u16::from_be_bytes([hash.as_ref()[0], hash.as_ref()[1]]))
                % ranges.count,
            ..ranges
        }
    }
}

/// A folder with exactly this mode; parents that are made are traversable where it is.
fn make(path: &Path, mode: u32) -> anyhow::Result<()> {
    let parents = if mode == 0o700 { 0o700 } else { 0o711 };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(parents)
        .create(path)
        .with_context(|| format!("create {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .with_context(|| format!("set the mode of {}", path.display()))
}

/// Eight characters that tell data directories apart.
fn short_name(data: &Path) -> String {
    use std::{fmt::Write, os::unix::ffi::OsStrExt};
    let hash = digest(&SHA256, data.as_os_str().as_bytes());
    hash.as_ref()[..4].iter().fold(String::new(), |mut name, byte| {
        let _infallible = write!(name, "{byte:02x}");
        name
    })
}
