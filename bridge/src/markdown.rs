//! A thread as Markdown, to share with people who have no access to the cloud.

use std::fmt::Write as _;

use crate::protocol::input::Input;
use crate::protocol::item::{Item, ItemKind, ItemState, PlanStepState};
use crate::protocol::request::thread::ThreadReadResult;
use crate::text;

/// Returns the thread with the items given.
pub(crate) fn thread(page: &ThreadReadResult) -> String {
    let thread = &page.thread;
    let mut text = format!("# {}\n\n", text::line(&thread.title, 200));
    let facts = [
        ("Repository", thread.repository.url.as_ref().unwrap_or(&thread.repository.name)),
        ("Branch", &thread.branch),
        ("Agent", &thread.agent),
    ];
    for (name, fact) in facts {
        push(&mut text, format_args!("- {name}: `{}`\n", text::line(fact, 300)));
    }
    let diff = thread.diff;
    push(
        &mut text,
        format_args!("- Change: {} files, +{} −{}\n", diff.files, diff.additions, diff.deletions),
    );
    if page.has_more {
        text.push_str("\n*Earlier items are left out.*\n");
    }
    for item in page.items.iter().filter(|item| !is_taken_back(item)) {
        let part = kind(&item.kind);
        if !part.is_empty() {
            push(&mut text, format_args!("\n{}\n", part.trim_end()));
        }
    }
    text
}

/// Tells whether an item is a message that its author withdrew before anybody read it.
fn is_taken_back(item: &Item) -> bool {
    item.state == ItemState::Declined && matches!(item.kind, ItemKind::UserMessage { .. })
}

fn kind(kind: &ItemKind) -> String {
    match kind {
        ItemKind::UserMessage { input, .. } => {
            let words = input.iter().map(part).collect::<Vec<_>>().join("\n");
            let quoted: Vec<String> = words.lines().map(|line| format!("> {line}")).collect();
            format!("**Person**\n\n{}", quoted.join("\n"))
        }
        ItemKind::AgentMessage { text } => text::clean(text),
        ItemKind::Reasoning { .. } | ItemKind::Unknown => String::new(),
        ItemKind::Plan { steps } => steps
            .iter()
            .map(|step| {
                let mark = if step.state == PlanStepState::Completed { 'x' } else { ' ' };
                format!("- [{mark}] {}", text::line(&step.text, 300))
            })
            .collect::<Vec<_>>()
            .join("\n"),
        ItemKind::CommandExecution { command, output, exit_code, .. } => {
            let ended = exit_code
                .filter(|code| *code != 0)
                .map_or_else(String::new, |code| format!("\n(exit {code})"));
            fenced(
                "console",
                &format!("$ {}\n{}{ended}", text::clean(command), text::clean(output).trim_end()),
            )
        }
        ItemKind::FileChange { changes, .. } => changes
            .iter()
            .map(|change| match &change.patch {
                Some(patch) => fenced("diff", &text::clean(patch)),
                None => format!(
                    "`{}` +{} −{}\n",
                    text::line(&change.path, 300),
                    change.additions,
                    change.deletions
                ),
            })
            .collect::<Vec<_>>()
            .join("\n"),
        ItemKind::ToolCall { title, kind, .. } => format!("*{kind}: {}*", text::line(title, 300)),
        ItemKind::Permission { title, answer, .. } => {
            format!(
                "*Asked: {} — {}*",
                text::line(title, 300),
                answer.as_deref().unwrap_or("not answered yet")
            )
        }
        ItemKind::Notice { text, .. } => format!("*{}*", text::line(text, 500)),
    }
}

fn part(input: &Input) -> String {
    match input {
        Input::Text { text } => text::clean(text),
        Input::Image { mime_type, .. } => format!("(a picture, {})", text::line(mime_type, 40)),
        Input::File { path, .. } => format!("`{}`", text::line(path, 300)),
        Input::Selection { path, text, .. } => {
            format!("`{}`:\n{}", text::line(path, 300), text::clean(text))
        }
        Input::Unknown => String::new(),
    }
}

/// A fence longer than any inside.
fn fenced(language: &str, content: &str) -> String {
    let longest = content.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", content.trim_end())
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    #[expect(clippy::expect_used, reason = "a String takes everything")]
    text.write_fmt(arguments).expect("written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_hold_what_is_in_them() {
        assert_eq!(fenced("sh", "ls"), "```sh\nls\n```\n");
        assert_eq!(fenced("", "````\nx"), "`````\n````\nx\n`````\n");
    }
}
