//! What a model request says, whatever API it is of.

use serde_json::Value;

/// Begins a script in a person's message.
const MARK: &str = "MARK ";

/// Begins what an agent attaches to a message, such as the history of the thread, in which old scripts stand.
const ATTACHED: &str = "<context ";

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub stream: bool,
    /// It wants an object of a schema: a side call of the agent, never the script's.
    pub schema: bool,
    pub tools: Vec<String>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
enum Entry {
    Person(String),
    Result,
}

/// What the script says now.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Shell(String),
    Write { path: String, content: String },
    Text { text: String, chunks: usize, pause_ms: u64 },
    Fail(u16),
}

impl Entry {
    fn is_script(&self) -> bool {
        let Self::Person(text) = self else { return false };
        text.contains(MARK) && !text.trim_start().starts_with(ATTACHED)
    }
}

impl Request {
    pub(super) fn read(path: &str, body: &Value) -> Self {
        let stream = body["stream"].as_bool().unwrap_or(false);
        let schema = body["output_config"]["format"].is_object()
            || body["text"]["format"]["type"] == "json_schema"
            || body["response_format"]["type"] == "json_schema";
        let tools = body["tools"].as_array().into_iter().flatten();
        let tools = tools
            .filter_map(|tool| tool["name"].as_str().or_else(|| tool["function"]["name"].as_str()))
            .map(str::to_owned)
            .collect();
        let entries = if path.ends_with("/responses") { responses(body) } else { messages(body) };
        Self { stream, schema, tools, entries }
    }

    /// The step the script is at; none where the request is not the script's.
    pub(super) fn step(&self) -> Option<Step> {
        if self.schema || self.tools.is_empty() {
            return None;
        }
        let at = self.entries.iter().rposition(Entry::is_script)?;
        let Entry::Person(text) = &self.entries[at] else { return None };
        let script = text.rsplit_once(MARK)?.1;
        let steps = serde_json::Deserializer::from_str(script).into_iter::<Value>().next()?.ok()?;
        let done = self.entries[at..].iter().filter(|entry| matches!(entry, Entry::Result)).count();
        let nothing_left = serde_json::json!({"text": "The script is over."});
        let step = steps.as_array()?.get(done).unwrap_or(&nothing_left);
        Some(self.understand(step))
    }

    fn understand(&self, step: &Value) -> Step {
        let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        if step["tool"] == "shell" {
            return Step::Shell(text("cmd"));
        }
        if step["tool"] == "write" {
            return Step::Write { path: text("path"), content: text("content") };
        }
        if let Some(status) = step["fail"].as_u64() {
            return Step::Fail(u16::try_from(status).unwrap());
        }
        let words = match step["recall"].as_str() {
            Some(prefix) => self.recall(prefix).unwrap_or_else(|| "I do not remember.".to_owned()),
            None => text("text"),
        };
        let chunks = step["chunks"].as_u64().unwrap_or(1);
        Step::Text {
            text: words,
            chunks: usize::try_from(chunks).unwrap(),
            pause_ms: step["pauseMs"].as_u64().unwrap_or(0),
        }
    }

    /// A word that the model was told, in this message or before it; the beginning alone is that of the question.
    fn recall(&self, prefix: &str) -> Option<String> {
        let words = self.entries.iter().filter_map(|entry| match entry {
            Entry::Person(text) => Some(text),
            Entry::Result => None,
        });
        words
            .flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-'))
            .find(|word| word.starts_with(prefix) && word.len() > prefix.len())
            .map(str::to_owned)
    }
}

/// Anthropic Messages and `OpenAI` Chat.
fn messages(body: &Value) -> Vec<Entry> {
    let mut entries = Vec::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        match (message["role"].as_str(), &message["content"]) {
            (Some("tool"), _) => entries.push(Entry::Result),
            (Some("user"), Value::String(text)) => entries.push(Entry::Person(text.clone())),
            (Some("user"), Value::Array(parts)) => {
                for part in parts {
                    match part["type"].as_str() {
                        Some("tool_result") => entries.push(Entry::Result),
                        Some("text") => entries.push(Entry::Person(
                            part["text"].as_str().unwrap_or_default().to_owned(),
                        )),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    entries
}

fn responses(body: &Value) -> Vec<Entry> {
    let mut entries = Vec::new();
    for item in body["input"].as_array().into_iter().flatten() {
        let kind = item["type"].as_str().unwrap_or("message");
        if kind.ends_with("_output") {
            entries.push(Entry::Result);
        } else if kind == "message" && item["role"] == "user" {
            for part in item["content"].as_array().into_iter().flatten() {
                entries.push(Entry::Person(part["text"].as_str().unwrap_or_default().to_owned()));
            }
        }
    }
    entries
}
