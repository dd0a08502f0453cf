//! `aloft stop`: the running turn ends, or the pull request that is being made.

use std::time::Duration;

use aloft_proto::v1;
use aloft_proto::v1::event::Payload;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::watch::Watch;
use crate::offline::Handed;
use crate::protocol::error::{Code, Error};

/// How long a stop may take until the turn has ended.
const STOP: Duration = Duration::from_secs(60);

/// Arguments of `aloft stop`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// Let the agent wrap up in one short turn first; does not wait for it.
    #[arg(long)]
    finish: bool,
}

/// Runs the command: it ends when the turn has.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let (thread, before) = context.find(&args.id).await?;
    let request = v1::InterruptTurnRequest {
        thread_id: thread.id.clone(),
        finish: args.finish,
        ..Default::default()
    };
    let answer = match context.hand("stopping the turn", request).await? {
        Handed::Kept(kept, _) => return context.kept(&kept, false),
        Handed::Answered(answer) => answer,
    };
    let mut sentence = format!("{} wraps up, then stops", thread.slug);
    if answer.over {
        sentence = format!("stopped the pull request of {}", thread.slug);
    } else if !args.finish {
        let mut watch = Watch::new(&context.client, context.output, &thread.id, before, true);
        let ended = context
            .output
            .waiting("stopping the turn", tokio::time::timeout(STOP, ended(&mut watch)))
            .await;
        ended.map_err(|_| {
            let message = format!("{} did not stop within {} s", thread.slug, STOP.as_secs());
            Error::new(Code::Unavailable, "STOP_TIMEOUT", message)
                .with_hint("see `aloft show`, then stop it again")
        })??;
        sentence = format!("stopped {}", thread.slug);
    }
    let thread = if context.output.json { context.thread(&thread.id).await? } else { thread };
    context.print_thread(thread, &sentence)?;
    Ok(Exit::Done)
}

async fn ended(watch: &mut Watch) -> Result<(), Error> {
    while let Some(event) = watch.next().await? {
        if matches!(event.payload, Some(Payload::TurnCompleted(_))) {
            return Ok(());
        }
    }
    Ok(())
}
