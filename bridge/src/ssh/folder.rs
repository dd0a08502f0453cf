//! Our folder `ssh/`: what is known, and everything that is written from it. Whoever changes it holds its lock.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::files;
use crate::ssh::generated;
use crate::ssh::hosts::Hosts;
use crate::ssh::quote::System;
use crate::ssh::{Error, lock};

/// How long another writer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is known.
const HOSTS: &str = "hosts.json";

/// Our folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Names the folder below a data folder; nothing is made yet.
    pub fn new(data: &Path) -> Self {
        Self { path: data.join("ssh") }
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns our config, which is there once something is known.
    pub fn config(&self) -> PathBuf {
        self.path.join("config")
    }

    /// Tells whether ssh was ever asked for here. Before that nothing is written.
    pub fn is_used(&self) -> bool {
        self.path.join(HOSTS).exists()
    }

    /// Returns what is known.
    pub fn read(&self) -> Result<Hosts, Error> {
        let path = self.path.join(HOSTS);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Hosts::default()),
            Err(source) => return Err(Error::io("read", &path, source)),
        };
        // A file that was damaged is made anew from what the clouds say.
        Ok(serde_json::from_slice(&text).unwrap_or_default())
    }

    /// Changes what is known and writes what differs. The lock is not held for longer than that.
    pub fn change<T>(&self, change: impl FnOnce(&mut Hosts) -> T) -> Result<T, Error> {
        self.make()?;
        let _lock = self.lock()?;
        let before = self.read()?;
        let mut hosts = before.clone();
        let answer = change(&mut hosts);
        let config = generated::config(System::HERE, &self.path, &hosts)
            .map_err(|path| Error::Path { path })?;
        for one in hosts.labelled() {
            let name = generated::known_hosts_name(one.label.as_deref());
            self.write(&name, generated::known_hosts(one.cloud).as_bytes())?;
        }
        self.write("config", config.as_bytes())?;
        if hosts != before || !self.is_used() {
            let text = serde_json::to_vec_pretty(&hosts).map_err(io::Error::from);
            let text = text.map_err(|source| Error::io("write", &self.path.join(HOSTS), source))?;
            self.write(HOSTS, &text)?;
        }
        Ok(answer)
    }

    /// Writes one of our files where it differs from what is there; nobody else may read it, and ssh refuses a config that
    /// others may write.
    pub(crate) fn write(&self, name: &str, text: &[u8]) -> Result<(), Error> {
        let path = self.path.join(name);
        let same = fs::read(&path).is_ok_and(|kept| kept == text)
            && fs::metadata(&path).is_ok_and(|about| about.permissions().mode() & 0o777 == 0o600);
        if same {
            return Ok(());
        }
        files::replace(&path, text, None).map_err(|source| Error::io("write", &path, source))
    }

    /// Makes the folder, for its owner alone.
    pub(crate) fn make(&self) -> Result<(), Error> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        let closed =
            made.and_then(|()| fs::set_permissions(&self.path, fs::Permissions::from_mode(0o700)));
        closed.map_err(|source| Error::io("make", &self.path, source))
    }

    fn lock(&self) -> Result<File, Error> {
        let path = self.path.join("lock");
        let opened =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = opened.map_err(|source| Error::io("open", &path, source))?;
        lock::wait_here(&file, PATIENCE).map_err(|source| Error::io("lock", &path, source))?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::hosts::Cloud;

    fn folder() -> (tempfile::TempDir, Folder) {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path());
        folder
            .change(|hosts| {
                hosts.program = "/opt/aloft".into();
                hosts.default = "embedded".into();
                hosts.clouds.insert("embedded".into(), Cloud::default());
            })
            .unwrap();
        (home, folder)
    }

    #[test]
    fn many_writers_at_once_lose_nothing() {
        let (_home, folder) = folder();
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let folder = &folder;
                scope.spawn(move || {
                    for thread in 0..10 {
                        let id = format!("w{writer}t{thread}");
                        let learn = |hosts: &mut Hosts| {
                            let cloud = hosts.clouds.get_mut("embedded").unwrap();
                            cloud.learn(&id, &format!("slug-{id}"));
                        };
                        folder.change(learn).unwrap();
                    }
                });
            }
        });
        let hosts = folder.read().unwrap();
        assert_eq!(hosts.clouds["embedded"].threads.len(), 80);
        let text = fs::read_to_string(folder.config()).unwrap();
        assert_eq!(text.matches("\n    HostName w").count(), 80);
        assert_eq!(hosts.host("embedded", "w1t2").as_deref(), Some("slug-w1t2.aloft"));
    }

    #[test]
    fn files_are_for_their_owner_alone_and_mended() {
        let (_home, folder) = folder();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::set_permissions(folder.config(), fs::Permissions::from_mode(0o666)).unwrap();
        fs::write(folder.path().join("hosts.json"), "{").unwrap();
        folder.change(|_| ()).unwrap();
        assert_eq!((mode(folder.path()), mode(&folder.config())), (0o700, 0o600));
        assert_eq!(folder.read().unwrap(), Hosts::default());
    }
}
