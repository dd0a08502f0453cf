//! `aloft outbox`: what is kept for a cloud that cannot be reached.

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::text;
use crate::protocol::error::{Code, Error};
use crate::protocol::kept::Kept;
use crate::protocol::request::outbox::OutboxResult;
use crate::protocol::time::Time;

/// Arguments of `aloft outbox`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is kept is delivered, once and in order, by whichever command or editor next reaches the cloud.

Examples:
  aloft outbox
  aloft outbox drop 0193a1b2"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show what waits and what the cloud refused.
    List,
    /// Take one back, or forget one that was refused.
    Drop {
        /// Id of its request, or the beginning of it.
        id: String,
    },
}

/// Runs the command; no cloud is asked.
pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let kept = || -> Result<OutboxResult, Error> {
        Ok(OutboxResult {
            waiting: context.offline.waiting()?,
            refused: context.offline.refused()?,
        })
    };
    if let Some(Action::Drop { id }) = args.action {
        let OutboxResult { waiting, refused } = kept()?;
        let mut found =
            waiting.iter().chain(&refused).filter(|kept| kept.request_id.starts_with(&id));
        let one = found.next().filter(|_| found.next().is_none());
        let Some(one) = one else {
            let message = format!("{id} names none or several of the requests that are kept");
            return Err(Error::new(Code::NotFound, "NOT_KEPT", message)
                .with_hint("`aloft outbox` shows them")
                .into());
        };
        context.offline.remove(&one.request_id)?;
    }
    let kept = kept()?;
    let output = context.output;
    if output.json {
        output.json(&kept)?;
        return Ok(Exit::Done);
    }
    let now = Time::now();
    let row = |kept: &Kept| {
        let state = match &kept.error {
            Some(error) => format!("refused: {}", text::line(&error.message, 60)),
            None => "waits".to_owned(),
        };
        let words = text::line(kept.text.as_deref().unwrap_or_default(), 60);
        let slug = text::line(&kept.slug, 40);
        vec![
            kept.request_id.clone(),
            text::ago(kept.time, now),
            slug,
            kept.what().to_owned(),
            state,
            words,
        ]
    };
    let rows: Vec<Vec<String>> = kept.waiting.iter().chain(&kept.refused).map(row).collect();
    if rows.is_empty() {
        output.note("nothing is kept for the cloud");
    } else {
        let head = ["ID", "AGE", "THREAD", "WHAT", "STATE", "WORDS"];
        output.bytes(text::table(&head, &rows, |_, cell| cell.to_owned()).as_bytes())?;
    }
    Ok(Exit::Done)
}
