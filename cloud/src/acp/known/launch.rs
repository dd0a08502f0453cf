//! The command, variables and files of each agent.

use std::collections::BTreeSet;

use aloft_proto::v1::Mode;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::acp::{
    Modes,
    known::{Found, Launch, LaunchOptions},
};

/// Our own program inside a sandbox.
const PROGRAM: &str = "/srv/aloft/aloft-cloud";
/// HOME inside a sandbox.
const HOME: &str = "/home/agent";
/// PATH inside a sandbox, behind Node.
const PATH: &str =
    "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/home/agent/.local/bin";
/// Where the configuration of opencode goes, below HOME.
const OPENCODE_CONFIG: &str = ".config/aloft/opencode.json";
/// opencode has no choice of its own: this one is used when nobody named one, or the first the API offers where it lacks this.
const OPENCODE_MODEL: &str = "gpt-5";

pub(super) fn launch(
    found: &Found,
    keys: &BTreeSet<String>,
    options: &LaunchOptions<'_>,
) -> Launch {
    let modes = found.known.map_or(Modes::default(), |known| known.modes);
    let mut launch = Launch { modes, ..Launch::default() };
    launch.set("NO_PROXY", "127.0.0.1,localhost");
    launch.program(found);
    if let Some(configured) = &found.configured {
        launch.argv.extend(configured.command.iter().skip(1).cloned());
        launch.gateway(options);
        launch.env.extend(configured.env.clone());
        return launch;
    }
    match found.name.as_str() {
        "claude" => launch.claude(options),
        "codex" => launch.codex(options),
        "opencode" => launch.opencode(options),
        "aloft" => {
            launch.gateway(options);
            let api = if keys.contains("anthropic") { "anthropic" } else { "openai" };
            launch.set("ALOFT_MODEL_API", api);
        }
        _ => {}
    }
    launch
}

impl Launch {
    fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    fn program(&mut self, found: &Found) {
        let Some(program) = &found.program else {
            self.argv = [PROGRAM, "agent", &found.name].map(str::to_owned).into();
            return;
        };
        self.read_only.extend(program.mount.clone());
        if let Some(node) = found.node.as_ref().filter(|_| program.needs_node) {
            self.read_only.extend(node.mount.clone());
            let folder = node.path.parent().unwrap_or(&node.path).to_string_lossy();
            // What the agent starts must find the same Node.
            self.set("PATH", &format!("{folder}:{PATH}"));
            self.argv.push(node.path.to_string_lossy().into_owned());
        }
        self.argv.push(program.path.to_string_lossy().into_owned());
    }

    /// The variables of an agent that knows nothing of us but reads the usual names.
    fn gateway(&mut self, options: &LaunchOptions<'_>) {
        self.set("ANTHROPIC_BASE_URL", &anthropic(options));
        self.set("OPENAI_BASE_URL", &openai(options));
        self.set("ALOFT_MODEL_TOKEN", options.token.expose_secret());
        if let Some(model) = options.model {
            self.set("ALOFT_MODEL", model);
        }
    }

    fn claude(&mut self, options: &LaunchOptions<'_>) {
        self.set("ANTHROPIC_BASE_URL", &anthropic(options));
        self.set("ANTHROPIC_AUTH_TOKEN", options.token.expose_secret());
        self.set("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
        self.set("DISABLE_AUTOUPDATER", "1");
        self.set("IS_SANDBOX", "1");
        if let Some(model) = options.model {
            self.set("ANTHROPIC_MODEL", model);
        }
    }

    fn codex(&mut self, options: &LaunchOptions<'_>) {
        let mut config = json!({
            "model_provider": "aloft",
            "check_for_update_on_startup": false,
            "analytics": {"enabled": false},
            "model_providers": {"aloft": {
                "name": "Aloft",
                "base_url": openai(options),
                "wire_api": "responses",
                "requires_openai_auth": false,
                "supports_websockets": false,
                "env_key": "ALOFT_MODEL_TOKEN",
            }},
        });
        if let Some(model) = options.model {
            config["model"] = json!(model);
        }
        self.set("CODEX_CONFIG", &config.to_string());
        // Not below TMPDIR: codex would not make its sandbox there.
        self.set("CODEX_HOME", &format!("{HOME}/.codex"));
        self.set("ALOFT_MODEL_TOKEN", options.token.expose_secret());
        self.set("NO_BROWSER", "1");
        // Its own default lets a model judge what may be done.
        self.set("INITIAL_AGENT_MODE", self.modes.id(options.mode).unwrap_or_default());
        self.nested = options.mode != Mode::Auto;
        // codex refuses a home that is not there.
        self.files.push((".codex/.keep".to_owned(), Vec::new()));
    }

    fn opencode(&mut self, options: &LaunchOptions<'_>) {
        let has_default = options.offered.iter().any(|model| model == OPENCODE_MODEL);
        let first = options.offered.first().filter(|_| !has_default);
        let model = options.model.unwrap_or_else(|| first.map_or(OPENCODE_MODEL, String::as_str));
        let name = format!("aloft/{model}");
        let config = json!({
            "model": name,
            "small_model": name,
            "autoupdate": false,
            "share": "disabled",
            "enabled_providers": ["aloft"],
            // Fixed at its start, so it always asks; in auto the cloud says yes.
            "permission": {"edit": "ask", "bash": "ask"},
            "provider": {"aloft": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "Aloft",
                "options": {"baseURL": openai(options), "apiKey": "{env:ALOFT_MODEL_TOKEN}"},
                "models": {model: {"name": model, "tool_call": true, "limit": {"context": 200_000, "output": 32_000}}},
            }},
        });
        self.argv.push("acp".to_owned());
        self.files.push((OPENCODE_CONFIG.to_owned(), config.to_string().into_bytes()));
        self.set("OPENCODE_CONFIG", &format!("{HOME}/{OPENCODE_CONFIG}"));
        self.set("ALOFT_MODEL_TOKEN", options.token.expose_secret());
        for what in ["AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS"] {
            self.set(&format!("OPENCODE_DISABLE_{what}"), "1");
        }
    }
}

fn anthropic(options: &LaunchOptions<'_>) -> String {
    format!("http://127.0.0.1:{}/model/anthropic", options.port)
}

fn openai(options: &LaunchOptions<'_>) -> String {
    format!("http://127.0.0.1:{}/model/openai/v1", options.port)
}
