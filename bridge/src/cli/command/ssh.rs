//! `aloft ssh`: the machine's own ssh, through our config alone, so that nothing of the person's stands in the way.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::ssh;

/// Arguments of `aloft ssh`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft ssh @last                          a shell
  aloft ssh @last -- cargo test            these words, as they are
  aloft ssh @last -- 'cd src && wc -l *'   one word is for the shell there

The exit code is the command's. After `aloft setup ssh`, plain ssh, scp, sftp and rsync reach the sandbox too.")]
pub(crate) struct Args {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// Give the command a terminal.
    #[arg(long, short)]
    tty: bool,
    /// What to run; nothing = a shell.
    #[arg(last = true)]
    command: Vec<String>,
}

/// Runs the command: this process becomes ssh.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let thread = context.thread(&args.id).await?;
    let ssh = context.ssh();
    let host = context.output.waiting("preparing ssh", ssh.connect(&thread)).await?;
    let mut command = Command::new("ssh");
    command.arg("-F").arg(ssh.folder.config());
    if args.tty {
        command.arg("-t");
    }
    command.arg("--").arg(&host.name);
    match args.command.as_slice() {
        [] => {}
        [script] => drop(command.arg(script)),
        words => drop(command.arg(ssh::shell(words))),
    }
    let error = command.exec();
    Err(Failure::from(ssh::Error::NoSsh { source: error }))
}
