//! Issues: where a thread may begin, and what its pull request then closes.

use std::fmt::Write as _;

use crate::forge::{Kind, Located, Picture, Web};

/// Characters of an issue's text, and of each comment, that reach the agent.
const TEXT: usize = 20_000;
/// Comments that reach the agent, the newest, and characters of all of them.
const COMMENTS: usize = 50;
const SAID: usize = 100_000;

/// An issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// What people call it: `12` in a repository, `ENG-12` at a tracker.
    pub key: String,
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
    /// How many are older than these and were not read, as far as the forge says.
    pub unread: usize,
    /// What its texts show that is at the forge itself, in their order.
    pub pictures: Vec<Picture>,
}

/// What somebody said to an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Who.
    pub author: String,
    /// Markdown.
    pub text: String,
    /// Its page.
    pub url: String,
}

impl Issue {
    /// What an agent is told of it.
    pub fn words(&self) -> String {
        let Self { key, url, title, author, text, comments, unread, .. } = self;
        let mut words = format!("Issue {key}: {title}\n{url}\n");
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
        let mut left = SAID;
        let fits = |one: &&Comment| {
            let length = one.text.chars().count().min(TEXT);
            let fits = length <= left;
            left = left.saturating_sub(length);
            fits
        };
        let newest = comments.iter().rev().take(COMMENTS).take_while(fits).count();
        let (earlier, newest) = comments.split_at(comments.len() - newest);
        for Comment { author, text, .. } in newest {
            say(author, text);
        }
        let count = earlier.len().saturating_add(*unread);
        if count > 0 {
            let _ = write!(words, "\n{count} earlier comments are left out here.\n");
        }
        words
    }
}

/// Which issue a person means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// As the forge names the repository; at Linear the workspace. Empty where they did not say.
    pub repository: String,
    /// There.
    pub key: String,
}

impl Reference {
    /// Takes `12`, `#12` and the address of an issue at the forge `web`; at a tracker `ENG-12` and the address of that.
    pub fn parse(text: &str, kind: Kind, web: &Web) -> Option<Self> {
        let text = text.trim();
        match kind {
            Kind::GitHub | Kind::GitLab | Kind::Forgejo => Self::at_forge(text, web),
            Kind::Linear => Self::key(text).or_else(|| {
                let page = web.below(text)?;
                let mut parts = page.path_segments()?;
                let (workspace, issue, key) = (parts.next()?, parts.next()?, parts.next()?);
                let of = Self::key(key).filter(|_| issue == "issue" && !workspace.is_empty())?;
                Some(Self { repository: workspace.to_owned(), ..of })
            }),
            Kind::Jira => Self::key(text).or_else(|| {
                let page = web.below(text)?;
                let selected = page.query_pairs().find(|(name, _)| name == "selectedIssue");
                let path = web.rest(&page);
                let key = path.strip_prefix("browse/").map(|key| key.trim_end_matches('/'));
                Self::key(key.or(selected.as_ref().map(|(_, key)| key.as_ref()))?)
            }),
        }
    }

    /// `ENG-12`, as trackers number issues.
    pub fn key(text: &str) -> Option<Self> {
        let (project, number) = text.split_once('-')?;
        let good = project.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && project.len() <= 100
            && project.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && is_number(number);
        good.then(|| Self { repository: String::new(), key: text.to_ascii_uppercase() })
    }

    fn at_forge(text: &str, web: &Web) -> Option<Self> {
        let bare = text.trim_start_matches('#');
        if is_number(bare) {
            return Some(Self { repository: String::new(), key: bare.to_owned() });
        }
        let address = text.split(['?', '#']).next().unwrap_or_default();
        // Of GitLab, which calls some of them work items.
        let address = address.replace("/-/", "/").replace("/work_items/", "/issues/");
        let (repository, last) = address.rsplit_once("/issues/")?;
        let located = Located::parse(repository)?;
        let repository = web.repository(repository).filter(|_| located.web)?;
        let key = last.trim_end_matches('/').to_owned();
        is_number(&key).then_some(Self { repository, key })
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<u64>().is_ok_and(|number| number > 0) && !text.starts_with(['+', '0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(kind: Kind, web: &str, text: &str) -> Option<(String, String)> {
        let found = Reference::parse(text, kind, &Web::parse(web).unwrap())?;
        Some((found.repository, found.key))
    }

    fn of(name: &str, key: &str) -> (String, String) {
        (name.to_owned(), key.to_owned())
    }

    #[test]
    fn an_issue_is_meant_by_its_number_or_its_address() {
        let parse = |text: &str| parsed(Kind::GitLab, "https://example.com", text);
        assert_eq!(parse("12"), Some(of("", "12")));
        assert_eq!(parse(" #12 "), Some(of("", "12")));
        assert_eq!(parse("https://example.com/a/b/issues/7#issuecomment-1"), Some(of("a/b", "7")));
        assert_eq!(parse("https://example.com/g/s/b/-/issues/7"), Some(of("g/s/b", "7")));
        assert_eq!(parse("https://example.com/g/b/-/work_items/7/"), Some(of("g/b", "7")));
        for bad in [
            "",
            "#",
            "0",
            "x",
            "-1",
            "+1",
            "ENG-12",
            "https://example.org/a/b/issues/7",
            "https://example.com/a/b/pull/7",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_issue_of_a_tracker_is_meant_by_its_key_or_its_address() {
        let linear = |text: &str| parsed(Kind::Linear, "https://linear.app", text);
        assert_eq!(linear("eng-12"), Some(of("", "ENG-12")));
        assert_eq!(
            linear("https://linear.app/acme/issue/ENG-12/it-fails?x=1"),
            Some(of("acme", "ENG-12"))
        );
        assert_eq!(
            linear("https://linear.app/acme/issue/ENG-12#comment-1"),
            Some(of("acme", "ENG-12"))
        );
        for bad in [
            "12",
            "ENG",
            "ENG-",
            "ENG-0",
            "-12",
            "E/G-12",
            "12-12",
            "https://linear.app/acme/issue/",
            "https://linear.app/acme/project/ENG-12",
            "https://linear.app.evil.test/acme/issue/ENG-12",
        ] {
            assert_eq!(linear(bad), None, "{bad}");
        }
        let cloud = |text: &str| parsed(Kind::Jira, "https://acme.atlassian.net", text);
        assert_eq!(cloud("https://acme.atlassian.net/browse/A_B1-7"), Some(of("", "A_B1-7")));
        assert_eq!(
            cloud("https://acme.atlassian.net/browse/AB-7?focusedId=1"),
            Some(of("", "AB-7"))
        );
        let board =
            "https://acme.atlassian.net/jira/software/projects/AB/boards/1?selectedIssue=AB-7";
        assert_eq!(cloud(board), Some(of("", "AB-7")));
        assert_eq!(cloud("https://other.atlassian.net/browse/AB-7"), None);
        assert_eq!(cloud("https://acme.atlassian.net/wiki/AB-7"), None);
        let own = |text: &str| parsed(Kind::Jira, "https://example.com/jira", text);
        assert_eq!(own("https://example.com/jira/browse/AB-7/"), Some(of("", "AB-7")));
        assert_eq!(own("https://example.com/browse/AB-7"), None);
    }

    #[test]
    fn the_agent_is_told_all_of_it_within_bounds() {
        let comment =
            |text: &str| Comment { author: "bob".into(), text: text.into(), url: String::new() };
        let mut comments = vec![comment("first"), comment(" "), comment("Me too.")];
        let issue = |comments| Issue {
            key: "7".into(),
            url: "https://a/7".into(),
            title: "It fails".into(),
            author: "ada".into(),
            text: "ü".repeat(30_000),
            comments,
            unread: 0,
            pictures: Vec::new(),
        };
        let words = issue(comments.clone()).words();
        assert!(words.starts_with("Issue 7: It fails\nhttps://a/7\n\nada wrote:\n\nü"));
        assert!(words.contains("(cut here)") && words.ends_with("bob wrote:\n\nMe too.\n"));
        comments.extend((0..COMMENTS).map(|_| comment("more")));
        let words = issue(comments.clone()).words();
        assert!(!words.contains("first") && words.contains("\n3 earlier comments are left out"));
        let words = Issue { unread: 7, ..issue(comments.clone()) }.words();
        assert!(words.contains("\n10 earlier comments are left out"));
        // Those that are long are fewer, and the newest.
        comments.push(comment("The last."));
        comments.extend((0..COMMENTS).map(|_| comment(&"ü".repeat(30_000))));
        comments.push(comment("The very last."));
        let words = issue(comments).words();
        assert!(words.chars().count() < TEXT + SAID + 2_000);
        assert!(!words.contains("The last.") && words.contains("The very last."));
    }
}
