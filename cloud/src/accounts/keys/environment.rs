//! Model keys in the environment of the cloud, read once.

use secrecy::SecretString;

use crate::accounts::keys::Provider;

/// What the environment of the cloud says of one provider.
#[derive(Clone, Debug, Default)]
pub struct EnvironmentKey {
    /// `ANTHROPIC_API_KEY` or `OPENAI_API_KEY`.
    pub key: Option<SecretString>,
    /// `ANTHROPIC_BASE_URL` or `OPENAI_BASE_URL`.
    pub base_url: Option<String>,
}

/// What the environment of the cloud says of model keys, read once in `main`.
#[derive(Clone, Debug, Default)]
pub struct EnvironmentKeys {
    /// Of Anthropic.
    pub anthropic: EnvironmentKey,
    /// Of `OpenAI`.
    pub openai: EnvironmentKey,
}

impl EnvironmentKeys {
    /// Reads them with `read`, which is `std::env::var(name).ok()` in `main`.
    pub fn read(read: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name: &str| {
            read(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let provider = |key: &str, base_url: &str| EnvironmentKey {
            key: value(key).map(SecretString::from),
            base_url: value(base_url),
        };
        Self {
            anthropic: provider("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
            openai: provider("OPENAI_API_KEY", "OPENAI_BASE_URL"),
        }
    }

    pub(super) fn of(&self, provider: Provider) -> &EnvironmentKey {
        match provider {
            Provider::Anthropic => &self.anthropic,
            Provider::OpenAi => &self.openai,
        }
    }
}
