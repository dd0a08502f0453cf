//! Model keys: those users stored, over those of the cloud's environment.
//!
//! A change is in effect at once, for every call resolves its key anew. Who may change whose keys is for the caller to judge.

mod environment;
mod key;
mod offer;
mod trial;

pub use self::{
    environment::{EnvironmentKey, EnvironmentKeys},
    key::{KeySummary, ModelKey, Provider, Source},
    trial::Verdict,
};

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    accounts::keys::key::suffix,
    trust::{self, Sealer},
};

/// Longest key or address taken, in bytes.
const MAX_LENGTH: usize = 4096;

/// Why a key could not be had or kept. Each reads after "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such provider.
    #[error("find the provider {0:?}: known are anthropic and openai")]
    UnknownProvider(String),
    /// Nothing that could be a key.
    #[error("use this as a key: it {0}")]
    InvalidKey(&'static str),
    /// Not an address of an API.
    #[error("use {address:?} as the address of a model API: {detail}")]
    InvalidAddress {
        /// As given.
        address: String,
        /// What is wrong with it.
        detail: String,
    },
    /// No key of this provider.
    #[error("find a key of {0}")]
    NoKey(Provider),
    /// Its place could not be read or written.
    #[error("reach the stored keys")]
    Vault(#[source] VaultError),
    /// It could not be sealed or opened.
    #[error("unlock the stored key of {provider}")]
    Sealed {
        /// Whose.
        provider: Provider,
        /// Why.
        #[source]
        source: trust::Error,
    },
    /// It opened, but is nothing this version wrote.
    #[error("read the stored key of {0}; set it again")]
    Unreadable(Provider),
}

/// What a [`Vault`] failed with.
pub type VaultError = Box<dyn std::error::Error + Send + Sync>;

/// Where sealed bytes are kept, each under an owner and a name.
pub trait Vault: Send + Sync + fmt::Debug {
    /// What is kept under this name.
    fn get<'a>(
        &'a self,
        owner: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, VaultError>>;
    /// Keeps it, durably when done, in place of what was there.
    fn put<'a>(
        &'a self,
        owner: &'a str,
        name: &'a str,
        sealed: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), VaultError>>;
    /// Forgets it; false = there was none.
    fn delete<'a>(
        &'a self,
        owner: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<bool, VaultError>>;
    /// Names of this owner that begin with `prefix`.
    fn list<'a>(
        &'a self,
        owner: &'a str,
        prefix: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, VaultError>>;
}

/// All model keys of this cloud.
#[derive(Clone, Debug)]
pub struct Keys {
    vault: Arc<dyn Vault>,
    sealer: Arc<Sealer>,
    environment: Arc<EnvironmentKeys>,
}

/// A stored key, as sealed.
#[derive(Serialize, Deserialize)]
struct Stored {
    key: String,
    base_url: Option<String>,
}

impl Keys {
    /// Those in `vault`, sealed by `sealer`, over those of the environment.
    pub fn new(vault: Arc<dyn Vault>, sealer: Arc<Sealer>, environment: EnvironmentKeys) -> Self {
        Self { vault, sealer, environment: Arc::new(environment) }
    }

    /// The key that a call of `owner` uses now; [`Error::NoKey`] where there is none.
    pub async fn resolve(&self, owner: &str, provider: Provider) -> Result<ModelKey, Error> {
        let environment = self.environment.of(provider);
        let sealed = self.vault.get(owner, &provider.vault_name()).await.map_err(Error::Vault)?;
        let (key, address, source) = match (sealed, &environment.key) {
            (Some(sealed), _) => {
                let stored = self.unseal(owner, provider, &sealed)?;
                (SecretString::from(stored.key), stored.base_url, Source::Stored)
            }
            (None, Some(key)) => (key.clone(), environment.base_url.clone(), Source::Environment),
            (None, None) => return Err(Error::NoKey(provider)),
        };
        let base_url = match address {
            Some(address) => checked_address(&address)?,
            None => provider.default_base_url().to_owned(),
        };
        Ok(ModelKey { provider, key, base_url, source })
    }

    /// Keeps a key of `owner`; no address = the provider's own.
    pub async fn set(
        &self,
        owner: &str,
        provider: Provider,
        key: &SecretString,
        base_url: Option<&str>,
    ) -> Result<KeySummary, Error> {
        let key = checked_key(key.expose_secret())?;
        let base_url = match base_url.map(str::trim).filter(|address| !address.is_empty()) {
            Some(address) => Some(checked_address(address)?),
            None => None,
        };
        let summary = KeySummary {
            provider,
            source: Source::Stored,
            base_url: base_url.clone().unwrap_or_else(|| provider.default_base_url().to_owned()),
            suffix: suffix(key),
        };
        let name = provider.vault_name();
        let stored = serde_json::to_string(&Stored { key: key.to_owned(), base_url })
            .map_err(|_| Error::Unreadable(provider))?;
        let sealed = self
            .sealer
            .seal(owner, &name, &SecretString::from(stored))
            .map_err(|source| Error::Sealed { provider, source })?;
        self.vault.put(owner, &name, sealed).await.map_err(Error::Vault)?;
        Ok(summary)
    }

    /// The keys that calls of `owner` use now, at most one a provider, without their values.
    pub async fn list(&self, owner: &str) -> Result<Vec<KeySummary>, Error> {
        let mut keys = Vec::new();
        for provider in Provider::ALL {
            match self.resolve(owner, provider).await {
                Ok(key) => keys.push(key.summary()),
                Err(Error::NoKey(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(keys)
    }

    /// Forgets a stored key; one of the environment comes back into effect. False = none was stored.
    pub async fn delete(&self, owner: &str, provider: Provider) -> Result<bool, Error> {
        self.vault.delete(owner, &provider.vault_name()).await.map_err(Error::Vault)
    }

    /// Makes one tiny call with the key in effect and says what came of it.
    pub async fn test(&self, owner: &str, provider: Provider) -> Result<Verdict, Error> {
        Ok(trial::try_key(&self.resolve(owner, provider).await?).await)
    }

    /// The models that the API offers to the key in effect; empty where it does not say.
    pub async fn models(&self, owner: &str, provider: Provider) -> Vec<String> {
        match self.resolve(owner, provider).await {
            Ok(key) => offer::models(&key).await,
            Err(_) => Vec::new(),
        }
    }

    fn unseal(&self, owner: &str, provider: Provider, sealed: &[u8]) -> Result<Stored, Error> {
        let opened = self
            .sealer
            .open(owner, &provider.vault_name(), sealed)
            .map_err(|source| Error::Sealed { provider, source })?;
        serde_json::from_str(opened.expose_secret()).map_err(|_| Error::Unreadable(provider))
    }
}

fn checked_key(key: &str) -> Result<&str, Error> {
    let key = key.trim();
    if key.is_empty() {
        return Err(Error::InvalidKey("is empty"));
    }
    if key.len() > MAX_LENGTH {
        return Err(Error::InvalidKey("is longer than 4096 bytes"));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::InvalidKey("has spaces, line breaks or letters that no key has"));
    }
    Ok(key)
}

fn checked_address(address: &str) -> Result<String, Error> {
    let invalid = |detail: &str| Error::InvalidAddress {
        // An address may hold a password.
        address: address.split('@').next_back().unwrap_or_default().to_owned(),
        detail: detail.to_owned(),
    };
    let url = reqwest::Url::parse(address).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("it must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it must not hold a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() || address.len() > MAX_LENGTH {
        return Err(invalid("it must be a plain address without ? or #"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Mutex};

    use super::*;

    /// A vault in memory.
    #[derive(Debug, Default)]
    struct MemoryVault(Mutex<BTreeMap<(String, String), Vec<u8>>>);

    impl Vault for MemoryVault {
        fn get<'a>(
            &'a self,
            owner: &'a str,
            name: &'a str,
        ) -> BoxFuture<'a, Result<Option<Vec<u8>>, VaultError>> {
            let found = self.0.lock().unwrap().get(&(owner.into(), name.into())).cloned();
            Box::pin(async { Ok(found) })
        }

        fn put<'a>(
            &'a self,
            owner: &'a str,
            name: &'a str,
            sealed: Vec<u8>,
        ) -> BoxFuture<'a, Result<(), VaultError>> {
            self.0.lock().unwrap().insert((owner.into(), name.into()), sealed);
            Box::pin(async { Ok(()) })
        }

        fn delete<'a>(
            &'a self,
            owner: &'a str,
            name: &'a str,
        ) -> BoxFuture<'a, Result<bool, VaultError>> {
            let was = self.0.lock().unwrap().remove(&(owner.into(), name.into())).is_some();
            Box::pin(async move { Ok(was) })
        }

        fn list<'a>(
            &'a self,
            owner: &'a str,
            prefix: &'a str,
        ) -> BoxFuture<'a, Result<Vec<String>, VaultError>> {
            let names = self.0.lock().unwrap();
            let names = names
                .keys()
                .filter(|(of, name)| of == owner && name.starts_with(prefix))
                .map(|(_, name)| name.clone())
                .collect();
            Box::pin(async { Ok(names) })
        }
    }

    fn keys(environment: &[(&str, &str)]) -> (Keys, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Arc::new(Sealer::from_key_file(&folder.path().join("key")).unwrap());
        let environment = EnvironmentKeys::read(|name| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        (Keys::new(Arc::new(MemoryVault::default()), sealer, environment), folder)
    }

    #[tokio::test]
    async fn a_stored_key_goes_before_the_environment_at_once() {
        let (keys, _folder) = keys(&[
            ("ANTHROPIC_API_KEY", "environment-key-1"),
            ("ANTHROPIC_BASE_URL", "http://localhost:1/"),
        ]);
        let key = keys.resolve("ada", Provider::Anthropic).await.unwrap();
        assert_eq!(key.source, Source::Environment);
        assert_eq!(key.base_url, "http://localhost:1");
        keys.set("ada", Provider::Anthropic, &" stored-key-2345\n".into(), None).await.unwrap();
        let key = keys.resolve("ada", Provider::Anthropic).await.unwrap();
        assert_eq!(key.key.expose_secret(), "stored-key-2345");
        // A stored key is never sent to the address that belongs to another one.
        assert_eq!(key.base_url, "https://api.anthropic.com");
        assert_eq!(
            keys.list("ada").await.unwrap(),
            [KeySummary {
                provider: Provider::Anthropic,
                source: Source::Stored,
                base_url: "https://api.anthropic.com".into(),
                suffix: "2345".into()
            }]
        );
        let of_another = keys.resolve("bob", Provider::Anthropic).await.unwrap();
        assert_eq!(of_another.source, Source::Environment);
        assert!(keys.delete("ada", Provider::Anthropic).await.unwrap());
        assert!(!keys.delete("ada", Provider::Anthropic).await.unwrap());
        let key = keys.resolve("ada", Provider::Anthropic).await.unwrap();
        assert_eq!(key.source, Source::Environment);
    }

    #[tokio::test]
    async fn says_that_there_is_no_key() {
        let (keys, _folder) = keys(&[("OPENAI_API_KEY", "  ")]);
        let error = keys.resolve("ada", Provider::OpenAi).await.unwrap_err();
        assert_eq!(error.to_string(), "find a key of openai");
        assert!(keys.list("ada").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn refuses_what_is_no_key_and_no_address() {
        let (keys, _folder) = keys(&[]);
        for key in ["", " \n", "two words", "ключ"] {
            let set = keys.set("ada", Provider::OpenAi, &key.into(), None).await;
            assert!(matches!(set, Err(Error::InvalidKey(_))), "{key:?}");
        }
        for address in ["ftp://x", "not one", "https://u:hidden@x", "https://x?a=b"] {
            let set = keys.set("ada", Provider::OpenAi, &"sk-1".into(), Some(address)).await;
            let error = set.unwrap_err();
            assert!(matches!(error, Error::InvalidAddress { .. }), "{address:?}");
            assert!(!error.to_string().contains("hidden"));
        }
    }

    #[tokio::test]
    async fn no_debug_output_holds_a_key() {
        let (keys, _folder) = keys(&[("OPENAI_API_KEY", "sk-do-not-show")]);
        let key = keys.resolve("ada", Provider::OpenAi).await.unwrap();
        assert!(!format!("{keys:?} {key:?}").contains("do-not-show"));
    }
}
