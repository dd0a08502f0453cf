//! Answers in the form of each API, streamed where that was asked for.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::model::request::{Request, Step};

/// One block of a stream, and the pause before it.
type Block = (u64, Option<&'static str>, Value);

/// The answer to a request.
pub(super) fn to(path: &str, request: &Request) -> Response {
    let step = request.step().unwrap_or_else(|| Step::Text {
        text: side_call(request),
        chunks: 1,
        pause_ms: 0,
    });
    if let Step::Fail(status) = step {
        let status = StatusCode::from_u16(status).unwrap();
        let error = json!({"type": "invalid_request_error", "message": "it fails as asked"});
        (status, axum::Json(json!({"type": "error", "error": error}))).into_response()
    } else if path.ends_with("/count_tokens") {
        axum::Json(json!({"input_tokens": 10})).into_response()
    } else if path.ends_with("/models") {
        axum::Json(json!({"object": "list", "data": [{"id": "m", "object": "model"}]}))
            .into_response()
    } else if path.ends_with("/responses") {
        streamed(responses(request, &step))
    } else if path.ends_with("/chat/completions") {
        streamed(chat(request, &step))
    } else if path.ends_with("/messages") && request.stream {
        streamed(messages(request, &step))
    } else if path.ends_with("/messages") {
        axum::Json(message(&step)).into_response()
    } else {
        (StatusCode::NOT_FOUND, "no such path").into_response()
    }
}

/// Titles, guardians and classifiers get what lets them go on.
fn side_call(request: &Request) -> String {
    if request.schema {
        r#"{"title":"T","outcome":"allow","risk_level":"low","user_authorization":"high","rationale":"ok"}"#.to_owned()
    } else {
        "<severity>0</severity>".to_owned()
    }
}

fn streamed(blocks: Vec<Block>) -> Response {
    let done = blocks.iter().all(|(_, event, _)| event.is_none());
    let mut blocks: Vec<(u64, String)> = blocks
        .into_iter()
        .map(|(pause, event, data)| match event {
            Some(event) => (pause, format!("event: {event}\ndata: {data}\n\n")),
            None => (pause, format!("data: {data}\n\n")),
        })
        .collect();
    if done {
        blocks.push((0, "data: [DONE]\n\n".to_owned()));
    }
    let body = stream::iter(blocks).then(|(pause, text)| async move {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Ok::<_, std::io::Error>(Bytes::from(text))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}

/// Name and arguments of the agent's own tool for a step; agents differ in both.
fn tool(request: &Request, step: &Step) -> (String, Value) {
    let has = |name: &str| request.tools.iter().any(|tool| tool == name);
    match step {
        Step::Shell(cmd) if has("Bash") => {
            ("Bash".into(), json!({"command": cmd, "description": "x"}))
        }
        Step::Shell(cmd) if has("bash") => {
            ("bash".into(), json!({"command": cmd, "description": "x"}))
        }
        Step::Shell(cmd) if has("run") => ("run".into(), json!({"command": cmd})),
        Step::Shell(cmd) => ("exec_command".into(), json!({"cmd": cmd})),
        Step::Write { path, content } if has("Write") => {
            ("Write".into(), json!({"file_path": path, "content": content}))
        }
        Step::Write { path, content } if has("write") => {
            ("write".into(), json!({"filePath": path, "content": content}))
        }
        Step::Write { path, content } if has("write_file") => {
            ("write_file".into(), json!({"path": path, "content": content}))
        }
        Step::Write { path, content } => {
            let lines = content.lines().fold(String::new(), |text, line| text + "+" + line + "\n");
            let patch = format!(
                "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: {path}\n{lines}*** End Patch\nEOF"
            );
            ("exec_command".into(), json!({"cmd": patch}))
        }
        Step::Text { .. } | Step::Fail(_) => unreachable!("that is no tool"),
    }
}

/// The words in as many pieces as the step asks for, with the pause before each.
fn pieces(step: &Step) -> Vec<(u64, String)> {
    let Step::Text { text, chunks, pause_ms } = step else { return Vec::new() };
    let characters: Vec<char> = text.chars().collect();
    let size = characters.len().div_ceil(*chunks).max(1);
    characters.chunks(size).map(|piece| (*pause_ms, piece.iter().collect())).collect()
}

fn chat(request: &Request, step: &Step) -> Vec<Block> {
    let id = unique("chatcmpl");
    let chunk = |choices: Value| json!({"id": id, "created": 1, "model": "m", "object": "chat.completion.chunk", "choices": choices});
    let delta = |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]));
    let mut blocks = vec![(0, None, delta(json!({"role": "assistant", "content": ""})))];
    let reason = if let Step::Text { .. } = step {
        for (pause, text) in pieces(step) {
            blocks.push((pause, None, delta(json!({"content": text}))));
        }
        "stop"
    } else {
        let (name, arguments) = tool(request, step);
        let call = json!([{"index": 0, "id": unique("call"), "type": "function", "function": {"name": name, "arguments": ""}}]);
        blocks.push((0, None, delta(json!({"tool_calls": call}))));
        let arguments = json!([{"index": 0, "function": {"arguments": arguments.to_string()}}]);
        blocks.push((0, None, delta(json!({"tool_calls": arguments}))));
        "tool_calls"
    };
    blocks.push((0, None, chunk(json!([{"index": 0, "delta": {}, "finish_reason": reason}]))));
    let mut last = chunk(json!([]));
    last["usage"] = json!({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110});
    blocks.push((0, None, last));
    blocks
}

fn responses(request: &Request, step: &Step) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (id, item_id) = (unique("resp"), unique("item"));
    let response = |status: &str, output: Value| {
        json!({"id": id, "object": "response", "status": status, "output": output, "usage": {
            "input_tokens": 100, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 10,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 110}})
    };
    let created =
        json!({"type": "response.created", "response": response("in_progress", json!([]))});
    blocks.push((0, Some("response.created"), created));
    let item = if let Step::Text { text, .. } = step {
        let begun = json!({"type": "message", "id": item_id, "role": "assistant", "status": "in_progress", "content": []});
        blocks.push((
            0,
            Some("response.output_item.added"),
            json!({"type": "response.output_item.added", "output_index": 0, "item": begun}),
        ));
        for (pause, piece) in pieces(step) {
            let delta = json!({"type": "response.output_text.delta", "item_id": item_id, "output_index": 0, "content_index": 0, "delta": piece});
            blocks.push((pause, Some("response.output_text.delta"), delta));
        }
        json!({"type": "message", "id": item_id, "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}]})
    } else {
        let (name, arguments) = tool(request, step);
        let item = json!({"type": "function_call", "id": item_id, "call_id": unique("call"), "name": name,
            "arguments": arguments.to_string(), "status": "completed"});
        blocks.push((
            0,
            Some("response.output_item.added"),
            json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
        ));
        item
    };
    blocks.push((
        0,
        Some("response.output_item.done"),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
    ));
    let completed =
        json!({"type": "response.completed", "response": response("completed", json!([item]))});
    blocks.push((0, Some("response.completed"), completed));
    for (number, (_, _, block)) in blocks.iter_mut().enumerate() {
        block["sequence_number"] = json!(number);
    }
    blocks
}

fn messages(request: &Request, step: &Step) -> Vec<Block> {
    let usage = json!({"input_tokens": 100, "output_tokens": 1});
    let start = json!({"type": "message_start", "message": {"id": unique("msg"), "type": "message", "role": "assistant",
        "model": "m", "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage}});
    let mut blocks = vec![(0, Some("message_start"), start)];
    let delta = |pause: u64, delta: Value| {
        (
            pause,
            Some("content_block_delta"),
            json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        )
    };
    let reason = if let Step::Text { .. } = step {
        let block = json!({"type": "text", "text": ""});
        blocks.push((
            0,
            Some("content_block_start"),
            json!({"type": "content_block_start", "index": 0, "content_block": block}),
        ));
        for (pause, text) in pieces(step) {
            blocks.push(delta(pause, json!({"type": "text_delta", "text": text})));
        }
        "end_turn"
    } else {
        let (name, arguments) = tool(request, step);
        let block = json!({"type": "tool_use", "id": unique("call"), "name": name, "input": {}});
        blocks.push((
            0,
            Some("content_block_start"),
            json!({"type": "content_block_start", "index": 0, "content_block": block}),
        ));
        blocks.push(delta(
            0,
            json!({"type": "input_json_delta", "partial_json": arguments.to_string()}),
        ));
        "tool_use"
    };
    blocks.push((0, Some("content_block_stop"), json!({"type": "content_block_stop", "index": 0})));
    let end = json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 10}});
    blocks.push((0, Some("message_delta"), end));
    blocks.push((0, Some("message_stop"), json!({"type": "message_stop"})));
    blocks
}

fn message(step: &Step) -> Value {
    let Step::Text { text, .. } = step else { return json!({"type": "error"}) };
    json!({"id": unique("msg"), "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "stop_sequence": null, "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 10, "output_tokens": 1}})
}

/// A name no other thing of this server has: agents take two messages or calls of one name for one.
fn unique(kind: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{kind}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
