//! `aloft diff`: what a thread changed, exactly as git would print it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use aloft_proto::v1;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::output::{Output, Style};
use crate::cli::render::item::patch_line;
use crate::cli::text;
use crate::protocol::diff::FileDiff;
use crate::protocol::error::Error;
use crate::protocol::request::thread::Against;

/// Width of the bar of `--stat`.
const BAR: u64 = 40;

/// Arguments of `aloft diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  aloft diff @last
  aloft diff fix-login-3f --stat
  aloft diff fix-login-3f --binary | git apply")]
#[expect(clippy::struct_excessive_bools, reason = "independent flags of a command line")]
pub(crate) struct Args {
    /// Id, unique prefix, slug or @last.
    id: String,
    /// Only what this turn changed.
    #[arg(long, value_name = "N", group = "against")]
    turn: Option<u32>,
    /// Against the last commit of the workspace's branch.
    #[arg(long, group = "against")]
    uncommitted: bool,
    /// Against where it leaves the base branch as that is now.
    #[arg(long, group = "against")]
    merge_base: bool,
    /// With the content of binary files, for `git apply`.
    #[arg(long, group = "form")]
    binary: bool,
    /// Sizes only.
    #[arg(long, group = "form")]
    stat: bool,
    /// Paths only.
    #[arg(long, group = "form")]
    name_only: bool,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    let against = match args.turn {
        Some(number) => Against::Turn(number),
        None if args.uncommitted => Against::Uncommitted,
        None if args.merge_base => Against::MergeBase,
        None => Against::Base,
    };
    let thread = context.thread(&args.id).await?;
    let request = v1::GetDiffRequest {
        thread_id: thread.id,
        against: Some(against.into()),
        stat_only: args.stat || args.name_only,
        binary: args.binary,
        ..Default::default()
    };
    let reading = read(context, request);
    let files = context.output.waiting("reading the change", reading).await?;
    let output = context.output;
    if output.json {
        let files: Vec<FileDiff> = files.into_iter().map(Into::into).collect();
        output.json(&json!({ "files": files }))?;
    } else if args.name_only {
        for file in &files {
            output.line(&shown_path(output, &file.path))?;
        }
    } else if args.stat {
        output.bytes(stat(output, &files).as_bytes())?;
    } else if output.terminal {
        page(context, &files).await?;
    } else {
        for file in &files {
            output.bytes(&file.patch)?;
        }
    }
    Ok(Exit::Done)
}

/// Reads a thread's change, or that of one file with its whole texts.
pub(crate) async fn read(
    context: &Context,
    request: v1::GetDiffRequest,
) -> Result<Vec<v1::FileDiff>, Error> {
    let mut stream = context.client.get_diff(request).await?;
    let mut files = Vec::new();
    while let Some(file) = stream.message().await.map_err(|status| context.client.error(status))? {
        files.push(file);
    }
    Ok(files)
}

/// A path as it is, but one that could command a terminal is made visible on one.
fn shown_path(output: Output, path: &str) -> String {
    if output.terminal { text::visible(path.as_bytes()) } else { path.to_owned() }
}

fn stat(output: Output, files: &[v1::FileDiff]) -> String {
    if files.is_empty() {
        return String::new();
    }
    let name = |file: &v1::FileDiff| match file.old_path.as_str() {
        "" => text::visible(file.path.as_bytes()),
        old => {
            format!("{} => {}", text::visible(old.as_bytes()), text::visible(file.path.as_bytes()))
        }
    };
    let width = files.iter().map(|file| name(file).chars().count()).max().unwrap_or(0);
    let largest =
        files.iter().map(|file| file.additions + file.deletions).max().unwrap_or(0).max(1);
    let scale = |lines: u64| {
        if largest <= BAR || lines == 0 { lines } else { (lines * BAR / largest).max(1) }
    };
    let mut shown = String::new();
    for file in files {
        let name = name(file);
        let padding = " ".repeat(width - name.chars().count());
        let size = if file.binary {
            format!("Bin {} -> {} bytes", file.old_size, file.new_size)
        } else {
            let bar = |sign: &str, lines| sign.repeat(usize::try_from(scale(lines)).unwrap_or(0));
            let plus = output.paint(Style::Green, &bar("+", file.additions));
            let minus = output.paint(Style::Red, &bar("-", file.deletions));
            format!("{:>5} {plus}{minus}", file.additions + file.deletions)
        };
        shown.push_str(format!(" {name}{padding} | {size}").trim_end());
        shown.push('\n');
    }
    let plural = |count: u64, one: &str| {
        if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
    };
    let sum = |of: fn(&v1::FileDiff) -> u64| files.iter().map(of).sum::<u64>();
    let parts = [
        (sum(|file| file.additions), "insertion", "(+)"),
        (sum(|file| file.deletions), "deletion", "(-)"),
    ];
    let parts = parts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, word, sign)| format!(", {}{sign}", plural(count, word)));
    let changed = plural(files.len() as u64, "file");
    shown.extend([" ", changed.as_str(), " changed"]);
    shown.extend(parts);
    shown.push('\n');
    shown
}

/// Shows the change in the pager git would use.
async fn page(context: &Context, files: &[v1::FileDiff]) -> Result<(), Failure> {
    let output = context.output;
    let mut shown = String::new();
    for file in files {
        for line in file.patch.split_inclusive(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            shown.push_str(&patch_line(output, line));
            shown.push('\n');
        }
    }
    if shown.is_empty() {
        output.note("nothing changed");
        return Ok(());
    }
    let pager = tokio::task::spawn_blocking(pager).await.unwrap_or_default();
    if pager.is_empty() || pager == "cat" {
        return Ok(output.bytes(shown.as_bytes())?);
    }
    let through =
        tokio::task::spawn_blocking(move || through(&pager, shown.as_bytes()).map_err(|_| shown));
    match through.await {
        Ok(Err(shown)) => Ok(output.bytes(shown.as_bytes())?),
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}

/// Asks git for its pager: `GIT_PAGER`, `core.pager`, `PAGER`, then its own default.
fn pager() -> String {
    let asked = Command::new("git").args(["var", "GIT_PAGER"]).stdin(Stdio::null()).output();
    asked.ok().filter(|answer| answer.status.success()).map_or_else(
        || "less".to_owned(),
        |answer| String::from_utf8_lossy(&answer.stdout).trim().to_owned(),
    )
}

fn through(pager: &str, text: &[u8]) -> std::io::Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", pager]).stdin(Stdio::piped());
    // As git does: quit if it fits on one screen, show colors, leave the screen as it is.
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A pager that is left early closes its input.
        input.write_all(text).ok();
    }
    let status = child.wait()?;
    // 127: the shell found no such pager.
    if status.code() == Some(127) { Err(std::io::ErrorKind::NotFound.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    #[test]
    fn the_stat_looks_as_git_prints_it() {
        let file = |path: &str, additions, deletions| v1::FileDiff {
            path: path.into(),
            additions,
            deletions,
            ..Default::default()
        };
        let binary =
            v1::FileDiff { binary: true, old_size: 3, new_size: 5, ..file("logo.png", 0, 0) };
        let output = Output::new(false, &Environment { no_color: true, ..Environment::default() });
        let expected = " a.rs     |     3 ++-\n logo.png | Bin 3 -> 5 bytes\n 2 files changed, 2 insertions(+), 1 deletion(-)\n";
        assert_eq!(stat(output, &[file("a.rs", 2, 1), binary]), expected);
        assert_eq!(stat(output, &[]), "");
        let long = stat(output, &[file("a", 1000, 0), file("b", 0, 1)]);
        assert_eq!(long.matches('+').count() - 1, 40, "{long}");
        assert!(long.contains("b |     1 -\n"), "{long}");
    }
}
