//! How each kind of item looks on a terminal.

use aloft_proto::v1;
use aloft_proto::v1::item::Kind;

use crate::cli::output::{Output, Style};
use crate::cli::text;

/// Lines of a patch shown before the rest is left to `aloft diff`.
const PATCH_LINES: usize = 40;

/// The line of a command.
pub(crate) fn command_line(output: Output, command: &v1::CommandExecution) -> String {
    output.paint(Style::Bold, &format!("$ {}", text::clean(&command.command)))
}

/// How a command ended, where that says something.
pub(crate) fn command_end(
    output: Output,
    command: &v1::CommandExecution,
    state: v1::ItemState,
) -> Option<String> {
    match (command.exit_code, command.signal.as_str()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(output.paint(Style::Red, &format!("(exit {code})"))),
        (None, "") if state == v1::ItemState::Declined => {
            Some(output.paint(Style::Yellow, "(not allowed)"))
        }
        (None, "") if state == v1::ItemState::Failed => Some(output.paint(Style::Red, "(failed)")),
        (None, "") => None,
        (None, signal) => {
            Some(output.paint(Style::Red, &format!("(ended by {})", text::line(signal, 20))))
        }
    }
}

/// The form of an item that is shown at once; `None` where there is nothing to show yet.
pub(crate) fn form(
    output: Output,
    thread: &str,
    kind: &Kind,
    state: v1::ItemState,
    ended: bool,
) -> Option<String> {
    match kind {
        Kind::UserMessage(message) => Some(user_message(output, message, state)),
        Kind::FileChange(change) => ended.then(|| files(output, change, state)),
        Kind::ToolCall(call) => Some(tool_call(output, call, state)),
        Kind::Permission(permission) => Some(question(output, thread, permission)),
        Kind::Notice(notice) => Some(notice_line(output, notice)),
        // These grow, and are shown as they do.
        Kind::AgentMessage(_) | Kind::Reasoning(_) | Kind::CommandExecution(_) | Kind::Plan(_) => {
            None
        }
    }
}

/// Tells whether an item is a person's message.
pub(crate) fn is_message(item: &v1::Item) -> bool {
    matches!(item.kind, Some(Kind::UserMessage(_)))
}

/// Returns an item as it is once the agent has it.
pub(crate) fn delivered(item: &v1::Item) -> v1::Item {
    let mut item = item.clone();
    if let Some(Kind::UserMessage(message)) = &mut item.kind {
        message.set_delivery(v1::Delivery::Delivered);
    }
    item
}

fn user_message(output: Output, message: &v1::UserMessage, state: v1::ItemState) -> String {
    use v1::input::Kind as Part;
    let parts = message.input.iter().map(|part| match &part.kind {
        Some(Part::Text(text)) => text::clean(&text.text),
        Some(Part::Image(image)) => {
            format!(
                "[image {}, {}]",
                text::line(&image.mime_type, 30),
                text::size(image.data.len() as u64)
            )
        }
        Some(Part::File(file)) => format!("[file {}]", text::line(&file.path, 200)),
        Some(Part::Selection(selection)) => {
            let line = selection.range.map_or(1, |range| range.start_line + 1);
            format!(
                "[{}:{line}]\n{}",
                text::line(&selection.path, 200),
                text::clean(&selection.text)
            )
        }
        None => "[a part this version does not know]".to_owned(),
    });
    let text = parts.collect::<Vec<_>>().join("\n");
    let lines = text.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n");
    let fate = match (state, message.delivery()) {
        (v1::ItemState::Declined, _) => "  (taken back)",
        (_, v1::Delivery::Queued) => "  (queued)",
        _ => "",
    };
    format!("{}{}", output.paint(Style::Cyan, &lines), output.paint(Style::Dim, fate))
}

/// The steps of a plan, a line each.
pub(crate) fn steps(output: Output, plan: &v1::Plan) -> Vec<String> {
    let lines = plan.steps.iter().map(|step| {
        let words = text::line(&step.text, 200);
        match step.state() {
            v1::PlanStepState::Completed => output.paint(Style::Dim, &format!("  [x] {words}")),
            v1::PlanStepState::InProgress => output.paint(Style::Bold, &format!("  [~] {words}")),
            v1::PlanStepState::Pending | v1::PlanStepState::Unspecified => format!("  [ ] {words}"),
        }
    });
    lines.collect()
}

fn files(output: Output, change: &v1::FileChange, state: v1::ItemState) -> String {
    let mut lines = Vec::new();
    for file in &change.changes {
        let letter = status_letter(file.status());
        let size = if file.binary {
            "binary".to_owned()
        } else {
            format!("+{} -{}", file.additions, file.deletions)
        };
        let by = if change.author() == v1::Author::Person { " (by a person)" } else { "" };
        let failed = match state {
            v1::ItemState::Declined => " (not allowed)",
            v1::ItemState::Failed => " (failed)",
            v1::ItemState::Unspecified | v1::ItemState::InProgress | v1::ItemState::Completed => "",
        };
        let head = format!("{letter} {}  {size}{by}{failed}", text::line(&file.path, 200));
        lines.push(output.paint(Style::Bold, &head));
        lines.extend(patch(output, &file.patch));
    }
    lines.join("\n")
}

/// The changed lines of a patch, without its head.
fn patch(output: Output, patch: &[u8]) -> Vec<String> {
    let all: Vec<&[u8]> =
        patch.split(|&byte| byte == b'\n').skip_while(|line| !line.starts_with(b"@@")).collect();
    let shown = all.iter().take(PATCH_LINES).filter(|line| !line.is_empty());
    let mut lines: Vec<String> =
        shown.map(|line| format!("  {}", patch_line(output, line))).collect();
    if all.len() > PATCH_LINES {
        lines
            .push(output.paint(Style::Dim, &format!("  … {} more lines", all.len() - PATCH_LINES)));
    }
    lines
}

/// A line of a patch in its color, with nothing in it hidden.
pub(crate) fn patch_line(output: Output, line: &[u8]) -> String {
    let style = match line {
        [b'+', b'+', b'+', b' ', ..] | [b'-', b'-', b'-', b' ', ..] => Style::Bold,
        [b'+', ..] => Style::Green,
        [b'-', ..] => Style::Red,
        [b'@', b'@', ..] => Style::Cyan,
        _ if line.starts_with(b"diff --git ") => Style::Bold,
        _ => Style::Plain,
    };
    output.paint(style, &text::visible(line))
}

/// The letter git shows for what happened to a file.
pub(crate) fn status_letter(status: v1::FileStatus) -> char {
    match status {
        v1::FileStatus::Added => 'A',
        v1::FileStatus::Modified => 'M',
        v1::FileStatus::Deleted => 'D',
        v1::FileStatus::Renamed => 'R',
        v1::FileStatus::TypeChanged => 'T',
        v1::FileStatus::Unspecified => '?',
    }
}

fn tool_call(output: Output, call: &v1::ToolCall, state: v1::ItemState) -> String {
    let title = text::line(&call.title, 200);
    let kind = text::line(&call.kind, 20);
    match state {
        v1::ItemState::Failed => output.paint(Style::Red, &format!("· {kind}: {title} (failed)")),
        v1::ItemState::Declined => {
            output.paint(Style::Yellow, &format!("· {kind}: {title} (not allowed)"))
        }
        v1::ItemState::Unspecified | v1::ItemState::InProgress | v1::ItemState::Completed => {
            output.paint(Style::Dim, &format!("· {kind}: {title}"))
        }
    }
}

fn question(output: Output, thread: &str, permission: &v1::Permission) -> String {
    if !permission.answer.is_empty() {
        let by = if permission.answered_by.is_empty() {
            String::new()
        } else {
            format!(" ({})", text::line(&permission.answered_by, 40))
        };
        let words = match permission.answer.as_str() {
            "cancelled" => "  taken back: the turn was stopped".to_owned(),
            answer => format!("  answered: {}{by}", text::line(&word_of(permission, answer), 60)),
        };
        return output.paint(Style::Dim, &words);
    }
    let mut lines =
        vec![output.paint(Style::Yellow, &format!("? {}", text::line(&permission.title, 200)))];
    let says_more = permission.detail.trim() != permission.title.trim();
    let detail = permission.detail.lines().take(if says_more { PATCH_LINES } else { 0 });
    lines.extend(detail.map(|line| format!("  {}", patch_line(output, line.as_bytes()))));
    let words = answers(permission).into_iter().map(|(word, label)| format!("{word} ({label})"));
    let how =
        format!("  answer with: aloft answer {thread} {}", words.collect::<Vec<_>>().join(" | "));
    lines.push(output.paint(Style::Dim, &how));
    lines.join("\n")
}

/// The word for an answer that was given.
fn word_of(permission: &v1::Permission, answer: &str) -> String {
    let place = permission.options.iter().position(|option| option.id == answer);
    place
        .and_then(|place| answers(permission).into_iter().nth(place))
        .map_or_else(|| answer.to_owned(), |(word, _)| word)
}

/// The words that answer a permission, with their labels: our own short ones where the meaning is known.
pub(crate) fn answers(permission: &v1::Permission) -> Vec<(String, String)> {
    let mut words: Vec<(String, String)> = Vec::new();
    for option in &permission.options {
        let short = match option.kind() {
            v1::OptionKind::AllowOnce => Some("allow"),
            v1::OptionKind::AllowAlways => Some("allow-always"),
            v1::OptionKind::RejectOnce => Some("deny"),
            v1::OptionKind::RejectAlways | v1::OptionKind::Unspecified => None,
        };
        let taken = |word: &str| words.iter().any(|(other, _)| other == word);
        let word =
            short.filter(|word| !taken(word)).map_or_else(|| option.id.clone(), ToOwned::to_owned);
        words.push((word, text::line(&option.label, 40)));
    }
    words
}

fn notice_line(output: Output, notice: &v1::NoticeItem) -> String {
    let words = text::clean(&notice.text);
    match notice.level() {
        v1::Level::Error => output.paint(Style::Red, &format!("! {words}")),
        v1::Level::Warning => output.paint(Style::Yellow, &format!("! {words}")),
        v1::Level::Info | v1::Level::Unspecified => output.paint(Style::Dim, &format!("· {words}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn output() -> Output {
        Output::new(true, &Environment::default())
    }

    fn option(id: &str, kind: v1::OptionKind) -> v1::PermissionOption {
        v1::PermissionOption { id: id.into(), label: format!("label of {id}"), kind: kind.into() }
    }

    #[test]
    fn a_question_says_how_to_answer_and_commands_no_terminal() {
        let mut permission = v1::Permission {
            title: "Run rm\u{1b}[2J".into(),
            detail: "rm -rf\u{1b}]0;x\u{7} build".into(),
            options: vec![
                option("o1", v1::OptionKind::AllowOnce),
                option("o2", v1::OptionKind::AllowOnce),
                option("o3", v1::OptionKind::RejectOnce),
            ],
            ..Default::default()
        };
        let shown = question(output(), "fix-1", &permission);
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
        assert!(
            shown.contains(
                "aloft answer fix-1 allow (label of o1) | o2 (label of o2) | deny (label of o3)"
            ),
            "{shown}"
        );
        for (answer, word) in [("o1", "allow"), ("o2", "o2"), ("o3", "deny"), ("o9", "o9")] {
            permission.answer = answer.into();
            permission.answered_by = "local".into();
            let shown = question(output(), "fix-1", &permission);
            assert_eq!(shown, format!("  answered: {word} (local)"));
        }
    }

    #[test]
    fn items_have_their_forms() {
        let step = |text: &str, state: v1::PlanStepState| v1::PlanStep {
            text: text.into(),
            state: state.into(),
        };
        let plan = v1::Plan {
            steps: vec![
                step("a", v1::PlanStepState::Completed),
                step("b", v1::PlanStepState::InProgress),
                step("c", v1::PlanStepState::Pending),
            ],
        };
        assert_eq!(steps(output(), &plan), ["  [x] a", "  [~] b", "  [ ] c"]);
        let file = v1::FileDiff {
            path: "a.txt".into(),
            status: v1::FileStatus::Modified.into(),
            additions: 1,
            deletions: 1,
            patch: bytes::Bytes::from_static(
                b"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-old\n+new\n",
            ),
            ..Default::default()
        };
        let change = Kind::FileChange(v1::FileChange {
            changes: vec![file],
            author: v1::Author::Agent.into(),
        });
        let cases = [
            (change, "M a.txt  +1 -1\n  @@ -1 +1 @@\n  -old\n  +new"),
            (
                Kind::Notice(v1::NoticeItem {
                    level: v1::Level::Error.into(),
                    text: "no".into(),
                    error: None,
                }),
                "! no",
            ),
        ];
        for (kind, expected) in cases {
            assert_eq!(
                form(output(), "t", &kind, v1::ItemState::Completed, true).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn a_command_says_how_it_ended() {
        let ended = |exit_code, signal: &str, state| {
            let command =
                v1::CommandExecution { exit_code, signal: signal.into(), ..Default::default() };
            command_end(output(), &command, state)
        };
        assert_eq!(ended(Some(0), "", v1::ItemState::Completed), None);
        assert_eq!(ended(Some(3), "", v1::ItemState::Failed).as_deref(), Some("(exit 3)"));
        assert_eq!(
            ended(None, "SIGKILL", v1::ItemState::Failed).as_deref(),
            Some("(ended by SIGKILL)")
        );
        assert_eq!(ended(None, "", v1::ItemState::Declined).as_deref(), Some("(not allowed)"));
    }
}
