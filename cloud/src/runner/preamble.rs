//! What an agent that remembers nothing is told of the thread before its next turn.

use aloft_proto::v1::{Author, Item, input, item::Kind};

use crate::{
    model::machine::Machine,
    runner::{Error, Parts},
};

/// Items looked at, newest last.
const ITEMS: usize = 200;
/// Bytes of the whole preamble.
const LONGEST: usize = 24 * 1024;
/// Bytes of one item in it.
const LONGEST_ITEM: usize = 2 * 1024;

/// The thread's history in a few words, or nothing where there is none.
pub(super) async fn of(parts: &Parts, machine: &Machine) -> Result<Option<String>, Error> {
    let thread = &machine.thread().id;
    let current = machine.turn().map(|turn| turn.id.clone()).unwrap_or_default();
    let page = parts.store.items(thread, None, ITEMS).await?;
    let earlier = page.items.iter().filter(|item| item.turn_id != current);
    Ok(write(earlier))
}

fn write<'a>(items: impl DoubleEndedIterator<Item = &'a Item>) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut length = 0;
    for line in items.rev().filter_map(line) {
        length += line.len();
        if length > LONGEST {
            break;
        }
        lines.push(line);
    }
    if lines.is_empty() {
        return None;
    }
    lines.reverse();
    Some(format!(
        "You worked in this workspace before and do not remember it. This is what happened, oldest first; the files are as \
         you left them.\n\n{}",
        lines.join("\n")
    ))
}

fn line(item: &Item) -> Option<String> {
    let (who, text) = match item.kind.as_ref()? {
        Kind::UserMessage(message) => {
            let texts = message.input.iter().filter_map(|part| match &part.kind {
                Some(input::Kind::Text(text)) => Some(text.text.as_str()),
                _ => None,
            });
            ("The user said", texts.collect::<Vec<_>>().join("\n"))
        }
        Kind::AgentMessage(message) => ("You said", message.text.clone()),
        Kind::CommandExecution(command) => {
            let end = command
                .exit_code
                .map_or_else(|| "did not end".to_owned(), |code| format!("exit {code}"));
            ("You ran", format!("{} ({end})", command.command))
        }
        Kind::FileChange(change) => (
            if change.author() == Author::Person { "A person changed" } else { "You changed" },
            change.changes.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join(", "),
        ),
        Kind::ToolCall(call) => ("You used", call.title.clone()),
        Kind::Notice(notice) => ("It was noted", notice.text.clone()),
        Kind::Permission(_) | Kind::Plan(_) | Kind::Reasoning(_) => return None,
    };
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let longest = LONGEST_ITEM.min(text.len());
    let end = (0..=longest).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    let more = if end < text.len() { " …" } else { "" };
    Some(format!("{who}: {}{more}", &text[..end]))
}

#[cfg(test)]
mod tests {
    use aloft_proto::v1::AgentMessage;

    use super::*;

    fn said(text: &str) -> Item {
        Item {
            kind: Some(Kind::AgentMessage(AgentMessage { text: text.to_owned() })),
            ..Item::default()
        }
    }

    #[test]
    fn the_newest_is_kept_and_the_order_is_told() {
        let items: Vec<Item> =
            (0..100).map(|n| said(&format!("{n} {}", "ü".repeat(2_000)))).collect();
        let text = write(items.iter()).unwrap();
        assert!(
            text.len() < LONGEST + 1_000
                && text.contains("You said: 99 ")
                && !text.contains("You said: 1 ")
        );
        assert!(text.find("98 ").unwrap() < text.find("99 ").unwrap());
    }

    #[test]
    fn nothing_is_told_where_nothing_was() {
        assert_eq!(write([].iter()), None);
    }
}
