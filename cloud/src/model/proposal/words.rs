//! Title and text of a pull request in the agent's own words: what it is asked, and what its answer holds.
//!
//! What ran and how it ended is told to it and shown below its text by the cloud, from the log: the agent's word for that is
//! not needed.

use std::collections::HashSet;

use aloft_proto::v1::{Item, item::Kind};

use crate::model::{
    naming,
    proposal::{Facts, commands, cut, files, request, with_template},
};

/// Begins what the agent is asked; by it a turn is known for one that is no part of the work.
const QUESTION: &str =
    "Write title and description of the pull request for the work in this thread.";
/// How it is to answer.
const SHAPE: &str = "Change no file and run no command for it: answer with one message, exactly like this:

<title>one line of at most 70 characters</title>
<body>
Markdown for somebody who reviews it: what was changed, why, and what to look at
</body>

Say only what you know. A list of the commands with their exit codes, and of the files, is put below your text: leave these out.";
/// Characters of a title.
const TITLE: usize = 200;
/// Characters of a text.
const TEXT: usize = 30_000;

/// What an agent wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub title: String,
    /// Markdown.
    pub text: String,
}

/// What the agent is asked.
pub fn question(facts: &Facts<'_>, template: &str) -> String {
    let mut parts = vec![QUESTION.to_owned(), SHAPE.to_owned()];
    let known: Vec<String> = [request(facts.items), commands(facts.items), files(facts.files)]
        .into_iter()
        .flatten()
        .collect();
    if !known.is_empty() {
        parts.push(format!("From the log of the thread:\n\n{}", known.join("\n\n")));
    }
    if !template.trim().is_empty() {
        parts.push(format!(
            "The repository has a template for pull requests. Your text is this template filled in, with all its headings; leave \
             as it is what you cannot say, and tick only what the log shows:\n\n{}",
            template.trim()
        ));
    }
    parts.join("\n\n")
}

/// What its answer holds; none where that is not what was asked for.
pub fn answer(text: &str, template: &str) -> Option<Words> {
    let title = naming::one_line(between(text, "<title>", |rest| rest.find("</title>"))?);
    let body = between(text, "<body>", |rest| rest.rfind("</body>"))?.trim();
    if title.is_empty() || title.chars().count() > TITLE || body.is_empty() {
        return None;
    }
    // The marks of the cloud are the cloud's.
    let body = cut(&body.replace("<!-- aloft", "<!-- ").replace("<!-- /aloft", "<!-- "), TEXT);
    let mut headings = template.lines().map(str::trim).filter(|line| line.starts_with('#'));
    let honoured = headings.all(|heading| body.lines().any(|line| line.trim() == heading));
    let text =
        if honoured && has_headings(template) { body } else { with_template(&body, template) };
    Some(Words { title, text })
}

/// The items of the work itself: without the turns in which the agent was asked for words.
pub fn of_the_work(items: Vec<Item>) -> Vec<Item> {
    let asks = |item: &&Item| matches!(&item.kind, Some(Kind::UserMessage(message)) if naming::words(&message.input).starts_with(QUESTION));
    let turns: HashSet<String> =
        items.iter().filter(asks).map(|item| item.turn_id.clone()).collect();
    items
        .into_iter()
        .filter(|item| item.turn_id.is_empty() || !turns.contains(&item.turn_id))
        .collect()
}

fn has_headings(template: &str) -> bool {
    template.lines().any(|line| line.trim().starts_with('#'))
}

fn between<'a>(text: &'a str, first: &str, end: fn(&str) -> Option<usize>) -> Option<&'a str> {
    let rest = &text[text.find(first)? + first.len()..];
    Some(&rest[..end(rest)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "## Why\n\n## Checklist\n\n- [ ] told\n";

    fn told(text: &str) -> Option<Words> {
        answer(text, "")
    }

    #[test]
    fn an_answer_is_taken_only_where_it_is_one() {
        let words =
            told("Sure!\n<title> Fix\nit </title>\n<body>\nIt was broken.\n</body>\nBye").unwrap();
        assert_eq!((words.title.as_str(), words.text.as_str()), ("Fix it", "It was broken."));
        for odd in [
            "",
            "I cannot do that.",
            "<title>Fix</title>",
            "<title></title><body>text</body>",
            "<title>Fix</title><body> \n</body>",
            "</title><title><body></body>",
            "<body>text</body>",
        ] {
            assert_eq!(told(odd), None, "{odd}");
        }
        let long = format!("<title>{}</title><body>text</body>", "ü".repeat(TITLE + 1));
        assert_eq!(told(&long), None);
        let huge = format!("<title>Fix</title><body>{}</body>", "ü".repeat(100_000));
        assert_eq!(told(&huge).unwrap().text.chars().count(), TEXT + 1);
        let marked =
            told("<title>Fix</title><body>a <!-- aloft t1 --> b <!-- /aloft t1 --></body>");
        assert!(!marked.unwrap().text.contains("aloft"));
    }

    #[test]
    fn a_template_is_filled_in_or_stands_below() {
        let said = |body: &str| {
            answer(&format!("<title>Fix</title><body>{body}</body>"), TEMPLATE).unwrap().text
        };
        let filled = "## Why\n\nIt was broken.\n\n## Checklist\n\n- [x] told";
        assert_eq!(said(filled), filled);
        assert_eq!(said("It was broken."), format!("It was broken.\n\n{}", TEMPLATE.trim()));
        // One without headings cannot be known again.
        let plain = answer("<title>Fix</title><body>Mine.</body>", "- [ ] told\n").unwrap();
        assert_eq!(plain.text, "Mine.\n\n- [ ] told");
        let facts = Facts { thread: "t1", agent: "aloft", issue: "", items: &[], files: &[] };
        assert!(question(&facts, TEMPLATE).ends_with("- [ ] told"));
        assert!(!question(&facts, " \n").contains("template"));
    }
}
