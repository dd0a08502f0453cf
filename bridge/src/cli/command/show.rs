//! `aloft show`: a thread with its items.

use aloft_proto::v1;

use crate::cli::command::list::state_word;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::output::Style;
use crate::cli::render::Renderer;
use crate::cli::text;
use crate::markdown;
use crate::protocol::item::Item;
use crate::protocol::request::thread::ThreadReadResult;
use crate::protocol::thread::Thread;

/// Bytes of output asked for at once.
const OUTPUT_PAGE: u32 = 1 << 20;

/// Arguments of `aloft show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft show @last
  aloft show fix-login-3f --item i12      # one item whole, a command with all its output
  aloft show fix-login-3f --markdown > thread.md")]
pub(crate) struct Args {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// Items shown, the newest.
    #[arg(long, default_value_t = 200)]
    limit: u32,
    /// Items before this one.
    #[arg(long, value_name = "ITEM")]
    before: Option<String>,
    /// One item whole.
    #[arg(long, value_name = "ITEM", conflicts_with_all = ["before", "markdown"])]
    item: Option<String>,
    /// Markdown to share.
    #[arg(long)]
    markdown: bool,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    if let Some(item) = &args.item {
        return one(context, &args.id, item).await;
    }
    let request = v1::ReadThreadRequest {
        thread_id: args.id.clone(),
        before: args.before.clone().unwrap_or_default(),
        limit: args.limit,
    };
    let asking = context.offline.read(&context.client, request, context.unreachable());
    let (page, last_seen) = context.output.waiting("asking the cloud", asking).await?;
    if args.markdown {
        context.output.bytes(markdown::thread(&ThreadReadResult::from(page)).as_bytes())?;
    } else if context.output.json {
        context.output.json(&ThreadReadResult { last_seen, ..page.into() })?;
    } else {
        people(context, &page, args.before.is_some())?;
    }
    Ok(context.as_seen("this is the thread", last_seen))
}

fn people(context: &Context, page: &v1::ReadThreadResponse, older: bool) -> Result<(), Failure> {
    let output = context.output;
    let slug = page.thread.as_ref().map(|thread| thread.slug.clone()).unwrap_or_default();
    head(context, &Thread::from(page.thread.clone().unwrap_or_default()))?;
    if page.has_more {
        let first = page.items.first().map(|item| item.id.as_str()).unwrap_or_default();
        output.line(
            &output.paint(Style::Dim, &format!("… older: aloft show {slug} --before {first}")),
        )?;
    }
    let mut renderer = Renderer::new(output, &slug);
    renderer.page(page, older)?;
    Ok(renderer.finish()?)
}

fn head(context: &Context, thread: &Thread) -> Result<(), Failure> {
    let output = context.output;
    output.line(&format!(
        "{}  {}  {}",
        output.paint(Style::Bold, &thread.slug),
        state_word(thread.state),
        text::line(&thread.title, 100)
    ))?;
    let model = thread
        .model
        .as_ref()
        .map_or_else(String::new, |model| format!(" ({})", text::line(model, 60)));
    let mode = if thread.mode == crate::protocol::thread::Mode::Auto { "auto" } else { "manual" };
    let base: String =
        thread.base_commit.iter().flat_map(|commit| commit.chars().take(12)).collect();
    // A base that was given as a commit is named once.
    let named = thread.base_commit.as_ref() != Some(&thread.base_ref);
    let from = if named { text::line(&thread.base_ref, 100) + " " } else { String::new() };
    let facts = [
        ("agent", format!("{}{model}, {mode}", text::line(&thread.agent, 40))),
        ("repository", text::line(&thread.repository.name, 100)),
        ("branch", format!("{} from {from}{base}", text::line(&thread.branch, 200))),
        (
            "diff",
            format!(
                "{}, +{} -{}",
                text::count(thread.diff.files as usize, "file"),
                thread.diff.additions,
                thread.diff.deletions
            ),
        ),
    ];
    for (name, fact) in facts {
        output.line(&format!(
            "  {}  {}",
            output.paint(Style::Dim, &format!("{name:<10}")),
            fact.trim_end()
        ))?;
    }
    for limit in &thread.unenforced {
        output.line(&output.paint(
            Style::Yellow,
            &format!("  not enforced by this host: {}", text::line(limit, 100)),
        ))?;
    }
    if let Some(error) = &thread.error {
        output.line(&output.paint(Style::Red, &format!("  {}", text::clean(&error.message))))?;
        if let Some(hint) = &error.hint {
            output.line(&format!("  hint: {}", text::clean(hint)))?;
        }
    }
    Ok(output.line("")?)
}

/// Shows one item; of a command, everything it printed, byte for byte where nobody's terminal is in between.
async fn one(context: &Context, thread_id: &str, item_id: &str) -> Outcome {
    let thread = context.thread(thread_id).await?;
    let request = v1::GetItemRequest { thread_id: thread.id.clone(), item_id: item_id.to_owned() };
    let item = context.client.get_item(request).await?.item.unwrap_or_default();
    if context.output.json {
        context.output.json(&Item::from(item))?;
        return Ok(Exit::Done);
    }
    if let Some(v1::item::Kind::CommandExecution(command)) = &item.kind {
        context.output.note(&format!("$ {}", text::clean(&command.command)));
        whole_output(context, &thread.id, item_id).await?;
        if let Some(code) = command.exit_code {
            context.output.note(&format!("(exit {code})"));
        }
        return Ok(Exit::Done);
    }
    let mut renderer = Renderer::new(context.output, &thread.slug);
    renderer.item(&item, true)?;
    renderer.finish()?;
    Ok(Exit::Done)
}

async fn whole_output(context: &Context, thread_id: &str, item_id: &str) -> Result<(), Failure> {
    let mut offset = 0;
    let mut cleaner = text::Cleaner::default();
    loop {
        let request = v1::ReadItemOutputRequest {
            thread_id: thread_id.to_owned(),
            item_id: item_id.to_owned(),
            offset,
            limit: OUTPUT_PAGE,
        };
        let page = context.client.read_item_output(request).await?;
        if context.output.terminal {
            context.output.bytes(cleaner.clean(&String::from_utf8_lossy(&page.data)).as_bytes())?;
        } else {
            context.output.bytes(&page.data)?;
        }
        if page.data.is_empty() || page.next_offset >= page.total_bytes {
            return Ok(());
        }
        offset = page.next_offset;
    }
}
