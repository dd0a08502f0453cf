//! The one place that prints: data on standard output, everything else on standard error.

use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use serde::Serialize;

use crate::cli::text;
use crate::config::Environment;
use crate::protocol::error::Error;

/// After this long, what is being waited for is named.
const PATIENCE: Duration = Duration::from_secs(1);

/// A way of showing a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As it is.
    Plain,
    /// Less important.
    Dim,
    /// More important.
    Bold,
    /// Good, or added.
    Green,
    /// Bad, or deleted.
    Red,
    /// Wants attention.
    Yellow,
    /// A name, or a place in a diff.
    Cyan,
}

/// Where a command prints, and how.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent properties of the two streams")]
pub(crate) struct Output {
    /// Data as JSON.
    pub(crate) json: bool,
    /// Standard output is a terminal.
    pub(crate) terminal: bool,
    /// A person can be asked: input and standard error are a terminal.
    pub(crate) interactive: bool,
    color: bool,
    /// Standard error is a terminal.
    pub(crate) error_terminal: bool,
    error_color: bool,
}

impl Output {
    /// Looks at the streams of this process.
    pub(crate) fn new(json: bool, environment: &Environment) -> Self {
        let terminal = io::stdout().is_terminal();
        let error_terminal = io::stderr().is_terminal();
        Self {
            json,
            terminal,
            interactive: error_terminal && io::stdin().is_terminal() && !json,
            color: terminal && !environment.no_color && !json,
            error_terminal,
            error_color: error_terminal && !environment.no_color,
        }
    }

    /// Returns how many characters a line has room for; none where nothing tells, as without a terminal.
    #[expect(clippy::unused_self, reason = "whoever prints has an Output; nothing else does")]
    pub(crate) fn width(self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        (size.ws_col > 0).then_some(size.ws_col.into())
    }

    /// Returns a text in a style where standard output shows colors.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        painted(self.color, style, text)
    }

    /// Prints a line of data.
    #[expect(clippy::unused_self, reason = "whoever prints has an Output; nothing else does")]
    pub(crate) fn line(self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Prints data as it is.
    #[expect(clippy::unused_self, reason = "whoever prints has an Output; nothing else does")]
    pub(crate) fn bytes(self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Prints a value as one line of JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.bytes(&line)
    }

    /// Tells a person something on standard error.
    pub(crate) fn note(self, text: &str) {
        self.tell(&format!("{text}\n"));
    }

    /// Warns a person on standard error.
    pub(crate) fn warn(self, text: &str) {
        self.tell(&format!("{} {text}\n", painted(self.error_color, Style::Yellow, "warning:")));
    }

    /// Shows a question on standard error; the cursor stays behind it.
    pub(crate) fn question(self, text: &str) {
        self.tell(&format!("{} ", painted(self.error_color, Style::Bold, text)));
    }

    /// Tells an error: as JSON on standard output, or for people on standard error.
    pub(crate) fn error(self, error: &Error) -> io::Result<()> {
        if self.json {
            return self.json(&error.report());
        }
        self.tell(&format!(
            "{} {}\n",
            painted(self.error_color, Style::Red, "error:"),
            text::clean(&error.message)
        ));
        if let Some(hint) = &error.hint {
            self.tell(&format!(
                "{} {}\n",
                painted(self.error_color, Style::Cyan, "hint:"),
                text::clean(hint)
            ));
        }
        Ok(())
    }

    /// Waits for something; after a second it says what for.
    pub(crate) async fn waiting<T>(self, what: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        if let Ok(done) = tokio::time::timeout(PATIENCE, work.as_mut()).await {
            return done;
        }
        self.progress(what);
        let done = work.await;
        self.progress_ended();
        done
    }

    /// Shows how far something is: one line that the next one replaces; without a terminal, a line of its own.
    pub(crate) fn progress(self, text: &str) {
        let line = if self.error_terminal {
            format!("\r\x1b[K{text} …")
        } else {
            format!("{text} …\n")
        };
        self.tell(&line);
    }

    /// Takes the line of [`Output::progress`] away.
    pub(crate) fn progress_ended(self) {
        if self.error_terminal {
            self.tell("\r\x1b[K");
        }
    }

    /// Rings the terminal's bell.
    pub(crate) fn bell(self) {
        if self.error_terminal {
            self.tell("\u{7}");
        }
    }

    /// Empties the screen for a list that is shown anew.
    pub(crate) fn clear(self) -> io::Result<()> {
        if self.terminal { self.bytes(b"\x1b[H\x1b[2J") } else { Ok(()) }
    }

    /// Nobody can be told that standard error is gone.
    #[expect(clippy::unused_self, reason = "whoever prints has an Output; nothing else does")]
    fn tell(self, text: &str) {
        io::stderr().lock().write_all(text.as_bytes()).ok();
    }
}

fn painted(color: bool, style: Style, text: &str) -> String {
    let code = match style {
        Style::Plain => return text.to_owned(),
        Style::Dim => 2,
        Style::Bold => 1,
        Style::Green => 32,
        Style::Red => 31,
        Style::Yellow => 33,
        Style::Cyan => 36,
    };
    if color && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_show_only_with_color() {
        assert_eq!(painted(true, Style::Red, "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(painted(false, Style::Red, "x"), "x");
        assert_eq!(painted(true, Style::Plain, "x"), "x");
        assert_eq!(painted(true, Style::Red, ""), "");
    }
}
