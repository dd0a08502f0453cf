//! Command line of `aloft-cloud`: one subcommand per program it can be.
//!
//! What a subcommand does lives in its own module; here is only how it is named and started.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context as _;

use clap::{Parser, Subcommand};

use crate::{
    accounts::keys::EnvironmentKeys,
    agent, clock,
    config::{Config, Environment},
    dev_forge, gateway, guest, heir,
    notices::webhook::Webhook,
    server::{self, Address},
};

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
    /// Serve bridges: run threads, sandboxes and their agents
    Serve(Serve),
    /// Check the configuration and say what is wrong with it
    CheckConfig {
        /// The file; default: config.toml in the config directory
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// A small forge for tests and offline use
    DevForge(dev_forge::Options),
    /// The door for plain OpenSSH; started by the cloud, not by hand
    #[command(hide = true)]
    SshGateway(gateway::Options),
    /// Ends the sandboxes of a cloud that died and does not come back; started by the cloud, not by hand
    #[command(hide = true)]
    Heir(heir::Options),
    /// The daemon inside one sandbox; started by the cloud, not by hand
    #[command(hide = true)]
    Guest(guest::Options),
    /// A built-in agent: speaks ACP on standard input and output
    Agent {
        /// Which
        name: agent::Name,
    },
}

/// How a cloud is served.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Where to listen: unix:PATH, or an ADDRESS:PORT of this machine
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7419")]
    listen: Address,
    /// Where to listen for plain OpenSSH, which reaches a thread with `ssh -J`; default: nowhere
    #[arg(long, value_name = "ADDR")]
    ssh_listen: Option<SocketAddr>,
    /// Where to keep everything; default: `cloud` in the data directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration; default: config.toml in the config directory
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Command {
    /// Runs it to its end. Each arm makes the async runtime that suits it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Serve(serve) => serve.run(),
            Self::CheckConfig { config } => check_config(config),
            Self::Guest(options) => {
                guest::run(&options).map(|()| ExitCode::SUCCESS).map_err(Into::into)
            }
            Self::Heir(options) => heir::run(&options).map(|()| ExitCode::SUCCESS),
            Self::DevForge(options) => {
                clock::follow(Environment::read().test_clock);
                tokio::runtime::Builder::new_multi_thread()
                    .enable_all()
                    .build()?
                    .block_on(dev_forge::run(options))
                    .map(|()| ExitCode::SUCCESS)
            }
            Self::SshGateway(options) => tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?
                .block_on(gateway::run(options))
                .map(|()| ExitCode::SUCCESS),
            Self::Agent { name } => {
                agent::run(name).map(|()| ExitCode::SUCCESS).map_err(Into::into)
            }
        }
    }
}

impl Serve {
    fn run(self) -> anyhow::Result<ExitCode> {
        let environment = Environment::read();
        let config = read_config(self.config, &environment)?;
        let data = match self.data {
            Some(data) => data,
            None => environment
                .data_dir
                .as_ref()
                .context("find a data directory: HOME is not set")?
                .join("cloud"),
        };
        let options = server::Options {
            listen: self.listen,
            ssh_listen: self.ssh_listen,
            data,
            config,
            environment,
            keys: EnvironmentKeys::read(|name| std::env::var(name).ok()),
        };
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(server::serve(options))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn check_config(file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let config = read_config(file, &Environment::read())?;
    config.notices.webhook.as_ref().map(Webhook::open).transpose()?;
    Ok(ExitCode::SUCCESS)
}

/// The configuration; what it does not know is warned of, not refused.
fn read_config(file: Option<PathBuf>, environment: &Environment) -> anyhow::Result<Config> {
    let Some(path) =
        file.or_else(|| environment.config_dir.as_ref().map(|dir| dir.join("config.toml")))
    else {
        return Ok(Config::default());
    };
    let (config, unknown) = Config::read(&path)?;
    for key in unknown {
        tracing::warn!(file = %path.display(), key, "unknown key in the configuration");
    }
    Ok(config)
}
