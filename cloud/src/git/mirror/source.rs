//! Where a mirror is fetched from: its address, taken apart and checked, and what git is asked there.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use crate::git::bundle::TOLERATED;
use crate::git::command::{Git, Progress};
use crate::git::names::check_ref;
use crate::git::{Error, Remote, Result};

const FETCH_TIMEOUT: Duration = Duration::from_secs(4 * 3600);
const ASK_TIMEOUT: Duration = Duration::from_secs(120);
const BRANCHES: &str = "refs/heads/";

/// An address, with the credentials that stood in it kept apart.
#[derive(Debug)]
pub(crate) struct Source {
    /// Without credentials: may be shown, and given to git as an argument.
    pub(crate) url: String,
    authorization: Option<SecretString>,
}

/// What a source says of itself.
pub(crate) struct Advertised {
    pub(crate) object_format: &'static str,
    /// The ref its HEAD points to.
    head: Option<String>,
    /// Its HEAD is there, but on no branch.
    detached: bool,
    /// Its branches, without `refs/heads/`.
    pub(crate) branches: Vec<String>,
}

impl Advertised {
    /// The branch its HEAD points to.
    pub(crate) fn default_branch(&self) -> Option<&str> {
        self.head.as_deref()?.strip_prefix(BRANCHES)
    }
}

impl Source {
    /// Takes an address apart; refuses what git would read as an option or as a command to run.
    pub(crate) fn parse(address: &str) -> Result<Self> {
        let plain = |url: &str| Self { url: url.to_owned(), authorization: None };
        let refuse =
            |detail: &str| Err(Error::Fetch { url: address.to_owned(), detail: detail.to_owned() });
        if address.starts_with('-') || address.contains(char::is_control) || address.is_empty() {
            return refuse("this is no address");
        }
        let Some((scheme, rest)) = address.split_once("://") else {
            let is_path = address.starts_with('/');
            let is_ssh = address.split_once(':').is_some_and(|(host, path)| {
                !host.is_empty() && !host.contains('/') && !path.starts_with(':')
            });
            return if is_path || is_ssh {
                Ok(plain(address))
            } else {
                refuse("neither a URL nor an absolute path")
            };
        };
        match scheme {
            "ssh" | "git" | "file" => Ok(plain(address)),
            "http" | "https" => {
                let host_end = rest.find('/').unwrap_or(rest.len());
                let Some((user, host)) = rest[..host_end].rsplit_once('@') else {
                    return Ok(plain(address));
                };
                let url = format!("{scheme}://{host}{}", &rest[host_end..]);
                let user = if user.contains(':') {
                    percent_decoded(user)
                } else {
                    format!("{}:", percent_decoded(user))
                };
                Ok(Self { url, authorization: Some(basic(&user)) })
            }
            other => refuse(&format!("`{other}` addresses are not supported")),
        }
    }

    /// The same with the credentials of a remote, where it has any; they go before those of its address.
    pub(crate) fn of_remote(remote: &Remote) -> Result<Self> {
        let mut source = Self::parse(&remote.url)?;
        if let Some(login) = &remote.login {
            source.authorization = Some(basic(login.expose_secret()));
        }
        Ok(source)
    }

    /// Where a mirror was fetched from.
    pub(crate) async fn of(repository: &Path) -> Result<Option<Self>> {
        let url = Git::at(repository, "read the source")
            .args(["config", "--get", "aloft.source"])
            .line_if_any()
            .await?;
        url.map(|url| Self::parse(&url)).transpose()
    }

    /// Its object format, branches and default branch.
    pub(crate) async fn ask(&self) -> Result<Advertised> {
        let command = Git::new("ask the source")
            .args(["ls-remote", "--symref", "--", &self.url, "HEAD", "refs/heads/*"])
            .timeout(ASK_TIMEOUT);
        let answer =
            self.with_credentials(command).run().await.map_err(|error| self.blame(error))?;
        let answer = String::from_utf8_lossy(&answer);
        let mut advertised =
            Advertised { object_format: "sha1", head: None, detached: false, branches: Vec::new() };
        for (value, name) in answer.lines().filter_map(|line| line.split_once('\t')) {
            match value.strip_prefix("ref: ") {
                Some(target) if name == "HEAD" => advertised.head = Some(target.to_owned()),
                Some(_) => {}
                None => {
                    advertised.detached |= name == "HEAD";
                    advertised.object_format = if value.len() == 64 { "sha256" } else { "sha1" };
                    let branch = name.strip_prefix(BRANCHES);
                    advertised.branches.extend(branch.map(ToOwned::to_owned));
                }
            }
        }
        advertised.detached &= advertised.head.is_none();
        Ok(advertised)
    }

    /// The commit a ref has there now.
    pub(crate) async fn commit_of(&self, name: &str) -> Result<Option<String>> {
        let command = Git::new("ask the remote")
            .args(["ls-remote", "--", &self.url, name])
            .timeout(ASK_TIMEOUT);
        let answer =
            self.with_credentials(command).run().await.map_err(|error| self.blame(error))?;
        let answer = String::from_utf8_lossy(&answer);
        let mut lines = answer.lines().filter_map(|line| line.split_once('\t'));
        Ok(lines.find(|(_, found)| *found == name).map(|(commit, _)| commit.to_owned()))
    }

    /// Brings branches, tags and the default branch up to date; those that are gone lose their name.
    pub(crate) async fn update(
        &self,
        repository: &Path,
        advertised: &Advertised,
        progress: &watch::Sender<Progress>,
    ) -> Result<()> {
        let mut refs = vec!["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
        if advertised.detached {
            refs.push("+HEAD:refs/aloft/head");
        }
        self.fetch(repository, &["--prune"], &refs, Some(progress)).await?;
        let head =
            if advertised.detached { Some("refs/aloft/head") } else { advertised.head.as_deref() };
        if let Some(head) = head.filter(|head| check_ref(head).is_ok()) {
            Git::at(repository, "follow the default branch")
                .args(["symbolic-ref", "HEAD", head])
                .run()
                .await?;
        }
        Git::at(repository, "remember the source")
            .args(["config", "aloft.source", &self.url])
            .run()
            .await?;
        Ok(())
    }

    /// Fetches these refs.
    pub(crate) async fn fetch(
        &self,
        repository: &Path,
        options: &[&str],
        refs: &[&str],
        progress: Option<&watch::Sender<Progress>>,
    ) -> Result<()> {
        let mut command = Git::at(repository, "fetch").args(["-c", "fetch.fsckObjects=true"]);
        for fault in TOLERATED {
            command = command.args(["-c", &format!("fetch.fsck.{fault}=warn")]);
        }
        command = command.args([
            "fetch",
            "--progress",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-gc",
            "--no-recurse-submodules",
        ]);
        command = command.args(options).args(["--", &self.url]).args(refs).timeout(FETCH_TIMEOUT);
        if let Some(progress) = progress {
            command = command.progress(progress.clone());
        }
        let words =
            self.with_credentials(command).words().await.map_err(|error| self.blame(error))?;
        // git only warns, and leaves these refs out.
        if words.contains("shallow roots are not allowed") { Err(Error::Shallow) } else { Ok(()) }
    }

    /// Credentials go by the environment of the command, which only this user can read.
    pub(crate) fn with_credentials(&self, command: Git) -> Git {
        match &self.authorization {
            None => command,
            Some(header) => command
                .env("GIT_CONFIG_COUNT", "2")
                .env("GIT_CONFIG_KEY_0", format!("http.{}.extraHeader", self.url))
                .env("GIT_CONFIG_VALUE_0", header.expose_secret())
                // They belong to this host alone.
                .env("GIT_CONFIG_KEY_1", "http.followRedirects")
                .env("GIT_CONFIG_VALUE_1", "false"),
        }
    }

    /// What git says about a source is told with its address.
    fn blame(&self, error: Error) -> Error {
        match error {
            Error::Command { detail, .. } => Error::Fetch { url: self.url.clone(), detail },
            Error::Timeout { seconds, .. } => {
                Error::Timeout { attempt: format!("fetch from `{}`", self.url), seconds }
            }
            other => other,
        }
    }
}

fn basic(login: &str) -> SecretString {
    format!("Authorization: Basic {}", STANDARD.encode(login)).into()
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        let encoded = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        decoded.push(encoded.unwrap_or(bytes[at]));
        at += if encoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for good in [
            "https://host/a.git",
            "/srv/a",
            "git@host:a/b.git",
            "ssh://git@host/a",
            "file:///srv/a",
            "host:a",
        ] {
            assert_eq!(Source::parse(good).unwrap().url, good);
        }
        for bad in [
            "",
            "-oProxyCommand=x",
            "--upload-pack=x",
            "ext::sh -c x",
            "relative/path",
            "ftp://host/a",
            "a\nb",
            "fd::7",
        ] {
            assert!(Source::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn credentials_are_kept_apart_from_the_address() {
        let source = Source::parse("https://user:pa%40ss@host:8443/a@b.git").unwrap();
        assert_eq!(source.url, "https://host:8443/a@b.git");
        let header = source.authorization.as_ref().unwrap().expose_secret();
        assert_eq!(header, format!("Authorization: Basic {}", STANDARD.encode("user:pa@ss")));
        assert!(!format!("{source:?}").contains("pa@ss"));
    }
}
