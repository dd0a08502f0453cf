//! Configuration of the bridge: flag over environment over editor options over `config.toml` over default.
//!
//! [`Environment::read`] is the only reader of the process's environment. [`Config::load`] puts the sources together;
//! [`Config::with_options`] does it again once an editor has sent its `initializationOptions`.

mod address;
mod directories;
mod error;
mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use address::Address;
pub use directories::Directories;
pub use error::Error;

use crate::protocol::request::thread::Dirty;
use crate::protocol::thread::{Mode, asked_mode};

/// The environment variables that matter, read once.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `ALOFT_CONFIG_DIR`.
    pub config_dir: Option<PathBuf>,
    /// `ALOFT_DATA_DIR`.
    pub data_dir: Option<PathBuf>,
    /// `ALOFT_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// `ALOFT_CLOUD`: name of a configured cloud, or an address.
    pub cloud: Option<String>,
    /// `ALOFT_TOKEN`.
    pub token: Option<SecretString>,
    /// `ALOFT_LOG`: a tracing filter.
    pub log: Option<String>,
    /// `ALOFT_CLOUD_BIN`: the program of the embedded cloud.
    pub cloud_program: Option<PathBuf>,
    /// `NO_COLOR` is set.
    pub no_color: bool,
    /// `GIT_PAGER` or `PAGER`.
    pub pager: Option<String>,
    /// `HTTPS_PROXY`, or `ALL_PROXY`, in capitals or not.
    pub proxy: Option<String>,
    /// `NO_PROXY`: hosts that are reached without it.
    pub no_proxy: Option<String>,
}

impl Environment {
    /// Reads the process's environment. An empty variable counts as absent.
    pub fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let path = |name: &str| {
            std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        Self {
            config_dir: path("ALOFT_CONFIG_DIR"),
            data_dir: path("ALOFT_DATA_DIR"),
            runtime_dir: path("ALOFT_RUNTIME_DIR"),
            cloud: text("ALOFT_CLOUD"),
            token: text("ALOFT_TOKEN").map(SecretString::from),
            log: text("ALOFT_LOG"),
            cloud_program: path("ALOFT_CLOUD_BIN"),
            no_color: text("NO_COLOR").is_some(),
            pager: text("GIT_PAGER").or_else(|| text("PAGER")),
            proxy: ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
                .into_iter()
                .find_map(text),
            no_proxy: ["NO_PROXY", "no_proxy"].into_iter().find_map(text),
        }
    }
}

/// What may stand in `config.toml` and in an editor's `initializationOptions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Name of a configured cloud, or an address; absent = the embedded one.
    pub cloud: Option<String>,
    /// Clouds by name.
    pub clouds: BTreeMap<String, CloudSettings>,
    /// Agent of new threads.
    pub agent: Option<String>,
    /// Model of new threads.
    pub model: Option<String>,
    /// Mode of new threads.
    #[serde(deserialize_with = "asked_mode")]
    pub mode: Option<Mode>,
    /// Environment of new threads.
    pub environment: Option<String>,
    /// What is done with uncommitted changes of a local checkout.
    pub dirty: Option<Dirty>,
    /// The program of the embedded cloud; absent = beside this one, then in `PATH`.
    pub cloud_program: Option<PathBuf>,
    /// Tracing filter.
    pub log: Option<String>,
    /// How this machine tells of notices, beside what an editor's plugin does.
    pub notices: NoticeSettings,
}

/// How this machine tells of notices. All of it is off unless asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NoticeSettings {
    /// As notifications of the desktop.
    pub desktop: Option<bool>,
    /// With the terminal's bell, where a command watches.
    pub bell: Option<bool>,
    /// As messages of an editor that has no plugin.
    pub messages: Option<bool>,
}

/// A cloud that has a name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CloudSettings {
    /// `https://host[:port]`, `http://127.0.0.1:port` or `unix:PATH`.
    pub address: String,
    /// File that holds the token; relative to the configuration folder.
    pub token_file: Option<PathBuf>,
}

/// What was asked for on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--cloud`.
    pub cloud: Option<String>,
}

/// Everything the bridge needs to know before it begins.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where things live.
    pub directories: Directories,
    /// Where the cloud is.
    pub address: Address,
    /// What `--cloud` takes for that cloud anywhere: its name, else its address.
    pub cloud: String,
    /// The same of the cloud that is used where nothing else is asked for.
    pub default_cloud: String,
    /// What proves who we are.
    pub token: Option<SecretString>,
    /// The settings of editor and file together; flags and environment are in the other fields.
    pub settings: Settings,
    /// The program of the embedded cloud, where it is set.
    pub cloud_program: Option<PathBuf>,
    /// The proxy on the way to a cloud elsewhere.
    pub proxy: Option<String>,
    /// Hosts that are reached without it.
    pub no_proxy: Option<String>,
    /// Tracing filter.
    pub log: Option<String>,
    /// Keys nobody knows, each with where it stands.
    pub unknown_keys: Vec<String>,
    flags: Flags,
    environment: Environment,
}

impl Config {
    /// Puts flags, environment and `config.toml` together.
    pub fn load(flags: Flags, environment: Environment) -> Result<Self, Error> {
        Self::combine(flags, environment, None)
    }

    /// Puts everything together again, with what an editor sent as `initializationOptions`.
    pub fn with_options(&self, options: &serde_json::Value) -> Result<Self, Error> {
        Self::combine(self.flags.clone(), self.environment.clone(), Some(options))
    }

    /// Returns the path of the configuration file.
    pub fn file(&self) -> PathBuf {
        self.directories.config.join("config.toml")
    }

    fn combine(
        flags: Flags,
        environment: Environment,
        options: Option<&serde_json::Value>,
    ) -> Result<Self, Error> {
        let directories = Directories::find(&environment)?;
        let (from_file, mut unknown_keys) = file::read(&directories.config.join("config.toml"))?;
        let (from_editor, unknown_options) = file::options(options)?;
        unknown_keys.extend(unknown_options);
        let from_file_alone = from_file.cloud.clone();
        let settings = merge(from_editor, from_file);
        let wanted =
            flags.cloud.as_ref().or(environment.cloud.as_ref()).or(settings.cloud.as_ref());
        let named = wanted.and_then(|name| settings.clouds.get(name));
        let address = match (wanted, named) {
            (None, _) => Address::Embedded,
            (Some(_), Some(cloud)) => cloud.address.parse()?,
            (Some(text), None) => text.parse()?,
        };
        let token = match (&environment.token, named.and_then(|cloud| cloud.token_file.as_deref()))
        {
            (Some(token), _) => Some(token.clone()),
            (None, Some(path)) => Some(read_token(&directories.config.join(path))?),
            (None, None) => None,
        };
        Ok(Self {
            cloud: name(wanted, &address, &settings),
            default_cloud: default_name(from_file_alone.as_ref(), &settings),
            address,
            token,
            cloud_program: environment
                .cloud_program
                .clone()
                .or_else(|| settings.cloud_program.clone()),
            proxy: environment.proxy.clone(),
            no_proxy: environment.no_proxy.clone(),
            log: environment.log.clone().or_else(|| settings.log.clone()),
            directories,
            settings,
            unknown_keys,
            flags,
            environment,
        })
    }
}

/// What `--cloud` takes for a cloud that was asked for: the name of a configured one, also where its address was given.
fn name(wanted: Option<&String>, address: &Address, settings: &Settings) -> String {
    if let Some(name) = wanted.filter(|name| settings.clouds.contains_key(*name)) {
        return name.clone();
    }
    let same =
        |cloud: &CloudSettings| cloud.address.parse().is_ok_and(|other: Address| other == *address);
    let configured = settings.clouds.iter().find(|(_, cloud)| same(cloud));
    configured.map_or_else(|| address.to_string(), |(name, _)| name.clone())
}

/// The same for what stands in `config.toml`; one that cannot be understood is the embedded one.
fn default_name(wanted: Option<&String>, settings: &Settings) -> String {
    let named = wanted.and_then(|wanted| settings.clouds.get(wanted)).map(|cloud| &cloud.address);
    let address = named.or(wanted).and_then(|text| text.parse().ok()).unwrap_or(Address::Embedded);
    name(wanted, &address, settings)
}

fn merge(first: Settings, second: Settings) -> Settings {
    let mut clouds = second.clouds;
    clouds.extend(first.clouds);
    Settings {
        cloud: first.cloud.or(second.cloud),
        clouds,
        agent: first.agent.or(second.agent),
        model: first.model.or(second.model),
        mode: first.mode.or(second.mode),
        environment: first.environment.or(second.environment),
        dirty: first.dirty.or(second.dirty),
        cloud_program: first.cloud_program.or(second.cloud_program),
        log: first.log.or(second.log),
        notices: NoticeSettings {
            desktop: first.notices.desktop.or(second.notices.desktop),
            bell: first.notices.bell.or(second.notices.bell),
            messages: first.notices.messages.or(second.notices.messages),
        },
    }
}

fn read_token(path: &Path) -> Result<SecretString, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Token { path: path.to_owned(), source })?;
    Ok(SecretString::from(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(home: &Path) -> Environment {
        Environment {
            config_dir: Some(home.join("config")),
            data_dir: Some(home.join("data")),
            runtime_dir: Some(home.join("run")),
            ..Environment::default()
        }
    }

    fn home_with(config: &str) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("config")).unwrap();
        std::fs::write(home.path().join("config/config.toml"), config).unwrap();
        home
    }

    #[test]
    fn flag_beats_environment_beats_editor_beats_file_beats_default() {
        let home = home_with("cloud = 'unix:/from/file'\nagent = 'file'\nmodel = 'file'");
        let options = serde_json::json!({"cloud": "unix:/from/editor", "agent": "editor"});
        let load = |flag: Option<&str>,
                    variable: Option<&str>,
                    options: Option<&serde_json::Value>| {
            let variables =
                Environment { cloud: variable.map(Into::into), ..environment(home.path()) };
            let config = Config::load(Flags { cloud: flag.map(Into::into) }, variables).unwrap();
            options.map_or(Ok(config.clone()), |options| config.with_options(options)).unwrap()
        };
        let address = |config: Config| config.address;
        let at = |path: &str| Address::Unix(path.into());
        assert_eq!(address(load(None, None, None)), at("/from/file"));
        assert_eq!(address(load(None, None, Some(&options))), at("/from/editor"));
        assert_eq!(
            address(load(None, Some("unix:/from/variable"), Some(&options))),
            at("/from/variable")
        );
        assert_eq!(
            address(load(Some("unix:/from/flag"), Some("unix:/v"), Some(&options))),
            at("/from/flag")
        );
        let settings = load(None, None, Some(&options)).settings;
        assert_eq!(
            (settings.agent.as_deref(), settings.model.as_deref()),
            (Some("editor"), Some("file"))
        );
        let empty = home_with("");
        let config = Config::load(Flags::default(), environment(empty.path())).unwrap();
        assert_eq!(config.address, Address::Embedded);
    }

    #[test]
    fn a_cloud_may_have_a_name_and_a_token_file() {
        let home = home_with(
            "cloud = 'work'\n[clouds.work]\naddress = 'https://aloft.example'\ntokenFile = 'work.token'",
        );
        std::fs::write(home.path().join("config/work.token"), "secret\n").unwrap();
        let config = Config::load(Flags::default(), environment(home.path())).unwrap();
        assert_eq!(config.address, Address::Https("https://aloft.example".into()));
        assert_eq!(secrecy::ExposeSecret::expose_secret(&config.token.clone().unwrap()), "secret");
        assert!(!format!("{config:?}").contains("secret\""));
    }

    #[test]
    fn unknown_keys_are_named_and_broken_files_are_errors() {
        let home = home_with("agnet = 'claude'\n[clouds.x]\naddress = 'unix:/x'\ncolour = 'red'");
        let config = Config::load(Flags::default(), environment(home.path())).unwrap();
        assert_eq!(config.unknown_keys, ["agnet", "clouds.x.colour"]);
        let config = config.with_options(&serde_json::json!({"editor": {"x": 1}})).unwrap();
        assert_eq!(config.unknown_keys, ["agnet", "clouds.x.colour", "editor"]);
        assert!(matches!(
            config.with_options(&serde_json::json!({"agent": 3})),
            Err(Error::Options { .. })
        ));
        let broken = home_with("agent = ");
        let error = Config::load(Flags::default(), environment(broken.path())).unwrap_err();
        assert!(matches!(error, Error::Parse { .. }), "{error}");
    }
}
