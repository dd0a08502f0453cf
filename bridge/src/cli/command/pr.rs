//! `aloft pr`: a thread's pull request, or its work as files.

use std::path::{Path, PathBuf};

use aloft_proto::v1;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::prompt;
use crate::cli::render::Renderer;
use crate::cli::text;
use crate::cli::wait::{self, Order, Show, Until};

/// Arguments of `aloft pr`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The cloud pushes the thread's branch to where its repository came from and opens a pull request; where there is one
already, it is brought up to date. What the agent did not commit is committed first. The agent writes title and text of a
new one; commands and files come from the log. Where the remote has no pull requests, the branch is pushed.
With --output nothing is pushed: patches as git format-patch writes them and a git bundle of the branch come into a folder
here. That needs no right at the remote, and no remote.

Examples:
  aloft pr @last
  aloft pr @last --draft --base develop --label docs --reviewer ada
  aloft pr @last --fix
  aloft pr @last --sync
  aloft pr @last --output ./fix-login      # then: git am --keep-cr fix-login/*.patch
  aloft pr @last --title \"Fix the parser\" --body - < NOTES.md"
)]
pub(crate) struct Args {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// One line [default: what the agent writes].
    #[arg(long, value_name = "T")]
    title: Option<String>,
    /// Markdown, or - for standard input [default: what the agent writes].
    #[arg(long, value_name = "TEXT|-")]
    body: Option<String>,
    /// Open it as a draft.
    #[arg(long)]
    draft: bool,
    /// The branch it is to be merged into [default: where the thread began].
    #[arg(long, value_name = "BRANCH")]
    base: Option<String>,
    /// A label of the repository that it gets; may be given again.
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Who is asked to review it; may be given again. At GitHub ORGANIZATION/TEAM is a team.
    #[arg(long = "reviewer", value_name = "LOGIN")]
    reviewers: Vec<String>,
    /// First let the agent mend failing checks and new comments.
    #[arg(long, conflicts_with_all = ["title", "body", "draft", "base"])]
    fix: bool,
    /// First bring in what the branch has got that it goes to; where that conflicts, the agent does it.
    #[arg(long, conflicts_with = "fix")]
    sync: bool,
    /// Write patches and a bundle of the branch into this folder, which must not exist; push nothing.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["title", "body", "draft", "base", "labels", "reviewers", "fix", "sync"]
    )]
    output: Option<PathBuf>,
}

/// Runs `aloft pr`.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let (thread, before) = context.find(&args.id).await?;
    if let Some(folder) = &args.output {
        return save(context, thread, folder).await;
    }
    if args.fix {
        let exit = fix(context, &thread, before).await?;
        if exit != Exit::Done {
            if context.output.json {
                context.print_thread(context.thread(&thread.id).await?, "")?;
            }
            return Ok(exit);
        }
    }
    let id = thread.id;
    let body = match args.body.as_deref() {
        Some("-") => Some(
            tokio::task::spawn_blocking(prompt::standard_input)
                .await
                .map_err(std::io::Error::other)??,
        ),
        _ => args.body,
    };
    let request = v1::CreatePullRequestRequest {
        thread_id: id,
        title: args.title,
        body,
        draft: args.draft,
        base: args.base.unwrap_or_default(),
        labels: args.labels,
        reviewers: args.reviewers,
        sync: args.sync,
        ..Default::default()
    };
    let proposing = context.client.propose(request.clone());
    let mut answer = context.output.waiting("making the pull request", proposing).await?;
    if let Some(turn) = answer.turn.take() {
        context.output.note(&format!("told the agent: {}", text::clean(&answer.text)));
        let thread = answer.thread.unwrap_or_default();
        let exit = watch(context, &thread, before, Some(turn)).await?;
        if exit != Exit::Done {
            if context.output.json {
                context.print_thread(context.thread(&thread.id).await?, "")?;
            }
            return Ok(exit);
        }
        let again = v1::CreatePullRequestRequest { sync: false, ..request };
        let proposing = context.client.propose(again);
        answer = context.output.waiting("making the pull request", proposing).await?;
    }
    for note in &answer.notes {
        context.output.warn(&text::clean(note));
    }
    context.print_thread(answer.thread.unwrap_or_default(), &answer.text)?;
    Ok(Exit::Done)
}

/// Tells the agent what stands against the pull request, and follows it to the end of its turn.
async fn fix(context: &Context, thread: &v1::Thread, before: u64) -> Outcome {
    let request = v1::FixPullRequestRequest { thread_id: thread.id.clone(), ..Default::default() };
    let fixing = context.client.fix_pull_request(request);
    let answer = context.output.waiting("asking the forge", fixing).await?;
    context.output.note(&format!("told the agent: {}", answer.text));
    watch(context, thread, before, answer.turn).await
}

/// Follows a turn to its end.
async fn watch(
    context: &Context,
    thread: &v1::Thread,
    before: u64,
    turn: Option<v1::Turn>,
) -> Outcome {
    let until = turn.map_or(Until::AnyTurn, |turn| Until::Turn(turn.id));
    let show = if context.output.json { Show::Nothing } else { Show::Items };
    let order = Order { after: before, history: before, until, show, open: None };
    let exit =
        wait::follow(context, thread, order, Renderer::new(context.output, &thread.slug)).await?;
    if exit == Exit::NeedsAnswer {
        context.output.note("the agent waits for an answer; then: aloft pr");
    }
    Ok(exit)
}

/// Writes the work of a thread into a folder, and says how it is used.
async fn save(context: &Context, thread: v1::Thread, folder: &Path) -> Outcome {
    let saving = context.client.save_series(&thread.id, folder);
    let series = context.output.waiting("writing the patches", saving).await?;
    context.seen(&thread);
    if context.output.json {
        context.output.json(&json!({
            "folder": folder,
            "patches": series.patches,
            "bundle": series.bundle,
            "base": series.base,
            "branch": series.branch,
            "commit": series.commit,
        }))?;
        return Ok(Exit::Done);
    }
    let output = &context.output;
    let patches = text::count(series.patches.len(), "patch file");
    output.line(&format!(
        "wrote {} to {}: {patches} and a bundle",
        thread.slug,
        folder.display()
    ))?;
    for path in series.patches.iter().chain([&series.bundle]) {
        output.line(&format!("  {}", path.display()))?;
    }
    output.line(&format!("in a checkout that has {:.12}:", series.base))?;
    let (bundle, branch) = (series.bundle.display(), &series.branch);
    output.line(&format!("  git am --keep-cr {}/*.patch", folder.display()))?;
    output.line(&format!(
        "or the branch with its commits as they are:\n  git fetch {bundle} {branch}:{branch}"
    ))?;
    Ok(Exit::Done)
}
