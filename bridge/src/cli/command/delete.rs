//! `aloft delete`: everything of a thread goes; work that is nowhere else is named first.

use aloft_proto::v1;

use crate::cli::ask;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Outcome, usage};
use crate::cli::text;

/// Arguments of `aloft delete`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ids, unique prefixes, slugs or @last.
    #[arg(required = true)]
    ids: Vec<String>,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let mut threads = Vec::new();
    for id in &args.ids {
        threads.push(context.thread(id).await?);
    }
    if !args.yes {
        for thread in &threads {
            context.output.note(&loss(thread));
        }
        if !context.output.interactive {
            return Err(usage("deleting needs a yes", "add --yes"));
        }
        if !ask::confirm(context.output, "Delete?").await {
            context.output.note("nothing was deleted");
            return Ok(Exit::Failed);
        }
    }
    for thread in threads {
        let request =
            v1::DeleteThreadRequest { thread_id: thread.id.clone(), ..Default::default() };
        let response =
            context.output.waiting("deleting", context.client.delete_thread(request)).await?;
        let deleted = response.thread.unwrap_or(thread);
        context.offline.seen().note(&[], std::slice::from_ref(&deleted.id));
        let sentence = format!("deleted {}", deleted.slug);
        context.print_thread(deleted, &sentence)?;
    }
    Ok(Exit::Done)
}

/// What would be lost with a thread.
fn loss(thread: &v1::Thread) -> String {
    let diff = thread.diff.unwrap_or_default();
    let title = text::line(&thread.title, 60);
    let merged = thread
        .pull_request
        .as_ref()
        .is_some_and(|request| request.state() == v1::PullRequestState::Merged);
    let work = match (diff.files, merged, &thread.pull_request) {
        (0, _, _) => "it changed nothing".to_owned(),
        (_, true, _) => "its work is merged".to_owned(),
        (_, _, Some(request)) => {
            format!("what was not pushed to {} since is lost", text::line(&request.url, 200))
        }
        (files, _, None) => format!(
            "its work on {} was never pushed and is lost: {}, +{} -{}",
            text::line(&thread.branch, 100),
            text::count(files as usize, "file"),
            diff.additions,
            diff.deletions
        ),
    };
    format!("{} ({title}): {work}", thread.slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_nowhere_else_is_named() {
        let mut thread = v1::Thread {
            slug: "fix-1".into(),
            title: "Fix".into(),
            branch: "aloft/fix-1".into(),
            ..Default::default()
        };
        assert_eq!(loss(&thread), "fix-1 (Fix): it changed nothing");
        thread.diff = Some(v1::DiffStat { files: 2, additions: 5, deletions: 1 });
        assert_eq!(
            loss(&thread),
            "fix-1 (Fix): its work on aloft/fix-1 was never pushed and is lost: 2 files, +5 -1"
        );
        thread.pull_request = Some(v1::PullRequest {
            state: v1::PullRequestState::Merged.into(),
            ..Default::default()
        });
        assert_eq!(loss(&thread), "fix-1 (Fix): its work is merged");
    }
}
