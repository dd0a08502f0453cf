//! `aloft notice`: words to this user, once.

use aloft_proto::v1;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::output::Style;
use crate::cli::text;
use crate::protocol::error::{Code, Error};
use crate::protocol::notice::Notice;
use crate::protocol::time::Time;

/// Arguments of `aloft notice`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show notices, newest first.
    List {
        /// Only those not read.
        #[arg(long)]
        unread: bool,
    },
    /// Mark notices read everywhere.
    Read {
        /// Which [default: all].
        ids: Vec<String>,
    },
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let output = context.output;
    match args.action {
        Action::List { unread } => {
            let request = v1::ListNoticesRequest { unread, page_size: 0 };
            let notices = context.client.list_notices(request).await?.notices;
            let notices: Vec<Notice> = notices.into_iter().map(Into::into).collect();
            if output.json {
                output.json(&notices)?;
                return Ok(Exit::Done);
            }
            let now = Time::now();
            let row = |notice: &Notice| {
                let mark = if notice.read { " " } else { "•" };
                let words =
                    format!("{} {}", text::line(&notice.title, 80), text::line(&notice.body, 120));
                vec![mark.to_owned(), notice.id.clone(), text::ago(notice.create_time, now), words]
            };
            let rows: Vec<Vec<String>> = notices.iter().map(row).collect();
            let table = text::table(&["", "ID", "AGE", "NOTICE"], &rows, |column, cell| {
                if column == 0 { output.paint(Style::Yellow, cell) } else { cell.to_owned() }
            });
            if rows.is_empty() {
                output.note("no notices");
            } else {
                output.bytes(table.as_bytes())?;
            }
        }
        Action::Read { ids } => {
            let request = v1::ReadNoticesRequest { notice_ids: ids, ..Default::default() };
            let unknown = context.client.read_notices(request).await?.unknown_ids;
            if let [id, ..] = unknown.as_slice() {
                let message = format!("there is no notice {id}");
                let error = Error::new(Code::NotFound, "NOTICE_NOT_FOUND", message);
                return Err(error.with_hint("see `aloft notice list`").into());
            }
            if output.json {
                output.json(&json!({}))?;
            } else {
                output.line("marked as read")?;
            }
        }
    }
    Ok(Exit::Done)
}
