//! Notifications of the desktop, by the program every desktop has for it. Titles and bodies were written by agents and by
//! whoever wrote what they read: they are cleaned, cut, escaped and handed over as arguments, never as code.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::text;

/// Longest title and body, in characters.
const LONGEST: (usize, usize) = (100, 300);
/// How long the program may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What `osascript` runs: its arguments are data to it.
const SCRIPT: [&str; 6] = [
    "-e",
    "on run argv",
    "-e",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "-e",
    "end run",
];

/// Shows a notification. Waits for nothing; a desktop that is not there is no error of anybody's.
pub(super) fn show(title: &str, body: &str) {
    let (program, arguments) = command(cfg!(target_os = "macos"), title, body);
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match command.spawn() {
        Ok(mut child) => {
            tokio::spawn(async move {
                match tokio::time::timeout(PATIENCE, child.wait()).await {
                    Ok(Ok(status)) if status.success() => {}
                    ended => tracing::debug!(program, ?ended, "the desktop took no notification"),
                }
            });
        }
        Err(error) => tracing::warn!(program, %error, "notifications of the desktop need it"),
    }
}

/// The program and its arguments.
fn command(mac: bool, title: &str, body: &str) -> (&'static str, Vec<OsString>) {
    let (title, body) = (text::line(title, LONGEST.0), text::line(body, LONGEST.1));
    if mac {
        let arguments = SCRIPT.iter().copied().chain(["--", &title, &body]);
        return ("osascript", arguments.map(OsString::from).collect());
    }
    // Of the two, servers read the body as markup.
    let body = body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let arguments = ["--app-name=Aloft", "--", &title, &body];
    ("notify-send", arguments.map(OsString::from).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_words_are_only_words() {
        let title = "--help \u{1b}]0;owned\u{7}\u{202e}live\n& `id`";
        let body = "<a href=\"x\">&\u{1b}[31m click</a> $(id) \" & do shell script \"id\"";
        let (program, arguments) = command(false, title, body);
        assert_eq!(program, "notify-send");
        let expected = [
            "--app-name=Aloft",
            "--",
            "--help live & `id`",
            "&lt;a href=\"x\"&gt;&amp; click&lt;/a&gt; $(id) \" &amp; do shell script \"id\"",
        ];
        assert_eq!(arguments, expected.map(OsString::from));
        let (program, arguments) = command(true, title, body);
        assert_eq!(program, "osascript");
        let words = [
            "--",
            "--help live & `id`",
            "<a href=\"x\">& click</a> $(id) \" & do shell script \"id\"",
        ];
        assert_eq!(arguments[SCRIPT.len()..], words.map(OsString::from));
        assert!(
            arguments[..SCRIPT.len()].iter().all(|part| !part.to_string_lossy().contains("id`"))
        );
        let (_, long) = command(false, &"x".repeat(10_000), &"y".repeat(10_000));
        assert!(long.iter().all(|argument| argument.len() <= LONGEST.1 * 4));
    }
}
