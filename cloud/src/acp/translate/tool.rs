//! Actions of agents: `tool_call` and `tool_call_update`, with the habits of each known agent.

use std::collections::HashMap;

use aloft_proto::v1::ItemState;
use base64::Engine as _;
use bytes::Bytes;
use serde_json::Value;

use crate::{
    acp::translate::diff,
    model::update::{OutputUpdate, ToolKind, ToolUpdate},
};

/// Longest arguments or result kept in an item; the raw JSON beside it has all of it.
const MAX_JSON: usize = 64 * 1024;
/// Actions remembered within one turn; more are translated without memory.
const MAX_KNOWN: usize = 10_000;

/// The actions in work.
#[derive(Debug)]
pub(super) struct Tools {
    cwd: String,
    known: HashMap<String, Known>,
}

/// What later updates of an action do not say again.
#[derive(Debug, Default)]
pub(super) struct Known {
    kind: Option<ToolKind>,
    pub(super) title: Option<String>,
    pub(super) command: Option<String>,
    /// Output came in pieces: a whole at the end is only a repetition.
    in_pieces: bool,
    /// It has a terminal: text content is only a repetition.
    terminal: bool,
}

impl Tools {
    pub(super) fn new(cwd: &str) -> Self {
        Self { cwd: cwd.trim_end_matches('/').to_owned(), known: HashMap::new() }
    }

    pub(super) fn known(&self, key: &str) -> Option<&Known> {
        self.known.get(key)
    }

    pub(super) fn forget(&mut self) {
        if self.known.len() > MAX_KNOWN / 10 {
            self.known.clear();
        }
    }

    /// The meaning of an update; `None` when it names no action.
    pub(super) fn update(&mut self, call: &Value) -> Option<ToolUpdate> {
        let key = call["toolCallId"].as_str()?.to_owned();
        let mut spare = Known::default();
        let known = if self.known.len() < MAX_KNOWN || self.known.contains_key(&key) {
            self.known.entry(key.clone()).or_default()
        } else {
            &mut spare
        };
        let (content, meta) = (call["content"].as_array(), &call["_meta"]);
        let is = |kind: &'static str| move |part: &&Value| part["type"] == kind;
        let parts = || content.into_iter().flatten();
        known.terminal |=
            parts().any(|part| part["type"] == "terminal") || !meta["terminal_info"].is_null();

        let changes: Vec<_> =
            parts().filter(is("diff")).filter_map(|part| diff::change(part, &self.cwd)).collect();
        let new_kind = kind(call, known.terminal, !changes.is_empty());
        // Something general may turn out to be more; a command that patches files stays the command it was shown as.
        let kind = match (known.kind, new_kind) {
            (None | Some(ToolKind::Other(_)), Some(new)) => Some(new),
            (known, _) => known,
        };
        known.kind = kind;

        let mut tool = ToolUpdate { key, kind, state: state(call, meta), ..ToolUpdate::default() };
        tool.title = title(call);
        if tool.title.is_some() {
            known.title.clone_from(&tool.title);
        }
        (tool.server, tool.tool) = names(call, meta);
        if !changes.is_empty() {
            tool.changes = Some(changes);
        }
        let text = text_of(parts());
        match kind {
            Some(ToolKind::Execute) => {
                read_command(&mut tool, call, meta, known);
                read_exit(&mut tool, call, meta);
                tool.output = output(call, meta, known, text);
            }
            Some(ToolKind::Edit) => {
                tool.result = text.filter(|_| tool.state == Some(ItemState::Failed));
            }
            Some(ToolKind::Other(_)) | None => {
                tool.arguments = json_text(&call["rawInput"]);
                tool.result = text.map(|text| cut(&text)).or_else(|| json_text(&call["rawOutput"]));
            }
        }
        Some(tool)
    }
}

fn kind(call: &Value, terminal: bool, changes: bool) -> Option<ToolKind> {
    if terminal {
        return Some(ToolKind::Execute);
    }
    if changes {
        return Some(ToolKind::Edit);
    }
    Some(match call["kind"].as_str()? {
        "execute" => ToolKind::Execute,
        "edit" => ToolKind::Edit,
        "read" => ToolKind::Other("read"),
        "search" => ToolKind::Other("search"),
        "fetch" => ToolKind::Other("fetch"),
        "think" => ToolKind::Other("think"),
        "delete" => ToolKind::Other("delete"),
        "move" => ToolKind::Other("move"),
        "switch_mode" => ToolKind::Other("switch_mode"),
        _ => ToolKind::Other("other"),
    })
}

fn state(call: &Value, meta: &Value) -> Option<ItemState> {
    match call["status"].as_str()? {
        "pending" | "in_progress" | "paused" => Some(ItemState::InProgress),
        "completed" => Some(ItemState::Completed),
        "failed" if meta["aloft"]["declined"] == true => Some(ItemState::Declined),
        "failed" | "cancelled" => Some(ItemState::Failed),
        _ => None,
    }
}

/// A title that says something.
fn title(call: &Value) -> Option<String> {
    let title = call["title"].as_str()?.trim();
    let placeholder = title.is_empty() || title == "Terminal" || title.starts_with("Preparing");
    (!placeholder).then(|| title.to_owned())
}

/// The MCP server and the tool's name.
fn names(call: &Value, meta: &Value) -> (Option<String>, Option<String>) {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    if let (Some(server), Some(tool)) =
        (text(&call["rawInput"]["server"]), text(&call["rawInput"]["tool"]))
    {
        return (Some(server), Some(tool));
    }
    let name = text(&meta["claudeCode"]["toolName"]).or_else(|| text(&call["name"]));
    match name.as_deref().and_then(|name| name.strip_prefix("mcp__")?.split_once("__")) {
        Some((server, tool)) => (Some(server.to_owned()), Some(tool.to_owned())),
        None => (None, name),
    }
}

fn read_command(tool: &mut ToolUpdate, call: &Value, meta: &Value, known: &mut Known) {
    let input = &call["rawInput"];
    let from_input =
        [&input["command"], &input["cmd"], &input["input"]["command"], &input["input"]["cmd"]]
            .into_iter()
            .find_map(command_text);
    let from_title = || {
        // Only until the arguments come: a title may be a description.
        let title = tool.title.as_deref()?;
        known.command.is_none().then(|| title.trim_matches('`').to_owned())
    };
    tool.command = from_input.or_else(from_title);
    if tool.command.is_some() {
        known.command.clone_from(&tool.command);
    }
    let folders = [&input["cwd"], &input["workdir"], &meta["terminal_info"]["cwd"]];
    tool.cwd = folders.into_iter().find_map(Value::as_str).map(str::to_owned);
}

/// A command line: a text, or an argument list whose shell is left out.
fn command_text(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let words: Vec<&str> = value.as_array()?.iter().filter_map(Value::as_str).collect();
    match words.as_slice() {
        [] => None,
        [shell, "-c" | "-lc", script] if shell.ends_with("sh") => Some((*script).to_owned()),
        words => Some(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")),
    }
}

fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn read_exit(tool: &mut ToolUpdate, call: &Value, meta: &Value) {
    let result = &call["rawOutput"];
    let codes = [
        &meta["terminal_exit"]["exit_code"],
        &result["metadata"]["exit"],
        &result["exit_code"],
        &result["exitCode"],
    ];
    tool.exit_code =
        codes.into_iter().find_map(Value::as_i64).and_then(|code| i32::try_from(code).ok());
    tool.signal = meta["terminal_exit"]["signal"].as_str().map(str::to_owned);
    if tool.exit_code.is_some_and(|code| code != 0) && tool.state == Some(ItemState::Completed) {
        tool.state = Some(ItemState::Failed);
    }
}

fn output(
    call: &Value,
    meta: &Value,
    known: &mut Known,
    text: Option<String>,
) -> Option<OutputUpdate> {
    if let Some(piece) = piece(&meta["terminal_output_delta"]) {
        known.in_pieces = true;
        return Some(OutputUpdate::Append(piece));
    }
    if known.in_pieces {
        return None;
    }
    if let Some(whole) = piece(&meta["terminal_output"]) {
        return Some(OutputUpdate::Replace(without_exit_line(whole)));
    }
    if known.terminal {
        return None;
    }
    let text = text.or_else(|| {
        let fields = [&call["rawOutput"]["output"], &call["rawOutput"]["metadata"]["output"]];
        fields.into_iter().find_map(Value::as_str).map(str::to_owned)
    });
    text.map(|text| OutputUpdate::Replace(unfenced(&text).to_owned().into()))
}

/// The bytes of `{data}` or `{data_base64}`.
fn piece(delta: &Value) -> Option<Bytes> {
    if let Some(data) = delta["data"].as_str() {
        return Some(data.to_owned().into());
    }
    let data = delta["data_base64"].as_str()?;
    base64::engine::general_purpose::STANDARD.decode(data).ok().map(Bytes::from)
}

/// Claude puts `Exit code N` before what a failed command printed; the item says it already.
fn without_exit_line(output: Bytes) -> Bytes {
    let Some(rest) = output.strip_prefix(b"Exit code ") else { return output };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match rest.get(digits) {
        _ if digits == 0 => output,
        None => Bytes::new(),
        Some(b'\n') => output.slice_ref(&rest[digits + 1..]),
        Some(_) => output,
    }
}

/// A fenced block without its fence.
fn unfenced(text: &str) -> &str {
    let inner = text.trim_end().strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    match inner.and_then(|inner| inner.split_once('\n')) {
        Some((info, body)) if !info.contains('`') => body,
        _ => text,
    }
}

fn text_of<'a>(parts: impl Iterator<Item = &'a Value>) -> Option<String> {
    let words = parts
        .filter(|part| part["type"] == "content")
        .filter_map(|part| part["content"]["text"].as_str());
    let text = words.collect::<Vec<_>>().join("\n");
    (!text.is_empty()).then_some(text)
}

fn json_text(value: &Value) -> Option<String> {
    let empty = match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    (!empty).then(|| value.as_str().map_or_else(|| cut(&value.to_string()), cut))
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_JSON {
        return text.to_owned();
    }
    let end = (0..=MAX_JSON).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", &text[..end])
}
