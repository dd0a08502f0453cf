//! The Chat Completions API of `OpenAI` and of the many servers that are compatible with it.

use serde_json::{Value, json};

use crate::agent::coder::{
    conversation::{Message, Part, Role},
    model::{Decoder, Delta, Error, Reply, Request, Stop, call_part},
};

/// The body of a call. It names no token limit: servers disagree on the name of that field.
pub(super) fn body(request: &Request<'_>) -> Value {
    let tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({"type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": tool.parameters,
            }})
        })
        .collect();
    let mut messages = vec![json!({"role": "system", "content": request.system})];
    for message in request.messages {
        match message.role {
            Role::User => user(message, &mut messages),
            Role::Assistant => messages.push(assistant(message)),
        }
    }
    json!({
        "model": request.model,
        "stream": true,
        "stream_options": {"include_usage": true},
        "messages": messages,
        "tools": tools,
    })
}

/// Results of tools are messages of their own, before what a person says.
fn user(message: &Message, messages: &mut Vec<Value>) {
    let mut content = Vec::new();
    for part in &message.parts {
        match part {
            Part::Result { id, text, .. } => {
                messages.push(json!({"role": "tool", "tool_call_id": id, "content": text}));
            }
            Part::Text { text } => content.push(json!({"type": "text", "text": text})),
            Part::Image { mime_type, data } => content.push(json!({
                "type": "image_url",
                "image_url": {"url": format!("data:{mime_type};base64,{data}")},
            })),
            Part::Thought { .. } | Part::Call { .. } => {}
        }
    }
    match &content[..] {
        [] => {}
        // Servers without pictures take nothing but a string.
        [only] if only["type"] == "text" => {
            messages.push(json!({"role": "user", "content": only["text"]}));
        }
        _ => messages.push(json!({"role": "user", "content": content})),
    }
}

fn assistant(message: &Message) -> Value {
    let mut words = String::new();
    let mut calls = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text { text } => words.push_str(text),
            Part::Call { id, name, arguments, .. } => calls.push(json!({
                "id": id, "type": "function",
                "function": {"name": name, "arguments": arguments.to_string()},
            })),
            _ => {}
        }
    }
    let mut value = json!({"role": "assistant", "content": words});
    if !calls.is_empty() {
        value["tool_calls"] = json!(calls);
    }
    value
}

/// Reads the events of an answer.
#[derive(Debug, Default)]
pub(super) struct Events {
    text: String,
    thought: String,
    calls: Vec<Call>,
    stop: Option<Stop>,
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

impl Decoder for Events {
    fn take(&mut self, event: &Value) -> Result<Option<Delta>, Error> {
        let choice = &event["choices"][0];
        let delta = &choice["delta"];
        for call in delta["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default() {
            self.grow(call);
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.stop = Some(match reason {
                "length" => Stop::MaxTokens,
                "content_filter" => Stop::Refusal,
                _ => Stop::Done,
            });
        }
        let piece = |field: &str| delta[field].as_str().filter(|text| !text.is_empty());
        if let Some(more) = piece("content") {
            self.text.push_str(more);
            return Ok(Some(Delta::Text(more.to_owned())));
        }
        // Two names are in use for it.
        if let Some(more) = piece("reasoning_content").or_else(|| piece("reasoning")) {
            self.thought.push_str(more);
            return Ok(Some(Delta::Thought(more.to_owned())));
        }
        Ok(None)
    }

    fn finish(self: Box<Self>) -> Option<Reply> {
        let stop = self.stop?;
        let mut parts = Vec::new();
        if !self.thought.is_empty() {
            parts.push(Part::Thought { text: self.thought, signature: None });
        }
        if !self.text.is_empty() {
            parts.push(Part::Text { text: self.text });
        }
        parts.extend(
            self.calls.into_iter().map(|call| call_part(call.id, call.name, &call.arguments)),
        );
        Some(Reply { parts, stop })
    }
}

impl Events {
    /// A call comes in pieces with one index; servers that leave the index out send a new id with each new call.
    fn grow(&mut self, piece: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (index, id) = (piece["index"].as_u64(), text(&piece["id"]));
        let known = self.calls.iter().rposition(|call| match index {
            Some(_) => call.index == index,
            None => id.is_empty() || call.id == id,
        });
        let known = known.unwrap_or_else(|| {
            let id =
                if id.is_empty() { format!("call_{}", uuid::Uuid::new_v4().simple()) } else { id };
            let (name, arguments) = (String::new(), String::new());
            self.calls.push(Call { index, id, name, arguments });
            self.calls.len() - 1
        });
        let call = &mut self.calls[known];
        call.name.push_str(&text(&piece["function"]["name"]));
        call.arguments.push_str(&text(&piece["function"]["arguments"]));
    }
}
