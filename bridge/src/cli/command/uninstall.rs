//! `aloft uninstall`: the embedded cloud stops and our folders go.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::ask;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome, local, usage};
use crate::client::embedded::Embedded;
use crate::config::Address;
use crate::protocol::error::Error;
use crate::ssh::UserConfig;

/// Arguments of `aloft uninstall`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// Runs the command. The programs themselves stay: whoever put them there takes them away.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let output = context.output;
    let embedded = Embedded::new(&context.config);
    let directories = &context.config.directories;
    let own = [&directories.data, &directories.config, &directories.runtime];
    let folders: Vec<PathBuf> = elsewhere(&directories.cloud())
        .into_iter()
        .chain(own.into_iter().cloned())
        .filter(|path| path.exists())
        .collect();
    if !args.yes {
        output.note("this stops the embedded cloud and removes, with all threads and their work:");
        for folder in &folders {
            output.note(&format!("  {}", folder.display()));
        }
        if !output.interactive {
            return Err(usage("uninstalling needs a yes", "add --yes"));
        }
        if !ask::confirm(output, "Remove?").await {
            output.note("nothing was removed");
            return Ok(Exit::Failed);
        }
    }
    let out_of_config = leave_ssh(context).await;
    output.waiting("stopping the cloud", embedded.stop()).await?;
    for folder in &folders {
        // One may lie inside another that is gone already.
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(local("remove", folder, &error));
            }
            _ => {}
        }
    }
    let socket = embedded.socket();
    if socket.exists() {
        std::fs::remove_file(socket).map_err(|error| local("remove", socket, &error))?;
    }
    out_of_config?;
    if output.json {
        output.json(&json!({ "removed": folders }))?;
    } else {
        output.line("everything of Aloft but its programs is gone")?;
    }
    Ok(Exit::Done)
}

/// Takes our lines out of the person's `~/.ssh/config`, and our key out of the cloud where another machine keeps it.
async fn leave_ssh(context: &Context) -> Result<(), Error> {
    let ssh = context.ssh();
    if !ssh.folder.is_used() {
        return Ok(());
    }
    // The embedded cloud goes with everything it knows.
    if context.config.address != Address::Embedded
        && let Err(error) = ssh.revoke().await
    {
        context.output.warn(&format!("the key of this machine stays known to the cloud: {error}"));
    }
    let Some(home) = &context.config.directories.home else { return Ok(()) };
    Ok(UserConfig::new(&ssh.folder, home)?.remove().await?)
}

/// Where a cloud that root started keeps its sandboxes, as it wrote it down.
fn elsewhere(data: &Path) -> Option<PathBuf> {
    let path = PathBuf::from(std::fs::read_to_string(data.join("elsewhere")).ok()?);
    (path.is_absolute() && path.components().count() > 2).then_some(path)
}
