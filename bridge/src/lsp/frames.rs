//! Reads the frames of editors leniently, and gives the library only those it can read.
//!
//! The library ends at the first broken frame, knows header names in one case only, and reads a body of any length. Here a
//! broken frame costs one error answer and nothing else.

use std::io;
use std::mem::take;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::io::AsyncRead;
use tokio_util::codec::{Decoder, FramedRead};
use tokio_util::io::StreamReader;
use tower_lsp::jsonrpc::{Request, Response};

/// The longest body in bytes; a longer one is skipped unread.
const LONGEST_BODY: usize = 64 << 20;
/// The longest header in bytes.
const LONGEST_HEADER: usize = 8 << 10;
/// The method that answers for a body that is no JSON.
pub(super) const NOT_JSON: &str = "$aloft/notJson";
/// The method that answers for JSON that is no message.
pub(super) const NOT_A_MESSAGE: &str = "$aloft/notAMessage";

/// The same input with only well-formed frames in it.
pub(super) fn lenient(
    input: impl AsyncRead + Send + Unpin + 'static,
) -> impl AsyncRead + Send + Unpin {
    StreamReader::new(FramedRead::new(input, Frames::default()).boxed())
}

#[derive(Debug, Default)]
struct Frames {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Header,
    Body(usize),
    Skip(usize),
}

impl Decoder for Frames {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, input: &mut BytesMut) -> io::Result<Option<Bytes>> {
        loop {
            match self.state {
                State::Header => {
                    let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n")
                    else {
                        if input.len() > LONGEST_HEADER {
                            input.clear();
                            return Ok(Some(broken(NOT_JSON)));
                        }
                        return Ok(None);
                    };
                    let header = input.split_to(end + 4);
                    match length_in(&header) {
                        Some(length) if length > LONGEST_BODY => {
                            self.state = State::Skip(length);
                            return Ok(Some(broken(NOT_A_MESSAGE)));
                        }
                        Some(length) => self.state = State::Body(length),
                        None => return Ok(Some(broken(NOT_JSON))),
                    }
                }
                State::Body(length) => {
                    if input.len() < length {
                        input.reserve(length - input.len());
                        return Ok(None);
                    }
                    self.state = State::Header;
                    let body = input.split_to(length);
                    return Ok(Some(checked(&body)));
                }
                State::Skip(left) => {
                    let skipped = left.min(input.len());
                    input.advance(skipped);
                    if skipped < left {
                        self.state = State::Skip(left - skipped);
                        return Ok(None);
                    }
                    self.state = State::Header;
                }
            }
        }
    }

    /// A frame cut off by the end of input was never sent whole: there is nothing to answer and nobody to read it.
    fn decode_eof(&mut self, input: &mut BytesMut) -> io::Result<Option<Bytes>> {
        let frame = self.decode(input)?;
        if frame.is_none() {
            drop(take(input));
        }
        Ok(frame)
    }
}

/// The length a header tells, whatever the case of its name and whatever stands beside it.
fn length_in(header: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(header).ok()?;
    text.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        // Bytes before the header, as a broken frame leaves them, stand in front of its name.
        let name = name.trim().as_bytes();
        let tail = name.get(name.len().saturating_sub(14)..)?;
        tail.eq_ignore_ascii_case(b"content-length").then(|| value.trim().parse().ok())?
    })
}

/// The body as a frame, or the question whose answer says what is wrong with it.
fn checked(body: &[u8]) -> Bytes {
    if serde_json::from_slice::<Request>(body).is_ok()
        || serde_json::from_slice::<Response>(body).is_ok()
    {
        return framed(body);
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        Ok(_) => broken(NOT_A_MESSAGE),
        Err(_) => broken(NOT_JSON),
    }
}

fn broken(method: &str) -> Bytes {
    framed(format!(r#"{{"jsonrpc":"2.0","id":null,"method":"{method}","params":{{}}}}"#).as_bytes())
}

fn framed(body: &[u8]) -> Bytes {
    let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    frame.extend_from_slice(body);
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(input: &[u8]) -> Vec<String> {
        let (mut frames, mut buffer, mut found) = (Frames::default(), BytesMut::new(), Vec::new());
        // Byte by byte: a frame may arrive in any pieces.
        for byte in input {
            buffer.extend_from_slice(&[*byte]);
            while let Some(frame) = frames.decode(&mut buffer).unwrap() {
                let text = String::from_utf8(frame.to_vec()).unwrap();
                found.push(text.split_once("\r\n\r\n").unwrap().1.to_owned());
            }
        }
        assert!(frames.decode_eof(&mut buffer).unwrap().is_none() && buffer.is_empty());
        found
    }

    #[test]
    fn every_way_to_write_a_header_is_read() {
        let body = r#"{"jsonrpc":"2.0","method":"a"}"#;
        for header in [
            "Content-Length: 30",
            "content-length:30",
            "CONTENT-LENGTH: 30\r\nContent-Type: application/vscode-jsonrpc",
            "X-Other: 1\r\nContent-Length: 30",
        ] {
            assert_eq!(decode(format!("{header}\r\n\r\n{body}").as_bytes()), [body], "{header}");
        }
    }

    #[test]
    fn a_broken_frame_costs_one_error_and_the_next_is_read() {
        let good = "Content-Length: 30\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"a\"}";
        for (bad, answer) in [
            ("Content-Length: 5\r\n\r\n{oops", NOT_JSON),
            ("Content-Length: 2\r\n\r\n[]", NOT_A_MESSAGE),
            ("Content-Length: 3\r\n\r\n\"a\"", NOT_A_MESSAGE),
            ("Content-Length: x\r\n\r\n", NOT_JSON),
            ("No-Length: 1\r\n\r\n", NOT_JSON),
        ] {
            let frames = decode(format!("{bad}{good}").as_bytes());
            assert_eq!(frames.len(), 2, "{bad}: {frames:?}");
            assert!(frames[0].contains(answer) && frames[1].contains("\"a\""), "{frames:?}");
        }
        assert_eq!(decode(format!("{good}Content-Length: 100\r\n\r\n{{\"cut").as_bytes()).len(), 1);
    }

    #[test]
    fn a_body_past_the_bound_is_skipped() {
        let (mut frames, mut buffer) = (Frames::default(), BytesMut::new());
        buffer
            .extend_from_slice(format!("Content-Length: {}\r\n\r\n", LONGEST_BODY + 1).as_bytes());
        assert!(frames.decode(&mut buffer).unwrap().is_some());
        let mut left = LONGEST_BODY + 1;
        while left > 0 {
            let piece = left.min(1 << 20);
            buffer.extend_from_slice(&vec![b'x'; piece]);
            assert!(frames.decode(&mut buffer).unwrap().is_none() && buffer.is_empty());
            left -= piece;
        }
        buffer
            .extend_from_slice(b"Content-Length: 30\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"a\"}");
        assert!(frames.decode(&mut buffer).unwrap().is_some());
    }

    proptest::proptest! {
        #[test]
        fn anything_is_read_without_harm(input: Vec<u8>, cut in 0..100_usize) {
            let mut frames = Frames::default();
            let mut buffer = BytesMut::from(&b"Content-Length: 9\r\n\r\n"[..]);
            buffer.extend_from_slice(&input[..cut.min(input.len())]);
            while frames.decode(&mut buffer).unwrap().is_some() {}
        }
    }
}
