//! `aloft doctor`: looks at everything, says how to mend it.

mod ssh;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use aloft_proto::v1;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::output::{Output, Style};
use crate::cli::text;
use crate::config::Address;
use crate::protocol::error::Error;
use crate::protocol::request::cloud::Check;

/// How long a program may take to tell its version.
const VERSION: Duration = Duration::from_secs(5);
/// The oldest git whose commands are used.
const GIT: (u32, u32) = (2, 31);

/// Runs the command.
pub(crate) async fn run(context: &Context) -> Outcome {
    let mut checks = vec![configuration(context), git().await];
    let directories = &context.config.directories;
    checks.push(writable("data folder", &directories.data));
    checks.push(writable("configuration folder", &directories.config));
    checks.extend(ssh::checks(context).await);
    let asking = context.client.get_status(v1::GetStatusRequest {});
    match context.output.waiting("asking the cloud", asking).await {
        Ok(status) => {
            checks.push(version(&status.version));
            checks.extend(status.checks.into_iter().map(Check::from));
            checks.push(agents(context).await);
            checks.extend(ssh::registered(context).await);
        }
        Err(error) => checks.push(Check {
            check: "cloud".to_owned(),
            ok: false,
            detail: error.message,
            hint: error.hint,
        }),
    }
    let all = checks.iter().all(|check| check.ok);
    print(context.output, &checks)?;
    Ok(if all { Exit::Done } else { Exit::Failed })
}

/// Tells that there is no configuration to check anything with.
pub(crate) fn no_configuration(output: Output, error: crate::config::Error) -> Outcome {
    let error = Error::from(error);
    let result = Err((error.message, error.hint.unwrap_or_default()));
    print(output, &[check("configuration", result)])?;
    if !output.json {
        output.note("nothing else can be checked before that");
    }
    Ok(Exit::Failed)
}

fn print(output: Output, checks: &[Check]) -> std::io::Result<()> {
    if output.json {
        return output.json(&checks);
    }
    for check in checks {
        let mark = if check.ok {
            output.paint(Style::Green, "ok  ")
        } else {
            output.paint(Style::Red, "FAIL")
        };
        output.line(&format!(
            "{mark}  {}: {}",
            text::line(&check.check, 60),
            text::clean(&check.detail)
        ))?;
        if let Some(hint) = check.hint.as_ref().filter(|_| !check.ok) {
            output.line(&format!("      hint: {}", text::clean(hint)))?;
        }
    }
    Ok(())
}

fn check(name: &str, result: Result<String, (String, String)>) -> Check {
    let (ok, detail, hint) = match result {
        Ok(detail) => (true, detail, None),
        Err((detail, hint)) => (false, detail, Some(hint)),
    };
    Check { check: name.to_owned(), ok, detail, hint }
}

fn configuration(context: &Context) -> Check {
    let file = context.config.file();
    let unknown = &context.config.unknown_keys;
    check(
        "configuration",
        match (file.exists(), unknown.is_empty()) {
            (_, false) => Err((
                format!("{} has keys nobody knows: {}", file.display(), unknown.join(", ")),
                "correct or remove them".to_owned(),
            )),
            (true, true) => Ok(format!("{} is understood", file.display())),
            (false, true) => Ok(format!("{} is absent: defaults are used", file.display())),
        },
    )
}

async fn git() -> Check {
    let asked = tokio::process::Command::new("git")
        .arg("--version")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let install = "install git with your package manager".to_owned();
    check(
        "git",
        match tokio::time::timeout(VERSION, asked).await {
            Ok(Ok(answer)) if answer.status.success() => {
                let words = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
                let (major, minor) = GIT;
                match git_version(&words) {
                    Some(found) if found < GIT => Err((
                        format!("{words} is too old"),
                        format!("install git {major}.{minor} or newer"),
                    )),
                    _ => Ok(words),
                }
            }
            Ok(Ok(answer)) => Err((format!("git --version failed ({})", answer.status), install)),
            Ok(Err(error)) => Err((format!("git cannot be run: {error}"), install)),
            Err(_) => Err((format!("git --version did not end within {VERSION:?}"), install)),
        },
    )
}

fn git_version(words: &str) -> Option<(u32, u32)> {
    let mut numbers = words.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Tells whether a file can be made in a folder, or the folder itself be made.
fn writable(name: &str, folder: &Path) -> Check {
    let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(folder);
    check(
        name,
        match tempfile::tempfile_in(existing) {
            Ok(_) => Ok(format!("{} is writable", folder.display())),
            Err(error) => Err((
                format!("{} is not writable: {error}", folder.display()),
                "make it yours, or set ALOFT_DATA_DIR and ALOFT_CONFIG_DIR".to_owned(),
            )),
        },
    )
}

fn version(cloud: &str) -> Check {
    let own = env!("CARGO_PKG_VERSION");
    check(
        "cloud",
        if cloud == own {
            Ok(format!("version {own} answers"))
        } else {
            Err((
                format!("the cloud is version {}, this program {own}", text::line(cloud, 40)),
                "when no turn runs, stop the cloud: aloft cloud stop".to_owned(),
            ))
        },
    )
}

async fn agents(context: &Context) -> Check {
    let result = match context.client.list_agents(v1::ListAgentsRequest {}).await {
        Err(error) => Err((error.message, error.hint.unwrap_or_default())),
        Ok(response) => {
            let usable: Vec<&str> = response
                .agents
                .iter()
                .filter(|agent| agent.usable)
                .map(|agent| agent.name.as_str())
                .collect();
            let thinks = usable.iter().any(|name| *name != "shell");
            if thinks {
                Ok(format!("usable: {}", usable.join(", ")))
            } else {
                let hint = "set a model key: aloft key set anthropic; `aloft agent list` says more"
                    .to_owned();
                Err(("none is usable but shell, which runs what the prompt says".to_owned(), hint))
            }
        }
    };
    let name =
        if context.config.address == Address::Embedded { "agents" } else { "agents of the cloud" };
    check(name, result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_git_are_read() {
        let cases = [
            ("git version 2.39.2", Some((2, 39))),
            ("git version 2.50.0.windows.1", Some((2, 50))),
            ("nonsense", None),
        ];
        for (words, expected) in cases {
            assert_eq!(git_version(words), expected);
        }
    }

    #[test]
    fn folders_are_tried() {
        let folder = tempfile::tempdir().unwrap();
        assert!(writable("data", &folder.path().join("not/yet")).ok);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
