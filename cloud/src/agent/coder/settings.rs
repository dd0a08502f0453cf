//! What the environment says of the model.

use secrecy::SecretString;

/// Which API the model is called over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    /// Messages, of Anthropic.
    Anthropic,
    /// Chat Completions, of `OpenAI`.
    OpenAi,
}

impl Api {
    /// As `aloft key` names its provider.
    pub(super) fn provider(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
        }
    }

    /// The model where none is chosen. Where a server does not have it, its own first one is taken.
    pub(super) fn default_model(self) -> &'static str {
        match self {
            Self::Anthropic => "claude-sonnet-5",
            Self::OpenAi => "gpt-5",
        }
    }
}

/// How the model is reached.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) api: Api,
    /// Without a slash at the end.
    pub(super) base_url: String,
    pub(super) token: SecretString,
    /// The model where a session has chosen none.
    pub(super) model: Option<String>,
}

impl Settings {
    /// From the environment; the error says what is missing.
    pub(super) fn read(read: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let value = |name: &str| {
            read(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let api = match value("ALOFT_MODEL_API").as_deref() {
            Some("anthropic") => Api::Anthropic,
            Some("openai") => Api::OpenAi,
            Some(other) => {
                return Err(format!(
                    "ALOFT_MODEL_API is {other:?}; it must be anthropic or openai"
                ));
            }
            None if value("ANTHROPIC_BASE_URL").is_none() && value("OPENAI_BASE_URL").is_some() => {
                Api::OpenAi
            }
            None => Api::Anthropic,
        };
        let address = match api {
            Api::Anthropic => "ANTHROPIC_BASE_URL",
            Api::OpenAi => "OPENAI_BASE_URL",
        };
        let base_url = value(address).ok_or_else(|| format!("{address} is not set"))?;
        let token = value("ALOFT_MODEL_TOKEN").ok_or("ALOFT_MODEL_TOKEN is not set")?;
        Ok(Self {
            api,
            base_url: base_url.trim_end_matches('/').to_owned(),
            token: SecretString::from(token),
            model: value("ALOFT_MODEL"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn says_what_is_missing() {
        assert_eq!(read(&[]).unwrap_err(), "ANTHROPIC_BASE_URL is not set");
        let base = ("OPENAI_BASE_URL", "http://x/v1/");
        assert_eq!(read(&[base]).unwrap_err(), "ALOFT_MODEL_TOKEN is not set");
        let settings = read(&[base, ("ALOFT_MODEL_TOKEN", "t")]).unwrap();
        assert_eq!((settings.api, settings.base_url.as_str()), (Api::OpenAi, "http://x/v1"));
        assert!(read(&[("ALOFT_MODEL_API", "x")]).unwrap_err().contains("must be anthropic"));
    }
}
