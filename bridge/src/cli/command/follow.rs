//! `aloft follow`: a thread's events as they come.

use aloft_proto::v1;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::render::Renderer;
use crate::cli::wait::{self, Order, Show, Until};

/// Items shown before the first new event, so that one sees where the thread stands.
const BEFORE: u32 = 10;

/// Arguments of `aloft follow`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft follow @last
  aloft follow fix-login-3f --json --after 0 | jq -c .type")]
pub(crate) struct Args {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// Events after this cursor, 0 = all [default: from now on].
    #[arg(long, value_name = "CURSOR")]
    after: Option<u64>,
    /// End with the turn; the exit code says how it went.
    #[arg(long)]
    wait: bool,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let request =
        v1::ReadThreadRequest { thread_id: args.id, before: String::new(), limit: BEFORE };
    let page =
        context.output.waiting("asking the cloud", context.client.read_thread(request)).await?;
    let thread = page.thread.clone().unwrap_or_default();
    let show = if context.output.json { Show::Events } else { Show::Items };
    let mut renderer = Renderer::new(context.output, &thread.slug);
    if args.after.is_none() && show == Show::Items {
        renderer.page(&page, false)?;
    }
    let last = thread.last_turn.clone().unwrap_or_default();
    let until = match (args.wait, last.state()) {
        (false, _) => Until::Forever,
        (true, v1::TurnState::Running | v1::TurnState::Unspecified) => match page.turns.last() {
            Some(turn) if turn.state() == v1::TurnState::Running => Until::Turn(turn.id.clone()),
            _ => Until::AnyTurn,
        },
        // No turn runs: with nothing to wait for, it has ended.
        (true, ended) if args.after.is_none() => {
            renderer.finish()?;
            let failed = matches!(ended, v1::TurnState::Failed | v1::TurnState::Interrupted);
            return Ok(if failed { Exit::TurnFailed } else { Exit::Done });
        }
        (true, _) => match page.turns.last() {
            Some(turn) => Until::Turn(turn.id.clone()),
            None => Until::AnyTurn,
        },
    };
    let open = page.items.iter().find_map(|item| match &item.kind {
        Some(v1::item::Kind::Permission(permission)) if wait::is_open(item, permission) => {
            Some((item.id.clone(), permission.clone()))
        }
        _ => None,
    });
    let after = args.after.unwrap_or(page.cursor);
    wait::follow(
        context,
        &thread,
        Order { after, history: page.cursor, until, show, open },
        renderer,
    )
    .await
}
