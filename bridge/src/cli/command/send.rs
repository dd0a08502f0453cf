//! `aloft send` and `aloft retry`: the next message, a correction, the last turn again.

use std::path::PathBuf;

use aloft_proto::v1;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome, usage};
use crate::cli::prompt;
use crate::cli::wait::{self, Until};
use crate::offline::Handed;

/// Arguments of `aloft send`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "While a turn runs, the message guides it: the agent stops what it does and does this instead.

Examples:
  aloft send @last \"Use the existing helper instead\"
  aloft send fix-login-3f --queue \"Then update the docs\"
  aloft send fix-login-3f - --wait < review.txt"
)]
pub(crate) struct Args {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// The message; `-` reads standard input.
    message: Option<String>,
    /// After the running turn, instead of guiding it.
    #[arg(long)]
    queue: bool,
    /// A picture for the agent; may be repeated.
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// Follow the thread until the turn ends.
    #[arg(long)]
    wait: bool,
}

/// Arguments of `aloft retry`.
#[derive(Debug, clap::Args)]
pub(crate) struct RetryArgs {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// Follow the thread until the turn ends.
    #[arg(long)]
    wait: bool,
}

/// Runs `aloft send`.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let input = prompt::read(args.message.as_deref(), &args.image)?;
    if input.is_empty() {
        return Err(usage(
            "the message is missing",
            "say it: aloft send ID \"…\", or - for standard input",
        ));
    }
    let (thread, before) = context.find(&args.id).await?;
    let thread_id = thread.id.clone();
    let handed = if args.queue {
        let request = v1::StartTurnRequest { thread_id, input, queue: true, ..Default::default() };
        context.hand("sending the message", request).await?
    } else {
        // A correction of no particular turn: where none runs, it begins the next.
        let request = v1::SteerTurnRequest { thread_id, input, ..Default::default() };
        context.hand("sending the message", request).await?
    };
    let response = match handed {
        Handed::Answered(response) => response,
        Handed::Kept(kept, _) => return context.kept(&kept, args.wait),
    };
    let last = thread.last_turn.as_ref().map_or(0, |turn| turn.number);
    let sentence = match &response.turn {
        None => format!("queued for {}", thread.slug),
        Some(turn) if turn.number > last => {
            format!("sent to {}: turn {} begins", thread.slug, turn.number)
        }
        // An agent that can be corrected as it works stays in its turn; for another a new one begins.
        Some(_) => format!("guided {}", thread.slug),
    };
    end(context, thread, before, response, &sentence, args.wait).await
}

/// Runs `aloft retry`.
pub(crate) async fn retry(context: &Context, args: RetryArgs) -> Outcome {
    let (thread, before) = context.find(&args.id).await?;
    let request = v1::RetryTurnRequest { thread_id: thread.id.clone(), ..Default::default() };
    let response =
        context.output.waiting("asking the cloud", context.client.retry_turn(request)).await?;
    let sentence = format!("trying again in {}", thread.slug);
    end(context, thread, before, response, &sentence, args.wait).await
}

async fn end(
    context: &Context,
    thread: v1::Thread,
    before: u64,
    response: v1::TurnResponse,
    sentence: &str,
    waits: bool,
) -> Outcome {
    if !waits {
        let thread = if context.output.json { context.thread(&thread.id).await? } else { thread };
        context.print_thread(thread, sentence)?;
        return Ok(Exit::Done);
    }
    // A correction may run in a turn of its own, after the one it met.
    let until = match (response.item, response.turn) {
        (Some(item), _) => Until::Message(item.id),
        (None, Some(turn)) => Until::Turn(turn.id),
        (None, None) => Until::AnyTurn,
    };
    // The turn may have ended before the answer came: what was said since the message is read again.
    wait::to_the_end(context, &thread, before, until).await
}
