//! `aloft new`: a thread on a repository here or elsewhere.

use std::path::{Path, PathBuf};

use aloft_fault::pass;
use aloft_proto::v1;

use crate::checkout::{self, Local};
use crate::cli::ask;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome, usage};
use crate::cli::prompt;
use crate::cli::text;
use crate::cli::wait::{self, Until};
use crate::protocol::request::thread::Dirty;
use crate::protocol::thread::Mode;
use crate::protocol::to_proto::new_request_id;

/// Arguments of `aloft new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft new \"Fix the failing test in parser.rs\"
  aloft new --repo https://github.com/rust-lang/log --ref master --agent claude \"Add a changelog\"
  git diff | aloft new - --dirty carry --wait")]
pub(crate) struct Args {
    /// What the agent shall do; `-` reads standard input.
    prompt: Option<String>,
    /// Folder, Git URL or OWNER/NAME [default: the repository here].
    #[arg(long, value_name = "PATH|URL|OWNER/NAME")]
    repo: Option<String>,
    /// Where to begin [default: the commit checked out, or the default branch].
    #[arg(long = "ref", value_name = "BRANCH|TAG|SHA")]
    reference: Option<String>,
    /// What becomes of uncommitted changes [default: asks on a terminal, else ignores them].
    #[arg(long)]
    dirty: Option<Dirty>,
    /// The thread's branch [default: aloft/<slug>].
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// The environment.
    #[arg(long = "env", value_name = "NAME")]
    environment: Option<String>,
    /// The agent [default: the first usable].
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The model [default: the agent's own choice].
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Whether the agent asks before it acts [default: manual].
    #[arg(long, value_parser = mode)]
    mode: Option<Mode>,
    /// One line that names the thread [default: from the message].
    #[arg(long)]
    title: Option<String>,
    /// The issue it is about; KEY as in ENG-12 at Linear or Jira.
    #[arg(long, value_name = "URL|NUMBER|KEY")]
    issue: Option<String>,
    /// A picture for the agent; may be repeated.
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// Follow the thread until its first turn ends.
    #[arg(long)]
    wait: bool,
}

/// Reads a mode.
pub(crate) fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "auto" => Ok(Mode::Auto),
        "manual" => Ok(Mode::Manual),
        _ => Err("auto or manual".to_owned()),
    }
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let input = prompt::read(args.prompt.as_deref(), &args.image)?;
    if input.is_empty() && args.issue.is_none() {
        return Err(usage(
            "the prompt is missing",
            "say what the agent shall do: aloft new \"…\", or - for standard input",
        ));
    }
    let settings = &context.config.settings;
    let source = Source::of(args.repo.as_deref());
    let (repository, reference, carry_commit) = match source {
        Source::Local(path) => {
            bring(context, &path, args.reference.as_deref(), args.dirty.or(settings.dirty)).await?
        }
        Source::Remote(url) => {
            if args.dirty == Some(Dirty::Carry) {
                return Err(usage(
                    "there is nothing to carry from a URL",
                    "leave out --dirty, or give a path",
                ));
            }
            let repository = v1::Repository { url, ..Default::default() };
            (repository, args.reference.unwrap_or_default(), String::new())
        }
    };
    let request = v1::CreateThreadRequest {
        request_id: new_request_id(),
        repository: Some(repository),
        r#ref: reference,
        branch: args.branch.unwrap_or_default(),
        environment: args.environment.or_else(|| settings.environment.clone()).unwrap_or_default(),
        agent: args.agent.or_else(|| settings.agent.clone()).unwrap_or_default(),
        model: args.model.clone().or_else(|| settings.model.clone()).unwrap_or_default(),
        mode: args.mode.or(settings.mode).map_or(v1::Mode::Unspecified, Into::into).into(),
        title: args.title.unwrap_or_default(),
        input,
        issue: args.issue.unwrap_or_default(),
        carry_commit,
    };
    let response = context
        .output
        .waiting("creating the thread", context.client.create_thread(request))
        .await?;
    context.offline.seen().note(response.thread.as_slice(), &[]);
    let thread = response.thread.unwrap_or_default();
    if let Some(model) = args.model.filter(|_| thread.model.is_empty()) {
        let agent = text::line(&thread.agent, 40);
        context.output.warn(&format!("{agent} calls no model: --model {model} is not used"));
    }
    if args.wait {
        if !context.output.json {
            context.output.note(&format!("{} on {}", thread.slug, thread.branch));
        }
        // From the beginning: the steps of its start are worth seeing too.
        return wait::to_the_end(context, &thread, 0, Until::AnyTurn).await;
    }
    let sentence = format!(
        "{}  {} on {}\nfollow it with: aloft follow {}",
        thread.slug,
        text::line(&thread.agent, 40),
        text::line(&thread.branch, 200),
        thread.slug
    );
    context.print_thread(thread, &sentence)?;
    Ok(Exit::Done)
}

/// Where the code comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    Local(PathBuf),
    Remote(String),
}

impl Source {
    /// Tells paths from URLs; a folder that exists beats `OWNER/NAME`.
    fn of(repo: Option<&str>) -> Self {
        let Some(repo) = repo else { return Self::Local(PathBuf::from(".")) };
        let is_path = repo.starts_with(['.', '/', '~']) || Path::new(repo).exists();
        let is_url = repo.contains("://")
            || repo.split_once(':').is_some_and(|(host, _)| !host.contains('/'));
        let is_name = repo.split('/').count() == 2 && repo.split('/').all(|part| !part.is_empty());
        match (is_path, is_url, is_name) {
            (true, _, _) => Self::Local(PathBuf::from(repo)),
            (_, true, _) | (_, _, true) => Self::Remote(repo.to_owned()),
            _ => Self::Local(PathBuf::from(repo)),
        }
    }
}

/// Brings a local repository to the cloud. Gives the repository, the ref to begin at and the commit of carried changes.
async fn bring(
    context: &Context,
    path: &Path,
    reference: Option<&str>,
    dirty: Option<Dirty>,
) -> Result<(v1::Repository, String, String), Failure> {
    let output = context.output;
    let local = Local::open(path).await?;
    let first = dirty.map_or(checkout::Dirty::Ignore, policy);
    let mut plan =
        output.waiting("looking at the repository", local.plan(reference, first)).await?;
    if dirty.is_none() && plan.dirty_files > 0 {
        let files = text::count(plan.dirty_files, "file");
        if output.interactive {
            let question = format!("{files} with uncommitted changes: what shall become of them?");
            match ask::choose(output, &question, &["carry", "ignore", "refuse"]).await.as_deref() {
                Some("carry") => plan = local.plan(reference, checkout::Dirty::Carry).await?,
                Some("ignore") => {}
                _ => {
                    return Err(local
                        .plan(reference, checkout::Dirty::Refuse)
                        .await
                        .err()
                        .map_or_else(
                            || usage("nothing was created", "commit or stash your changes first"),
                            Into::into,
                        ));
                }
            }
        } else {
            output.warn(&format!(
                "{files} with uncommitted changes left behind; --dirty carry takes them along"
            ));
        }
    }
    for inner in &plan.left_behind {
        output.warn(&format!(
            "{inner} is a repository of its own: what it has not committed stays behind"
        ));
    }
    let began = std::time::Instant::now();
    let mut shown = began;
    let progress = |progress: checkout::Progress| {
        // One line a second at most: without a terminal each is a line of its own.
        if shown.elapsed().as_millis() >= 1000 {
            shown = std::time::Instant::now();
            let percent =
                progress.percent.map_or_else(String::new, |percent| format!(", {percent}%"));
            output.progress(&format!(
                "uploading {} ({}{percent})",
                plan.name,
                text::size(progress.bytes)
            ));
        }
    };
    let request_id = new_request_id();
    pass!("bridge.upload.before");
    let uploaded =
        checkout::upload(&mut context.client.repositories(), &plan, &request_id, progress).await;
    pass!("bridge.upload.after");
    if began.elapsed().as_millis() >= 1000 {
        output.progress_ended();
    }
    let repository = uploaded.map_err(|error| match error {
        checkout::Error::Cloud(status) => Failure::Error(context.client.error(*status)),
        other => other.into(),
    })?;
    Ok((repository, plan.reference().to_owned(), plan.carry.clone().unwrap_or_default()))
}

fn policy(dirty: Dirty) -> checkout::Dirty {
    match dirty {
        Dirty::Carry => checkout::Dirty::Carry,
        Dirty::Ignore => checkout::Dirty::Ignore,
        Dirty::Refuse => checkout::Dirty::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_urls_and_names_are_told_apart() {
        let local = |path: &str| Source::Local(path.into());
        let remote = |url: &str| Source::Remote(url.into());
        let cases = [
            (None, local(".")),
            (Some("."), local(".")),
            (Some("/srv/repo"), local("/srv/repo")),
            (Some("src"), local("src")),
            (Some("nowhere"), local("nowhere")),
            (Some("https://example.org/a/b.git"), remote("https://example.org/a/b.git")),
            (Some("git@example.org:a/b.git"), remote("git@example.org:a/b.git")),
            (Some("rust-lang/log"), remote("rust-lang/log")),
        ];
        for (repo, source) in cases {
            assert_eq!(Source::of(repo), source);
        }
    }
}
