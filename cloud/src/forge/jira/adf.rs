//! Atlassian's documents as Markdown, and the other way. What is not known here gives the words in it.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// How deep lists and quotes in each other are followed.
const DEEPEST: usize = 50;

/// The words of a text: a document, or words already.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(words) => words.clone(),
        document => blocks(document, 0).trim().to_owned(),
    }
}

/// The blocks in a node, a blank line between two.
fn blocks(node: &Value, depth: usize) -> String {
    let each = content(node).iter().map(|inner| block(inner, depth + 1));
    each.filter(|words| !words.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn block(node: &Value, depth: usize) -> String {
    if depth > DEEPEST {
        return String::new();
    }
    match kind(node) {
        "heading" => {
            let level = node["attrs"]["level"].as_u64().unwrap_or(1).clamp(1, 6);
            let marks = "#".repeat(usize::try_from(level).unwrap_or(1));
            format!("{marks} {}", inline(node, depth))
        }
        "codeBlock" => {
            let language = node["attrs"]["language"].as_str().unwrap_or_default();
            let code: String =
                content(node).iter().filter_map(|one| one["text"].as_str()).collect();
            let fence = if code.contains("```") { "````" } else { "```" };
            format!("{fence}{language}\n{code}\n{fence}")
        }
        "blockquote" | "panel" => prefixed(&blocks(node, depth), "> ", "> "),
        "bulletList" => items(node, depth, |_| "- ".to_owned()),
        "orderedList" => {
            let first = node["attrs"]["order"].as_u64().unwrap_or(1);
            items(node, depth, |at| format!("{}. ", first + at))
        }
        "taskList" => {
            let each = content(node).iter().map(|task| {
                if kind(task) == "taskList" {
                    return prefixed(&block(task, depth + 1), "  ", "  ");
                }
                let mark = if task["attrs"]["state"] == "DONE" { 'x' } else { ' ' };
                format!("- [{mark}] {}", inline(task, depth))
            });
            each.collect::<Vec<_>>().join("\n")
        }
        "rule" => "---".to_owned(),
        "tableRow" => {
            let cells = content(node).iter().map(|cell| blocks(cell, depth).replace('\n', " "));
            format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
        }
        "table" => {
            let rows = content(node).iter().map(|row| block(row, depth + 1));
            rows.collect::<Vec<_>>().join("\n")
        }
        "mediaSingle" | "mediaGroup" | "expand" | "nestedExpand" | "layoutSection"
        | "layoutColumn" | "decisionList" | "bodiedExtension" => blocks(node, depth),
        _ => inline(&json!({ "content": [node] }), depth),
    }
}

fn items(node: &Value, depth: usize, mark: impl Fn(u64) -> String) -> String {
    let each = (0_u64..).zip(content(node)).map(|(at, item)| {
        let mark = mark(at);
        let words = blocks(item, depth).replace("\n\n", "\n");
        prefixed(&words, &mark, &" ".repeat(mark.len()))
    });
    each.collect::<Vec<_>>().join("\n")
}

fn prefixed(words: &str, first: &str, rest: &str) -> String {
    let lines = words.lines().enumerate().map(|(at, line)| {
        let before = if at == 0 { first } else { rest };
        format!("{before}{line}").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The words in a node, on one line but for breaks.
fn inline(node: &Value, depth: usize) -> String {
    if depth > DEEPEST {
        return String::new();
    }
    let mut words = String::new();
    for one in content(node) {
        let attribute = |name: &str| one["attrs"][name].as_str().unwrap_or_default();
        match kind(one) {
            "text" => words.push_str(&marked(one)),
            "hardBreak" => words.push('\n'),
            "mention" => {
                let _ = write!(words, "@{}", attribute("text").trim_start_matches('@'));
            }
            "emoji" if attribute("text").is_empty() => words.push_str(attribute("shortName")),
            "emoji" | "status" => words.push_str(attribute("text")),
            "inlineCard" | "blockCard" | "embedCard" => words.push_str(attribute("url")),
            "date" => words.push_str(attribute("timestamp")),
            "media" | "mediaInline" => {
                let name = [attribute("alt"), attribute("url"), "a file"];
                let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
                let _ = write!(words, "(attached: {name})");
            }
            _ => words.push_str(&inline(one, depth + 1)),
        }
    }
    words
}

/// A piece of text with what is said of it.
fn marked(node: &Value) -> String {
    let mut words = node["text"].as_str().unwrap_or_default().to_owned();
    let marks = node["marks"].as_array().map(Vec::as_slice).unwrap_or_default();
    for mark in marks {
        words = match kind(mark) {
            "code" => format!("`{words}`"),
            "strong" => format!("**{words}**"),
            "em" => format!("*{words}*"),
            "strike" => format!("~~{words}~~"),
            "link" => match mark["attrs"]["href"].as_str().unwrap_or_default() {
                "" => words,
                target if target == words => words,
                target => format!("[{words}]({target})"),
            },
            _ => words,
        };
    }
    words
}

/// A document of these words: paragraphs, lines and fenced code; the rest stands in it as it was written.
pub(super) fn document(words: &str) -> Value {
    let mut blocks = Vec::new();
    let mut lines: Vec<&str> = Vec::new();
    let mut code: Option<Vec<&str>> = None;
    for line in words.lines() {
        let fence = line.trim_start().starts_with("```");
        code = match (code.take(), fence) {
            (Some(lines), true) => {
                blocks.push(code_block(&lines));
                None
            }
            (Some(mut lines), false) => {
                lines.push(line);
                Some(lines)
            }
            (None, true) => {
                blocks.extend(paragraph(&lines));
                lines.clear();
                Some(Vec::new())
            }
            (None, false) => {
                if line.trim().is_empty() {
                    blocks.extend(paragraph(&lines));
                    lines.clear();
                } else {
                    lines.push(line);
                }
                None
            }
        };
    }
    blocks.extend(code.as_deref().map(code_block));
    blocks.extend(paragraph(&lines));
    json!({ "type": "doc", "version": 1, "content": blocks })
}

fn paragraph(lines: &[&str]) -> Option<Value> {
    let mut content = Vec::new();
    for line in lines {
        if !content.is_empty() {
            content.push(json!({ "type": "hardBreak" }));
        }
        content.push(json!({ "type": "text", "text": line }));
    }
    (!content.is_empty()).then(|| json!({ "type": "paragraph", "content": content }))
}

fn code_block(lines: &[&str]) -> Value {
    let code = lines.join("\n");
    // A text without letters is none.
    let content =
        if code.is_empty() { json!([]) } else { json!([{ "type": "text", "text": code }]) };
    json!({ "type": "codeBlock", "content": content })
}

fn kind(node: &Value) -> &str {
    node["type"].as_str().unwrap_or_default()
}

fn content(node: &Value) -> &[Value] {
    node["content"].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(words: &str) -> Value {
        json!({ "type": "paragraph", "content": [{ "type": "text", "text": words }] })
    }

    #[test]
    fn a_document_is_read_as_markdown() {
        let item = |content: Value| json!({ "type": "listItem", "content": content });
        let inner = json!({ "type": "orderedList", "attrs": { "order": 3 }, "content": [item(json!([plain("three")]))] });
        let link = json!([{ "type": "link", "attrs": { "href": "https://a/1" } }]);
        let document = json!({ "type": "doc", "version": 1, "content": [
            { "type": "heading", "attrs": { "level": 2 }, "content": [{ "type": "text", "text": "Steps" }] },
            { "type": "paragraph", "content": [
                { "type": "text", "text": "Ask " },
                { "type": "mention", "attrs": { "id": "1", "text": "@Ada" } },
                { "type": "text", "text": " about " },
                { "type": "text", "text": "main()", "marks": [{ "type": "code" }] },
                { "type": "hardBreak" },
                { "type": "text", "text": "here", "marks": link },
                { "type": "emoji", "attrs": { "shortName": ":smile:" } },
                { "type": "inlineCard", "attrs": { "url": "https://a/2" } },
            ] },
            { "type": "bulletList", "content": [item(json!([plain("one"), inner])), item(json!([plain("two")]))] },
            { "type": "taskList", "content": [{ "type": "taskItem", "attrs": { "state": "DONE" }, "content": [{ "type": "text", "text": "tried" }] }] },
            { "type": "codeBlock", "attrs": { "language": "rust" }, "content": [{ "type": "text", "text": "fn main() {}\n" }] },
            { "type": "panel", "attrs": { "panelType": "info" }, "content": [plain("mind it")] },
            { "type": "mediaSingle", "content": [{ "type": "media", "attrs": { "type": "file", "id": "x", "alt": "shot.png" } }] },
            { "type": "table", "content": [{ "type": "tableRow", "content": [{ "type": "tableCell", "content": [plain("a")] }, { "type": "tableCell", "content": [plain("b")] }] }] },
            { "type": "rule" },
            { "type": "from tomorrow", "content": [plain("still read")] },
        ] });
        let wanted = "## Steps\n\nAsk @Ada about `main()`\n[here](https://a/1):smile:https://a/2\n\n\
            - one\n  3. three\n- two\n\n- [x] tried\n\n```rust\nfn main() {}\n\n```\n\n> mind it\n\n\
            (attached: shot.png)\n\n| a | b |\n\n---\n\nstill read";
        assert_eq!(text(&document), wanted);
        assert_eq!(text(&json!("h1. As it is")), "h1. As it is");
        assert_eq!(text(&Value::Null), "");
        assert_eq!(text(&json!({ "content": [7, null, { "type": "text" }] })), "");
        let mut deep = plain("deep");
        for _ in 0..500 {
            deep = json!({ "type": "blockquote", "content": [deep] });
        }
        assert_eq!(text(&deep), "", "it ends somewhere");
    }

    #[test]
    fn words_are_written_as_a_document() {
        let words = "Plan:\n- one\n- two\n\n```sh\nmake\n\nmake test\n```\n\n```\n```\nDone.";
        let document = document(words);
        let kinds: Vec<&str> = content(&document).iter().map(kind).collect();
        assert_eq!(kinds, ["paragraph", "codeBlock", "codeBlock", "paragraph"]);
        assert_eq!(
            text(&document),
            "Plan:\n- one\n- two\n\n```\nmake\n\nmake test\n```\n\n```\n\n```\n\nDone."
        );
        assert!(!document.to_string().contains(r#""text":"""#), "Jira takes no empty text");
    }
}
