//! This program, started as another part of itself.

use std::{process::Stdio, time::Duration};

use tokio::process::Command;

/// Before a part that ended is started again.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// The part of this name; it speaks to nobody but by its standard error.
pub(super) fn own(part: &str) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    // Of the environment it needs nothing, and model keys may be in it.
    command.arg(part).env_clear();
    if let Some(log) = std::env::var_os("ALOFT_LOG") {
        command.env("ALOFT_LOG", log);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command)
}
