//! `aloft comment`: what the agent planned and said, at the issue its thread began with.

use aloft_proto::v1;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::text;
use crate::protocol::request::forge::ThreadCommentOnIssueResult;

/// Arguments of `aloft comment`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The agent's last words and its plan, of the newest turn, become a comment on the issue that the thread began with: at the
forge or the tracker where that is. Each turn has one comment; asked again, its address is printed.

Examples:
  aloft comment @last
  aloft new --issue ENG-12 --wait \"Plan it, change nothing\" && aloft comment @last"
)]
pub(crate) struct Args {
    /// Id, unique prefix, slug or @last.
    id: String,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let output = context.output;
    let thread = context.thread(&args.id).await?;
    let request = v1::CommentOnIssueRequest { thread_id: thread.id, ..Default::default() };
    let telling = context.client.comment_on_issue(request);
    let answer =
        ThreadCommentOnIssueResult::from(output.waiting("telling the issue", telling).await?);
    if output.json {
        output.json(&answer)?;
        return Ok(Exit::Done);
    }
    if !answer.posted {
        output.note("this turn was told before");
    }
    output.line(&text::line(&answer.url, 500))?;
    Ok(Exit::Done)
}
