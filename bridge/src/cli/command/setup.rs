//! `aloft setup`: makes other programs of this machine know the sandboxes. Shows each change before it makes it.

use serde_json::json;

use crate::cli::ask;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome, usage};
use crate::cli::output::Style;
use crate::cli::text;
use crate::config::Error as ConfigError;
use crate::ssh::{Change, State, UserConfig};

/// Arguments of `aloft setup`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Plain ssh, scp, sftp, rsync and every editor that uses them: one line in `~/.ssh/config`.
    Ssh(SshArgs),
}

/// Arguments of `aloft setup ssh`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(
    after_help = "The line is the first of ~/.ssh/config and includes a file of Aloft's own, with a host for every thread: `ssh SLUG.aloft`.
Nothing else in the file changes; what ssh makes of it is looked at after the write, and on any surprise it is taken back.
Wishes of your own for these hosts go into the file `overrides` beside the included one."
)]
pub(crate) struct SshArgs {
    /// Show what would change, and change nothing.
    #[arg(long, conflicts_with_all = ["check", "yes"])]
    dry_run: bool,
    /// Tell whether everything is as it should be; exit code 1 where it is not.
    #[arg(long, conflicts_with_all = ["remove", "yes"])]
    check: bool,
    /// Take the line out again.
    #[arg(long)]
    remove: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let What::Ssh(args) = args.what;
    let home = context.config.directories.home.as_ref().ok_or(ConfigError::NoHome)?;
    let config = UserConfig::new(&context.ssh().folder, home)?;
    if args.check {
        return check(context, &config).await;
    }
    let change = if args.remove { config.plan_removal()? } else { config.plan_install()? };
    if args.dry_run {
        show(context, change.as_ref())?;
        return tell(context, &config, change.as_ref(), false);
    }
    // To ask for the removal is to say yes to it.
    if change.is_some() && !args.yes && !args.remove {
        show(context, change.as_ref())?;
        if !context.output.interactive {
            return Err(usage("changing your config of ssh needs a yes", "add --yes"));
        }
        if !ask::confirm(context.output, "Change it?").await {
            context.output.note("nothing was changed");
            return Ok(Exit::Failed);
        }
    }
    if args.remove {
        config.remove().await?;
    } else {
        prepare(context).await?;
        config.install().await?;
        for spoiler in config.spoilers().await? {
            context.output.warn(&text::line(&spoiler.to_string(), 400));
        }
        if let Some(explicit) = config.explicit().await? {
            context.output.warn(&format!(
                "HOME is not the home of your account, where ssh looks: it reads this config with ssh -F {}",
                explicit.display()
            ));
        }
    }
    tell(context, &config, change.as_ref(), true)
}

/// Key, cloud and host names, which the included file is made of.
async fn prepare(context: &Context) -> Result<(), Failure> {
    let ssh = context.ssh();
    let preparing = async {
        ssh.prepare(true).await?;
        ssh.learn_all().await
    };
    Ok(context.output.waiting("asking the cloud", preparing).await?)
}

fn show(context: &Context, change: Option<&Change>) -> Result<(), Failure> {
    let (output, Some(change)) = (context.output, change) else { return Ok(()) };
    let (sign, style) = if change.adds { ('+', Style::Green) } else { ('-', Style::Red) };
    let place = if change.adds { " gets, as its first lines" } else { " loses" };
    if output.json {
        return Ok(());
    }
    output.line(&format!("{}{place}:", change.file.display()))?;
    for line in change.lines.lines() {
        output.line(&output.paint(style, &format!("{sign} {line}")))?;
    }
    Ok(())
}

fn tell(context: &Context, config: &UserConfig, change: Option<&Change>, done: bool) -> Outcome {
    let output = context.output;
    let word = match change {
        Some(change) if change.adds => "added",
        Some(_) => "removed",
        None => "none",
    };
    if output.json {
        let file = config.path();
        output.json(
            &json!({ "file": file, "change": word, "done": done, "lines": config.lines() }),
        )?;
    } else if !done {
        if change.is_none() {
            output.line("nothing would change")?;
        }
    } else {
        output.line(match change {
            Some(change) if change.adds => "ssh knows the sandboxes: ssh SLUG.aloft",
            Some(_) => "ssh knows the sandboxes no more; the file is as it was",
            None => "nothing had to change",
        })?;
    }
    Ok(Exit::Done)
}

async fn check(context: &Context, config: &UserConfig) -> Outcome {
    let output = context.output;
    let problem = match config.state()? {
        State::First => None,
        State::Absent => Some(format!("{} does not have our line", config.path().display())),
        State::Behind { line, text } => Some(format!(
            "{}: line {line} stands before our line and wins: {}",
            config.path().display(),
            text::line(&text, 120)
        )),
    };
    let spoilers = if problem.is_none() { config.spoilers().await? } else { Vec::new() };
    let problems: Vec<String> =
        problem.into_iter().chain(spoilers.iter().map(ToString::to_string)).collect();
    if output.json {
        output.json(
            &json!({ "file": config.path(), "ok": problems.is_empty(), "problems": problems }),
        )?;
    } else if problems.is_empty() {
        output.line("everything is as it should be")?;
    } else {
        for problem in &problems {
            output.line(&text::clean(problem))?;
        }
    }
    Ok(if problems.is_empty() { Exit::Done } else { Exit::Failed })
}
