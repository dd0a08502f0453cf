//! `aloft completions`: what a shell needs to complete our commands.

use clap::CommandFactory as _;

use crate::cli::failure::{Exit, Outcome};
use crate::cli::output::Output;

/// Arguments of `aloft completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft completions bash > ~/.local/share/bash-completion/completions/aloft
  aloft completions fish > ~/.config/fish/completions/aloft.fish")]
pub(crate) struct Args {
    /// The shell.
    shell: clap_complete::Shell,
}

/// Runs the command.
pub(crate) fn run(output: Output, args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::Cli::command(), "aloft", &mut script);
    output.bytes(&script)?;
    Ok(Exit::Done)
}
