//! `aloft apply` and `aloft checkout`: a thread's work into the local repository.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use aloft_proto::v1;

use crate::checkout::{self, Local};
use crate::cli::command::diff;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::text;

/// Arguments of `aloft apply`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft apply @last
  aloft apply fix-login-3f --conflicts     # leave conflict markers to solve by hand")]
pub(crate) struct ApplyArgs {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// Where to apply [default: the repository here, or the one the thread began in].
    #[arg(long)]
    path: Option<PathBuf>,
    /// Write conflict markers instead of changing nothing.
    #[arg(long)]
    conflicts: bool,
}

/// Arguments of `aloft checkout`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft checkout @last
  aloft checkout fix-login-3f --branch review/login --no-switch")]
pub(crate) struct CheckoutArgs {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// Where to [default: the repository here, or the one the thread began in].
    #[arg(long)]
    path: Option<PathBuf>,
    /// Name of the local branch [default: the thread's own].
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Make the branch, but stay on the one checked out.
    #[arg(long)]
    no_switch: bool,
}

/// Runs `aloft apply`.
pub(crate) async fn apply(context: &Context, args: ApplyArgs) -> Outcome {
    let thread = context.thread(&args.id).await?;
    let target = target(args.path.as_deref(), &thread).await?;
    let request =
        v1::GetDiffRequest { thread_id: thread.id.clone(), binary: true, ..Default::default() };
    let reading = diff::read(context, request);
    let files = context.output.waiting("reading the change", reading).await?;
    let patch = checkout::whole_patch(&files)?;
    let applied = match target.apply(&patch, args.conflicts).await {
        // Built on contents this repository never had, such as carried changes that were edited since: ask for them.
        Err(checkout::Error::DoesNotFit { .. }) => {
            let before = before(context, &thread.id, &files).await?;
            let before: Vec<&[u8]> = before.iter().map(AsRef::as_ref).collect();
            target.apply_with(&patch, &before, args.conflicts).await
        }
        other => other,
    }?;
    let root = target.root().display();
    if !context.output.json {
        for path in &applied.conflicts {
            context.output.warn(&format!("conflict markers in {path}"));
        }
    }
    let sentence = match applied.files.len() {
        0 => format!("{} has nothing that {root} lacks", thread.slug),
        files => {
            format!("applied {} to {root}: {} changed", thread.slug, text::count(files, "file"))
        }
    };
    context.print_thread(thread, &sentence)?;
    Ok(if applied.conflicts.is_empty() { Exit::Done } else { Exit::Failed })
}

/// Runs `aloft checkout`.
pub(crate) async fn checkout(context: &Context, args: CheckoutArgs) -> Outcome {
    let thread = context.thread(&args.id).await?;
    let target = target(args.path.as_deref(), &thread).await?;
    let fetching = context.client.fetch_branch(&thread.id, target.known_commits().await?);
    let fetched = context.output.waiting("fetching the branch", fetching).await?;
    let branch = args.branch.unwrap_or(fetched.name);
    let bundle = fetched.bundle.as_ref().map(tempfile::NamedTempFile::path);
    target.branch(bundle, &branch, &fetched.commit, !args.no_switch).await?;
    let sentence = if args.no_switch {
        format!("branch {branch} is at {:.12}", fetched.commit)
    } else {
        format!("switched to {branch} at {:.12}", fetched.commit)
    };
    context.print_thread(thread, &sentence)?;
    Ok(Exit::Done)
}

/// Contents of the changed files as they were at the base.
async fn before(
    context: &Context,
    thread_id: &str,
    files: &[v1::FileDiff],
) -> Result<Vec<bytes::Bytes>, Failure> {
    let mut contents = Vec::new();
    for file in files.iter().filter(|file| file.status() != v1::FileStatus::Added) {
        let request = v1::GetDiffRequest {
            thread_id: thread_id.to_owned(),
            path: file.path.clone(),
            ..Default::default()
        };
        let whole = diff::read(context, request).await?;
        contents.extend(whole.into_iter().filter_map(|file| file.old_text));
    }
    Ok(contents)
}

/// Finds where the work goes: the path given, the repository here if the thread began from a commit it has, the
/// checkout the thread began in.
async fn target(path: Option<&Path>, thread: &v1::Thread) -> Result<Local, Failure> {
    if let Some(path) = path {
        return Ok(Local::open(path).await?);
    }
    let here = Local::open(Path::new(".")).await;
    if let Ok(here) = &here
        && has_commit(here.root(), &thread.base_commit).await
    {
        return Ok(here.clone());
    }
    let origin = thread.repository.as_ref().map(|repository| PathBuf::from(&repository.path));
    match origin.filter(|path| path.is_dir()) {
        Some(path) => Ok(Local::open(&path).await?),
        None => Ok(here?),
    }
}

async fn has_commit(root: &Path, commit: &str) -> bool {
    if commit.is_empty() {
        return false;
    }
    let mut git = tokio::process::Command::new("git");
    git.arg("-C").arg(root).args(["cat-file", "-e", &format!("{commit}^{{commit}}")]);
    git.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    git.status().await.is_ok_and(|status| status.success())
}
