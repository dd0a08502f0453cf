//! Agents on made-up hosts.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::{Value, json};

use super::*;

fn put(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// An npm prefix with the agent, and a Node of its own that says `version`.
fn install(prefix: &Path, package: &str, program: &str, version: &str) {
    let folder = prefix.join("node_modules").join(package);
    put(&folder.join("dist/index.js"), "#!/usr/bin/env node\n");
    put(&folder.join("package.json"), &json!({"version": "9.8.7"}).to_string());
    let bin = prefix.join("node_modules/.bin");
    fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(format!("../{package}/dist/index.js"), bin.join(program)).unwrap();
    put(
        &prefix.join(format!("node_modules/node-linux-{}/bin/node", architecture())),
        &format!("#!/bin/sh\necho {version}\n"),
    );
}

fn architecture() -> &'static str {
    if cfg!(target_arch = "x86_64") { "x64" } else { "arm64" }
}

fn keys(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn options<'a>(mode: Mode, model: Option<&'a str>, token: &'a SecretString) -> LaunchOptions<'a> {
    LaunchOptions { mode, model, offered: &[], token, port: 3128 }
}

#[test]
fn an_empty_host_has_the_built_in_agents_and_says_what_is_missing() {
    let host = HostAgents::find(&Search::default());
    let listed = |keys: &BTreeSet<String>| -> Vec<(String, bool, bool, String)> {
        let line = |agent: v1::Agent| (agent.name, agent.usable, agent.is_default, agent.reason);
        host.list(keys).into_iter().map(line).collect()
    };
    let line = |name: &str, usable, default, reason: &str| {
        (name.to_owned(), usable, default, reason.to_owned())
    };
    assert_eq!(
        listed(&keys(&[])),
        [
            line("claude", false, false, "its program `claude-agent-acp` is not on this machine"),
            line("codex", false, false, "its program `codex-acp` is not on this machine"),
            line("opencode", false, false, "its program `opencode` is not on this machine"),
            line("aloft", false, false, "there is no key for anthropic or openai"),
            line("shell", true, false, ""),
        ]
    );
    assert_eq!(host.default(&keys(&[])), None);
    assert_eq!(host.default(&keys(&["openai"])), Some("aloft"));
    let problem = host.check("aloft", &keys(&[])).unwrap_err();
    assert_eq!(
        (problem.reason.as_str(), problem.hint.as_str()),
        ("AGENT_UNUSABLE", "give it with: aloft key set anthropic")
    );
    assert_eq!(host.check("gpt", &keys(&[])).unwrap_err().reason, "AGENT_UNKNOWN");
}

#[test]
fn an_agent_of_an_npm_prefix_is_mounted_with_a_node_that_is_new_enough() {
    let agents = tempfile::tempdir().unwrap();
    let root = agents.path().canonicalize().unwrap();
    install(&root.join("a"), "@agentclientprotocol/codex-acp", "codex-acp", "v20.1.0");
    install(
        &root.join("b"),
        "@agentclientprotocol/claude-agent-acp",
        "claude-agent-acp",
        "v24.2.0",
    );
    let host = HostAgents::find(&Search { folders: vec![root.clone()], ..Search::default() });
    let all = keys(&["anthropic", "openai"]);
    assert_eq!(host.default(&all), Some("claude"));
    assert_eq!(host.list(&all)[0].version, "9.8.7");
    let token = SecretString::from("secret-token");
    let launch = host.launch("claude", &all, &options(Mode::Auto, Some("m"), &token)).unwrap();
    assert_eq!(
        launch.argv,
        [
            &*format!(
                "/srv/aloft/agents/node-24/node_modules/node-linux-{}/bin/node",
                architecture()
            ),
            "/srv/aloft/agents/claude/node_modules/@agentclientprotocol/claude-agent-acp/dist/index.js",
        ]
    );
    assert_eq!(launch.read_only[0], (root.join("b"), PathBuf::from("/srv/aloft/agents/claude")));
    assert_eq!(launch.env["ANTHROPIC_BASE_URL"], "http://127.0.0.1:3128/model/anthropic");
    assert_eq!(
        (launch.env["ANTHROPIC_AUTH_TOKEN"].as_str(), launch.env["ANTHROPIC_MODEL"].as_str()),
        ("secret-token", "m")
    );
    assert_eq!(launch.modes.auto, Some("bypassPermissions"));
    assert!(!format!("{launch:?}").contains("secret-token"));

    let launch = host.launch("codex", &all, &options(Mode::Manual, None, &token)).unwrap();
    let config: Value = serde_json::from_str(&launch.env["CODEX_CONFIG"]).unwrap();
    assert_eq!(
        config["model_providers"]["aloft"]["base_url"],
        "http://127.0.0.1:3128/model/openai/v1"
    );
    assert_eq!(config.get("model"), None);
    assert_eq!((launch.env["INITIAL_AGENT_MODE"].as_str(), launch.nested), ("read-only", true));
    assert!(launch.env["PATH"].starts_with("/srv/aloft/agents/node-20/"));
}

#[test]
fn an_old_node_is_a_reason() {
    let agents = tempfile::tempdir().unwrap();
    install(agents.path(), "claude", "claude-agent-acp", "v18.0.0");
    let host =
        HostAgents::find(&Search { folders: vec![agents.path().to_owned()], ..Search::default() });
    let problem = host.check("claude", &keys(&["anthropic"])).unwrap_err();
    assert_eq!(problem.message, "agent `claude` cannot be used: it needs Node 22 or newer");
}

#[test]
fn an_agent_behind_a_closed_folder_is_used_only_where_sandboxes_are_the_same_user() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    put(&root.join("in/opencode"), "\u{7f}ELF");
    let find = |own_users| {
        let folders = vec![root.join("in")];
        HostAgents::find(&Search { folders, own_users, ..Search::default() })
    };
    assert_eq!(find(true).check("opencode", &keys(&["openai"])), Ok(()));
    fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(find(false).check("opencode", &keys(&["openai"])), Ok(()));
    let problem = find(true).check("opencode", &keys(&["openai"])).unwrap_err();
    let expected = format!("{} is closed to the users of sandboxes", root.display());
    assert!(problem.message.contains(&expected), "{}", problem.message);
}

#[test]
fn opencode_takes_its_usual_model_or_the_first_that_is_offered() {
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join("opencode"), "\u{7f}ELF");
    let host =
        HostAgents::find(&Search { folders: vec![folder.path().to_owned()], ..Search::default() });
    assert_eq!(host.asks_for_models_of("opencode"), Some("openai"));
    assert_eq!(host.asks_for_models_of("codex"), None);
    let token = SecretString::from("t");
    let model = |named, offered: &[&str]| {
        let offered: Vec<String> = offered.iter().map(|model| (*model).to_owned()).collect();
        let options = LaunchOptions { offered: &offered, ..options(Mode::Auto, named, &token) };
        let launch = host.launch("opencode", &keys(&["openai"]), &options).unwrap();
        let config: Value = serde_json::from_slice(&launch.files[0].1).unwrap();
        config["model"].as_str().unwrap().to_owned()
    };
    assert_eq!(model(Some("mine"), &["first", "gpt-5"]), "aloft/mine");
    assert_eq!(model(None, &["first", "gpt-5"]), "aloft/gpt-5");
    assert_eq!(model(None, &["first", "second"]), "aloft/first");
    assert_eq!(model(None, &[]), "aloft/gpt-5");
}

#[test]
fn single_programs_and_configured_ones() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    put(&root.join("opencode"), "\u{7f}ELF");
    let mine = |command: &[&str]| Configured {
        name: "mine".to_owned(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        env: BTreeMap::from([("X".to_owned(), "1".to_owned())]),
    };
    let search = |command: &[&str]| Search {
        path: vec![root.clone(), PathBuf::from("/usr/bin")],
        folders: vec![],
        configured: vec![mine(command)],
        own_users: false,
    };
    let host = HostAgents::find(&search(&["env", "my-agent"]));
    let token = SecretString::from("t");
    let launch =
        host.launch("opencode", &keys(&["openai"]), &options(Mode::Auto, None, &token)).unwrap();
    assert_eq!(launch.argv, ["/srv/aloft/agents/opencode/opencode", "acp"]);
    assert_eq!(
        launch.read_only,
        [(root.join("opencode"), PathBuf::from("/srv/aloft/agents/opencode/opencode"))]
    );
    let config: Value = serde_json::from_slice(&launch.files[0].1).unwrap();
    assert_eq!(config["permission"], json!({"edit": "ask", "bash": "ask"}));
    assert!(!config.to_string().contains("\"t\""));
    let launch =
        host.launch("mine", &keys(&[]), &options(Mode::Manual, Some("m"), &token)).unwrap();
    assert_eq!(
        (launch.argv[1].as_str(), launch.read_only.len(), launch.env["X"].as_str()),
        ("my-agent", 0, "1")
    );
    assert_eq!(launch.env["ALOFT_MODEL"], "m");
    let host = HostAgents::find(&search(&["/nowhere/agent"]));
    assert!(
        host.check("mine", &keys(&[]))
            .unwrap_err()
            .message
            .contains("`/nowhere/agent` is not on this machine")
    );
    let shell = host.launch("shell", &keys(&[]), &options(Mode::Manual, None, &token)).unwrap();
    assert_eq!(shell.argv, ["/srv/aloft/aloft-cloud", "agent", "shell"]);
    assert!(!shell.env.contains_key("ALOFT_MODEL_TOKEN"));
}
