//! Accounts at forges and trackers: one a host, their tokens sealed as model keys are.
//!
//! A change is in effect at once. A token leaves here only for its own forge: to its API, and to git on its way there.

mod sign_in;

use std::{collections::BTreeMap, sync::Arc};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    accounts::keys::{Vault, VaultError},
    forge::{self, Forge, Kind, Located, Person, Reference, Tracker, Web, is_short_name},
    git::Remote,
    model::redact::Redactor,
    trust::{self, Sealer},
};

pub use self::sign_in::Confirm;
use self::sign_in::SignIns;

/// Accounts are kept under this and their host.
const PREFIX: &str = "forge/";
/// Longest token taken, in bytes.
const MAX_LENGTH: usize = 4096;

/// Why an account could not be had or kept. Each reads after "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The forge said so.
    #[error(transparent)]
    Forge(#[from] forge::Error),
    /// Nothing that could be a token.
    #[error("use this as a token: it {0}")]
    InvalidToken(&'static str),
    /// It ended, or the cloud was started anew.
    #[error("find the sign-in {0}")]
    NoSignIn(String),
    /// There is none of this name.
    #[error("find an account at {0}")]
    NoAccount(String),
    /// Several may be meant.
    #[error("choose an account: {name} may mean {}", hosts.join(", "))]
    Ambiguous {
        /// As it was asked for.
        name: String,
        /// Those it may mean.
        hosts: Vec<String>,
    },
    /// Its place could not be read or written.
    #[error("reach the kept accounts")]
    Vault(#[source] VaultError),
    /// It could not be sealed or opened.
    #[error("unlock the account at {host}")]
    Sealed {
        /// Where.
        host: String,
        /// Why.
        #[source]
        source: trust::Error,
    },
    /// It opened, but is nothing this version wrote.
    #[error("read the account at {0}; connect it again")]
    Unreadable(String),
}

/// All accounts of this cloud.
#[derive(Clone, Debug)]
pub struct Forges {
    vault: Arc<dyn Vault>,
    sealer: Arc<Sealer>,
    /// By host: what a person signs in to there, by a code.
    applications: Arc<BTreeMap<String, String>>,
    sign_ins: SignIns,
}

/// One account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Which program the forge runs.
    pub kind: Kind,
    /// Its address in a browser.
    pub web: Web,
    /// Who it belongs to.
    pub person: Person,
    token: SecretString,
}

/// An account, as sealed.
#[derive(Serialize, Deserialize)]
struct Stored {
    kind: String,
    web: String,
    login: String,
    name: String,
    email: String,
    #[serde(default)]
    scopes: Vec<String>,
    token: String,
}

impl Account {
    /// What it is known by.
    pub fn host(&self) -> String {
        self.web.host()
    }

    /// The way to its forge.
    pub fn open(&self) -> Result<Box<dyn Forge>, Error> {
        Ok(forge::open(self.kind, &self.web, &self.token)?)
    }

    /// The way to its issues.
    pub fn track(&self) -> Result<Box<dyn Tracker>, Error> {
        Ok(forge::track(self.kind, &self.web, &self.token)?)
    }

    /// Whether the same token opens it.
    pub fn is_opened_as(&self, other: &Self) -> bool {
        self.token.expose_secret() == other.token.expose_secret()
    }

    /// Which of its issues a person means.
    pub fn reference(&self, text: &str) -> Option<Reference> {
        Reference::parse(text, self.kind, &self.web)
    }

    /// Where git finds a repository of its forge, with what opens it.
    pub fn remote(&self, name: &str) -> Remote {
        Remote::from(self.web.clone_url(name)).with(self.kind.git_user(), &self.token)
    }

    /// A text of its forge without the token, should that stand in it.
    pub fn hidden(&self, text: String) -> String {
        Redactor::new(std::slice::from_ref(&self.token)).text(text)
    }
}

impl Forges {
    /// Those in `vault`, sealed by `sealer`; by host the application in whose name people sign in there.
    pub fn new(
        vault: Arc<dyn Vault>,
        sealer: Arc<Sealer>,
        applications: BTreeMap<String, String>,
    ) -> Self {
        let applications = Arc::new(applications);
        Self { vault, sealer, applications, sign_ins: SignIns::default() }
    }

    /// Asks the forge whose token this is and whether it can do what is needed, and keeps it. An empty address is the kind's own.
    pub async fn connect(
        &self,
        owner: &str,
        kind: &str,
        address: &str,
        token: &SecretString,
    ) -> Result<Account, Error> {
        let kind: Kind = kind.parse()?;
        let token = checked(token.expose_secret())?;
        let web = at(kind, address)?;
        let pair = token.expose_secret().contains(':');
        if kind == Kind::Jira && web.host().ends_with(".atlassian.net") && !pair {
            return Err(Error::InvalidToken("is not EMAIL:TOKEN, as Jira Cloud wants it"));
        }
        self.take(owner, kind, web, token).await
    }

    async fn take(
        &self,
        owner: &str,
        kind: Kind,
        web: Web,
        token: SecretString,
    ) -> Result<Account, Error> {
        let person = forge::track(kind, &web, &token)?.whoami().await?;
        let account = Account { kind, web, person, token };
        self.keep(owner, &account).await?;
        Ok(account)
    }

    /// All accounts, by host.
    pub async fn list(&self, owner: &str) -> Result<Vec<Account>, Error> {
        let mut accounts = Vec::new();
        for host in self.hosts(owner).await? {
            accounts.extend(self.read(owner, &host).await?);
        }
        Ok(accounts)
    }

    async fn hosts(&self, owner: &str) -> Result<Vec<String>, Error> {
        let names = self.vault.list(owner, PREFIX).await.map_err(Error::Vault)?;
        Ok(names.iter().filter_map(|name| name.strip_prefix(PREFIX)).map(Into::into).collect())
    }

    /// Those that reach repositories, by host.
    pub async fn with_repositories(&self, owner: &str) -> Result<Vec<Account>, Error> {
        let mut accounts = self.list(owner).await?;
        accounts.retain(|account| account.kind.is_forge());
        Ok(accounts)
    }

    /// The account of this host, or the only one of this kind.
    pub async fn find(&self, owner: &str, name: &str) -> Result<Account, Error> {
        if let Some(account) = self.read(owner, name).await? {
            return Ok(account);
        }
        let mut found = self.list(owner).await?;
        found.retain(|account| {
            account.kind.name() == name
                || Web::parse(name).is_ok_and(|web| web.host() == account.host())
        });
        match found.len() {
            0 => Err(Error::NoAccount(name.to_owned())),
            1 => Ok(found.swap_remove(0)),
            _ => Err(Error::Ambiguous {
                name: name.to_owned(),
                hosts: found.iter().map(Account::host).collect(),
            }),
        }
    }

    /// Forgets an account.
    pub async fn disconnect(&self, owner: &str, name: &str) -> Result<Account, Error> {
        // What cannot be read any more can still be forgotten.
        let account = match self.find(owner, name).await {
            Err(error @ (Error::Sealed { .. } | Error::Unreadable(_))) => {
                self.vault.delete(owner, &vault_name(name)).await.map_err(Error::Vault)?;
                return Err(error);
            }
            found => found?,
        };
        self.vault.delete(owner, &vault_name(&account.host())).await.map_err(Error::Vault)?;
        Ok(account)
    }

    /// The account that reaches the repository git finds at `url`, with the name that has there.
    pub async fn of_repository(
        &self,
        owner: &str,
        url: &str,
    ) -> Result<Option<(Account, String)>, Error> {
        let Some(located) = Located::parse(url) else { return Ok(None) };
        // An SSH address does not say which port the forge's pages have.
        let with_port = format!("{}:", located.host);
        for host in self.hosts(owner).await? {
            // Another one that cannot be read is in nobody's way.
            if host != located.host && !host.starts_with(&with_port) {
                continue;
            }
            if let Some(account) = self.read(owner, &host).await?
                && let Some(name) = account.web.repository(url)
                && account.kind.takes(&name)
            {
                return Ok(Some((account, name)));
            }
        }
        Ok(None)
    }

    /// The address git takes, with what opens it where there is an account.
    pub async fn remote(&self, owner: &str, url: &str) -> Result<Remote, Error> {
        Ok(match self.of_repository(owner, url).await? {
            // By SSH the cloud's user goes in with keys of their own.
            Some((account, name)) if url.contains("://") => account.remote(&name),
            _ => Remote::from(url),
        })
    }

    /// The same under the name the forge has for it now, where that is another one: git, which carries a token, follows nobody.
    pub async fn moved(&self, owner: &str, url: &str) -> Result<Option<Remote>, Error> {
        let Some((account, name)) = self.of_repository(owner, url).await? else { return Ok(None) };
        let now = account.open()?.repository(&name).await?.name;
        Ok((now != name).then(|| account.remote(&now)))
    }

    /// The whole address of what may be `OWNER/NAME`: at the only forge there is an account of, else at GitHub.
    pub async fn address(&self, owner: &str, repository: &str) -> Result<String, Error> {
        if !is_short_name(repository) {
            return Ok(repository.to_owned());
        }
        let accounts = self.with_repositories(owner).await?;
        let github = Kind::GitHub.home();
        let web = match accounts.as_slice() {
            [only] => only.web.to_string(),
            [] => github.to_owned(),
            several if several.iter().any(|account| account.web.to_string() == github) => {
                github.to_owned()
            }
            several => {
                let hosts = several.iter().map(Account::host).collect();
                return Err(Error::Ambiguous { name: repository.to_owned(), hosts });
            }
        };
        Ok(format!("{web}/{repository}"))
    }

    async fn read(&self, owner: &str, host: &str) -> Result<Option<Account>, Error> {
        let name = vault_name(host);
        let Some(sealed) = self.vault.get(owner, &name).await.map_err(Error::Vault)? else {
            return Ok(None);
        };
        let opened = self
            .sealer
            .open(owner, &name, &sealed)
            .map_err(|source| Error::Sealed { host: host.to_owned(), source })?;
        let unreadable = || Error::Unreadable(host.to_owned());
        let stored: Stored =
            serde_json::from_str(opened.expose_secret()).map_err(|_| unreadable())?;
        let Stored { kind, web, login, name, email, scopes, token } = stored;
        Ok(Some(Account {
            kind: kind.parse().map_err(|_| unreadable())?,
            web: Web::parse(&web).map_err(|_| unreadable())?,
            person: Person { login, name, email, scopes },
            token: token.into(),
        }))
    }

    async fn keep(&self, owner: &str, account: &Account) -> Result<(), Error> {
        let host = account.host();
        let Person { login, name, email, scopes } = account.person.clone();
        let stored = Stored {
            kind: account.kind.name().to_owned(),
            web: account.web.to_string(),
            login,
            name,
            email,
            scopes,
            token: account.token.expose_secret().to_owned(),
        };
        let stored = serde_json::to_string(&stored).map_err(|_| Error::Unreadable(host.clone()))?;
        let name = vault_name(&host);
        let sealed = self
            .sealer
            .seal(owner, &name, &stored.into())
            .map_err(|source| Error::Sealed { host, source })?;
        self.vault.put(owner, &name, sealed).await.map_err(Error::Vault)
    }
}

/// Where a forge is; an empty address is the kind's own.
fn at(kind: Kind, address: &str) -> Result<Web, Error> {
    match (address.trim(), kind.home()) {
        ("", "") => Err(forge::Error::InvalidAddress {
            address: String::new(),
            detail: format!("everybody's {kind} is at another one, so it must be given"),
        }
        .into()),
        ("", home) => Ok(Web::parse(home)?),
        (given, _) => Ok(Web::parse(given)?),
    }
}

fn vault_name(host: &str) -> String {
    format!("{PREFIX}{host}")
}

fn checked(token: &str) -> Result<SecretString, Error> {
    let token = token.trim();
    if token.is_empty() {
        return Err(Error::InvalidToken("is empty"));
    }
    if token.len() > MAX_LENGTH {
        return Err(Error::InvalidToken("is longer than 4096 bytes"));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::InvalidToken("has spaces, line breaks or letters that no token has"));
    }
    Ok(token.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{accounts::vault::StoreVault, store::sqlite::Sqlite};

    #[tokio::test]
    async fn an_account_that_cannot_be_read_is_in_the_way_of_its_own_repositories_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Sqlite::open(folder.path()).unwrap());
        let sealer = Arc::new(Sealer::from_key_file(&folder.path().join("key")).unwrap());
        let vault = Arc::new(StoreVault::new(store));
        let forges = Forges::new(Arc::clone(&vault) as _, sealer, BTreeMap::new());
        for address in ["github.com", "http://127.0.0.1:7420", "linear.app"] {
            let (web, person) = (Web::parse(address).unwrap(), Person::default());
            let kind = if address == "linear.app" { Kind::Linear } else { Kind::GitHub };
            let account = Account { kind, web, person, token: "t".into() };
            forges.keep("ada", &account).await.unwrap();
        }
        for host in ["127.0.0.1:7420", "linear.app"] {
            vault.put("ada", &vault_name(host), b"of another key".to_vec()).await.unwrap();
        }
        let found = async |url| forges.of_repository("ada", url).await;
        for url in
            ["https://github.com/a/b.git", "git@github.com:a/b", "ssh://git@github.com:22/a/b"]
        {
            let (account, name) = found(url).await.unwrap().unwrap();
            assert_eq!((account.host().as_str(), name.as_str()), ("github.com", "a/b"), "{url}");
        }
        assert!(found("https://example.com/a/b").await.unwrap().is_none());
        assert!(found("/srv/a/b").await.unwrap().is_none());
        let own = found("http://127.0.0.1:7420/a/b").await.unwrap_err();
        assert!(matches!(own, Error::Sealed { host, .. } if host == "127.0.0.1:7420"));
    }
}
