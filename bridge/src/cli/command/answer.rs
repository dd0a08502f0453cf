//! `aloft answer`: the answer to the agent's open question.

use aloft_proto::v1;
use aloft_proto::v1::item::Kind;

use crate::cli::ask;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome, usage};
use crate::cli::render::item::answers;
use crate::cli::text;
use crate::cli::wait::is_open;
use crate::offline::Handed;
use crate::protocol::error::{Code, Error};

/// Items looked through for the open question.
const LOOKED_THROUGH: u32 = 200;

/// Arguments of `aloft answer`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft answer @last allow
  aloft answer fix-login-3f deny --item i7")]
pub(crate) struct Args {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// allow, allow-always, deny or an option's id [default: asks on a terminal].
    option: Option<String>,
    /// The question, where several are open.
    #[arg(long, value_name = "ITEM")]
    item: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let (thread, item_id, option_id) = match args.option {
        Some(option) => (context.thread(&args.id).await?, args.item.unwrap_or_default(), option),
        None => ask(context, &args.id, args.item.as_deref()).await?,
    };
    let request = v1::AnswerPermissionRequest {
        thread_id: thread.id.clone(),
        item_id,
        option_id: option_id.clone(),
        ..Default::default()
    };
    if let Handed::Kept(kept, _) = context.hand("answering", request).await? {
        return context.kept(&kept, false);
    }
    let slug = thread.slug.clone();
    let thread = if context.output.json { context.thread(&thread.id).await? } else { thread };
    context.print_thread(thread, &format!("answered {slug}: {option_id}"))?;
    Ok(Exit::Done)
}

async fn ask(
    context: &Context,
    id: &str,
    item: Option<&str>,
) -> Result<(v1::Thread, String, String), Failure> {
    let request = v1::ReadThreadRequest {
        thread_id: id.to_owned(),
        before: String::new(),
        limit: LOOKED_THROUGH,
    };
    let (page, _) = context.offline.read(&context.client, request, context.unreachable()).await?;
    let found = page.items.into_iter().find_map(|found| match &found.kind {
        Some(Kind::Permission(permission))
            if is_open(&found, permission) && item.is_none_or(|item| item == found.id) =>
        {
            Some((found.id.clone(), permission.clone()))
        }
        _ => None,
    });
    let Some((item_id, permission)) = found else {
        let message = format!("no question is open in {id}");
        return Err(Error::new(Code::FailedPrecondition, "NO_QUESTION", message).into());
    };
    let words = answers(&permission);
    if !context.output.interactive {
        let words: Vec<String> = words.into_iter().map(|(word, _)| word).collect();
        let hint = format!("one of: {}", words.join(", "));
        return Err(usage("the answer is missing", &hint));
    }
    context.output.note(&text::clean(&permission.title));
    if !permission.detail.is_empty() {
        context.output.note(&text::clean(&permission.detail));
    }
    let options: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
    match ask::choose(context.output, "your answer", &options).await {
        Some(word) => Ok((page.thread.unwrap_or_default(), item_id, word)),
        None => Err(usage("no answer was given", "aloft answer ID allow")),
    }
}
