//! The user's `~/.ssh/config` as text: our two lines put in as its first directive, or taken out, every other byte as it is.
//!
//! Pure: bytes go in and come out. ssh takes the first value it meets, so our line stands above everything, global options
//! and other `Include`s too. What a person made of our lines is recognized and left alone.

/// The line above our `Include`.
const MARKER: &str = "# The next line makes the sandboxes of Aloft known to ssh; `aloft setup ssh --remove` takes both out.";

/// How our lines stand in a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not at all.
    Absent,
    /// As the first directive.
    First,
    /// Behind a directive, which wins over ours.
    Behind {
        /// Its line.
        line: usize,
        /// What it says.
        text: String,
    },
}

/// A line of ours that a person changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The line.
    pub(crate) line: usize,
    /// What it says now.
    pub(crate) text: String,
}

/// A line with where it lies and how it ends.
struct Line<'a> {
    start: usize,
    end: usize,
    text: &'a [u8],
}

/// Returns our directive for a generated file at `path`, which `quote::includable` has checked.
pub(crate) fn directive(path: &str) -> String {
    format!("Include \"{path}\"")
}

/// Returns what a person would add by hand.
pub(crate) fn lines(path: &str) -> String {
    format!("{MARKER}\n{}\n", directive(path))
}

/// Tells how our lines stand.
pub(crate) fn state(text: &[u8], path: &str) -> Result<State, Changed> {
    let all: Vec<Line<'_>> = split(text).collect();
    let ours = pairs(&all, path);
    let changed = all.iter().enumerate().find(|(at, line)| {
        let in_pair = ours.iter().any(|pair| *pair == *at || pair + 1 == *at);
        !in_pair && (is_widow(&all, *at) || mentions(line.text, path))
    });
    if let Some((at, line)) = changed {
        // Of a comment that lost its directive, what stands there instead says more.
        let at = if line.text == MARKER.as_bytes() && at + 1 < all.len() { at + 1 } else { at };
        return Err(Changed { line: at + 1, text: shown(all[at].text) });
    }
    let Some(first) = ours.first() else { return Ok(State::Absent) };
    let before = all[..*first].iter().enumerate().find(|(_, line)| is_directive(line.text));
    Ok(match before {
        Some((at, line)) => State::Behind { line: at + 1, text: shown(line.text) },
        None => State::First,
    })
}

/// Puts our lines in as the first directive, taking them out of any other place.
pub(crate) fn insert(text: &[u8], path: &str) -> Vec<u8> {
    if state(text, path) == Ok(State::First) {
        return text.to_vec();
    }
    let rest = remove(text, path);
    let end = if ends_in_crlf(&rest) { "\r\n" } else { "\n" };
    let mut whole = format!("{MARKER}{end}{}{end}", directive(path)).into_bytes();
    whole.extend(rest);
    whole
}

/// Takes our lines out wherever they stand unchanged.
pub(crate) fn remove(text: &[u8], path: &str) -> Vec<u8> {
    let all: Vec<Line<'_>> = split(text).collect();
    let mut rest = Vec::with_capacity(text.len());
    let mut from = 0;
    for at in pairs(&all, path) {
        rest.extend_from_slice(&text[from..all[at].start]);
        from = all[at + 1].end;
    }
    rest.extend_from_slice(&text[from..]);
    rest
}

/// Where our two lines stand together.
fn pairs(all: &[Line<'_>], path: &str) -> Vec<usize> {
    let directive = directive(path);
    (0..all.len().saturating_sub(1))
        .filter(|at| all[*at].text == MARKER.as_bytes() && all[at + 1].text == directive.as_bytes())
        .collect()
}

/// Our comment without our directive; before the `Include` of another data folder of Aloft it is that one's.
fn is_widow(all: &[Line<'_>], at: usize) -> bool {
    all[at].text == MARKER.as_bytes()
        && !all.get(at + 1).is_some_and(|next| {
            next.text.starts_with(b"Include \"") && next.text.ends_with(b"/ssh/config\"")
        })
}

/// An `Include` of our file in another form.
fn mentions(line: &[u8], path: &str) -> bool {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_start();
    line.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("include")) && line.contains(path)
}

/// Whether ssh reads more in a line than nothing or a comment.
pub(crate) fn is_directive(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    !text.is_empty() && !text.starts_with(b"#")
}

fn split(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    text.split_inclusive(|byte| *byte == b'\n').map(move |whole| {
        let begin = start;
        start += whole.len();
        let line = whole.strip_suffix(b"\n").unwrap_or(whole);
        Line { start: begin, end: start, text: line.strip_suffix(b"\r").unwrap_or(line) }
    })
}

fn ends_in_crlf(text: &[u8]) -> bool {
    let first = text.iter().position(|byte| *byte == b'\n');
    first.is_some_and(|at| at > 0 && text[at - 1] == b'\r')
}

fn shown(line: &[u8]) -> String {
    let line: String = String::from_utf8_lossy(line).trim().chars().take(200).collect();
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATH: &str = "/home/me/.local/share/aloft/ssh/config";

    #[test]
    fn our_lines_come_first_and_keep_the_line_ending() {
        let text = insert(b"User root\nHost *\n", PATH);
        assert_eq!(text, format!("{}User root\nHost *\n", lines(PATH)).into_bytes());
        let windows = insert(b"User root\r\n", PATH);
        assert!(windows.ends_with(b"/ssh/config\"\r\nUser root\r\n"));
        assert_eq!(state(&windows, PATH), Ok(State::First));
        assert_eq!(insert(&windows, PATH), windows);
    }

    #[test]
    fn lines_that_were_moved_down_come_up_again() {
        let moved = format!("# mine\nUser root\n{}", lines(PATH));
        let state_now = state(moved.as_bytes(), PATH);
        assert_eq!(state_now, Ok(State::Behind { line: 2, text: "User root".into() }));
        let again = insert(moved.as_bytes(), PATH);
        assert_eq!(state(&again, PATH), Ok(State::First));
        assert_eq!(remove(&again, PATH), b"# mine\nUser root\n");
        let commented = format!("# vim: ft=sshconfig\n\n{}", lines(PATH));
        assert_eq!(state(commented.as_bytes(), PATH), Ok(State::First));
    }

    #[test]
    fn what_a_person_made_of_them_is_seen() {
        let changed = |text: String| state(text.as_bytes(), PATH).unwrap_err().line;
        assert_eq!(changed(format!("{MARKER}\n")), 1);
        assert_eq!(changed(format!("{MARKER}\nInclude other\n")), 2);
        assert_eq!(changed(format!("\ninclude {PATH}\n")), 2);
        assert_eq!(changed(format!("{}Include \"{PATH}\" more\n", lines(PATH))), 3);
        let other = lines("/elsewhere/aloft/ssh/config");
        assert_eq!(state(other.as_bytes(), PATH), Ok(State::Absent));
        assert_eq!(state(insert(other.as_bytes(), PATH).as_slice(), PATH), Ok(State::First));
    }

    proptest! {
        #[test]
        fn in_and_out_leaves_every_byte(text in proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(b'\n'), Just(b'\r'), Just(b'#'), Just(b'$'), Just(b'&')], 0..200)
        ) {
            prop_assert_eq!(remove(&insert(&text, PATH), PATH), text);
        }
    }
}
