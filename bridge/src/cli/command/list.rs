//! `aloft list`: the threads, newest first.

use aloft_proto::v1;
use aloft_proto::v1::feed_event::Payload;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::output::Style;
use crate::cli::text;
use crate::notices::Desktop;
use crate::protocol::error::Code;
use crate::protocol::thread::{Thread, ThreadState};
use crate::protocol::time::Time;

/// Threads shown without `--all`.
const FIRST_PAGE: u32 = 50;
/// Threads asked for at once with `--all`.
const PAGE: u32 = 500;

/// What gives way on a narrow terminal, with the characters it must have to be of use: the branch says what the id says,
/// and so, mostly, does the title.
const GIVE: [(usize, usize); 5] = [(4, 20), (3, 8), (2, 12), (5, 6), (6, 3)];

/// Arguments of `aloft list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft list
  aloft list --state running --watch
  aloft list --json --all | jq -r '.[].slug'")]
pub(crate) struct Args {
    /// Words in title, slug, branch or repository.
    query: Option<String>,
    /// All threads, not only the newest.
    #[arg(long)]
    all: bool,
    /// Only threads in this state; may be repeated.
    #[arg(long, value_parser = state)]
    state: Vec<ThreadState>,
    /// What was removed, when and why, instead.
    #[arg(long, conflicts_with_all = ["all", "state", "watch", "query"])]
    removed: bool,
    /// Show the list anew whenever it changes.
    #[arg(long)]
    watch: bool,
}

fn state(text: &str) -> Result<ThreadState, String> {
    let value = serde_json::Value::String(text.to_owned());
    match serde_json::from_value(value) {
        Ok(ThreadState::Unknown) | Err(_) => {
            Err("one of starting, running, requiresAction, idle, paused, failed, deleting"
                .to_owned())
        }
        Ok(state) => Ok(state),
    }
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    if args.removed {
        return removed(context).await;
    }
    let Read { threads, more, feed, last_seen } = read(context, &args).await?;
    print(context, &args, &threads)?;
    if more && !context.output.json {
        context.output.note("there are more; --all shows them");
    }
    let exit = context.as_seen("this is the list", last_seen);
    if args.watch { watch(context, &args, feed).await } else { Ok(exit) }
}

/// What was read of the list.
struct Read {
    threads: Vec<Thread>,
    /// There are more.
    more: bool,
    /// Where the feed was before.
    feed: u64,
    /// It is what was seen then.
    last_seen: Option<Time>,
}

async fn read(context: &Context, args: &Args) -> Result<Read, Failure> {
    let mut request = v1::ListThreadsRequest {
        states: args.state.iter().map(|state| v1::ThreadState::from(*state).into()).collect(),
        query: args.query.clone().unwrap_or_default(),
        page_size: if args.all { PAGE } else { FIRST_PAGE },
        page_token: String::new(),
    };
    let mut seen = Vec::new();
    let mut feed = None;
    loop {
        let asking = context.offline.list(&context.client, request.clone(), context.unreachable());
        let (page, last_seen) = context.output.waiting("asking the cloud", asking).await?;
        seen.extend(page.threads);
        let feed = *feed.get_or_insert(page.feed);
        if page.next_page_token.is_empty() || !args.all {
            let more = !page.next_page_token.is_empty();
            let whole = !more && args.state.is_empty() && args.query.is_none();
            if whole && last_seen.is_none() {
                // These are all there are: what ssh knows of others is of the past.
                context.ssh().replace(&seen).ok();
            }
            let threads = seen.into_iter().map(Thread::from).collect();
            return Ok(Read { threads, more, feed, last_seen });
        }
        request.page_token = page.next_page_token;
    }
}

/// Shows what stays of removed threads.
async fn removed(context: &Context) -> Outcome {
    let output = context.output;
    let request = v1::ListRemovedThreadsRequest { page_size: PAGE };
    let threads = context.client.list_removed_threads(request).await?.threads;
    let time = |thread: &v1::RemovedThread| {
        thread.remove_time.and_then(|time| Time::from_unix(time.seconds, time.nanos))
    };
    if output.json {
        let rows = threads.iter().map(|thread| {
            json!({
                "id": thread.thread_id,
                "slug": thread.slug,
                "removeTime": time(thread),
                "expired": thread.expired,
            })
        });
        output.json(&rows.collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if threads.is_empty() {
        output.note("no thread was removed");
        return Ok(Exit::Done);
    }
    let now = Time::now();
    let row = |thread: &v1::RemovedThread| {
        let why = if thread.expired { "not used for long" } else { "deleted" };
        let age = time(thread).map(|time| text::ago(time, now)).unwrap_or_default();
        vec![thread.thread_id.clone(), text::line(&thread.slug, 40), why.to_owned(), age]
    };
    let rows: Vec<Vec<String>> = threads.iter().map(row).collect();
    let table = text::table(&["ID", "NAME", "WHY", "AGE"], &rows, |_, cell| cell.to_owned());
    output.bytes(table.as_bytes())?;
    Ok(Exit::Done)
}

fn print(context: &Context, args: &Args, threads: &[Thread]) -> Result<(), Failure> {
    let output = context.output;
    if output.json {
        return Ok(output.json(&threads)?);
    }
    if threads.is_empty() {
        output.note(if args.query.is_none() && args.state.is_empty() {
            "no threads; create one with: aloft new \"…\""
        } else {
            "no such threads; `aloft list --all` shows all there are"
        });
        return Ok(());
    }
    let now = Time::now();
    let rows: Vec<Vec<String>> = threads.iter().map(|thread| row(thread, now)).collect();
    let head = ["STATE", "ID", "TITLE", "REPOSITORY", "BRANCH", "DIFF", "AGE"];
    let room = output.width().unwrap_or(usize::MAX);
    let table = text::table_within(room, &GIVE, &head, &rows, |column, cell| match column {
        0 => output.paint(state_style(cell), cell),
        1 => output.paint(Style::Bold, cell),
        _ => cell.to_owned(),
    });
    Ok(output.bytes(table.as_bytes())?)
}

fn row(thread: &Thread, now: Time) -> Vec<String> {
    let state = match (thread.state, thread.queue_position) {
        (ThreadState::Starting, Some(place)) => format!("waiting ({place})"),
        (state, _) => state_word(state).to_owned(),
    };
    let diff = match thread.diff.files {
        0 => "-".to_owned(),
        _ => format!("+{} -{}", thread.diff.additions, thread.diff.deletions),
    };
    vec![
        state,
        text::line(&thread.slug, 40),
        text::line(&thread.title, 40),
        text::line(&thread.repository.name, 24),
        text::line(&thread.branch, 36),
        diff,
        text::ago(thread.create_time, now),
    ]
}

/// Returns the word people see for a state.
pub(crate) fn state_word(state: ThreadState) -> &'static str {
    match state {
        ThreadState::Starting => "starting",
        ThreadState::Running => "running",
        ThreadState::RequiresAction => "needs you",
        ThreadState::Idle => "idle",
        ThreadState::Paused => "paused",
        ThreadState::Failed => "failed",
        ThreadState::Deleting => "deleting",
        ThreadState::Unknown => "unknown",
    }
}

fn state_style(word: &str) -> Style {
    match word {
        "running" => Style::Green,
        "needs you" => Style::Yellow,
        "failed" => Style::Red,
        "paused" | "deleting" => Style::Dim,
        _ => Style::Plain,
    }
}

/// Shows the list anew after each change; comes back when the connection breaks.
async fn watch(context: &Context, args: &Args, mut feed: u64) -> Outcome {
    let mut failures = 0;
    loop {
        let before = feed;
        let result = watch_once(context, args, &mut feed).await;
        match result {
            Ok(exit) => return Ok(exit),
            Err(Failure::Error(error)) if error.code == Code::Unavailable && error.retryable => {
                tracing::debug!(%error, "the feed broke, opening it again");
                failures = if feed > before { 1 } else { failures + 1 };
                context.client.rest(failures).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

async fn watch_once(context: &Context, args: &Args, feed: &mut u64) -> Outcome {
    let mut stream = context.client.watch_feed(v1::WatchFeedRequest { after: *feed }).await?;
    let mut leaving = std::pin::pin!(tokio::signal::ctrl_c());
    let desktop = Desktop::new(&context.config, &context.offline);
    loop {
        let event = tokio::select! {
            event = stream.message() => event.map_err(|status| context.client.error(status))?,
            _ = &mut leaving => return Ok(Exit::Done),
        };
        let Some(event) = event else {
            return Err(context.client.error(tonic::Status::unavailable("the feed ended")).into());
        };
        *feed = event.feed;
        match event.payload {
            Some(Payload::ThreadChanged(_) | Payload::ThreadDeleted(_)) => {
                let read = read(context, args).await?;
                context.output.clear()?;
                print(context, args, &read.threads)?;
            }
            Some(Payload::NoticePosted(notice)) => {
                if !notice.read {
                    context.bell();
                }
                desktop.show(&notice);
            }
            Some(Payload::NoticeRead(_)) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_the_main_things() {
        let thread = Thread::from(v1::Thread {
            slug: "fix-1".into(),
            title: "Fix\nit \u{1b}[31mnow".into(),
            repository: Some(v1::Repository { name: "log".into(), ..Default::default() }),
            branch: "aloft/fix-1".into(),
            state: v1::ThreadState::RequiresAction.into(),
            diff: Some(v1::DiffStat { files: 1, additions: 2, deletions: 3 }),
            ..Default::default()
        });
        let now = Time::from_unix(7200, 0).unwrap();
        let expected =
            ["needs you", "fix-1", "Fix it now", "log", "aloft/fix-1", "+2 -3", "2h ago"];
        assert_eq!(row(&thread, now), expected);
    }

    #[test]
    fn states_are_read_as_json_writes_them() {
        assert_eq!(state("requiresAction"), Ok(ThreadState::RequiresAction));
        assert!(state("bored").is_err());
    }
}
