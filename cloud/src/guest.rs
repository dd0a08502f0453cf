//! Island: the daemon inside a sandbox.

use std::path::PathBuf;

/// How a guest is started.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The inherited unix listener on which the cloud calls
    #[arg(long, value_name = "FD")]
    pub listen_fd: i32,
    /// The cloud's socket to which the loopback port leads
    #[arg(long, value_name = "PATH")]
    pub relay: PathBuf,
    /// The loopback port that leads to the cloud
    #[arg(long)]
    pub port: u16,
    /// Whose guest this is
    #[arg(long, value_name = "ID")]
    pub sandbox: String,
    /// Which start of the sandbox this is
    #[arg(long, value_name = "N")]
    pub incarnation: u64,
    /// Ends everything when the cloud has not called for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub lonely_seconds: u64,
    /// Against which relative paths are read, and where processes start
    #[arg(long, value_name = "PATH", default_value = "/workspace")]
    pub root: PathBuf,
}

/// What stops a guest.
#[derive(Debug, thiserror::Error)]
pub enum Error {}

/// Serves the sandbox until the cloud shuts it down or is no longer heard.
pub fn run(_options: &Options) -> Result<(), Error> {
    Ok(())
}
