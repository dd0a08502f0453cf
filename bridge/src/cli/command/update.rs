//! `aloft mode`, `model`, `mute`, `unmute`, `rename` and `keep`: small changes of a thread.

use aloft_proto::v1;

use crate::cli::command::new::mode;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome};
use crate::offline::Handed;
use crate::protocol::thread::Mode;

/// A thread, nothing else.
#[derive(Debug, clap::Args)]
pub(crate) struct ThreadArgs {
    /// Id, unique prefix, slug or @last.
    pub(crate) id: String,
}

/// Arguments of `aloft mode`.
#[derive(Debug, clap::Args)]
pub(crate) struct ModeArgs {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// auto: the agent acts without asking. manual: it asks first.
    #[arg(value_parser = mode)]
    mode: Mode,
}

/// Arguments of `aloft model`.
#[derive(Debug, clap::Args)]
pub(crate) struct ModelArgs {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// The model, as the agent names it; '' = the agent's own choice.
    name: String,
}

/// Arguments of `aloft rename`.
#[derive(Debug, clap::Args)]
pub(crate) struct RenameArgs {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// One line.
    title: String,
}

/// Arguments of `aloft keep`.
#[derive(Debug, clap::Args)]
pub(crate) struct KeepArgs {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// Let it be cleaned up by age again.
    #[arg(long)]
    off: bool,
}

/// Runs `aloft mode`.
pub(crate) async fn set_mode(context: &Context, args: ModeArgs) -> Outcome {
    let request = v1::UpdateThreadRequest {
        mode: Some(v1::Mode::from(args.mode).into()),
        ..Default::default()
    };
    let word = if args.mode == Mode::Auto { "auto" } else { "manual" };
    update(context, &args.id, request, &format!("is in mode {word}")).await
}

/// Runs `aloft model`.
pub(crate) async fn set_model(context: &Context, args: ModelArgs) -> Outcome {
    let words = match args.name.as_str() {
        "" => "uses the agent's own choice of a model".to_owned(),
        name => format!("uses the model {name}"),
    };
    let request = v1::UpdateThreadRequest { model: Some(args.name), ..Default::default() };
    update(context, &args.id, request, &words).await
}

/// Runs `aloft mute` and `aloft unmute`.
pub(crate) async fn set_muted(context: &Context, args: ThreadArgs, muted: bool) -> Outcome {
    let request = v1::UpdateThreadRequest { muted: Some(muted), ..Default::default() };
    update(context, &args.id, request, if muted { "is muted" } else { "is not muted" }).await
}

/// Runs `aloft rename`.
pub(crate) async fn rename(context: &Context, args: RenameArgs) -> Outcome {
    let request = v1::UpdateThreadRequest { title: Some(args.title), ..Default::default() };
    update(context, &args.id, request, "is renamed").await
}

/// Runs `aloft keep`.
pub(crate) async fn keep(context: &Context, args: KeepArgs) -> Outcome {
    let request = v1::UpdateThreadRequest { keep: Some(!args.off), ..Default::default() };
    let words = if args.off { "is cleaned up by age" } else { "is kept until you delete it" };
    update(context, &args.id, request, words).await
}

async fn update(
    context: &Context,
    id: &str,
    mut request: v1::UpdateThreadRequest,
    words: &str,
) -> Outcome {
    request.thread_id = context.thread(id).await?.id;
    let thread = match context.hand("asking the cloud", request).await? {
        Handed::Answered(answer) => answer.thread.unwrap_or_default(),
        Handed::Kept(kept, _) => return context.kept(&kept, false),
    };
    let sentence = format!("{} {words}", thread.slug);
    context.print_thread(thread, &sentence)?;
    Ok(Exit::Done)
}
