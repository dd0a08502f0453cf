//! Ways of a notice out of the editor: onto the desktop of whoever sits here.
//!
//! Several bridges may live on one machine, an editor's each and a `list --watch`: each notice is shown by the one that
//! claims it first.

mod desktop;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aloft_proto::v1;

use crate::config::Config;
use crate::offline::Offline;

/// How long it is remembered that a notice was shown: far longer than it takes every bridge to hear of it.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Shows notices on the desktop, where that is wanted.
#[derive(Clone, Debug)]
pub struct Desktop {
    wanted: bool,
    /// A file for each notice that was shown.
    shown: PathBuf,
}

impl Desktop {
    /// The desktop of this configuration.
    pub fn new(config: &Config, offline: &Offline) -> Self {
        Self {
            wanted: config.settings.notices.desktop.unwrap_or_default(),
            shown: offline.folder().join("shown"),
        }
    }

    /// Whether anything is shown at all.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Shows a notice that nobody has read, unless another bridge does. Waits for no one.
    pub fn show(&self, notice: &v1::Notice) {
        if !self.wanted || notice.read {
            return;
        }
        match self.claim(&notice.id) {
            Ok(true) => desktop::show(&notice.title, &notice.body),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "a notice cannot be claimed, so it is not shown"),
        }
    }

    /// Whether this bridge is the first to claim a notice.
    fn claim(&self, id: &str) -> io::Result<bool> {
        // An id comes from the cloud: it names no other folder.
        let name: String = id.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
        std::fs::create_dir_all(&self.shown)?;
        let claimed =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.shown.join(name));
        match claimed {
            Ok(_) => {
                self.forget_old();
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn forget_old(&self) {
        let Some(limit) = SystemTime::now().checked_sub(REMEMBERED) else { return };
        for entry in std::fs::read_dir(&self.shown).into_iter().flatten().flatten() {
            let old = entry.metadata().and_then(|data| data.modified()).is_ok_and(|at| at < limit);
            if old {
                // Another bridge may do the same.
                std::fs::remove_file(entry.path()).ok();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_bridges_one_shows_a_notice() {
        let folder = tempfile::tempdir().unwrap();
        let desktop = Desktop { wanted: true, shown: folder.path().join("shown") };
        let claims: Vec<bool> = std::thread::scope(|scope| {
            let bridges: Vec<_> =
                (0..8).map(|_| scope.spawn(|| desktop.claim("n1").unwrap())).collect();
            bridges.into_iter().map(|bridge| bridge.join().unwrap()).collect()
        });
        assert_eq!(claims.iter().filter(|first| **first).count(), 1);
        assert!(desktop.claim("n2").unwrap() && !desktop.claim("../n2").unwrap());
    }
}
