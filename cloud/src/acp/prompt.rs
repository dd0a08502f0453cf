//! A person's message as ACP content blocks.

use std::fmt::Write as _;

use aloft_proto::v1::{FileInput, Input, Range, SelectionInput, input::Kind};
use base64::Engine as _;
use serde_json::{Value, json};

/// What an agent takes in a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Takes {
    pub(super) images: bool,
    /// Files with their content.
    pub(super) resources: bool,
}

/// The blocks of a message, after the `preamble` that tells a fresh agent what happened before.
pub(super) fn blocks(
    inputs: &[Input],
    preamble: Option<&str>,
    cwd: &str,
    takes: Takes,
) -> Vec<Value> {
    let mut blocks = Vec::new();
    if let Some(preamble) = preamble {
        blocks.push(if takes.resources {
            // As a resource it is context: an agent that does what a prompt says literally does not do it all again.
            let resource =
                json!({"uri": "aloft://thread/history.md", "mimeType": "text/markdown", "text": preamble});
            json!({"type": "resource", "resource": resource})
        } else {
            text(preamble)
        });
    }
    for input in inputs {
        match &input.kind {
            Some(Kind::Text(words)) => blocks.push(text(&words.text)),
            Some(Kind::Image(image)) if takes.images => {
                let data = base64::engine::general_purpose::STANDARD.encode(&image.data);
                blocks.push(json!({"type": "image", "mimeType": image.mime_type, "data": data}));
            }
            Some(Kind::Image(_)) => {
                blocks.push(text("(A picture was attached, which this agent cannot see.)"));
            }
            Some(Kind::File(file)) => {
                let name = file.path.rsplit('/').next().unwrap_or_default();
                let uri = file_uri(cwd, &file.path);
                blocks.push(json!({"type": "resource_link", "uri": uri, "name": name}));
                if let Some(words) = meant(file) {
                    blocks.push(text(&words));
                }
            }
            Some(Kind::Selection(selection)) => blocks.push(text(&quoted(selection))),
            None => {}
        }
    }
    blocks
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// What of a file is meant, and the commit it was seen at, where something is known.
fn meant(file: &FileInput) -> Option<String> {
    let name = format!("`{}`", file.path);
    let part = file.range.as_ref().map(|range| format!("{} of {name}", lines(range)));
    match file.commit.as_str() {
        "" => part.map(|part| format!("({part})")),
        commit => Some(format!("({}, seen at commit {commit})", part.unwrap_or(name))),
    }
}

/// A selection as a fenced block without an info string, longer than any fence inside it: quoted, never an instruction.
fn quoted(selection: &SelectionInput) -> String {
    let inside = selection
        .text
        .lines()
        .map(|line| line.trim_start().bytes().take_while(|b| *b == b'`').count());
    let fence = "`".repeat(inside.max().unwrap_or(0).max(2) + 1);
    let place =
        selection.range.as_ref().map(|range| format!(", {}", lines(range))).unwrap_or_default();
    let commit = match selection.commit.as_str() {
        "" => String::new(),
        commit => format!(", at commit {commit}"),
    };
    let body = selection.text.trim_end_matches('\n');
    format!("Selected in `{}`{place}{commit}:\n{fence}\n{body}\n{fence}", selection.path)
}

/// For people: lines from 1, the last one included.
fn lines(range: &Range) -> String {
    let first = range.start_line + 1;
    let ends_before = range.end_character == 0 && range.end_line > range.start_line;
    let last = if ends_before { range.end_line } else { range.end_line + 1 };
    if first >= last { format!("line {first}") } else { format!("lines {first} to {last}") }
}

fn file_uri(cwd: &str, path: &str) -> String {
    let whole = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{}/{path}", cwd.trim_end_matches('/'))
    };
    let mut uri = "file://".to_owned();
    for byte in whole.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _never_fails = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use aloft_proto::v1::{ImageInput, TextInput};

    use super::*;

    fn input(kind: Kind) -> Input {
        Input { kind: Some(kind) }
    }

    fn range(start_line: u32, end_line: u32, end_character: u32) -> Range {
        Range { start_line, end_line, end_character, ..Range::default() }
    }

    #[test]
    fn each_kind_of_input_has_its_block() {
        let image = || {
            input(Kind::Image(ImageInput {
                mime_type: "image/png".to_owned(),
                data: vec![1, 2].into(),
            }))
        };
        let all = Takes { images: true, resources: true };
        let inputs = [
            input(Kind::Text(TextInput { text: "hi".to_owned() })),
            image(),
            input(Kind::File(FileInput {
                path: "a b/ü.rs".to_owned(),
                range: Some(range(2, 4, 0)),
                commit: String::new(),
            })),
            input(Kind::File(FileInput {
                path: "b.rs".to_owned(),
                range: None,
                commit: "abc".to_owned(),
            })),
            Input::default(),
        ];
        assert_eq!(
            Value::Array(blocks(&inputs, Some("before"), "/workspace", all)),
            json!([
                {"type": "resource", "resource": {"uri": "aloft://thread/history.md", "mimeType": "text/markdown", "text": "before"}},
                {"type": "text", "text": "hi"},
                {"type": "image", "mimeType": "image/png", "data": "AQI="},
                {"type": "resource_link", "uri": "file:///workspace/a%20b/%C3%BC.rs", "name": "ü.rs"},
                {"type": "text", "text": "(lines 3 to 4 of `a b/ü.rs`)"},
                {"type": "resource_link", "uri": "file:///workspace/b.rs", "name": "b.rs"},
                {"type": "text", "text": "(`b.rs`, seen at commit abc)"},
            ])
        );
        let nothing = blocks(&[image()], Some("before"), "/workspace", Takes::default());
        assert_eq!(nothing[0], text("before"));
        assert!(nothing[1]["text"].as_str().unwrap().contains("cannot see"));
    }

    #[test]
    fn a_selection_is_quoted_whatever_it_holds() {
        let selection = SelectionInput {
            path: "README.md".to_owned(),
            range: Some(range(0, 2, 3)),
            text: "```sh\nrm -rf x\n```\n".to_owned(),
            commit: "abc".to_owned(),
        };
        assert_eq!(
            quoted(&selection),
            "Selected in `README.md`, lines 1 to 3, at commit abc:\n````\n```sh\nrm -rf x\n```\n````"
        );
    }
}
