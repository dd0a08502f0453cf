//! What git says on its standard error: how far it is, and why it failed.

use std::process::ExitStatus;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;
use tokio::sync::watch;

/// How much of a command's last words is kept.
const WORDS_LIMIT: usize = 8 << 10;

/// How far a long operation has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, in git's words: "Receiving objects".
    pub phase: String,
    /// Done so far, of `total`.
    pub done: u64,
    /// All there is to do; 0 = not known yet.
    pub total: u64,
}

/// Reads what a command says until it has closed its standard error; keeps the end of it.
pub(crate) async fn drain(
    mut stderr: ChildStderr,
    progress: Option<watch::Sender<Progress>>,
) -> Vec<u8> {
    let mut words: Vec<u8> = Vec::new();
    let mut line: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        for &byte in &buffer[..count] {
            if line.len() < WORDS_LIMIT {
                line.push(byte);
            }
            if byte != b'\n' && byte != b'\r' {
                continue;
            }
            match parse_progress(&String::from_utf8_lossy(&line)) {
                Some(step) => {
                    if let Some(progress) = &progress {
                        progress.send_replace(step);
                    }
                }
                None => words.extend_from_slice(&line),
            }
            line.clear();
        }
        let surplus = words.len().saturating_sub(WORDS_LIMIT);
        words.drain(..surplus);
    }
    words.extend_from_slice(&line);
    words
}

/// Reads "Receiving objects:  12% (1/8), 1.20 MiB | 3 MiB/s".
fn parse_progress(line: &str) -> Option<Progress> {
    let line = line.trim();
    let line = line.strip_prefix("remote: ").unwrap_or(line);
    let (phase, rest) = line.split_once(": ")?;
    if let Some((percent, rest)) = rest.trim_start().split_once("% (") {
        percent.parse::<u8>().ok()?;
        let (done, total) = rest.split_once(')')?.0.split_once('/')?;
        return Some(Progress {
            phase: phase.to_owned(),
            done: done.parse().ok()?,
            total: total.parse().ok()?,
        });
    }
    // Counted before the total is known: "Enumerating objects: 17, done."
    let done = rest.trim_start().split([',', ' ']).next()?.parse().ok()?;
    Some(Progress { phase: phase.to_owned(), done, total: 0 })
}

/// The last words of a command as one readable fragment.
pub(crate) fn detail_of(words: &[u8], status: ExitStatus) -> String {
    let text = String::from_utf8_lossy(words);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let telling: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| line.starts_with("fatal:") || line.starts_with("error:"))
        .collect();
    let chosen = if telling.is_empty() { &lines } else { &telling };
    let tail = &chosen[chosen.len().saturating_sub(6)..];
    if tail.is_empty() { format!("git ended with {status}") } else { tail.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_from_what_git_says() {
        let step =
            |phase: &str, done, total| Some(Progress { phase: phase.to_owned(), done, total });
        assert_eq!(
            parse_progress("Receiving objects:  12% (1/8), 1.20 MiB | 3.00 MiB/s\r"),
            step("Receiving objects", 1, 8)
        );
        assert_eq!(
            parse_progress("remote: Counting objects: 100% (9/9), done.\n"),
            step("Counting objects", 9, 9)
        );
        assert_eq!(
            parse_progress("remote: Enumerating objects: 17, done."),
            step("Enumerating objects", 17, 0)
        );
        assert_eq!(parse_progress("fatal: repository 'x' does not exist"), None);
        assert_eq!(parse_progress("From /tmp/x"), None);
    }
}
