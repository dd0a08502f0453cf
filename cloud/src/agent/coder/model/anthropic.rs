//! The Messages API of Anthropic and of what is compatible with it.

use serde_json::{Value, json};

use crate::agent::coder::{
    conversation::{Message, Part, Role},
    model::{Decoder, Delta, Error, Reply, Request, Stop, call_part},
};

/// Longest answer asked for; a longer one is gone on with.
const MAX_TOKENS: u32 = 16_384;

/// The body of a call.
pub(super) fn body(request: &Request<'_>) -> Value {
    let tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| json!({"name": tool.name, "description": tool.description, "input_schema": tool.parameters}))
        .collect();
    // What does not change between calls is paid once; so is, at each call, all that came before.
    let cached = json!({"type": "ephemeral"});
    let system = json!([{"type": "text", "text": request.system, "cache_control": cached}]);
    let mut messages = messages(request.messages);
    if let Some(part) =
        messages.last_mut().and_then(|message| message["content"].as_array_mut()?.last_mut())
    {
        part["cache_control"] = cached;
    }
    json!({
        "model": request.model,
        "max_tokens": MAX_TOKENS,
        "stream": true,
        "system": system,
        "messages": messages,
        "tools": tools,
    })
}

/// Messages of one role in a row become one: not every compatible server takes them apart.
fn messages(messages: &[Message]) -> Vec<Value> {
    messages
        .chunk_by(|one, next| one.role == next.role)
        .filter_map(|group| {
            let role = match group[0].role {
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            let parts = group.iter().flat_map(|message| &message.parts);
            let content: Vec<Value> = parts.filter_map(part).collect();
            (!content.is_empty()).then(|| json!({"role": role, "content": content}))
        })
        .collect()
}

fn part(part: &Part) -> Option<Value> {
    Some(match part {
        // An empty text is refused.
        Part::Text { text } if text.trim().is_empty() => return None,
        Part::Text { text } => json!({"type": "text", "text": text}),
        Part::Image { mime_type, data } => json!({
            "type": "image",
            "source": {"type": "base64", "media_type": mime_type, "data": data},
        }),
        Part::Thought { text, signature } => {
            json!({"type": "thinking", "thinking": text, "signature": signature.as_ref()?})
        }
        Part::Call { id, name, arguments, .. } => {
            json!({"type": "tool_use", "id": id, "name": name, "input": arguments})
        }
        Part::Result { id, text, failed } => json!({
            "type": "tool_result",
            "tool_use_id": id,
            "content": if text.is_empty() { "(nothing)" } else { text.as_str() },
            "is_error": failed,
        }),
    })
}

/// Reads the events of an answer.
#[derive(Debug, Default)]
pub(super) struct Events {
    reply: Reply,
    open: Option<Open>,
    /// `message_delta` said why it stopped, or `message_stop` came.
    ended: bool,
}

/// The block that is being written.
#[derive(Debug)]
enum Open {
    Text(String),
    Thought { text: String, signature: String },
    Call { id: String, name: String, arguments: String },
    Unknown,
}

impl Decoder for Events {
    fn take(&mut self, event: &Value) -> Result<Option<Delta>, Error> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match event["type"].as_str().unwrap_or_default() {
            "content_block_start" => {
                self.close();
                let block = &event["content_block"];
                let open = match block["type"].as_str().unwrap_or_default() {
                    "text" => Open::Text(text(&block["text"])),
                    "thinking" => Open::Thought {
                        text: text(&block["thinking"]),
                        signature: text(&block["signature"]),
                    },
                    "tool_use" => Open::Call {
                        id: text(&block["id"]),
                        name: text(&block["name"]),
                        // Some servers send the input here and no deltas.
                        arguments: match &block["input"] {
                            Value::Object(input) if !input.is_empty() => block["input"].to_string(),
                            _ => String::new(),
                        },
                    },
                    _ => Open::Unknown,
                };
                let shown = match &open {
                    Open::Text(text) if !text.is_empty() => Some(Delta::Text(text.clone())),
                    _ => None,
                };
                self.open = Some(open);
                return Ok(shown);
            }
            "content_block_delta" => return Ok(self.grow(&event["delta"])),
            "content_block_stop" => self.close(),
            "message_delta" => {
                if let Some(reason) = event["delta"]["stop_reason"].as_str() {
                    self.ended = true;
                    self.reply.stop = match reason {
                        "max_tokens" => Stop::MaxTokens,
                        "pause_turn" => Stop::Pause,
                        "refusal" => Stop::Refusal,
                        "model_context_window_exceeded" => Stop::ContextFull,
                        _ => Stop::Done,
                    };
                }
            }
            "message_stop" => self.ended = true,
            _ => {}
        }
        Ok(None)
    }

    fn finish(mut self: Box<Self>) -> Option<Reply> {
        self.close();
        self.ended.then_some(self.reply)
    }
}

impl Events {
    fn grow(&mut self, delta: &Value) -> Option<Delta> {
        let piece = |field: &str| delta[field].as_str().filter(|text| !text.is_empty());
        match self.open.as_mut()? {
            Open::Text(text) => {
                let more = piece("text")?;
                text.push_str(more);
                Some(Delta::Text(more.to_owned()))
            }
            Open::Thought { text, signature } => {
                signature.push_str(piece("signature").unwrap_or_default());
                let more = piece("thinking")?;
                text.push_str(more);
                Some(Delta::Thought(more.to_owned()))
            }
            Open::Call { arguments, .. } => {
                arguments.push_str(piece("partial_json")?);
                None
            }
            Open::Unknown => None,
        }
    }

    fn close(&mut self) {
        let part = match self.open.take() {
            Some(Open::Text(text)) if !text.is_empty() => Part::Text { text },
            Some(Open::Thought { text, signature }) => Part::Thought {
                text,
                signature: Some(signature).filter(|signature| !signature.is_empty()),
            },
            Some(Open::Call { id, name, arguments }) => call_part(id, name, &arguments),
            Some(Open::Text(_) | Open::Unknown) | None => return,
        };
        self.reply.parts.push(part);
    }
}
