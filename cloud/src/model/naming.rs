//! Names made from what a person wrote: titles, slugs and branches.

use aloft_proto::v1::{Input, TextInput, input::Kind};

/// Longest title made from a message, in characters.
const TITLE: usize = 60;
/// Longest title a person may give, in characters.
pub const GIVEN_TITLE: usize = 200;
/// Longest slug without its suffix, in bytes.
const SLUG: usize = 32;
/// Characters of an id: no vowels and no look-alikes, so that no id is a word.
const ALPHABET: &[u8; 27] = b"23456789bcdfghjkmnpqrstvwxz";

/// Twelve lower-case characters from random bytes.
pub fn id(random: [u8; 12]) -> String {
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 27)])).collect()
}

/// One line that says what a message is about.
pub fn title(parts: &[Input]) -> String {
    let line = parts.iter().find_map(|part| match &part.kind {
        Some(Kind::Text(text)) => text.text.lines().map(plain).find(|line| !line.is_empty()),
        Some(Kind::Image(_) | Kind::File(_) | Kind::Selection(_)) | None => None,
    });
    let line = line.unwrap_or_else(|| "Untitled".to_owned());
    if line.chars().count() <= TITLE {
        return line;
    }
    let cut: String = line.chars().take(TITLE - 1).collect();
    let whole_words =
        cut.rfind(' ').filter(|at| *at > TITLE / 2).map_or(cut.as_str(), |at| &cut[..at]);
    format!("{whole_words}…")
}

/// Words as a part of a message.
pub fn part(text: String) -> Input {
    Input { kind: Some(Kind::Text(TextInput { text })) }
}

/// All that was written, without what stands beside it.
pub fn words(parts: &[Input]) -> String {
    let texts = parts.iter().filter_map(|part| match &part.kind {
        Some(Kind::Text(text)) => Some(text.text.clone()),
        Some(Kind::Image(_) | Kind::File(_) | Kind::Selection(_)) | None => None,
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

/// A title as a person gave it, on one line; none where it says nothing or is too long.
pub fn given_title(text: &str) -> Option<String> {
    let title = one_line(text);
    (1..=GIVEN_TITLE).contains(&title.chars().count()).then_some(title)
}

/// A readable name from a title, with the start of the id so that it is unique.
pub fn slug(title: &str, id: &str) -> String {
    let mut words = String::new();
    for word in title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if words.len() + word.len() >= SLUG {
            break;
        }
        if !words.is_empty() {
            words.push('-');
        }
        words.push_str(&word.to_ascii_lowercase());
    }
    let suffix = &id[..id.len().min(4)];
    if words.is_empty() { format!("thread-{suffix}") } else { format!("{words}-{suffix}") }
}

/// Whether git takes this as the name of a branch.
pub fn is_branch(name: &str) -> bool {
    let forbidden = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    !name.is_empty()
        && name.len() <= 200
        && name != "@"
        && name != "HEAD"
        && !name.contains("..")
        && !name.contains("@{")
        && !name.chars().any(forbidden)
        && name.split('/').all(|part| {
            let lock =
                std::path::Path::new(part).extension().is_some_and(|ending| ending == "lock");
            !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with('.') && !lock
        })
}

fn plain(line: &str) -> String {
    let line = line.trim().trim_start_matches(['#', '$', '`', '*', '-', '>', ' ']);
    one_line(line)
}

/// A text without line breaks and characters that are none.
pub fn one_line(text: &str) -> String {
    let seen = text.replace(|c: char| c.is_control(), " ");
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use aloft_proto::v1::TextInput;
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Vec<Input> {
        vec![Input { kind: Some(Kind::Text(TextInput { text: text.to_owned() })) }]
    }

    #[test]
    fn a_given_title_is_one_line_of_at_most_200_characters() {
        assert_eq!(given_title(" Mend\nthe \0 login ").as_deref(), Some("Mend the login"));
        assert_eq!(given_title(&"ü".repeat(200)).map(|title| title.chars().count()), Some(200));
        for bad in [String::new(), " \n\0".to_owned(), "ü".repeat(201)] {
            assert_eq!(given_title(&bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_title_is_the_first_line_that_says_something() {
        assert_eq!(title(&text("\n\n# Fix   the login\nmore")), "Fix the login");
        assert_eq!(title(&text("   \n")), "Untitled");
        assert_eq!(title(&text("\0\nmend\0 it\u{1b}[2J")), "mend it [2J");
        let long = title(&text(&"word ".repeat(40)));
        assert!(long.ends_with('…') && long.chars().count() <= TITLE, "{long}");
    }

    #[test]
    fn a_slug_is_readable_and_ends_in_the_id() {
        assert_eq!(slug("Fix the Login (again)!", "k3v9t2m8"), "fix-the-login-again-k3v9");
        assert_eq!(slug("修正", "k3v9t2m8"), "thread-k3v9");
    }

    #[test]
    fn branches_git_refuses_are_refused() {
        for good in ["main", "aloft/fix-it", "feature/a/b", "v1.2"] {
            assert!(is_branch(good), "{good}");
        }
        for bad in
            ["", "a..b", "-x", "a/", "/a", "a b", "x.lock", "a/.b", "@", "HEAD", "a~1", "end."]
        {
            assert!(!is_branch(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_message_has_a_title_a_slug_and_a_branch(message in ".*", random: [u8; 12]) {
            let (title, id) = (title(&text(&message)), id(random));
            prop_assert!(!title.is_empty() && title.chars().count() <= TITLE);
            let branch = format!("aloft/{}", slug(&title, &id));
            prop_assert!(is_branch(&branch), "{}", branch);
        }
    }
}
