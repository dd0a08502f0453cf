//! `aloft agent list`: what can be used here, or why not.

use std::{fs, os::unix::fs::PermissionsExt};

use aloft_tests::{home::Home, model::UPSTREAM_KEY};
use serde_json::{Value, json};

use crate::agents::installed;

fn agent(list: &Value, name: &str) -> Value {
    let agents = list.as_array().unwrap();
    agents.iter().find(|agent| agent["name"] == name).unwrap().clone()
}

#[test]
fn installed_agents_are_usable_with_their_keys_only() {
    let home = Home::new()
        .with("ALOFT_AGENTS_DIR", installed().to_str().unwrap())
        .with("OPENAI_API_KEY", UPSTREAM_KEY);
    let list = home.json(["agent", "list"]);
    for (name, version) in [("codex", "2.6.0"), ("opencode", "1.18.33")] {
        let agent = agent(&list, name);
        assert_eq!(
            (&agent["usable"], &agent["version"]),
            (&json!(true), &json!(version)),
            "{agent}"
        );
    }
    let claude = agent(&list, "claude");
    assert_eq!(claude["usable"], false);
    assert_eq!(claude["reason"], "there is no key for anthropic");
    assert_eq!(claude["hint"], "give it with: aloft key set anthropic");
    assert_eq!(agent(&list, "aloft")["usable"], true);
    assert_eq!(agent(&list, "shell")["usable"], true);
}

#[test]
fn an_agent_that_is_not_there_says_how_to_install_it() {
    let home = Home::new().with("OPENAI_API_KEY", UPSTREAM_KEY).with("PATH", "/usr/bin:/bin");
    let codex = agent(&home.json(["agent", "list"]), "codex");
    assert_eq!(codex["usable"], false);
    assert_eq!(codex["reason"], "its program `codex-acp` is not on this machine");
    assert!(codex["hint"].as_str().unwrap().starts_with("npm install"), "{codex}");
    let repository = home.repository();
    let repository = repository.to_str().unwrap();
    let error = home.fails(1, ["new", "--agent", "codex", "--repo", repository, "x"]);
    assert_eq!(error["reason"], "AGENT_UNUSABLE", "{error}");
}

/// Started by root, a sandbox is a user of its own, who may not pass through a folder that is closed to others. An ordinary
/// user's sandbox is that user.
#[test]
fn an_agent_that_no_sandbox_could_reach_names_the_folder() {
    let home = Home::new().with("OPENAI_API_KEY", UPSTREAM_KEY);
    let closed = home.path("closed");
    fs::create_dir_all(closed.join("agents")).unwrap();
    let program = closed.join("agents/opencode");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let home = home.with("ALOFT_AGENTS_DIR", closed.join("agents").to_str().unwrap());
    let opencode = agent(&home.json(["agent", "list"]), "opencode");
    if rustix::process::geteuid().is_root() {
        let reason = opencode["reason"].as_str().unwrap();
        assert!(reason.contains("is closed to the users of sandboxes"), "{opencode}");
        assert!(
            opencode["hint"].as_str().unwrap().contains(closed.to_str().unwrap()),
            "{opencode}"
        );
    } else {
        assert_eq!(opencode["usable"], true, "{opencode}");
    }
}
