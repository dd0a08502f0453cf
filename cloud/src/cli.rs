//! Command line of `aloft-cloud`: one subcommand per program it can be.
//!
//! What a subcommand does lives in its own module; here is only how it is named and started.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{agent, guest};

/// The arguments of `aloft-cloud`.
#[derive(Debug, Parser)]
#[command(
    name = "aloft-cloud",
    version,
    about = "The cloud of Aloft: runs coding agents in sandboxes of their own"
)]
pub struct Cli {
    /// What to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The programs inside `aloft-cloud`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The daemon inside one sandbox; started by the cloud, not by hand
    #[command(hide = true)]
    Guest(guest::Options),
    /// A built-in agent: speaks ACP on standard input and output
    Agent {
        /// Which
        name: agent::Name,
    },
}

impl Command {
    /// Runs it to its end. Each arm makes the async runtime that suits it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Guest(options) => {
                guest::run(&options).map(|()| ExitCode::SUCCESS).map_err(Into::into)
            }
            Self::Agent { name } => {
                agent::run(name).map(|()| ExitCode::SUCCESS).map_err(Into::into)
            }
        }
    }
}
