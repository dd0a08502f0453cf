//! What stands against a pull request: checks that failed and what people said, as an agent is told of it.

use std::fmt::Write as _;

use crate::forge::{Error, Result};

/// Characters of a check's report, and of each remark, that reach the agent.
const TEXT: usize = 6_000;
/// Checks, and remarks, that reach the agent at once.
const ENTRIES: usize = 40;
/// Characters of all checks, and of all remarks, that reach the agent at once.
const ALL: usize = 100_000;
/// How a text begins that the cloud wrote itself.
const OWN: &str = "<!-- aloft ";

/// What stands against a pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Checks of its newest commit that ended badly.
    pub checks: Vec<FailedCheck>,
    /// What people said, oldest first.
    pub remarks: Vec<Remark>,
    /// Further remarks, which are not told yet.
    pub later: usize,
}

/// A check that ended badly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedCheck {
    /// As the forge lists it.
    pub name: String,
    /// Its page; empty = none.
    pub url: String,
    /// What it reports.
    pub text: String,
    /// How its log ends; empty = the forge has none.
    pub log: String,
}

/// What somebody said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remark {
    /// The same at every look.
    pub id: String,
    /// When, as the forge writes it.
    pub time: String,
    /// Who.
    pub author: String,
    /// Whether they belong to the repository, as far as the forge tells.
    pub belongs: bool,
    /// File and line; empty = to the whole.
    pub place: String,
    /// Markdown.
    pub text: String,
}

impl Findings {
    /// In the order in which things were said, without what says nothing and what the cloud said itself.
    pub(super) fn tidied(mut self) -> Self {
        self.remarks.retain(|remark| {
            let text = remark.text.trim();
            !text.is_empty() && !text.starts_with(OWN)
        });
        self.remarks.sort_by(|one, other| (&one.time, &one.id).cmp(&(&other.time, &other.id)));
        self
    }

    /// Leaves out what was said by those who do not belong to the repository, but for the account `login` itself.
    #[must_use]
    pub fn without_strangers(mut self, login: &str) -> Self {
        self.remarks.retain(|remark| remark.belongs || remark.author.eq_ignore_ascii_case(login));
        self
    }

    /// Leaves out what was said before, and of the rest what is more than an agent is told at once: that comes the next time.
    #[must_use]
    pub fn since(mut self, heard: &[String]) -> Self {
        self.remarks.retain(|remark| !heard.contains(&remark.id));
        let mut fits = room();
        let fits = |one: &&Remark| fits(length(&one.text));
        let told = self.remarks.iter().take(ENTRIES).take_while(fits).count();
        self.later = self.remarks.len() - told;
        self.remarks.truncate(told);
        self
    }

    /// Whether nothing stands against it.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.remarks.is_empty()
    }

    /// The checks for which there is room.
    pub fn told_checks(&self) -> Vec<&FailedCheck> {
        let mut fits = room();
        let fits = |check: &&FailedCheck| {
            let FailedCheck { name, url, text, log } = check;
            let line = name.chars().count() + url.chars().count();
            fits(line + length(text) + length(end(log)))
        };
        self.checks.iter().filter(fits).take(ENTRIES).collect()
    }

    /// How much it is, for people.
    pub fn sum(&self) -> String {
        let several = |count: usize, one: &str, more: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {more}")),
        };
        let checks = several(self.checks.len(), "failing check", "failing checks");
        let remarks = several(self.remarks.len(), "comment", "comments");
        let mut sum = checks.into_iter().chain(remarks).collect::<Vec<_>>().join(" and ");
        if self.later > 0 {
            let _ = write!(sum, "; {} more comments come the next time", self.later);
        }
        sum
    }

    /// What an agent is told.
    pub fn words(&self, url: &str) -> String {
        let mut words = format!(
            "Your pull request {url} is not there yet. Mend what stands below. Where something is wrong about a comment, say so instead.\n"
        );
        let told = self.told_checks();
        let left_out = self.checks.len() - told.len();
        for FailedCheck { name, url, text, log } in told {
            // Writing to a string does not fail.
            let _ = write!(words, "\nThe check {name} failed. {url}\n");
            said(&mut words, text);
            if !log.is_empty() {
                words.push_str("\nIts log ends so:\n");
                said(&mut words, end(log));
            }
        }
        for remark in &self.remarks {
            let Remark { author, belongs, place, text, .. } = remark;
            let who = if *belongs { "" } else { ", who does not belong to the repository," };
            let at = if place.is_empty() { String::new() } else { format!(" at {place}") };
            let _ = write!(words, "\n{author}{who} wrote{at}:\n");
            said(&mut words, text);
        }
        if left_out > 0 {
            let _ = write!(words, "\n{left_out} more failing checks are left out here.\n");
        }
        if self.later > 0 {
            let _ = write!(words, "\n{} more comments come later.\n", self.later);
        }
        words
    }
}

/// Who belongs to a repository; nobody, as far as is known, where the forge does not tell that to everybody.
pub(super) fn or_nobody<T: Default>(writers: Result<T>) -> Result<T> {
    match writers {
        Err(
            error @ (Error::Denied { .. } | Error::NotFound { .. } | Error::ScopeMissing { .. }),
        ) => {
            tracing::warn!(%error, "comments are told as those of strangers");
            Ok(T::default())
        }
        other => other,
    }
}

/// Says of one length after the other whether it fits into what is left of all.
fn room() -> impl FnMut(usize) -> bool {
    let mut left = ALL;
    move |length| {
        let fits = length <= left;
        if fits {
            left -= length;
        }
        fits
    }
}

/// Characters of a text as it is told.
fn length(text: &str) -> usize {
    let mut words = String::new();
    said(&mut words, text);
    words.chars().count()
}

/// A text of somebody else: quoted, so that nothing in it is taken for a command or a heading of ours.
fn said(words: &mut String, text: &str) {
    let text = text.trim();
    let cut: String = text.chars().take(TEXT).collect();
    for line in cut.lines() {
        words.push_str("> ");
        words.push_str(line);
        words.push('\n');
    }
    if cut.len() < text.len() {
        words.push_str("(cut here)\n");
    }
}

/// As many of the last lines as reach an agent.
fn end(text: &str) -> &str {
    let text = text.trim_end();
    let from = text.char_indices().rev().nth(TEXT - 1).map_or(0, |(at, _)| at);
    match text[from..].split_once('\n') {
        Some((_, whole)) if from > 0 => whole,
        _ => &text[from..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remark(id: &str, time: &str, text: &str) -> Remark {
        Remark {
            id: id.into(),
            time: time.into(),
            author: "ada".into(),
            belongs: true,
            place: String::new(),
            text: text.into(),
        }
    }

    #[test]
    fn what_was_heard_and_what_the_cloud_said_is_left_out() {
        let remarks = vec![
            remark("2", "2026-01-02", "Later."),
            remark("1", "2026-01-01", "First."),
            remark("3", "2026-01-03", "<!-- aloft t1 -->\n\nmine"),
            remark("4", "2026-01-03", " \n"),
        ];
        let findings = Findings { remarks, ..Findings::default() }.tidied();
        let ids: Vec<&str> = findings.remarks.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["1", "2"]);
        assert_eq!(findings.sum(), "2 comments");
        let rest = findings.since(&["1".into()]);
        assert_eq!(rest.sum(), "1 comment");
        assert!(rest.since(&["2".into()]).is_empty());
    }

    #[test]
    fn strangers_are_told_apart() {
        let stranger = Remark { belongs: false, author: "eve".into(), ..remark("2", "", "Do x.") };
        let remarks = vec![remark("1", "", "Do y."), stranger];
        let findings = Findings { remarks, ..Findings::default() };
        let words = findings.words("https://f/1");
        assert!(words.contains("\nada wrote:\n> Do y.\n"), "{words}");
        let told = "\neve, who does not belong to the repository, wrote:\n> Do x.\n";
        assert!(words.contains(told), "{words}");
        assert_eq!(findings.clone().without_strangers("Eve").remarks.len(), 2);
        let heard = findings.without_strangers("ada");
        assert_eq!(heard.remarks.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["1"]);
    }

    #[test]
    fn what_is_too_much_at_once_comes_the_next_time() {
        let said = |id: usize| remark(&format!("{id:03}"), "2026-01-01", "Why?");
        let all = Findings { remarks: (0..70).map(said).collect(), ..Findings::default() };
        let first = all.clone().since(&[]);
        assert_eq!(first.sum(), "40 comments; 30 more comments come the next time");
        assert!(first.words("https://f/1").contains("30 more comments come later."));
        let heard: Vec<String> = first.remarks.into_iter().map(|remark| remark.id).collect();
        let second = all.since(&heard);
        assert_eq!((second.sum().as_str(), second.remarks[0].id.as_str()), ("30 comments", "040"));
    }

    #[test]
    fn an_agent_hears_where_and_what_and_no_more_than_it_can_take() {
        let check = FailedCheck {
            name: "tests".into(),
            url: "https://ci/1".into(),
            text: "$ rm -rf /\n".repeat(10_000),
            log: format!("{}$ the last line\n", "$ a line\n".repeat(10_000)),
        };
        let at = Remark { place: "a.rs:7".into(), ..remark("1", "", "Why?\n```sh\nrm x\n```") };
        let findings = Findings { checks: vec![check; 50], remarks: vec![at], later: 0 };
        let words = findings.words("https://f/pull/1");
        assert!(words.contains("\nIts log ends so:\n> $ a line\n"), "{words}");
        assert!(words.contains("\n> $ a line\n> $ the last line\n\nThe check"), "{words}");
        assert!(
            words.contains("ada wrote at a.rs:7:\n> Why?\n> ```sh\n> rm x\n> ```\n"),
            "{words}"
        );
        assert!(words.contains("The check tests failed. https://ci/1\n> $ rm -rf /\n"));
        assert!(
            words.contains("(cut here)")
                && words.contains("more failing checks are left out here.")
        );
        assert!(!words.lines().any(|line| line.starts_with('$') || line.starts_with('`')));
    }

    #[test]
    fn a_message_is_bounded_however_much_stands_against_it() {
        let check = |name: String, text: &str| FailedCheck {
            name,
            text: text.into(),
            ..FailedCheck::default()
        };
        let long = "\u{fc}\n".repeat(10_000);
        let mut checks: Vec<_> = (0..30).map(|one| check(format!("long {one}"), &long)).collect();
        checks.extend((0..60).map(|one| check(format!("short {one}"), "It is red.")));
        let remarks = (0..30).map(|id| remark(&format!("{id:02}"), "", &long));
        let all = Findings { checks, remarks: remarks.collect(), later: 0 };
        let mut heard: Vec<String> = Vec::new();
        loop {
            let findings = all.clone().since(&heard);
            if findings.remarks.is_empty() {
                break;
            }
            let words = findings.words("https://f/pull/1");
            assert!(words.chars().count() < 2 * ALL + 5_000, "{}", words.chars().count());
            // What is short has room beside what is long, and what has none is counted.
            let told = |name: &str| words.matches(&format!("\nThe check {name} ")).count();
            assert_eq!((told("long"), told("short")), (8, 32));
            assert_eq!(findings.told_checks().len(), 40);
            assert!(words.contains("\n50 more failing checks are left out here.\n"));
            // Nothing is said to come later that was told, and nothing is left out in between.
            let told = words.matches("\nada wrote:\n").count();
            assert_eq!((told, told + findings.later), (findings.remarks.len(), 30 - heard.len()));
            heard.extend(findings.remarks.into_iter().map(|remark| remark.id));
            let in_order: Vec<String> = (0..heard.len()).map(|id| format!("{id:02}")).collect();
            assert_eq!(heard, in_order);
        }
        assert_eq!(heard.len(), 30);
    }
}
