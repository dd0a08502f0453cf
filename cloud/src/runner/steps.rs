//! Runs what git gives as argv inside a sandbox.

use crate::{
    git::workspace::Step,
    runner::Error,
    sandbox::guest::{Command, Guest, Output, Variables},
};

/// Output kept of a step, to show when it fails.
const CAP: usize = 64 * 1024;

/// A step as a command of the guest.
pub(super) fn command(step: &Step) -> Command {
    let env = step.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    // Not in the workspace, which its agent may have closed.
    let cwd = "/".to_owned();
    Command { cwd, env: Variables(env), ..Command::new(step.argv.iter().cloned()) }
}

/// Runs a step to its end; what it printed is the error when it fails.
pub(super) async fn run(guest: &Guest, step: &Step) -> Result<Output, Error> {
    let output = guest.run(&command(step), &[], step.timeout, CAP).await?;
    if output.success() || step.optional {
        return Ok(output);
    }
    Err(failed(step, &output))
}

/// The error of a step that failed.
pub(super) fn failed(step: &Step, output: &Output) -> Error {
    Error::SetUp { step: step.label.to_owned(), message: said(output) }
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let text = text.trim();
    match (text.is_empty(), output.exit_code) {
        (false, _) => text.to_owned(),
        (true, Some(code)) => format!("exit code {code}"),
        (true, None) => format!("signal {}", output.signal),
    }
}
