//! What others wrote, made harmless: without the characters that command a terminal or turn the direction of a line.

/// Takes out of a text what could command a terminal. Keeps its place between pieces of one text, so that a sequence cut
/// in two is taken out as well.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cleaner {
    place: Place,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// In `ESC [ … letter`.
    Sequence,
    /// In `ESC ] … BEL` or `ESC P … ESC \`.
    Command,
    /// After ESC in a command.
    CommandEscape,
}

impl Cleaner {
    /// Returns the next piece without its control sequences.
    pub(crate) fn clean(&mut self, piece: &str) -> String {
        piece.chars().filter(|&character| self.keeps(character)).collect()
    }

    fn keeps(&mut self, character: char) -> bool {
        let (place, keeps) = match (self.place, character) {
            // A line's end ends everything: a command without an end must not swallow the rest.
            (_, '\n') | (Place::Text, '\t') => (Place::Text, true),
            (Place::Text, '\u{1b}') | (Place::Escape, '(' | ')' | '#' | ' ' | '\u{1b}') => {
                (Place::Escape, false)
            }
            (Place::Text, '\u{9b}') | (Place::Escape, '[') => (Place::Sequence, false),
            (Place::Text, '\u{90}' | '\u{9d}') | (Place::Escape, ']' | 'P' | '_' | '^' | 'X') => {
                (Place::Command, false)
            }
            (Place::Text, other) => (Place::Text, !other.is_control() && !turns_direction(other)),
            (Place::Sequence, '\u{40}'..='\u{7e}')
            | (Place::Command, '\u{7}' | '\u{9c}')
            | (Place::Escape | Place::CommandEscape, _) => (Place::Text, false),
            (Place::Command, '\u{1b}') => (Place::CommandEscape, false),
            (place @ (Place::Sequence | Place::Command), _) => (place, false),
        };
        self.place = place;
        keeps
    }
}

/// Returns a whole text without control sequences.
pub(crate) fn clean(text: &str) -> String {
    Cleaner::default().clean(text)
}

/// Returns a text as one clean line of at most `width` characters.
pub(crate) fn line(text: &str, width: usize) -> String {
    let cleaned = clean(text);
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= width {
        return line;
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Characters that change the direction of what follows: a line may look like another one.
pub(crate) fn turns_direction(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_sequences_are_taken_out() {
        let cases = [
            ("plain\ttext\n", "plain\ttext\n"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}]52;c;aGk=\u{1b}\\after", "after"),
            ("\u{1b}Pq#0\u{1b}\\x", "x"),
            ("a\rb\u{8}c", "abc"),
            ("\u{9b}2Jx", "x"),
            ("no end \u{1b}]0;\nnext", "no end \nnext"),
            ("\u{202e}evil", "evil"),
            ("\u{1b}(Bx", "x"),
        ];
        for (text, cleaned) in cases {
            assert_eq!(clean(text), cleaned, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_control_character_survives_however_the_text_is_cut(text in "[\\x00-\\x7f\u{9b}\u{9d}é]{0,60}", cut in 0_usize..60) {
            let whole = clean(&text);
            prop_assert!(whole.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
            let cut = text.char_indices().nth(cut).map_or(text.len(), |(at, _)| at);
            let mut cleaner = Cleaner::default();
            let pieces = cleaner.clean(&text[..cut]) + &cleaner.clean(&text[cut..]);
            prop_assert_eq!(pieces, whole);
        }
    }

    #[test]
    fn a_line_is_short_and_one() {
        assert_eq!(line("one\n two\u{1b}[2J three", 9), "one two…");
        assert_eq!(line("short", 9), "short");
    }
}
