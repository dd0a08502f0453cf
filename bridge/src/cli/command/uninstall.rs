//! `aloft uninstall`: the embedded cloud stops and our folders go.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::ask;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome, local, usage};
use crate::client::embedded::Embedded;
use crate::config::{Address, Directories};
use crate::protocol::error::Error;
use crate::ssh::UserConfig;

/// What there is in the data folder.
const DATA: [&str; 4] = ["bridge", "cloud", "run", "ssh"];
/// What a cloud keeps where its sandboxes are, when that is not among its data.
const SANDBOXES: [&str; 2] = ["mirrors", "s"];

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
    let ours = Ours::find(&context.config.directories, embedded.socket());
    if !args.yes {
        output.note("this stops the embedded cloud and removes, with all threads and their work:");
        for path in &ours.paths {
            output.note(&format!("  {}", path.display()));
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
    for path in &ours.paths {
        remove(path).map_err(|error| local("remove", path, &error))?;
    }
    for folder in &ours.folders {
        // One that holds something else stays with it.
        if std::fs::remove_dir(folder).is_err() && folder.exists() {
            output.note(&format!("{} stays: not all in it is of Aloft", folder.display()));
        }
    }
    out_of_config?;
    if output.json {
        output.json(&json!({ "removed": ours.paths }))?;
    } else {
        output.line("everything of Aloft but its programs is gone")?;
    }
    Ok(Exit::Done)
}

/// What Aloft has made here. Its folders may have been chosen by a person, and hold other things too: those are nobody's
/// to remove.
struct Ours {
    /// Files and folders that are ours alone, where they are there.
    paths: Vec<PathBuf>,
    /// Folders they are in, the inner before the outer.
    folders: Vec<PathBuf>,
}

impl Ours {
    fn find(directories: &Directories, socket: &Path) -> Self {
        let elsewhere = elsewhere(&directories.cloud());
        let sandboxes = elsewhere.iter().flat_map(|shared| SANDBOXES.map(|name| shared.join(name)));
        let data = DATA.map(|name| directories.data.join(name));
        // The default place of the socket is among the data.
        let socket_is_apart = !data.iter().any(|folder| socket.starts_with(folder));
        let paths = sandboxes
            .chain(data)
            .chain([directories.config.join("config.toml")])
            .chain(socket_is_apart.then(|| socket.to_owned()))
            .filter(|path| path.symlink_metadata().is_ok())
            .collect();
        let runtime = socket.parent().filter(|_| socket_is_apart).map(Path::to_owned);
        let folders = elsewhere
            .into_iter()
            .chain(runtime)
            .chain([directories.data.clone(), directories.config.clone()])
            .filter(|folder| folder.exists())
            .collect();
        Self { paths, folders }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    // The cloud takes its socket away itself.
    removed
        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_is_found_in_folders_a_person_chose() {
        let root = tempfile::tempdir().unwrap();
        let at = |below: &str| root.path().join(below);
        for folder in ["data/cloud", "data/theirs", "config", "run", "shared/s", "shared/theirs"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("data/cloud/elsewhere"), at("shared").to_str().unwrap()).unwrap();
        for file in ["config/config.toml", "config/theirs", "run/cloud.sock", "run/other.sock"] {
            std::fs::write(at(file), "").unwrap();
        }
        let directories =
            Directories { config: at("config"), data: at("data"), runtime: at("run"), home: None };
        let ours = Ours::find(&directories, &at("run/cloud.sock"));
        let expected = ["shared/s", "data/cloud", "config/config.toml", "run/cloud.sock"].map(at);
        assert_eq!(ours.paths, expected);
        assert_eq!(ours.folders, ["shared", "run", "data", "config"].map(at));
    }
}
