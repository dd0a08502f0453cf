//! Server-sent events: bytes in any pieces to the data of whole events.

use crate::agent::coder::model::Error;

/// Longest line taken.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// Cuts a stream into events.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    data: String,
}

impl Lines {
    /// The data of the events that end within `bytes`.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<String>, Error> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            self.end_line(&mut events);
        }
        self.line.extend_from_slice(rest);
        if self.line.len() + self.data.len() > MAX_LINE {
            return Err(Error::broken("an event is larger than 16 MiB".to_owned()));
        }
        Ok(events)
    }

    fn end_line(&mut self, events: &mut Vec<String>) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.strip_suffix('\r').unwrap_or(&line);
        if line.is_empty() {
            if !self.data.is_empty() {
                events.push(std::mem::take(&mut self.data));
            }
        } else if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn events_are_the_same_however_they_are_cut(size in 1usize..40) {
            let stream = "event: a\ndata: {\"x\":\"ü\"}\n\n: comment\r\ndata:1\r\ndata: 2\r\n\r\ndata: [DONE]\n\n";
            let mut lines = Lines::default();
            let mut events = Vec::new();
            for piece in stream.as_bytes().chunks(size) {
                events.extend(lines.take(piece).unwrap());
            }
            prop_assert_eq!(events, ["{\"x\":\"ü\"}", "1\n2", "[DONE]"]);
        }
    }
}
