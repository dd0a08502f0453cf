//! The words of a pull request, from what the log knows: what was asked, what ran and how it ended, what changed.
//!
//! They stand between two marks, so that what a person writes around them stays when they are written anew. Where the agent
//! wrote title and text itself, only what ran and what changed stands between them, below its text.

mod words;

use aloft_proto::v1::{FileDiff, FileStatus, Item, item::Kind};

use crate::model::naming;

pub use self::words::{Words, answer, of_the_work, question};

/// Characters of the request that are shown.
const REQUEST: usize = 4_000;
/// Characters of the agent's last words that are shown.
const WORDS: usize = 6_000;
/// Commands that are listed, the newest.
const COMMANDS: usize = 50;
/// Characters of a command that are shown.
const COMMAND: usize = 200;
/// Files that are listed.
const FILES: usize = 100;
/// Forges take no more characters than this in a pull request.
pub const LONGEST: usize = 60_000;

/// Where forges look for the template of a repository, in small letters.
const TEMPLATES: [&str; 7] = [
    ".github/pull_request_template.md",
    "pull_request_template.md",
    "docs/pull_request_template.md",
    ".gitlab/merge_request_templates/default.md",
    ".forgejo/pull_request_template.md",
    ".gitea/pull_request_template.md",
    ".github/pull_request_template.txt",
];
/// The longest template that is taken, in bytes.
const TEMPLATE: u64 = 20_000;

/// What a thread's log says of its work.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The thread's id.
    pub thread: &'a str,
    /// Its agent.
    pub agent: &'a str,
    /// What it says of the issue the thread began with; empty = nothing.
    pub issue: &'a str,
    /// Its items, oldest first.
    pub items: &'a [Item],
    /// What it changed.
    pub files: &'a [FileDiff],
}

/// The words, with their marks.
pub fn body(facts: &Facts<'_>) -> String {
    let said = [request(facts.items), last_words(facts.items)];
    marked(begin(facts.thread), facts, said.into_iter().flatten())
}

/// What stands below the agent's own text, with its marks.
pub fn below(facts: &Facts<'_>) -> String {
    marked(begin_below(facts.thread), facts, std::iter::empty())
}

fn marked(begin: String, facts: &Facts<'_>, said: impl Iterator<Item = String>) -> String {
    let mut parts = vec![begin];
    if !facts.issue.is_empty() {
        parts.push(facts.issue.to_owned());
    }
    parts.extend(said);
    parts.extend(commands(facts.items));
    parts.extend(files(facts.files));
    parts.push(format!(
        "<sub>Made by the agent `{}` in the thread `{}` of Aloft. The list of commands and their exit codes is from its log.</sub>",
        facts.agent, facts.thread
    ));
    parts.push(end(facts.thread));
    parts.join("\n\n")
}

/// The old text with new words in place of those that were written before; none where somebody took these out, and where the
/// whole would be longer than a forge takes: what people wrote is not cut.
pub fn renewed(old: &str, facts: &Facts<'_>) -> Option<String> {
    let last = end(facts.thread);
    let (from, new) = match old.find(&begin(facts.thread)) {
        Some(from) => (from, body(facts)),
        None => (old.find(&begin_below(facts.thread))?, below(facts)),
    };
    let to = from + old[from..].find(&last)? + last.len();
    let whole = format!("{}{new}{}", &old[..from], &old[to..]);
    (whole.chars().count() <= LONGEST).then_some(whole)
}

/// Which of these files, each with its size, is the template that new pull requests begin with.
pub fn template<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> Option<&'a str> {
    let rank = |path: &str| {
        let path = path.to_lowercase();
        TEMPLATES.iter().position(|template| *template == path)
    };
    let found = files.filter(|(_, size)| *size <= TEMPLATE);
    let ranked = found.filter_map(|(path, _)| Some((rank(path)?, path)));
    ranked.min().map(|(_, path)| path)
}

/// The words of a new pull request, and below them the template of its repository for people to fill in.
pub fn with_template(words: &str, template: &str) -> String {
    match template.trim() {
        "" => words.to_owned(),
        template => format!("{words}\n\n{template}"),
    }
}

/// Cut where it is longer than a forge takes.
pub fn fitting(text: &str) -> String {
    cut(text, LONGEST)
}

/// The message of a commit that holds what no commit of the thread's branch holds.
pub fn commit_message(title: &str, thread: &str) -> String {
    format!("{title}\n\n{}\n", thread_line(thread))
}

/// The line by which a commit says which thread it is of.
pub fn thread_line(thread: &str) -> String {
    format!("Aloft-Thread: {thread}")
}

fn begin(thread: &str) -> String {
    format!("<!-- aloft {thread} -->")
}

fn begin_below(thread: &str) -> String {
    format!("<!-- aloft {thread} facts -->")
}

fn end(thread: &str) -> String {
    format!("<!-- /aloft {thread} -->")
}

fn request(items: &[Item]) -> Option<String> {
    let first = items.iter().find_map(|item| match &item.kind {
        Some(Kind::UserMessage(message)) => Some(naming::words(&message.input)),
        _ => None,
    })?;
    let text = cut(first.trim(), REQUEST);
    if text.is_empty() {
        return None;
    }
    let quoted: Vec<String> = text.lines().map(|line| format!("> {line}")).collect();
    Some(quoted.join("\n"))
}

fn last_words(items: &[Item]) -> Option<String> {
    let last = items.iter().rev().find_map(|item| match &item.kind {
        Some(Kind::AgentMessage(message)) => Some(message.text.clone()),
        _ => None,
    })?;
    let text = cut(last.trim(), WORDS);
    (!text.is_empty()).then_some(text)
}

fn commands(items: &[Item]) -> Option<String> {
    let all: Vec<(String, String)> = items
        .iter()
        .filter_map(|item| match &item.kind {
            Some(Kind::CommandExecution(command)) => {
                let how = match (command.exit_code, command.signal.as_str()) {
                    (Some(code), _) => format!("exit code {code}"),
                    (None, "") => "no exit code".to_owned(),
                    (None, signal) => format!("ended by {signal}"),
                };
                let line = command.command.lines().next().unwrap_or_default();
                Some((code(&cut(line, COMMAND)), how))
            }
            _ => None,
        })
        .collect();
    let shown = &all[all.len().saturating_sub(COMMANDS)..];
    if shown.is_empty() {
        return None;
    }
    let mut lines = vec!["### Commands".to_owned(), String::new()];
    if shown.len() < all.len() {
        lines.push(format!("The newest {COMMANDS} of {}:", all.len()));
        lines.push(String::new());
    }
    lines.extend(shown.iter().map(|(command, how)| format!("- {command}: {how}")));
    Some(lines.join("\n"))
}

fn files(files: &[FileDiff]) -> Option<String> {
    if files.is_empty() {
        return None;
    }
    let mut lines = vec!["### Files".to_owned(), String::new()];
    lines.extend(files.iter().take(FILES).map(|file| {
        let what = match file.status() {
            FileStatus::Added => "new, ".to_owned(),
            FileStatus::Deleted => "deleted, ".to_owned(),
            FileStatus::Renamed => format!("was {}, ", code(&file.old_path)),
            FileStatus::Modified | FileStatus::TypeChanged | FileStatus::Unspecified => {
                String::new()
            }
        };
        format!("- {}: {what}+{} -{}", code(&file.path), file.additions, file.deletions)
    }));
    if files.len() > FILES {
        lines.push(format!("- and {} more", files.len() - FILES));
    }
    Some(lines.join("\n"))
}

/// Code in Markdown, whatever it holds.
fn code(text: &str) -> String {
    let mut longest = 0;
    for run in text.split(|letter| letter != '`') {
        longest = longest.max(run.len());
    }
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("`{text}`") } else { format!("{fence} {text} {fence}") }
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use aloft_proto::v1::{AgentMessage, CommandExecution, Input, TextInput, UserMessage, input};

    use super::*;

    fn item(kind: Kind) -> Item {
        Item { kind: Some(kind), ..Item::default() }
    }

    fn command(line: &str, exit_code: Option<i32>) -> Item {
        let command = CommandExecution { command: line.into(), exit_code, ..Default::default() };
        item(Kind::CommandExecution(command))
    }

    #[test]
    fn it_says_what_was_asked_what_ran_and_what_changed() {
        let text = input::Kind::Text(TextInput { text: "Fix it\nsoon".into() });
        let message = UserMessage { input: vec![Input { kind: Some(text) }], ..Default::default() };
        let items = [
            item(Kind::UserMessage(message)),
            command("cargo test\nmore", Some(101)),
            command("echo ``x`", Some(0)),
            command("sleep 9", None),
            item(Kind::AgentMessage(AgentMessage { text: "It is fixed.".into() })),
        ];
        let file = FileDiff { path: "a.rs".into(), additions: 2, ..FileDiff::default() };
        let facts = Facts {
            thread: "t1",
            agent: "shell",
            issue: "Closes #7",
            items: &items,
            files: &[file],
        };
        let body = body(&facts);
        for part in [
            "\n\nCloses #7\n\n",
            "> Fix it\n> soon",
            "It is fixed.",
            "- `cargo test`: exit code 101",
            "- ``` echo ``x` ```: exit code 0",
            "- `sleep 9`: no exit code",
            "- `a.rs`: +2 -0",
        ] {
            assert!(body.contains(part), "{part}\nis not in\n{body}");
        }
    }

    #[test]
    fn what_a_person_wrote_around_it_stays() {
        let facts =
            |items| Facts { thread: "t1", agent: "shell", issue: "Closes #7", items, files: &[] };
        let old = format!("Mine.\n\n{}\n\nMine too.", body(&facts(&[])));
        let items = [command("make", Some(0))];
        let new = renewed(&old, &facts(&items)).unwrap();
        assert!(new.starts_with("Mine.") && new.ends_with("Mine too.") && new.contains("`make`"));
        assert_eq!(renewed("Rewritten by hand.", &facts(&items)), None);
        let long = format!("{old}{}", "ü".repeat(LONGEST));
        assert_eq!(renewed(&long, &facts(&items)), None, "nothing of a person's text is cut");
        let other = Facts { thread: "t2", ..facts(&items) };
        assert_eq!(renewed(&old, &other), None, "another thread's");

        // Below the agent's own text it is what ran and what changed, and stays that.
        let old = format!("By the agent.\n\n{}", below(&facts(&[])));
        let said = item(Kind::AgentMessage(AgentMessage { text: "It is done.".into() }));
        let new = renewed(&old, &facts(&[command("make", Some(0)), said])).unwrap();
        assert!(new.starts_with("By the agent.") && new.contains("`make`: exit code 0"), "{new}");
        assert!(!new.contains("It is done."), "{new}");
    }

    #[test]
    fn a_template_is_found_where_forges_look_for_it_and_stays_when_the_words_are_new() {
        let files = [
            ("docs/pull_request_template.md", 10),
            (".github/PULL_REQUEST_TEMPLATE.md", 10),
            ("src/pull_request_template.md", 10),
        ];
        assert_eq!(template(files.into_iter()), Some(".github/PULL_REQUEST_TEMPLATE.md"));
        assert_eq!(template(files[..1].iter().copied()), Some("docs/pull_request_template.md"));
        assert_eq!(template(files[2..].iter().copied()), None);
        let huge = [("pull_request_template.md", TEMPLATE + 1)];
        assert_eq!(template(huge.into_iter()), None);

        let facts =
            Facts { thread: "t1", agent: "shell", issue: "Closes #7", items: &[], files: &[] };
        let old = with_template(&body(&facts), "- [ ] tested\n");
        assert!(old.ends_with("<!-- /aloft t1 -->\n\n- [ ] tested"), "{old}");
        let new = renewed(&old, &Facts { issue: "Closes #8", ..facts }).unwrap();
        assert!(new.contains("Closes #8") && new.ends_with("- [ ] tested"), "{new}");
        assert_eq!(with_template("words", " \n"), "words");
    }

    #[test]
    fn it_fits_whatever_the_log_holds() {
        let items: Vec<Item> = (0..10_000).map(|_| command(&"ü".repeat(1_000), Some(0))).collect();
        let facts =
            Facts { thread: "t1", agent: "shell", issue: "Closes #7", items: &items, files: &[] };
        assert!(body(&facts).chars().count() < LONGEST);
        assert!(fitting(&"ü".repeat(100_000)).chars().count() <= LONGEST + 1);
    }
}
