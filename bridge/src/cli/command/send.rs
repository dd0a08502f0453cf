//! `aloft send` and `aloft retry`: the next message, a correction, the last turn again.

use std::path::PathBuf;

use aloft_proto::v1;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome, usage};
use crate::cli::prompt;
use crate::cli::wait::{self, Until};
use crate::protocol::error::Error;

/// How often a message is offered as a new turn and as a correction in turn: a turn may begin or end in between.
const OFFERS: usize = 3;

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
    let sending = offer(context, &thread.id, input, args.queue);
    let (response, guided) = context.output.waiting("sending the message", sending).await?;
    let sentence = match (&response.turn, guided) {
        (None, _) => format!("queued for {}", thread.slug),
        // An agent that can be corrected as it works stays in its turn; for another a new one begins.
        (Some(_), true) => format!("guided {}", thread.slug),
        (Some(turn), false) => format!("sent to {}: turn {} begins", thread.slug, turn.number),
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

/// Sends a message as a new turn, or as a correction of the running one.
async fn offer(
    context: &Context,
    thread_id: &str,
    input: Vec<v1::Input>,
    queue: bool,
) -> Result<(v1::TurnResponse, bool), Error> {
    let mut offers = 0;
    loop {
        offers += 1;
        let start = v1::StartTurnRequest {
            thread_id: thread_id.to_owned(),
            input: input.clone(),
            queue,
            ..Default::default()
        };
        match context.client.start_turn(start).await {
            Ok(response) => return Ok((response, false)),
            Err(error) if error.reason == "TURN_ACTIVE" && !queue => {}
            Err(error) => return Err(error),
        }
        let steer = v1::SteerTurnRequest {
            thread_id: thread_id.to_owned(),
            input: input.clone(),
            ..Default::default()
        };
        match context.client.steer_turn(steer).await {
            Ok(response) => return Ok((response, true)),
            // The turn ended meanwhile: the message begins a new one.
            Err(error)
                if matches!(error.reason.as_str(), "NO_TURN" | "TURN_CHANGED")
                    && offers < OFFERS => {}
            Err(error) => return Err(error),
        }
    }
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
