//! What a model key is: whose, for where, and how it is shown without its value.

use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret, SecretString};

use crate::accounts::keys::Error;

/// Whose API a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// Anthropic, or whatever speaks its Messages API.
    Anthropic,
    /// `OpenAI`, or whatever speaks its Responses or Chat Completions API.
    OpenAi,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Anthropic, Self::OpenAi];

    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
        }
    }

    /// Its own address; `OpenAI`'s includes the version, Anthropic's does not, as in their client libraries.
    pub fn default_base_url(self) -> &'static str {
        match self {
            Self::Anthropic => "https://api.anthropic.com",
            Self::OpenAi => "https://api.openai.com/v1",
        }
    }

    /// The name its sealed key is kept under.
    pub(super) fn vault_name(self) -> String {
        format!("key/{}", self.name())
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Provider {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.name() == name)
            .ok_or_else(|| Error::UnknownProvider(name.to_owned()))
    }
}

/// Where a key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A user stored it.
    Stored,
    /// It was in the environment of the cloud.
    Environment,
}

impl Source {
    /// As users read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Environment => "environment",
        }
    }
}

/// A key ready for use.
#[derive(Clone, Debug)]
pub struct ModelKey {
    /// Whose API it is for.
    pub provider: Provider,
    /// The key.
    pub key: SecretString,
    /// Where the API is, without a slash at the end.
    pub base_url: String,
    /// Where the key came from.
    pub source: Source,
}

impl ModelKey {
    /// The key without its value.
    pub fn summary(&self) -> KeySummary {
        KeySummary {
            provider: self.provider,
            source: self.source,
            base_url: self.base_url.clone(),
            suffix: suffix(self.key.expose_secret()),
        }
    }
}

/// A key without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySummary {
    /// Whose API it is for.
    pub provider: Provider,
    /// Where the key came from.
    pub source: Source,
    /// Where it is sent.
    pub base_url: String,
    /// Its last four characters; empty where that would tell too much of a short one.
    pub suffix: String,
}

/// The last four characters of a key long enough to stay a secret.
pub(super) fn suffix(key: &str) -> String {
    let length = key.chars().count();
    if length < 12 { String::new() } else { key.chars().skip(length - 4).collect() }
}
