//! `aloft cloud`: the embedded cloud.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::Duration;

use aloft_proto::v1;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, Outcome, local, usage};
use crate::cli::text;
use crate::client::embedded::Embedded;
use crate::config::Address;
use crate::protocol::error::{Code, Error};
use crate::protocol::request::cloud::CloudStatus;

/// How often the log is looked at while it is followed.
const LOOK: Duration = Duration::from_millis(200);

/// Arguments of `aloft cloud`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show whether and how the cloud runs; starts nothing.
    Status,
    /// Start the embedded cloud.
    Start,
    /// Stop the embedded cloud and wait until it is gone. Running turns are interrupted.
    Stop,
    /// Show what the embedded cloud said.
    Logs {
        /// Go on showing what it says.
        #[arg(long, short)]
        follow: bool,
        /// How many of the last lines.
        #[arg(long, short = 'n', default_value_t = 200)]
        lines: usize,
    },
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: Args) -> Outcome {
    match args.action {
        Action::Status => {
            print(context, &status(context).await?)?;
        }
        Action::Start => {
            let embedded = own(context)?;
            let status = context.output.waiting("starting the cloud", embedded.ensure()).await?;
            print(context, &status)?;
        }
        Action::Stop => {
            let embedded = own(context)?;
            let ran = context.output.waiting("stopping the cloud", embedded.stop()).await?;
            if context.output.json {
                context.output.json(&json!({ "stopped": ran }))?;
            } else {
                context.output.line(if ran {
                    "the cloud is stopped"
                } else {
                    "the cloud does not run"
                })?;
            }
        }
        Action::Logs { follow, lines } => logs(context, follow, lines).await?,
    }
    Ok(Exit::Done)
}

/// Returns how the cloud is without starting it.
pub(crate) async fn status(context: &Context) -> Result<v1::GetStatusResponse, Failure> {
    if context.config.address != Address::Embedded {
        return Ok(context.client.get_status(v1::GetStatusRequest {}).await?);
    }
    let embedded = Embedded::new(&context.config);
    let asking = context.output.waiting("asking the cloud", embedded.status());
    asking.await?.ok_or_else(|| {
        let error =
            Error::new(Code::Unavailable, "CLOUD_NOT_RUNNING", "the embedded cloud does not run");
        Failure::Error(
            error.with_hint("any command that needs it starts it, so does: aloft cloud start"),
        )
    })
}

/// Returns the embedded cloud; another one is not ours to start or stop.
fn own(context: &Context) -> Result<Embedded, Failure> {
    match &context.config.address {
        Address::Embedded => Ok(Embedded::new(&context.config)),
        other => Err(usage(
            format!("the cloud at {other} is not embedded"),
            "do this on its own machine",
        )),
    }
}

fn print(context: &Context, status: &v1::GetStatusResponse) -> Result<(), Failure> {
    let output = context.output;
    let status = CloudStatus::from(status.clone());
    if output.json {
        return Ok(output.json(&status)?);
    }
    let facts = [
        ("address", status.address),
        ("version", status.version),
        ("process", status.pid.to_string()),
        ("data", status.data_dir),
        ("threads", format!("{}, {} running a turn", status.threads, status.running_turns)),
    ];
    for (name, fact) in facts {
        output.line(&format!("{name:<8}  {}", text::line(&fact, 300)))?;
    }
    Ok(())
}

async fn logs(context: &Context, follow: bool, lines: usize) -> Result<(), Failure> {
    let path = own(context)?.log();
    let failed = |error: std::io::Error| local("read", &path, &error);
    let mut file = std::fs::File::open(&path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    let from = last_lines(&bytes, lines);
    context.output.bytes(&bytes[from..])?;
    let mut seen = bytes.len() as u64;
    if !follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(LOOK).await;
        let size = std::fs::metadata(&path).map_err(failed)?.len();
        if size < seen {
            // It was put aside for a new one.
            file = std::fs::File::open(&path).map_err(failed)?;
            seen = 0;
        }
        file.seek(SeekFrom::Start(seen)).map_err(failed)?;
        bytes.clear();
        seen += file.read_to_end(&mut bytes).map_err(failed)? as u64;
        context.output.bytes(&bytes)?;
    }
}

/// Returns where the last lines begin.
fn last_lines(bytes: &[u8], lines: usize) -> usize {
    let end = bytes.len().saturating_sub(1);
    let breaks = (0..end).rev().filter(|&at| bytes[at] == b'\n');
    if lines == 0 { bytes.len() } else { breaks.map(|at| at + 1).nth(lines - 1).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_found() {
        let cases = [(0, ""), (1, "c\n"), (2, "b\nc\n"), (3, "a\nb\nc\n"), (9, "a\nb\nc\n")];
        for (lines, expected) in cases {
            let text = b"a\nb\nc\n";
            assert_eq!(&text[last_lines(text, lines)..], expected.as_bytes());
        }
        assert_eq!(last_lines(b"", 5), 0);
    }
}
