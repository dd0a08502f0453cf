//! Issues: where a thread may begin, and what its pull request then closes.

use std::fmt::Write as _;

use crate::forge::{Located, Web};

/// Characters of an issue's text, and of each comment, that reach the agent.
const TEXT: usize = 20_000;
/// Comments that reach the agent, the newest.
const COMMENTS: usize = 50;

/// An issue of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Its number in the repository.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// One line.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// Markdown.
    pub text: String,
    /// What was said since, oldest first.
    pub comments: Vec<Comment>,
}

/// What somebody said to an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Who.
    pub author: String,
    /// Markdown.
    pub text: String,
}

impl Issue {
    /// What an agent is told of it.
    pub fn words(&self) -> String {
        let Self { number, url, title, author, text, comments } = self;
        let mut words = format!("Issue {number}: {title}\n{url}\n");
        let mut say = |author: &str, text: &str| {
            let text = text.trim();
            if !text.is_empty() {
                let cut: String = text.chars().take(TEXT).collect();
                let left_out = if cut.len() < text.len() { "\n(cut here)" } else { "" };
                // Writing to a string does not fail.
                let _ = write!(words, "\n{author} wrote:\n\n{cut}{left_out}\n");
            }
        };
        say(author, text);
        let newest = comments.len().saturating_sub(COMMENTS);
        for Comment { author, text } in &comments[newest..] {
            say(author, text);
        }
        words
    }
}

/// Which issue a person means: its number, and its repository where they gave an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// As the forge names the repository.
    pub repository: Option<String>,
    /// In the repository.
    pub number: u64,
}

impl Reference {
    /// Takes `12`, `#12` and the address of an issue at the forge `web`.
    pub fn parse(text: &str, web: &Web) -> Option<Self> {
        let text = text.trim();
        let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number > 0);
        if let Some(number) = number(text.trim_start_matches('#')) {
            return Some(Self { repository: None, number });
        }
        let address = text.split(['?', '#']).next().unwrap_or_default();
        // Of GitLab, which calls some of them work items.
        let address = address.replace("/-/", "/").replace("/work_items/", "/issues/");
        let (repository, last) = address.rsplit_once("/issues/")?;
        let located = Located::parse(repository)?;
        let name = web.repository(repository).filter(|_| located.web)?;
        Some(Self { repository: Some(name), number: number(last.trim_end_matches('/'))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_is_meant_by_its_number_or_its_address() {
        let web = Web::parse("https://example.com").unwrap();
        let parse = |text: &str| Reference::parse(text, &web);
        let own = |number| Some(Reference { repository: None, number });
        assert_eq!(parse("12"), own(12));
        assert_eq!(parse(" #12 "), own(12));
        let of = |name: &str, number| Some(Reference { repository: Some(name.into()), number });
        assert_eq!(parse("https://example.com/a/b/issues/7#issuecomment-1"), of("a/b", 7));
        assert_eq!(parse("https://example.com/g/s/b/-/issues/7"), of("g/s/b", 7));
        assert_eq!(parse("https://example.com/g/b/-/work_items/7/"), of("g/b", 7));
        for bad in [
            "",
            "#",
            "0",
            "x",
            "-1",
            "https://example.org/a/b/issues/7",
            "https://example.com/a/b/pull/7",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_agent_is_told_all_of_it_within_bounds() {
        let comment = |text: &str| Comment { author: "bob".into(), text: text.into() };
        let mut comments = vec![comment("first"), comment(" "), comment("Me too.")];
        let issue = |comments| Issue {
            number: 7,
            url: "https://a/7".into(),
            title: "It fails".into(),
            author: "ada".into(),
            text: "ü".repeat(30_000),
            comments,
        };
        let words = issue(comments.clone()).words();
        assert!(words.starts_with("Issue 7: It fails\nhttps://a/7\n\nada wrote:\n\nü"));
        assert!(words.contains("(cut here)") && words.ends_with("bob wrote:\n\nMe too.\n"));
        comments.extend((0..COMMENTS).map(|_| comment("more")));
        assert!(!issue(comments).words().contains("first"));
    }
}
