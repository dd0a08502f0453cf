//! `aloft rewind` and `aloft fork`: back to the end of a turn, in place or in a new thread.

use aloft_proto::v1;
use aloft_proto::v1::rewind_thread_request::To;
use aloft_proto::v1::{event::Payload, item::Kind};

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::text;
use crate::cli::watch::Watch;
use crate::protocol::error::{Code, Error};

/// Arguments of `aloft rewind`.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("to").required(true),
    after_help = "What the workspace was is kept in a safety snapshot first: `--safety N` brings that back. Ignored files stay.

Examples:
  aloft rewind @last --turn 2
  aloft rewind @last --safety 1         undo that"
)]
pub(crate) struct RewindArgs {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// To the end of this turn; 0 = before the first.
    #[arg(long, value_name = "N", group = "to")]
    turn: Option<u32>,
    /// To what a rewind put aside.
    #[arg(long, value_name = "N", group = "to")]
    safety: Option<u32>,
    /// Also when files were changed by hand; these are in the safety snapshot then.
    #[arg(long)]
    force: bool,
}

/// Arguments of `aloft fork`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The new thread has a branch and a sandbox of its own, the files of that turn, and the history up to it.

Examples:
  aloft fork @last --turn 2
  aloft send @last \"Try it another way\""
)]
pub(crate) struct ForkArgs {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// From the end of this turn, 0 = before the first [default: the newest snapshot].
    #[arg(long, value_name = "N")]
    turn: Option<u32>,
}

/// Runs `aloft rewind`: it ends when the workspace is back.
pub(crate) async fn rewind(context: &Context, args: RewindArgs) -> Outcome {
    let (thread, before) = context.find(&args.id).await?;
    let to = match (args.turn, args.safety) {
        (None, Some(number)) => To::Safety(number),
        (turn, _) => To::Turn(turn.unwrap_or_default()),
    };
    let request = v1::RewindThreadRequest {
        thread_id: thread.id.clone(),
        to: Some(to),
        force: args.force,
        ..Default::default()
    };
    let asked = context.client.rewind_thread(request);
    let answer = context.output.waiting("rewinding the workspace", asked).await?;
    let mut item = answer.item.unwrap_or_default();
    if item.state() == v1::ItemState::InProgress {
        let mut watch = Watch::new(&context.client, context.output, &thread.id, before, true);
        item = context.output.waiting("rewinding the workspace", ended(&mut watch, item)).await?;
    }
    let notice = match item.kind {
        Some(Kind::Notice(notice)) => notice,
        _ => v1::NoticeItem::default(),
    };
    if let Some(problem) = notice.error {
        let mut error = Error::new(Code::FailedPrecondition, &problem.reason, problem.message);
        error.hint = Some(problem.hint).filter(|hint| !hint.is_empty());
        return Err(error.into());
    }
    context.print_thread(context.thread(&thread.id).await?, &notice.text)?;
    Ok(Exit::Done)
}

/// The item as it ended.
async fn ended(watch: &mut Watch, item: v1::Item) -> Result<v1::Item, Error> {
    while let Some(event) = watch.next().await? {
        match event.payload {
            Some(Payload::ItemCompleted(ended)) if ended.id == item.id => return Ok(ended),
            _ => {}
        }
    }
    Ok(item)
}

/// Runs `aloft fork`.
pub(crate) async fn fork(context: &Context, args: ForkArgs) -> Outcome {
    let id = context.thread(&args.id).await?.id;
    let request = v1::ForkThreadRequest { thread_id: id, turn: args.turn, ..Default::default() };
    let asked = context.client.fork_thread(request);
    let response = context.output.waiting("forking the thread", asked).await?;
    let thread = response.thread.unwrap_or_default();
    let sentence = format!(
        "{}  {} on {}",
        thread.slug,
        text::line(&thread.agent, 40),
        text::line(&thread.branch, 200)
    );
    context.print_thread(thread, &sentence)?;
    Ok(Exit::Done)
}
