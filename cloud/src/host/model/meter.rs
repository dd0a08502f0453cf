//! Counts the tokens of an answer by reading along, without changing or holding up a byte.

use axum::http::{HeaderMap, header};
use serde::Deserialize;

use crate::{accounts::keys::Provider, host::UsageRecord};

/// Longest line of a stream, or whole answer, that is looked at; usage in a longer one is not seen.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Reads one answer along.
#[derive(Debug)]
pub(super) struct Meter {
    provider: Provider,
    form: Form,
    /// The line of a stream that is not yet whole, or the answer so far.
    held: Vec<u8>,
    overflow: bool,
    model: Option<String>,
    seen: Option<Usage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Server-sent events.
    Stream,
    /// One JSON object.
    Whole,
    /// Something without usage.
    Other,
}

/// One event of a stream, or a whole answer; the three APIs put usage in three places.
#[derive(Deserialize)]
struct Part {
    model: Option<String>,
    usage: Option<Usage>,
    /// Anthropic's `message_start`.
    message: Option<Inner>,
    /// `OpenAI`'s `response.completed` and the like.
    response: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    model: Option<String>,
    usage: Option<Usage>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Usage {
    #[serde(alias = "prompt_tokens")]
    input_tokens: Option<u64>,
    #[serde(alias = "completion_tokens")]
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    #[serde(alias = "prompt_tokens_details")]
    input_tokens_details: Option<Details>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Option<u64>,
}

impl Usage {
    /// Counts only grow within one answer, and a later event may leave out what an earlier one said.
    fn merge(&mut self, later: Self) {
        self.input_tokens = self.input_tokens.max(later.input_tokens);
        self.output_tokens = self.output_tokens.max(later.output_tokens);
        self.cache_creation_input_tokens =
            self.cache_creation_input_tokens.max(later.cache_creation_input_tokens);
        self.cache_read_input_tokens =
            self.cache_read_input_tokens.max(later.cache_read_input_tokens);
        self.input_tokens_details = later.input_tokens_details.or(self.input_tokens_details);
    }
}

impl Meter {
    /// For an answer with these headers.
    pub(super) fn new(provider: Provider, headers: &HeaderMap) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        let form = if kind.starts_with(b"text/event-stream") {
            Form::Stream
        } else if kind.starts_with(b"application/json") {
            Form::Whole
        } else {
            Form::Other
        };
        Self { provider, form, held: Vec::new(), overflow: false, model: None, seen: None }
    }

    /// Reads the next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        match self.form {
            Form::Other => {}
            Form::Whole => self.hold(bytes),
            Form::Stream => {
                while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                    self.hold(&bytes[..end]);
                    self.line();
                    bytes = &bytes[end + 1..];
                }
                self.hold(bytes);
            }
        }
    }

    /// What was used, if the answer said anything of it.
    pub(super) fn finish(mut self) -> Option<UsageRecord> {
        match self.form {
            Form::Stream => self.line(),
            Form::Whole if !self.overflow => {
                let whole = std::mem::take(&mut self.held);
                self.read(&whole);
            }
            Form::Whole | Form::Other => {}
        }
        let usage = self.seen?;
        let cached = usage.input_tokens_details.and_then(|details| details.cached_tokens);
        let input = usage.input_tokens.unwrap_or(0);
        let read = usage.cache_read_input_tokens.unwrap_or(0);
        let written = usage.cache_creation_input_tokens.unwrap_or(0);
        Some(UsageRecord {
            provider: self.provider,
            model: self.model.unwrap_or_default(),
            // Anthropic counts what went through its cache apart from the rest.
            input_tokens: input.saturating_add(read).saturating_add(written),
            cached_tokens: cached.unwrap_or(read),
            output_tokens: usage.output_tokens.unwrap_or(0),
        })
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.held.len() + bytes.len() > MAX_BYTES {
            self.overflow = true;
            self.held.clear();
        }
        if !self.overflow {
            self.held.extend_from_slice(bytes);
        }
    }

    fn line(&mut self) {
        let line = std::mem::take(&mut self.held);
        if !std::mem::take(&mut self.overflow)
            && let Some(data) = line.strip_prefix(b"data:")
        {
            self.read(data);
        }
        self.held = line;
        self.held.clear();
    }

    fn read(&mut self, json: &[u8]) {
        // Most events are a few words of text; only those that can hold usage are worth parsing.
        if self.form == Form::Stream && !json.windows(7).any(|part| part == b"\"usage\"") {
            return;
        }
        let Ok(part) = serde_json::from_slice::<Part>(json) else { return };
        let outer = Inner { model: part.model, usage: part.usage };
        for inner in [Some(outer), part.message, part.response].into_iter().flatten() {
            self.model = inner.model.or(self.model.take());
            if let Some(usage) = inner.usage {
                self.seen.get_or_insert_default().merge(usage);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const ANTHROPIC: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":100,\"cache_read_input_tokens\":20,\"cache_creation_input_tokens\":3,\"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"about \\\"usage\\\"\"}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":10}}\n\n";
    const CHAT: &str = "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}],\"usage\":null}\n\ndata: {\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":123,\"completion_tokens\":10,\"prompt_tokens_details\":{\"cached_tokens\":20}}}\n\ndata: [DONE]\n\n";
    const RESPONSES: &str = "event: response.completed\r\ndata: {\"type\":\"response.completed\",\"response\":{\"model\":\"m\",\"output\":[{\"usage\":1}],\"usage\":{\"input_tokens\":123,\"input_tokens_details\":{\"cached_tokens\":20},\"output_tokens\":10}}}\r\n\r\n";

    fn measure(kind: &'static str, pieces: &[&[u8]]) -> Option<UsageRecord> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let mut meter = Meter::new(Provider::OpenAi, &headers);
        for piece in pieces {
            meter.feed(piece);
        }
        meter.finish()
    }

    fn record() -> UsageRecord {
        UsageRecord {
            provider: Provider::OpenAi,
            model: "m".into(),
            input_tokens: 123,
            cached_tokens: 20,
            output_tokens: 10,
        }
    }

    #[test]
    fn reads_whole_answers() {
        let anthropic = br#"{"model":"m","content":[],"usage":{"input_tokens":103,"cache_read_input_tokens":20,"output_tokens":10}}"#;
        let chat = br#"{"model":"m","usage":{"prompt_tokens":123,"prompt_tokens_details":{"cached_tokens":20},"completion_tokens":10,"total_tokens":133}}"#;
        assert_eq!(measure("application/json", &[anthropic]), Some(record()));
        assert_eq!(measure("application/json; charset=utf-8", &[chat]), Some(record()));
        assert_eq!(measure("application/json", &[br#"{"input_tokens":10}"#]), None);
        assert_eq!(measure("text/html", &[chat]), None);
    }

    #[test]
    fn a_cut_stream_counts_what_was_said() {
        let start = ANTHROPIC.split("\n\n").next().unwrap();
        let usage = measure("text/event-stream", &[start.as_bytes()]).unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (123, 1));
    }

    proptest! {
        #[test]
        fn streams_count_the_same_however_they_are_cut(size in 1usize..200) {
            for stream in [ANTHROPIC, CHAT, RESPONSES] {
                let pieces: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
                prop_assert_eq!(measure("text/event-stream; charset=utf-8", &pieces), Some(record()));
            }
        }

        #[test]
        fn junk_never_panics(junk in proptest::collection::vec(any::<u8>(), 0..300)) {
            measure("text/event-stream", &[b"data: {\"usage\":", &junk, b"\n"]);
            measure("application/json", &[&junk]);
        }
    }
}
