//! Addresses: of a forge as a browser sees it, and of a repository as git does.

use std::fmt;

use reqwest::Url;

use crate::forge::{Error, Result};

/// The address of a forge in a browser: `https://github.com`, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web(Url);

impl Web {
    /// Takes what a person writes: a host, or an address with or without the path of its API.
    pub fn parse(address: &str) -> Result<Self> {
        let address = address.trim();
        let invalid = |detail: &str| Error::InvalidAddress {
            // An address may hold a password.
            address: address.rsplit('@').next().unwrap_or_default().to_owned(),
            detail: detail.to_owned(),
        };
        let whole =
            if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
        let mut url = Url::parse(&whole).map_err(|error| invalid(&error.to_string()))?;
        let host = url.host_str().ok_or_else(|| invalid("it names no host"))?.to_owned();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("it must not hold a user name, password or token"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it must be a plain address without ? or #"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => return Err(invalid("a token is sent by https only")),
            _ => return Err(invalid("it must begin with https://")),
        }
        if host == "api.github.com" || host == "www.github.com" {
            url = Url::parse("https://github.com").map_err(|error| invalid(&error.to_string()))?;
        }
        let path = url.path().trim_end_matches('/').trim_end_matches("/api/v3").to_owned();
        url.set_path(path.trim_end_matches('/'));
        Ok(Self(url))
    }

    /// What an account is known by: the host, with the port where it is not the usual one.
    pub fn host(&self) -> String {
        authority(&self.0)
    }

    /// The address with `path` behind it.
    pub(super) fn join(&self, path: &str) -> String {
        format!("{}/{path}", self.0.as_str().trim_end_matches('/'))
    }

    /// A page of the same place.
    pub(super) fn below(&self, address: &str) -> Option<Url> {
        let url =
            Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let prefix = format!("{}/", self.0.path().trim_end_matches('/'));
        (authority(&url) == self.host() && url.path().starts_with(&prefix)).then_some(url)
    }

    /// What follows the address of the place in that of one of its pages.
    pub(super) fn rest(&self, page: &Url) -> String {
        let rest = page.path().strip_prefix(self.0.path().trim_end_matches('/'));
        rest.unwrap_or_default().trim_start_matches('/').to_owned()
    }

    /// Where git finds a repository of this name.
    pub fn clone_url(&self, name: &str) -> String {
        self.join(&format!("{name}.git"))
    }

    /// The name of the repository git finds at `url`, where that is one of this forge. Of an SSH address the host counts.
    pub fn repository(&self, url: &str) -> Option<String> {
        let located = Located::parse(url)?;
        let own = if located.web {
            located.host == self.host()
        } else {
            Some(located.host.as_str()) == self.0.host_str()
        };
        let prefix = self.0.path().trim_matches('/');
        let below = match located.path.strip_prefix(prefix) {
            Some(rest) if prefix.is_empty() || rest.starts_with('/') => Some(rest),
            // By SSH there is nothing before the names.
            _ if !located.web => Some(located.path.as_str()),
            _ => None,
        };
        let name = below?.trim_start_matches('/');
        (own && is_long_name(name)).then(|| name.to_owned())
    }
}

impl fmt::Display for Web {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Where a repository is, as far as its address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The host, of a web address with its port.
    pub host: String,
    /// What follows, without slashes around it and without `.git`.
    pub path: String,
    /// It is fetched by http or https.
    pub web: bool,
}

impl Located {
    /// Takes an address of git apart; none where it names no host.
    pub fn parse(url: &str) -> Option<Self> {
        let bare = |path: &str| path.trim_matches('/').trim_end_matches(".git").to_owned();
        if url.contains("://") {
            let url = Url::parse(url).ok()?;
            let web = matches!(url.scheme(), "http" | "https");
            let host =
                if web { authority(&url) } else { url.host_str().unwrap_or_default().to_owned() };
            return (!host.is_empty()).then(|| Self { host, path: bare(url.path()), web });
        }
        let (host, path) = url.split_once(':')?;
        let host = host.rsplit('@').next().unwrap_or_default();
        let is_host = !host.is_empty() && !host.contains('/') && !url.starts_with('/');
        is_host.then(|| Self { host: host.to_owned(), path: bare(path), web: false })
    }
}

/// Whether this is `OWNER/NAME`.
pub fn is_short_name(text: &str) -> bool {
    is_long_name(text) && text.matches('/').count() == 1
}

/// Whether this is `OWNER/NAME`, or that in groups of groups: `GROUP/GROUP/NAME`.
pub fn is_long_name(text: &str) -> bool {
    let good = |part: &str| {
        !part.is_empty()
            && part.len() <= 100
            && !part.starts_with(['.', '-', '~'])
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    text.contains('/') && text.split('/').all(good)
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forge_is_known_by_its_host() {
        for (address, web, host) in [
            ("github.com", "https://github.com", "github.com"),
            ("https://api.github.com/", "https://github.com", "github.com"),
            ("https://git.example.com/api/v3/", "https://git.example.com", "git.example.com"),
            ("http://127.0.0.1:7420", "http://127.0.0.1:7420", "127.0.0.1:7420"),
            ("https://example.com/forge", "https://example.com/forge", "example.com"),
        ] {
            let parsed = Web::parse(address).unwrap();
            assert_eq!((parsed.to_string().as_str(), parsed.host().as_str()), (web, host));
        }
        for bad in ["http://example.com", "https://me:secret@example.com", "ftp://a", "", "a b"] {
            let error = Web::parse(bad).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_repository_is_found_by_every_address_git_takes() {
        let web = Web::parse("https://github.com").unwrap();
        for url in [
            "https://github.com/ada/tool.git",
            "https://github.com/ada/tool",
            "https://me:secret@github.com/ada/tool.git",
            "git@github.com:ada/tool.git",
            "ssh://git@github.com:22/ada/tool.git",
        ] {
            assert_eq!(web.repository(url).as_deref(), Some("ada/tool"), "{url}");
        }
        for url in [
            "https://example.com/ada/tool",
            "/srv/ada/tool.git",
            "file:///srv/tool",
            "https://github.com/ada",
            "https://github.com/../x",
        ] {
            assert_eq!(web.repository(url), None, "{url}");
        }
        let below = Web::parse("https://example.com/forge").unwrap();
        assert_eq!(below.repository("https://example.com/forge/a/b.git").as_deref(), Some("a/b"));
        assert_eq!(below.repository("git@example.com:a/b.git").as_deref(), Some("a/b"));
        assert_eq!(below.repository("https://example.com/forgery/a/b.git"), None);
        let ours = Web::parse("http://127.0.0.1:7420").unwrap();
        assert_eq!(ours.repository("http://127.0.0.1:7420/a/b.git").as_deref(), Some("a/b"));
        assert_eq!(ours.repository("http://127.0.0.1:7421/a/b.git"), None);
        // In groups of groups, as GitLab has them.
        assert_eq!(ours.repository("http://127.0.0.1:7420/a/b/c.git").as_deref(), Some("a/b/c"));
        assert_eq!(ours.clone_url("a/b"), "http://127.0.0.1:7420/a/b.git");
    }
}
