//! `aloft usage`: what was used, by model, thread and day.

use aloft_proto::v1;
use aloft_proto::v1::feed_event::Payload;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::output::Style;
use crate::cli::{text, watch};
use crate::protocol::request::usage::{UsageResult, UsageSum};

/// Arguments of `aloft usage`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft usage
  aloft usage --days 1 --watch
  aloft usage --thread @last --json | jq '.entries[]'")]
pub(crate) struct Args {
    /// The last so many days, today included; days are those of UTC.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// Only this thread.
    #[arg(long, value_name = "ID")]
    thread: Option<String>,
    /// Show it anew whenever it changes.
    #[arg(long)]
    watch: bool,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let used = read(context, &args).await?;
    print(context, &used)?;
    if !args.watch {
        return Ok(Exit::Done);
    }
    let mut shown = used.clone();
    watch::each_change(context, used.feed, async |payload| {
        if !matches!(payload, Payload::ThreadChanged(_) | Payload::ThreadDeleted(_)) {
            return Ok(());
        }
        let used = read(context, &args).await?;
        // Threads change in other ways too.
        if (UsageResult { feed: shown.feed, ..used.clone() }) != shown {
            context.output.clear()?;
            print(context, &used)?;
            shown = used;
        }
        Ok(())
    })
    .await
}

async fn read(context: &Context, args: &Args) -> Result<UsageResult, Failure> {
    let request = v1::ReadUsageRequest {
        days: args.days,
        thread_id: args.thread.clone().unwrap_or_default(),
    };
    let reading = context.client.read_usage(request);
    Ok(context.output.waiting("asking the cloud", reading).await?.into())
}

fn print(context: &Context, used: &UsageResult) -> Result<(), Failure> {
    let output = context.output;
    if output.json {
        return Ok(output.json(used)?);
    }
    let total = &used.total;
    let sum = [
        format!("{} tokens in", text::number(total.input_tokens)),
        format!("{} out", text::number(total.output_tokens)),
        cost(total),
        text::count_of(total.turns, "turn"),
        text::took(total.seconds.saturating_mul(1_000)),
        text::count_of(total.pull_requests, "pull request"),
        text::count_of(total.resumes, "resume"),
    ];
    output.line(&format!("{} to {}: {}", used.from, used.to, sum.join(" · ")))?;
    let models = used.models.iter().map(|of| (of.model.clone(), &of.used)).collect();
    let threads = used.threads.iter().map(|of| {
        let gone = || format!("{} (deleted)", of.thread_id);
        (of.slug.clone().unwrap_or_else(gone), &of.used)
    });
    let agents = used.agents.iter().map(|of| (of.agent.clone(), &of.used)).collect();
    let days = used.days.iter().rev().map(|of| (of.day.clone(), &of.used)).collect();
    for (name, rows) in
        [("MODEL", models), ("AGENT", agents), ("THREAD", threads.collect()), ("DAY", days)]
    {
        table(context, name, rows)?;
    }
    Ok(())
}

fn table(context: &Context, name: &str, rows: Vec<(String, &UsageSum)>) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let output = context.output;
    let of_model = name == "MODEL";
    let mut head = vec![name, "CALLS", "INPUT", "CACHED", "OUTPUT", "COST"];
    if !of_model {
        head.extend(["TURNS", "TIME"]);
    }
    let row = |(name, used): (String, &UsageSum)| {
        let mut row = vec![text::line(&name, 48), text::number(used.calls)];
        row.extend([used.input_tokens, used.cached_tokens, used.output_tokens].map(text::number));
        row.push(cost(used));
        if !of_model {
            row.push(text::number(used.turns));
            row.push(text::took(used.seconds.saturating_mul(1_000)));
        }
        row
    };
    let rows: Vec<Vec<String>> = rows.into_iter().map(row).collect();
    let table = text::table(&head, &rows, |column, cell| match column {
        0 => output.paint(Style::Bold, cell),
        5 if cell.contains("no price") => output.paint(Style::Yellow, cell),
        _ => cell.to_owned(),
    });
    output.line("")?;
    Ok(output.bytes(table.as_bytes())?)
}

/// What it cost, and whether that is all of it.
fn cost(used: &UsageSum) -> String {
    match (&used.cost, used.unpriced_tokens) {
        (None, 0) => "-".to_owned(),
        (None, _) => "no price".to_owned(),
        (Some(cost), 0) => text::money(cost),
        (Some(cost), _) => format!("{} + no price", text::money(cost)),
    }
}
