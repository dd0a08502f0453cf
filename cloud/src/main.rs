//! Picks the subcommand of `aloft-cloud`.

use std::{io::Write as _, process::ExitCode};

use aloft_cloud::cli::Cli;
use clap::Parser as _;
use tracing_subscriber::EnvFilter;

/// Names what is logged, in the words of `RUST_LOG`; without it, warnings and worse.
const LOG_VARIABLE: &str = "ALOFT_LOG";

fn main() -> ExitCode {
    // The first TLS use panics without a provider, and two are possible in the tree.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was already installed");
    }
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new("warn"));
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let format = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(terminal);
    // A log that cannot be written, because its disk is full for one, must not break what it was to tell of.
    format.with_env_filter(filter).log_internal_errors(false).init();
    match Cli::parse().command.run() {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

/// Errors of this project are fragments that read after "failed to".
fn report(error: &anyhow::Error) {
    let causes = error.chain().skip(1).map(|cause| format!("  caused by: {cause}\n"));
    let text = format!("error: failed to {error}\n{}", causes.collect::<String>());
    // Where it goes may be on the full disk that it tells of.
    std::io::stderr().write_all(text.as_bytes()).ok();
}
