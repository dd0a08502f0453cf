//! What `aloft doctor` says of ssh: the program, the key, and what of a person's config bends our hosts, line by line.

use std::process::Stdio;

use crate::cli::command::doctor::{VERSION, check};
use crate::cli::context::Context;
use crate::protocol::error::Error;
use crate::protocol::request::cloud::Check;
use crate::ssh::{self, Key, State, UserConfig};

/// Runs the checks that need no cloud.
pub(super) async fn checks(context: &Context) -> Vec<Check> {
    let mut checks = vec![program().await];
    let folder = context.ssh().folder;
    if let Some(key) = key(&folder) {
        checks.push(key);
    }
    let Some(home) = &context.config.directories.home else { return checks };
    match UserConfig::new(&folder, home) {
        Ok(config) => checks.extend(self::config(&config).await),
        Err(error) => checks.push(failed("ssh config", error)),
    }
    checks
}

/// Tells whether the cloud takes our key; nothing where ssh was never asked for.
pub(super) async fn registered(context: &Context) -> Option<Check> {
    let ssh = context.ssh();
    Key::find(&ssh.folder).ok()??;
    Some(check(
        "ssh key",
        match ssh.is_registered().await {
            Ok(true) => Ok("the cloud takes the key of this machine".to_owned()),
            Ok(false) => Err((
                "the cloud does not take the key of this machine".to_owned(),
                "to let this machine in: aloft setup ssh".to_owned(),
            )),
            Err(error) => Err((error.message, error.hint.unwrap_or_default())),
        },
    ))
}

async fn program() -> Check {
    let asked = tokio::process::Command::new("ssh")
        .arg("-V")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let install = "install OpenSSH's client; on Debian: apt-get install openssh-client".to_owned();
    check(
        "ssh",
        match tokio::time::timeout(VERSION, asked).await {
            Ok(Ok(answer)) if answer.status.success() => {
                let words = String::from_utf8_lossy(&answer.stderr);
                Ok(words.lines().next().unwrap_or("it runs").trim().to_owned())
            }
            Ok(Ok(answer)) => Err((format!("ssh -V failed ({})", answer.status), install)),
            Ok(Err(error)) => Err((format!("ssh cannot be run: {error}"), install)),
            Err(_) => Err((format!("ssh -V did not end within {VERSION:?}"), install)),
        },
    )
}

fn key(folder: &ssh::Folder) -> Option<Check> {
    match Key::find(folder) {
        Ok(None) => None,
        Ok(Some(key)) => Some(check("ssh key", Ok(format!("{} is readable", key.fingerprint)))),
        Err(error) => Some(failed("ssh key", error)),
    }
}

async fn config(config: &UserConfig) -> Vec<Check> {
    let name = "ssh config";
    let file = config.path().display();
    let behind = match config.state() {
        Ok(State::First) => None,
        Ok(State::Absent) => {
            let detail =
                format!("{file} does not know the sandboxes; `aloft ssh` works all the same");
            return vec![check(name, Ok(detail))];
        }
        Ok(State::Behind { line, text }) => Some((line, text)),
        Err(error) => return vec![failed(name, error)],
    };
    let mut checks = Vec::new();
    if let Some((line, text)) = behind {
        let detail = format!("{file}: line {line} stands before our line and wins: {text}");
        let hint = "bring our line to the top again: aloft setup ssh".to_owned();
        checks.push(check(name, Err((detail, hint))));
    }
    match config.spoilers().await {
        Err(error) => checks.push(failed(name, error)),
        Ok(spoilers) => checks.extend(spoilers.iter().map(|spoiler| {
            let hint = "put it under a `Host` of its own, or add `!*.aloft` to the patterns it stands under";
            check(name, Err((spoiler.to_string(), hint.to_owned())))
        })),
    }
    if checks.is_empty() {
        checks.push(check(
            name,
            Ok(format!("{file} knows the sandboxes, and nothing in it bends them")),
        ));
    }
    checks
}

fn failed(name: &str, error: ssh::Error) -> Check {
    let error = Error::from(error);
    check(name, Err((error.message, error.hint.unwrap_or_default())))
}
