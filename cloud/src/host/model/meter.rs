//! Counts the tokens of an answer by reading along, without changing or holding up a byte.
//!
//! The APIs say what was used at the end of an answer. Of one that was cut, or whose server says nothing, what was heard and
//! asked is estimated: what nobody counted was paid for all the same.

use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::Value;

use crate::{accounts::keys::Provider, host::UsageRecord};

/// Longest line of a stream, or whole answer, that is looked at; usage in a longer one is not seen.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of text in a token, about.
const BYTES_PER_TOKEN: u64 = 4;
/// The most that is estimated for a request: pictures are large, and few tokens.
const MAX_ESTIMATE: u64 = 200_000;

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
    /// The answer said what it used in all.
    complete: bool,
    /// Bytes of text in the answer so far.
    text: u64,
    /// Bytes of the request, where it said how many.
    asked: u64,
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

/// A piece of an answer, wherever the API puts its text.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Piece {
    delta: Value,
    choices: Vec<Choice>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice {
    delta: Value,
}

impl Piece {
    /// Bytes of its text.
    fn length(&self) -> u64 {
        length(&self.delta) + self.choices.iter().map(|choice| length(&choice.delta)).sum::<u64>()
    }
}

/// Bytes of text in a value, but for the names of what it is.
fn length(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(values) => values.iter().map(length).sum(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| {
                !matches!(name.as_str(), "type" | "role" | "id" | "stop_reason" | "stop_sequence")
            })
            .map(|(_, value)| length(value))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
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
    /// For an answer with these headers to a request of so many bytes.
    pub(super) fn new(provider: Provider, headers: &HeaderMap, asked: u64) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        let form = if kind.starts_with(b"text/event-stream") {
            Form::Stream
        } else if kind.starts_with(b"application/json") {
            Form::Whole
        } else {
            Form::Other
        };
        Self {
            provider,
            form,
            held: Vec::new(),
            overflow: false,
            model: None,
            seen: None,
            complete: false,
            text: 0,
            asked,
        }
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

    /// What was used, if the answer said or was anything.
    pub(super) fn finish(mut self) -> Option<UsageRecord> {
        match self.form {
            Form::Stream => self.line(),
            Form::Whole if !self.overflow => {
                let whole = std::mem::take(&mut self.held);
                self.read(&whole);
            }
            Form::Whole | Form::Other => {}
        }
        let estimated = if self.complete { 0 } else { self.text.div_ceil(BYTES_PER_TOKEN) };
        if self.seen.is_none() && estimated == 0 {
            return None;
        }
        let asked = self.asked.div_ceil(BYTES_PER_TOKEN).min(MAX_ESTIMATE);
        let unsaid = Usage { input_tokens: Some(asked), ..Usage::default() };
        let usage = self.seen.unwrap_or(unsaid);
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
            cache_write_tokens: written,
            output_tokens: usage.output_tokens.unwrap_or(0).max(estimated),
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
        let holds = |word: &[u8]| json.windows(word.len()).any(|part| part == word);
        if self.form == Form::Stream && holds(b"\"delta\"") {
            let piece = serde_json::from_slice::<Piece>(json).unwrap_or_default();
            self.text = self.text.saturating_add(piece.length());
        }
        // Most events are a few words of text; only those that can hold usage are worth a second look.
        if self.form == Form::Stream && !holds(b"\"usage\"") {
            return;
        }
        let Ok(part) = serde_json::from_slice::<Part>(json) else { return };
        let outer = Inner { model: part.model, usage: part.usage };
        // Anthropic says at the beginning, inside of its message, what was asked, and at the end what was answered.
        self.complete |= outer.usage.is_some()
            || part.response.as_ref().is_some_and(|response| response.usage.is_some());
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
        let mut meter = Meter::new(Provider::OpenAi, &headers, 4_000);
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
            cache_write_tokens: 0,
            output_tokens: 10,
        }
    }

    /// Where the API tells what it wrote to its cache.
    fn written(record: UsageRecord) -> UsageRecord {
        UsageRecord { cache_write_tokens: 3, ..record }
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

    #[test]
    fn what_a_cut_stream_did_not_say_is_estimated() {
        let long = "x".repeat(400);
        let anthropic = format!(
            "{}\n\ndata: {{\"type\":\"content_block_delta\",\"delta\":{{\"type\":\"text_delta\",\"text\":\"{long}\"}}}}\n\n",
            ANTHROPIC.split("\n\n").next().unwrap()
        );
        let chat = format!(
            "data: {{\"model\":\"m\",\"choices\":[{{\"delta\":{{\"role\":\"assistant\",\"content\":\"{long}\"}}}}],\"usage\":null}}\n\n"
        );
        let responses = format!(
            "data: {{\"type\":\"response.output_text.delta\",\"item_id\":\"i\",\"delta\":\"{long}\"}}\n\n"
        );
        for (stream, input) in [(anthropic, 123), (chat, 1_000), (responses, 1_000)] {
            let usage = measure("text/event-stream", &[stream.as_bytes()]).unwrap();
            assert_eq!((usage.input_tokens, usage.output_tokens), (input, 100), "{stream}");
        }
        assert_eq!(measure("text/event-stream", &[b"data: {\"type\":\"ping\"}\n\n"]), None);
    }

    proptest! {
        #[test]
        fn streams_count_the_same_however_they_are_cut(size in 1usize..200) {
            for (stream, expected) in [(ANTHROPIC, written(record())), (CHAT, record()), (RESPONSES, record())] {
                let pieces: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
                prop_assert_eq!(measure("text/event-stream; charset=utf-8", &pieces), Some(expected));
            }
        }

        #[test]
        fn junk_never_panics(junk in proptest::collection::vec(any::<u8>(), 0..300)) {
            measure("text/event-stream", &[b"data: {\"usage\":", &junk, b"\n"]);
            measure("application/json", &[&junk]);
        }
    }
}
