//! `aloft queue`: messages waiting for the end of the turn.

use aloft_proto::v1;
use aloft_proto::v1::input::Kind as Part;
use aloft_proto::v1::item::Kind;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::text;
use crate::protocol::item::Item;

/// Arguments of `aloft queue`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft queue fix-login-3f
  aloft queue fix-login-3f move i9 0
  aloft queue fix-login-3f drop i9")]
pub(crate) struct Args {
    /// Id, unique prefix, slug or @last.
    id: String,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show them in the order they will be sent.
    List,
    /// Give one another place.
    Move {
        /// The message.
        item: String,
        /// Its new place, 0 = next.
        position: u32,
    },
    /// Take one back.
    Drop {
        /// The message.
        item: String,
    },
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let thread_id = context.thread(&args.id).await?.id;
    let client = &context.client;
    let response = match args.action.unwrap_or(Action::List) {
        Action::List => client.list_queue(v1::ListQueueRequest { thread_id }).await?,
        Action::Move { item, position } => {
            let request =
                v1::MoveQueuedRequest { thread_id, item_id: item, position, ..Default::default() };
            client.move_queued(request).await?
        }
        Action::Drop { item } => {
            let request =
                v1::RemoveQueuedRequest { thread_id, item_id: item, ..Default::default() };
            client.remove_queued(request).await?
        }
    };
    if context.output.json {
        let items: Vec<Item> = response.items.into_iter().map(Into::into).collect();
        context.output.json(&items)?;
        return Ok(Exit::Done);
    }
    if response.items.is_empty() {
        context.output.note("nothing waits");
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = response
        .items
        .iter()
        .enumerate()
        .map(|(place, item)| {
            vec![place.to_string(), item.id.clone(), text::line(&words(item), 100)]
        })
        .collect();
    let table = text::table(&["PLACE", "ITEM", "MESSAGE"], &rows, |_, cell| cell.to_owned());
    context.output.bytes(table.as_bytes())?;
    Ok(Exit::Done)
}

fn words(item: &v1::Item) -> String {
    let Some(Kind::UserMessage(message)) = &item.kind else { return String::new() };
    let texts = message.input.iter().filter_map(|part| match &part.kind {
        Some(Part::Text(text)) => Some(text.text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join(" ")
}
