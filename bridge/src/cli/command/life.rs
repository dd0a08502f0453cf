//! `aloft pause` and `aloft resume`.

use aloft_proto::v1;

use crate::cli::command::update::ThreadArgs;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};

/// Runs `aloft pause`.
pub(crate) async fn pause(context: &Context, args: ThreadArgs) -> Outcome {
    let id = context.thread(&args.id).await?.id;
    let request = v1::PauseThreadRequest { thread_id: id, ..Default::default() };
    let response = context.output.waiting("pausing", context.client.pause_thread(request)).await?;
    let thread = response.thread.unwrap_or_default();
    let sentence = format!("{} pauses: no process runs, everything is kept", thread.slug);
    context.print_thread(thread, &sentence)?;
    Ok(Exit::Done)
}

/// Runs `aloft resume`.
pub(crate) async fn resume(context: &Context, args: ThreadArgs) -> Outcome {
    let id = context.thread(&args.id).await?.id;
    let request = v1::ResumeThreadRequest { thread_id: id, ..Default::default() };
    let response =
        context.output.waiting("resuming", context.client.resume_thread(request)).await?;
    let thread = response.thread.unwrap_or_default();
    let sentence = format!("{} comes back", thread.slug);
    context.print_thread(thread, &sentence)?;
    Ok(Exit::Done)
}
