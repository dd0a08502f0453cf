//! What ssh makes of a config: `ssh -G`, the only judge of what stands in one.
//!
//! It runs the `Match exec` commands of the person, so it gets a closed input and a limit, and what it started ends with it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

use crate::ssh::Error;

/// How long ssh may take to read a config.
const PATIENCE: Duration = Duration::from_secs(10);

/// What ssh would do for a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    values: Vec<(String, String)>,
}

impl Settings {
    /// Returns all values of an option, named in lower case; an absent one has none.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the first value of an option.
    pub(crate) fn first<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    fn parse(text: &str) -> Self {
        let values = text.lines().map(|line| {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            (key.to_ascii_lowercase(), value.to_owned())
        });
        Self { values: values.collect() }
    }
}

/// Asks what ssh would do for a host, with the configs it reads by itself or with one alone.
pub(crate) async fn ask(config: Option<&Path>, host: &str) -> Result<Settings, Error> {
    let mut words = Vec::new();
    if let Some(config) = config {
        words.extend(["-F".into(), config.as_os_str().to_owned()]);
    }
    words.extend(["-G", host].map(Into::into));
    run(&words).await.map(|text| Settings::parse(&text))
}

/// Returns the home folder in which ssh looks: that of the user's account, whatever `HOME` says.
pub(crate) async fn home() -> Result<PathBuf, Error> {
    let words = ["-F", "none", "-o", "ControlPath=%d/-", "-G", "localhost"].map(Into::into);
    let settings = Settings::parse(&run(&words).await?);
    let path = settings.first("controlpath").and_then(|path| path.strip_suffix("/-"));
    Ok(PathBuf::from(path.unwrap_or_default()))
}

async fn run(words: &[std::ffi::OsString]) -> Result<String, Error> {
    let spawned = Command::new("ssh")
        .args(words)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let child = spawned.map_err(|source| Error::NoSsh { source })?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let Ok(ended) = tokio::time::timeout(PATIENCE, child.wait_with_output()).await else {
        if let Some(group) = group {
            kill_process_group(group, Signal::KILL).ok();
        }
        return Err(Error::Slow { seconds: PATIENCE.as_secs() });
    };
    let output = ended.map_err(|source| Error::NoSsh { source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said =
            said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
        return Err(Error::Unreadable { said: said.chars().take(300).collect() });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_name() {
        let settings =
            Settings::parse("user agent\nidentityfile a\nIdentityFile b c\nclearallforwardings\n");
        assert_eq!(settings.first("user"), Some("agent"));
        assert_eq!(settings.all("identityfile").collect::<Vec<_>>(), ["a", "b c"]);
        assert_eq!(settings.first("hostkeyalias"), None);
        assert_eq!(settings.first("clearallforwardings"), Some(""));
    }
}
