//! Island: the built-in ACP agents, and the ACP loop they share. They run inside a sandbox and know none of the rest of
//! the cloud.

pub mod coder;
pub mod leftover;
pub mod shell;
pub mod stdio;

use std::io;

use clap::ValueEnum;

use crate::agent::{coder::Coder, shell::Shell, stdio::Options};

/// The built-in agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// A small coding agent; needs a model
    Aloft,
    /// Runs what the prompt says literally; needs no model
    Shell,
}

/// Runs an agent on standard input and output until the input ends.
pub fn run(name: Name) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
    let options = Options::of_home();
    let result = runtime.block_on(async {
        match name {
            Name::Aloft => {
                let coder = Coder::from_environment(|name| std::env::var(name).ok());
                stdio::serve(coder, options, input, output).await
            }
            Name::Shell => stdio::serve(Shell, options, input, output).await,
        }
    });
    // A thread may still be blocked in a read of standard input.
    runtime.shutdown_background();
    result
}
