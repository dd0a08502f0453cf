//! A repository elsewhere, with what opens it.

use secrecy::{ExposeSecret, SecretString};

use crate::git::Result;
use crate::git::mirror::source::Source;

/// An address of git, and the credentials for it where there are any: these never become part of the address.
#[derive(Clone, Debug)]
pub struct Remote {
    /// The address.
    pub url: String,
    /// User and password as HTTP's basic authorization has them.
    pub(crate) login: Option<SecretString>,
}

/// The branches of a repository elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branches {
    /// Without `refs/heads/`, by name.
    pub names: Vec<String>,
    /// The one that is checked out by default.
    pub default: Option<String>,
}

impl Remote {
    /// Asks it for its branches; nothing of it is fetched.
    pub async fn branches(&self) -> Result<Branches> {
        let advertised = Source::of_remote(self)?.ask().await?;
        let default = advertised.default_branch().map(ToOwned::to_owned);
        Ok(Branches { names: advertised.branches, default })
    }

    /// The same with credentials, for http and https.
    #[must_use]
    pub fn with(mut self, user: &str, secret: &SecretString) -> Self {
        self.login = Some(format!("{user}:{}", secret.expose_secret()).into());
        self
    }
}

impl From<String> for Remote {
    fn from(url: String) -> Self {
        Self { url, login: None }
    }
}

impl From<&str> for Remote {
    fn from(url: &str) -> Self {
        url.to_owned().into()
    }
}

impl From<&String> for Remote {
    fn from(url: &String) -> Self {
        url.clone().into()
    }
}
