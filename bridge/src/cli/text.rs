//! Text for terminals: cleaned of control sequences, times in words, columns.

use crate::protocol::time::Time;

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

/// Returns bytes with control characters made visible, as `cat -v` does: for diffs, where nothing may vanish.
pub(crate) fn visible(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            '\t' => shown.push('\t'),
            '\u{0}'..='\u{1f}' => {
                shown.push('^');
                shown.push(char::from_u32(u32::from(character) + 0x40).unwrap_or('?'));
            }
            other if other.is_control() || turns_direction(other) => {
                shown.extend(other.escape_unicode());
            }
            other => shown.push(other),
        }
    }
    shown
}

/// Characters that change the direction of what follows: a line may look like another one.
fn turns_direction(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns how long ago a moment was, in its largest unit.
pub(crate) fn ago(moment: Time, now: Time) -> String {
    match now.seconds_since(moment) {
        ..5 => "now".to_owned(),
        seconds => format!("{} ago", duration(seconds.unsigned_abs())),
    }
}

/// Returns a length of time in its largest unit.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Returns how long something took: short times with their tenths.
pub(crate) fn took(millis: u64) -> String {
    match millis {
        0..10_000 => format!("{}.{}s", millis / 1000, millis % 1000 / 100),
        10_000..60_000 => format!("{}s", millis / 1000),
        60_000..3_600_000 => format!("{}m {}s", millis / 60_000, millis % 60_000 / 1000),
        _ => format!("{}h {}m", millis / 3_600_000, millis % 3_600_000 / 60_000),
    }
}

/// Returns a number of things that take an s where there are more or none.
pub(crate) fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Returns a size in its largest unit.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{}.{} MiB", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20),
    }
}

/// Lays rows out in columns; the last column is as wide as it is. `styles` wraps a padded cell.
pub(crate) fn table(
    head: &[&str],
    rows: &[Vec<String>],
    style: impl Fn(usize, &str) -> String,
) -> String {
    let width_of = |text: &str| text.chars().count();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| width_of(cell)).chain([width_of(head[column])]).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    let head = head.iter().map(|&cell| cell.to_owned()).collect();
    for (number, row) in [&head].into_iter().chain(rows).enumerate() {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let last = column + 1 == row.len();
            let padding = if last { 0 } else { widths[column] - width_of(cell) };
            let shown = if number == 0 { cell.clone() } else { style(column, cell) };
            format!("{shown}{}", " ".repeat(padding))
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
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
    fn diffs_keep_everything_visible() {
        assert_eq!(visible(b"+\ta\x1b[31m\r"), "+\ta^[[31m^M");
        assert_eq!(visible("\u{202e}".as_bytes()), "\\u{202e}");
    }

    #[test]
    fn lines_times_and_sizes_are_short() {
        assert_eq!(line("one\n two\u{1b}[2J three", 9), "one two…");
        assert_eq!(line("short", 9), "short");
        let at = |seconds| Time::from_unix(seconds, 0).unwrap();
        let cases = [
            (0, "now"),
            (-3, "now"),
            (59, "59s ago"),
            (61, "1m ago"),
            (7200, "2h ago"),
            (200_000, "2d ago"),
        ];
        for (passed, words) in cases {
            assert_eq!(ago(at(1000), at(1000 + passed)), words);
        }
        assert_eq!(
            [took(40), took(9_999), took(59_999), took(61_000), took(3_660_000)],
            ["0.0s", "9.9s", "59s", "1m 1s", "1h 1m"]
        );
        assert_eq!([count(0, "file"), count(1, "file")], ["0 files", "1 file"]);
        assert_eq!([size(5), size(2048), size(3 << 19)], ["5 B", "2 KiB", "1.5 MiB"]);
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["a".into(), "long cell".into(), "x".into()],
            vec!["bbb".into(), "é".into(), "y".into()],
        ];
        let text = table(&["ID", "NAME", "LAST"], &rows, |column, cell| {
            if column == 0 { format!("<{cell}>") } else { cell.to_owned() }
        });
        assert_eq!(text, "ID   NAME       LAST\n<a>    long cell  x\n<bbb>  é          y\n");
    }
}
