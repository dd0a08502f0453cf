//! The user each sandbox runs as on the host: never 0.
//!
//! Started by root, every sandbox has a range of 65,536 ids of its own; its processes are one of them, the rest is for
//! root file systems that bring users of their own. Started by anyone else, all sandboxes are that user: one trust domain.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::sandbox::{Error, Hindrance, Result};

/// Ids in one range.
const RANGE: u32 = 65_536;

/// The user inside, and its place in the range outside.
pub(super) const INSIDE: u32 = 1000;

/// First id of the first range and number of ranges. Neither `adduser` nor systemd gives these ids to anyone.
const DEFAULT_BASE: u32 = 0x7000_0000;
const DEFAULT_COUNT: u32 = 4094;

/// Which ids sandboxes may have when the cloud was started by root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// First id of the first range.
    pub base: u32,
    /// Number of ranges of 65,536 ids, one per sandbox on disk.
    pub count: u32,
    /// The number of the range that is tried first: clouds that begin at different ones hardly share a range.
    pub first: u32,
}

/// Who a sandbox is on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// Whoever the cloud is.
    Same,
    /// An own range that begins here.
    Range(u32),
}

/// Gives ranges to sandboxes; remembers them on disk.
#[derive(Clone, Debug)]
pub(super) struct Users {
    directory: PathBuf,
    ranges: Option<Ranges>,
}

impl Default for Ranges {
    fn default() -> Self {
        Self { base: DEFAULT_BASE, count: DEFAULT_COUNT, first: 0 }
    }
}

impl User {
    /// User and group of its processes; `None` = as the cloud.
    pub(super) fn identity(self) -> Option<(u32, u32)> {
        match self {
            Self::Same => None,
            Self::Range(base) => Some((base + INSIDE, base + INSIDE)),
        }
    }
}

impl Users {
    /// With `None`, sandboxes are whoever the cloud is.
    pub(super) fn new(directory: PathBuf, ranges: Option<Ranges>) -> Result<Self> {
        if let Some(Ranges { base, count, .. }) = ranges {
            let end = u64::from(base) + u64::from(count) * u64::from(RANGE);
            if base < RANGE || count == 0 || end > u64::from(u32::MAX) {
                let reason = "it must begin above 65535, end below 4294967295 and not be empty";
                return Err(Error::Invalid {
                    what: format!("user id range {base}, {count} times 65536"),
                    reason,
                });
            }
        }
        Ok(Self { directory, ranges })
    }

    /// The user of a sandbox, now or since earlier. A link is made whole or not at all, and never twice: that is the lock.
    pub(super) fn assign(&self, id: &str) -> Result<User> {
        let Some(ranges) = self.ranges else { return Ok(User::Same) };
        let taken = self.taken()?;
        if let Some((base, _)) = taken.iter().find(|(_, owner)| owner == id) {
            return Ok(User::Range(*base));
        }
        let bases = (0..ranges.count).map(|number| (number + ranges.first) % ranges.count);
        let bases = bases.map(|number| ranges.base + number * RANGE);
        for base in bases.filter(|base| !taken.iter().any(|(other, _)| other == base)) {
            let link = self.directory.join(base.to_string());
            match symlink(id, &link) {
                Ok(()) => return Ok(User::Range(base)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::file("take a user id range with", &link)(error)),
            }
        }
        Err(Hindrance {
            code: "SANDBOX_USERS_EXHAUSTED",
            cause: format!("all {} user id ranges for sandboxes are taken", ranges.count),
            fix:
                "delete threads that are no longer needed, or configure a larger range of user ids"
                    .to_owned(),
        }
        .into())
    }

    /// Gives a range back; nothing may be left of the sandbox.
    pub(super) fn release(&self, id: &str) -> Result<()> {
        for (base, _) in self.taken()?.into_iter().filter(|(_, owner)| owner == id) {
            let link = self.directory.join(base.to_string());
            match fs::remove_file(&link) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other.map_err(Error::file("remove", &link))?,
            }
        }
        Ok(())
    }

    /// The first id of each range that is taken, and by which sandbox.
    pub(super) fn taken(&self) -> Result<Vec<(u32, String)>> {
        let mut taken = Vec::new();
        for entry in
            fs::read_dir(&self.directory).map_err(Error::file("list", &self.directory))?.flatten()
        {
            let base = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
                .filter(|base| *base >= RANGE);
            let owner = fs::read_link(entry.path())
                .ok()
                .and_then(|owner| owner.into_os_string().into_string().ok());
            taken.extend(base.zip(owner));
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::sandbox::bubblewrap::users::{Ranges, User, Users};

    #[test]
    fn ranges_are_own_stable_and_given_back() {
        let directory = tempfile::tempdir().unwrap();
        let ranges = Ranges { base: 1_000_000, count: 2, first: 0 };
        let users = Users::new(directory.path().to_owned(), Some(ranges)).unwrap();
        assert_eq!(users.assign("a").unwrap(), User::Range(1_000_000));
        assert_eq!(users.assign("b").unwrap().identity(), Some((1_066_536, 1_066_536)));
        assert_eq!(users.assign("a").unwrap(), User::Range(1_000_000));
        assert_eq!(users.assign("c").unwrap_err().code(), "SANDBOX_USERS_EXHAUSTED");
        users.release("a").unwrap();
        users.release("a").unwrap();
        assert_eq!(users.assign("c").unwrap(), User::Range(1_000_000));
    }

    #[test]
    fn no_two_take_the_same_range_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let users = Users::new(directory.path().to_owned(), Some(Ranges::default())).unwrap();
        let threads: Vec<_> = (0..16)
            .map(|number| {
                let users = users.clone();
                std::thread::spawn(move || {
                    users.assign(&number.to_string()).unwrap().identity().unwrap().0
                })
            })
            .collect();
        let taken: BTreeSet<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(taken.len(), 16);
    }

    #[test]
    fn a_range_with_root_in_it_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for ranges in [
            Ranges { base: 0, count: 1, first: 0 },
            Ranges { base: 65_536, count: 0, first: 0 },
            Ranges { base: u32::MAX - 9, count: 1, first: 0 },
        ] {
            assert!(Users::new(directory.path().to_owned(), Some(ranges)).is_err());
        }
        assert_eq!(
            Users::new(directory.path().to_owned(), None).unwrap().assign("a").unwrap(),
            User::Same
        );
    }
}
