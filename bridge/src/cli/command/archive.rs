//! `aloft archive` and `aloft restore`: a thread as one file, and back.

use std::path::PathBuf;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::text;

/// Arguments of `aloft archive`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file holds the history, every snapshot and the branch with its history: it needs no other copy of the
repository. HOME and files that git ignores are not in it. It is not encrypted.

Example:
  aloft archive fix-login-3f ~/fix-login.aloft && aloft delete fix-login-3f"
)]
pub(crate) struct ArchiveArgs {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// The file to write; it must not exist.
    file: PathBuf,
}

/// Arguments of `aloft restore`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The thread comes back paused; a message brings it up. Where the archived one is still there, it gets another id.

Example:
  aloft restore ~/fix-login.aloft && aloft send @last \"Go on\""
)]
pub(crate) struct RestoreArgs {
    /// What `aloft archive` wrote.
    file: PathBuf,
}

/// Runs `aloft archive`.
pub(crate) async fn archive(context: &Context, args: ArchiveArgs) -> Outcome {
    let thread = context.thread(&args.id).await?;
    let writing = context.client.archive_thread(&thread.id, &args.file);
    let size = context.output.waiting("writing the archive", writing).await?;
    let (slug, file) = (&thread.slug, args.file.display());
    let sentence = format!("archived {slug} in {file} ({})", text::size(size));
    context.print_thread(thread, &sentence)?;
    Ok(Exit::Done)
}

/// Runs `aloft restore`.
pub(crate) async fn restore(context: &Context, args: RestoreArgs) -> Outcome {
    let reading = context.client.restore_thread(&args.file, None);
    let response = context.output.waiting("restoring the thread", reading).await?;
    let thread = response.thread.unwrap_or_default();
    let sentence = format!("restored {}: it is paused, and a message brings it up", thread.slug);
    context.print_thread(thread, &sentence)?;
    Ok(Exit::Done)
}
