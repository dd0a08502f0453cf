//! Our line in the person's `~/.ssh/config`: planned, shown, written, looked at through ssh, taken back on any surprise.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use time::OffsetDateTime;

use crate::files;
use crate::ssh::ask::{Settings, ask, home};
use crate::ssh::config_file::{self, State};
use crate::ssh::hosts::host_name;
use crate::ssh::quote::{System, includable};
use crate::ssh::{Error, Folder, lock};

/// How long another writer may take: it asks ssh several times.
const PATIENCE: Duration = Duration::from_secs(60);
/// A host nobody has: what ssh does for it must not change.
const OTHER: &str = "host-of-nobody.invalid";
/// What our stanza decides. Where one of these differs, something of the person's stands before it.
const DECIDED: &str = "user hostname port proxycommand proxyusefdpass identityfile certificatefile identitiesonly identityagent \
    addkeystoagent pubkeyauthentication preferredauthentications pubkeyacceptedalgorithms pubkeyacceptedkeytypes userknownhostsfile \
    globalknownhostsfile stricthostkeychecking hostkeyalgorithms casignaturealgorithms checkhostip verifyhostkeydns updatehostkeys \
    kexalgorithms macs ciphers compression controlmaster controlpath controlpersist forwardagent forwardx11 tunnel remotecommand \
    requesttty permitlocalcommand canonicalizehostname visualhostkey loglevel serveraliveinterval serveralivecountmax connecttimeout \
    tcpkeepalive proxyjump";

/// The person's config.
#[derive(Clone, Debug)]
pub struct UserConfig {
    folder: Folder,
    home: PathBuf,
    /// Our config.
    own: PathBuf,
    /// As the person names it.
    path: PathBuf,
    /// What our `Include` names.
    include: String,
}

/// What would change.
#[derive(Clone, Debug)]
pub struct Change {
    /// The file, links followed.
    pub file: PathBuf,
    /// Whether the lines come or go.
    pub adds: bool,
    /// The lines.
    pub lines: String,
}

/// A value that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The host that was asked for.
    pub host: String,
    /// The option, in lower case.
    pub option: String,
    /// Its value for our hosts through the person's config.
    pub value: String,
}

impl UserConfig {
    /// Names the config of the person whose home this is.
    pub fn new(folder: &Folder, home: &Path) -> Result<Self, Error> {
        let own = folder.config();
        let include = includable(System::HERE, &own.display().to_string());
        let include = include.ok_or_else(|| Error::Path { path: own.display().to_string() })?;
        let path = home.join(".ssh/config");
        Ok(Self { folder: folder.clone(), home: home.to_owned(), own, path, include })
    }

    /// Returns the config as the person names it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the person's home folder.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Returns our own config.
    pub(crate) fn own(&self) -> &Path {
        &self.own
    }

    /// Returns what a person would add by hand at the top.
    pub fn lines(&self) -> String {
        config_file::lines(&self.include)
    }

    /// Tells how our lines stand, without asking ssh.
    pub fn state(&self) -> Result<State, Error> {
        let (file, text) = self.read()?;
        config_file::state(text.as_deref().unwrap_or_default(), &self.include)
            .map_err(|changed| Error::Changed { file, line: changed.line, text: changed.text })
    }

    /// Returns the config to give to ssh: none where ssh reads that one by itself.
    pub async fn explicit(&self) -> Result<Option<&Path>, Error> {
        let theirs = home().await?;
        let same = theirs == self.home
            || fs::canonicalize(theirs)
                .is_ok_and(|theirs| fs::canonicalize(&self.home).is_ok_and(|ours| ours == theirs));
        Ok((!same).then_some(self.path.as_path()))
    }

    /// Says what installing would change; nothing where our lines stand as they should.
    pub fn plan_install(&self) -> Result<Option<Change>, Error> {
        let adds = self.state()? != State::First;
        let (file, _) = self.read()?;
        Ok(adds.then(|| Change { file, adds: true, lines: self.lines() }))
    }

    /// Says what removing would change; nothing where our lines are not there.
    pub fn plan_removal(&self) -> Result<Option<Change>, Error> {
        let removes = self.state()? != State::Absent;
        let (file, _) = self.read()?;
        Ok(removes.then(|| Change { file, adds: false, lines: self.lines() }))
    }

    /// Puts our lines in. On any error the file is as it was.
    pub async fn install(&self) -> Result<(), Error> {
        let hold = self.hold().await?;
        let (file, before) = self.read()?;
        let text = before.clone().unwrap_or_default();
        self.state()?;
        let after = config_file::insert(&text, &self.include);
        if before.is_some() && after == text {
            return Ok(());
        }
        let like = self.writable(&file)?;
        let explicit = self.explicit().await?;
        let known = match before {
            // Without a file there is nothing to give to ssh.
            None if explicit.is_some() => None,
            _ => Some(ask(explicit, OTHER).await?),
        };
        self.back_up(before.as_deref())?;
        files::replace(&file, &after, like.as_ref())
            .map_err(|source| self.read_only(&file, source))?;
        let verdict = self.judge(explicit, known.as_ref()).await;
        if let Err(error) = verdict {
            self.undo(&file, before.as_deref(), &after, like.as_ref())?;
            return Err(error);
        }
        drop(hold);
        if before.is_none() {
            self.folder.change(|hosts| hosts.made = Some(file))?;
        }
        Ok(())
    }

    /// Takes our lines out. Works without ssh, and where the rest of the file is broken.
    pub async fn remove(&self) -> Result<(), Error> {
        let hold = self.hold().await?;
        let (file, before) = self.read()?;
        self.state()?;
        let Some(before) = before else { return Ok(()) };
        let after = config_file::remove(&before, &self.include);
        if after == before {
            return Ok(());
        }
        let like = self.writable(&file)?;
        let made = self.folder.read()?.made;
        if after.is_empty() && made.as_ref() == Some(&file) {
            fs::remove_file(&file).map_err(|source| self.read_only(&file, source))?;
        } else {
            let explicit = self.explicit().await.unwrap_or(Some(&self.path));
            let fine = ask(explicit, OTHER).await;
            self.back_up(Some(&before))?;
            files::replace(&file, &after, like.as_ref())
                .map_err(|source| self.read_only(&file, source))?;
            if let (Ok(fine), now) = (fine, ask(explicit, OTHER).await)
                && now.as_ref().ok() != Some(&fine)
            {
                self.undo(&file, Some(&before), &after, like.as_ref())?;
                return Err(Error::Surprise {
                    file,
                    what: "without our lines ssh reads it otherwise".to_owned(),
                });
            }
        }
        drop(hold);
        if made.is_some() {
            self.folder.change(|hosts| hosts.made = None)?;
        }
        Ok(())
    }

    /// Returns what differs from our stanza where ssh reads the person's config.
    pub async fn differences(&self) -> Result<Vec<Difference>, Error> {
        let explicit = self.explicit().await?;
        let mut found = Vec::new();
        for host in self.probes()? {
            let (ours, theirs) =
                tokio::try_join!(ask(Some(&self.own), &host), ask(explicit, &host))?;
            for option in DECIDED.split_whitespace() {
                if ours.first(option) != theirs.first(option) {
                    let value = theirs.first(option).unwrap_or("none").to_owned();
                    found.push(Difference { host: host.clone(), option: option.to_owned(), value });
                }
            }
        }
        Ok(found)
    }

    /// Returns, for a host of ours, what ssh would do with our config alone and what it does with the person's.
    pub(crate) async fn both(&self) -> Result<(Settings, Settings), Error> {
        let explicit = self.explicit().await?;
        let host = host_name("aloft-probe", None);
        tokio::try_join!(ask(Some(&self.own), &host), ask(explicit, &host))
    }

    /// A host for each stanza.
    fn probes(&self) -> Result<Vec<String>, Error> {
        let hosts = self.folder.read()?;
        Ok(hosts
            .labelled()
            .iter()
            .map(|one| host_name("aloft-probe", one.label.as_deref()))
            .collect())
    }

    async fn judge(&self, explicit: Option<&Path>, known: Option<&Settings>) -> Result<(), Error> {
        let surprise = |what: String| Error::Surprise { file: self.path.clone(), what };
        let now = ask(explicit, OTHER).await;
        let now =
            now.map_err(|error| surprise(format!("ssh could not read it any more: {error}")))?;
        if known.is_some_and(|known| *known != now) {
            return Err(surprise("ssh treated other hosts differently".to_owned()));
        }
        match self.differences().await?.first() {
            None => Ok(()),
            Some(Difference { host, option, value }) => {
                Err(surprise(format!("for {host} ssh used {option} {value}, which is not ours")))
            }
        }
    }

    /// The file with links followed, and what it holds.
    fn read(&self) -> Result<(PathBuf, Option<Vec<u8>>), Error> {
        let file = follow(&self.path);
        match fs::read(&file) {
            Ok(text) => Ok((file, Some(text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((file, None)),
            Err(source) => Err(Error::io("read", &file, source)),
        }
    }

    /// Keeps other writers of Aloft away from the file, whatever their data folder.
    async fn hold(&self) -> Result<File, Error> {
        let file = follow(&self.path);
        let folder = file.parent().unwrap_or(Path::new("/"));
        // Only ever our own folder of ssh is made, never where a link leads.
        if self.path.parent() == Some(folder) && !folder.exists() {
            let made = fs::DirBuilder::new().mode(0o700).create(folder);
            made.map_err(|source| self.read_only(&file, source))?;
        }
        let hold = File::open(folder).map_err(|source| Error::io("open", folder, source))?;
        lock::wait(&hold, PATIENCE).await.map_err(|source| Error::io("lock", folder, source))?;
        files::clear_unfinished(folder);
        Ok(hold)
    }

    /// Returns what a new file must be like. A file that may not be written is not forced.
    fn writable(&self, file: &Path) -> Result<Option<Metadata>, Error> {
        let about = match fs::metadata(file) {
            Ok(about) => about,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::io("read", file, source)),
        };
        if about.nlink() > 1 {
            let source = io::Error::other("it has several names, of which only one would change");
            return Err(self.read_only(file, source));
        }
        OpenOptions::new()
            .append(true)
            .open(file)
            .map_err(|source| self.read_only(file, source))?;
        Ok(Some(about))
    }

    fn read_only(&self, file: &Path, source: io::Error) -> Error {
        Error::ReadOnly { file: file.to_owned(), lines: self.lines(), source }
    }

    /// Keeps what is there before the first change, and before any change to something else.
    fn back_up(&self, text: Option<&[u8]>) -> Result<(), Error> {
        let Some(text) = text else { return Ok(()) };
        let folder = self.folder.path().join("backup");
        let plain = config_file::remove(text, &self.include);
        let kept = fs::read_dir(&folder).into_iter().flatten().flatten();
        if kept
            .map(|entry| fs::read(entry.path()))
            .any(|kept| kept.is_ok_and(|kept| kept == text || kept == plain))
        {
            return Ok(());
        }
        let failed = |source| Error::io("write", &folder, source);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let now = OffsetDateTime::now_utc();
        let (day, time) = (now.date(), now.time());
        let name =
            format!("{day}-{:02}{:02}{:02}-config", time.hour(), time.minute(), time.second());
        files::replace(&folder.join(name), text, None).map_err(failed)
    }

    /// Puts back what was there, unless somebody else has written since.
    fn undo(
        &self,
        file: &Path,
        before: Option<&[u8]>,
        after: &[u8],
        like: Option<&Metadata>,
    ) -> Result<(), Error> {
        if !fs::read(file).is_ok_and(|now| now == after) {
            return Ok(());
        }
        let undone = match before {
            Some(before) => files::replace(file, before, like),
            None => fs::remove_file(file),
        };
        undone.map_err(|source| self.read_only(file, source))
    }
}

/// Follows links to the file that is meant, which need not be there.
fn follow(path: &Path) -> PathBuf {
    if let Ok(file) = fs::canonicalize(path) {
        return file;
    }
    let mut path = path.to_owned();
    // As many as the kernel follows.
    for _ in 0..40 {
        let Ok(next) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("/")).join(next);
    }
    path
}
