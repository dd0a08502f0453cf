//! Configuration of the cloud: flag over environment over `config.toml` over default.
//!
//! The environment is read once, by [`Environment::read`] in `main`; everything below takes values.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use secrecy::SecretString;
use serde::Deserialize;

/// What the environment says, read once.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `PATH`, to look for agents.
    pub path: Vec<PathBuf>,
    /// `HOME`, where agents may be installed.
    pub home: Option<PathBuf>,
    /// `ALOFT_CONFIG_DIR`, or the user's own.
    pub config_dir: Option<PathBuf>,
    /// `ALOFT_DATA_DIR`, or the user's own.
    pub data_dir: Option<PathBuf>,
    /// `ALOFT_TOKEN`: what callers over TCP must show.
    pub token: Option<SecretString>,
    /// `ALOFT_AGENTS_DIR`: npm prefixes that hold agents.
    pub agents_dirs: Vec<PathBuf>,
    /// `ALOFT_TEST_CLOCK`: a file that moves the clock of a program built for development.
    pub test_clock: Option<PathBuf>,
}

impl Environment {
    /// Reads the process's environment.
    pub fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let paths = |name: &str| -> Vec<PathBuf> {
            std::env::var_os(name)
                .map(|value| std::env::split_paths(&value).collect())
                .unwrap_or_default()
        };
        let own = directories::ProjectDirs::from("", "", "aloft");
        Self {
            path: paths("PATH"),
            home: std::env::var_os("HOME").map(PathBuf::from),
            config_dir: text("ALOFT_CONFIG_DIR")
                .map(PathBuf::from)
                .or_else(|| own.as_ref().map(|own| own.config_dir().to_owned())),
            data_dir: text("ALOFT_DATA_DIR")
                .map(PathBuf::from)
                .or_else(|| own.as_ref().map(|own| own.data_dir().to_owned())),
            token: text("ALOFT_TOKEN").map(SecretString::from),
            agents_dirs: paths("ALOFT_AGENTS_DIR"),
            test_clock: text("ALOFT_TEST_CLOCK").map(PathBuf::from),
        }
    }
}

/// The table `[serve]` of `config.toml`; the rest of the file is the bridge's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Config {
    /// Where sandboxes live; default: below the data directory, or `/var/lib/aloft` when started by root.
    pub sandbox_dir: Option<PathBuf>,
    /// What one sandbox may use.
    pub limits: Limits,
    /// Free disk space below which the turn that uses most is stopped, in MiB; default 512.
    pub disk_reserve_mib: Option<u64>,
    /// What becomes of a sandbox at the end of a turn.
    pub after_turn: AfterTurn,
    /// How long a thread may be idle before its sandbox is suspended, in seconds; default 600.
    pub idle_seconds: Option<u64>,
    /// How long sandboxes wait for a cloud that died, in seconds; default 300.
    pub outlive_seconds: Option<u64>,
    /// How many days nobody may use a thread before it is removed; 0 = it is kept; default 30.
    pub clean_up_days: Option<u64>,
    /// How often open pull requests are looked at, in seconds; default 60.
    pub pull_request_seconds: Option<u64>,
    /// How often the cloud itself tells an agent what stands against its pull request; 0 = never, the default.
    pub fix_attempts: u32,
    /// Forges that people sign in at by a code, by their host.
    pub forges: BTreeMap<String, ForgeApplication>,
    /// Where forges call when something happened.
    pub forge_calls: Option<ForgeCalls>,
    /// Agents beside the known ones, by name.
    pub agents: BTreeMap<String, CustomAgent>,
    /// Which notices are posted, and where they go beside the editors.
    pub notices: Notices,
    /// What models cost.
    pub prices: Prices,
}

/// A forge that people sign in at by a code.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ForgeApplication {
    /// Id of the OAuth application that is registered there; it is no secret.
    pub client_id: String,
}

/// Where forges call when something happened.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ForgeCalls {
    /// Address and port.
    pub listen: String,
    /// File with the secret that they sign with; relative to the configuration's folder.
    pub secret_file: PathBuf,
}

/// Which notices are posted, and where they go beside the editors.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Notices {
    /// Questions of a muted thread are posted all the same.
    pub questions_pierce_mute: bool,
    /// Called with every notice.
    pub webhook: Option<Webhook>,
}

/// A webhook.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Webhook {
    /// Where it is.
    pub url: String,
    /// File with the secret that calls are signed with; relative to the configuration's folder.
    pub secret_file: PathBuf,
    /// It may be in a private network, and without encryption.
    pub allow_private: bool,
}

/// What models cost.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Prices {
    /// Of all prices, as ISO 4217 has it; default USD.
    pub currency: Option<String>,
    /// By the model's name, or the beginning of it.
    pub models: BTreeMap<String, Price>,
}

/// What a million tokens of a model cost.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// Sent.
    pub input: f64,
    /// Received.
    pub output: f64,
    /// Read from a cache; default: as sent.
    pub cache_read: Option<f64>,
    /// Written to a cache; default: as sent.
    pub cache_write: Option<f64>,
}

/// What becomes of a sandbox at the end of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AfterTurn {
    /// Its processes stand still until the thread is used again.
    #[default]
    Freeze,
    /// Its processes end.
    Suspend,
    /// Its processes run on until the thread has been idle for long enough.
    Run,
}

/// What one sandbox may use.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Limits {
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Processes and threads.
    pub processes: u32,
    /// CPU, in thousandths of a core; 0 = all.
    pub cpu_milli: u32,
    /// Size of one file, in MiB.
    pub file_mib: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_mib: 4_096, processes: 2_048, cpu_milli: 0, file_mib: 8_192 }
    }
}

/// An agent given by its command.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CustomAgent {
    /// Program and arguments; it speaks ACP on its standard input and output.
    pub command: Vec<String>,
    /// Added to its environment.
    pub env: BTreeMap<String, String>,
}

/// Why the configuration could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not valid.
    #[error("understand {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value is not acceptable.
    #[error("understand {path}: {what}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, and what is the matter with its value.
        what: String,
    },
}

impl Config {
    /// Reads `config.toml`; a missing file is the default. Unknown keys are returned by their path, to warn of.
    pub fn read(path: &std::path::Path) -> Result<(Self, Vec<String>), Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((Self::default(), Vec::new()));
            }
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        let parse = |source| Error::Parse { path: path.to_owned(), source: Box::new(source) };
        let mut file: toml::Table = toml::from_str(&text).map_err(parse)?;
        let Some(table) = file.remove("serve") else { return Ok((Self::default(), Vec::new())) };
        let mut unknown = Vec::new();
        let mut config: Self =
            serde_ignored::deserialize(table, |key| unknown.push(format!("serve.{key}")))
                .map_err(parse)?;
        if let (Some(webhook), Some(folder)) = (&mut config.notices.webhook, path.parent()) {
            webhook.secret_file = folder.join(&webhook.secret_file);
        }
        if let (Some(calls), Some(folder)) = (&mut config.forge_calls, path.parent()) {
            calls.secret_file = folder.join(&calls.secret_file);
        }
        config.prices.check().map_err(|what| Error::Value { path: path.to_owned(), what })?;
        Ok((config, unknown))
    }

    /// Free disk space below which the turn that uses most is stopped, in bytes.
    pub fn disk_reserve(&self) -> u64 {
        self.disk_reserve_mib.unwrap_or(512) << 20
    }

    /// By host: the application in whose name people sign in at a forge.
    pub fn applications(&self) -> BTreeMap<String, String> {
        let own = self.forges.iter().filter(|(_, forge)| !forge.client_id.is_empty());
        own.map(|(host, forge)| (host.to_lowercase(), forge.client_id.clone())).collect()
    }

    /// How long nobody may use a thread before it is removed; zero = it is kept.
    pub fn clean_up(&self) -> Duration {
        Duration::from_secs(self.clean_up_days.unwrap_or(30).saturating_mul(24 * 60 * 60))
    }

    /// How long sandboxes wait for a cloud that died.
    pub fn outlive(&self) -> Duration {
        Duration::from_secs(self.outlive_seconds.unwrap_or(300))
    }

    /// How long a thread may be idle before its sandbox is suspended.
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds.unwrap_or(600))
    }
}

impl Prices {
    /// The currency of all prices.
    pub fn currency(&self) -> &str {
        self.currency.as_deref().unwrap_or("USD")
    }

    /// Nobody pays less than nothing, and a sum has one currency.
    fn check(&self) -> Result<(), String> {
        let currency = self.currency();
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(format!(
                "serve.prices.currency is {currency}; three capital letters, such as USD"
            ));
        }
        for (model, price) in &self.models {
            let cached = [price.cache_read, price.cache_write];
            let mut all =
                [Some(price.input), Some(price.output)].into_iter().chain(cached).flatten();
            if !all.all(|price| (0.0..=1e9).contains(&price)) {
                return Err(format!("serve.prices.models.{model}: a price is a number from 0 on"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Config, Vec<String>), Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path)
    }

    #[test]
    fn prices_are_read_and_checked() {
        let models = "[serve.prices.models.\"m-1\"]\ninput = 3\noutput = 15.5\ncacheRead = 0.3\n";
        let (config, unknown) = read(models).unwrap();
        let price = &config.prices.models["m-1"];
        assert_eq!((price.input, price.output, price.cache_read), (3.0, 15.5, Some(0.3)));
        assert_eq!((config.prices.currency(), unknown.len()), ("USD", 0));
        for wrong in [
            format!("{models}cacheWrite = -1\n"),
            format!("{models}cacheWrite = nan\n"),
            format!("[serve.prices]\ncurrency = \"euro\"\n{models}"),
            "[serve.prices.models.m]\ninput = 3\n".to_owned(),
        ] {
            read(&wrong).unwrap_err();
        }
    }
}
