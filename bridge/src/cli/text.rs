//! Text for terminals: times in words, columns, and, as everywhere, cleaned of control sequences.

use crate::protocol::thread::Cost;
use crate::protocol::time::Time;
use crate::text::turns_direction;
pub(crate) use crate::text::{Cleaner, clean, line};

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

/// Returns how many things there are.
pub(crate) fn count_of(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", self::number(number), if number == 1 { "" } else { "s" })
}

/// Returns a number with its thousands apart.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns an amount of money; a small one with its first figures.
pub(crate) fn money(cost: &Cost) -> String {
    let digits = if cost.amount > 0.0 && cost.amount < 0.1 { 4 } else { 2 };
    format!("{:.digits$} {}", cost.amount, line(&cost.currency, 3))
}

/// Returns a size in its largest unit.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{}.{} MiB", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20),
    }
}

/// Lays rows out in columns; the last column is as wide as it is. `style` wraps a cell that is in its column.
pub(crate) fn table(
    head: &[&str],
    rows: &[Vec<String>],
    style: impl Fn(usize, &str) -> String,
) -> String {
    let widths: Vec<usize> = (0..head.len()).map(|column| width(head, rows, column)).collect();
    lines(head, rows, &widths, style)
}

/// As [`table`], in lines of at most `room` characters where that can be: the columns of `give`, in this order, become as
/// narrow as said there, or go.
pub(crate) fn table_within(
    room: usize,
    give: &[(usize, usize)],
    head: &[&str],
    rows: &[Vec<String>],
    style: impl Fn(usize, &str) -> String,
) -> String {
    let mut widths: Vec<usize> = (0..head.len()).map(|column| width(head, rows, column)).collect();
    for &(column, least) in give {
        let shown = widths.iter().filter(|width| **width > 0).count();
        let over = (widths.iter().sum::<usize>() + GAP.len() * shown.saturating_sub(1))
            .saturating_sub(room);
        let left = widths[column].saturating_sub(over);
        widths[column] = if over == 0 || left >= least { left } else { 0 };
    }
    lines(head, rows, &widths, style)
}

/// What is between two columns.
const GAP: &str = "  ";

fn width(head: &[&str], rows: &[Vec<String>], column: usize) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(column));
    let widths = cells.map(|cell| cell.chars().count()).chain([head[column].chars().count()]);
    widths.max().unwrap_or(0)
}

/// The rows with their head; a column without a width is not shown.
fn lines(
    head: &[&str],
    rows: &[Vec<String>],
    widths: &[usize],
    style: impl Fn(usize, &str) -> String,
) -> String {
    let mut text = String::new();
    let head = head.iter().map(|&cell| cell.to_owned()).collect();
    for (number, row) in [&head].into_iter().chain(rows).enumerate() {
        let shown = row.iter().zip(widths).enumerate().filter(|(_, (_, width))| **width > 0);
        let cells = shown.map(|(column, (cell, &width))| {
            let cut = cell.chars().count() > width;
            let cell = if cut { line(cell, width) } else { cell.clone() };
            let padding = width.saturating_sub(cell.chars().count());
            let cell = if number == 0 { cell } else { style(column, &cell) };
            format!("{cell}{}", " ".repeat(padding))
        });
        text.push_str(cells.collect::<Vec<_>>().join(GAP).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diffs_keep_everything_visible() {
        assert_eq!(visible(b"+\ta\x1b[31m\r"), "+\ta^[[31m^M");
        assert_eq!(visible("\u{202e}".as_bytes()), "\\u{202e}");
    }

    #[test]
    fn times_and_sizes_are_short() {
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
        assert_eq!([number(0), number(999), number(1_234_567)], ["0", "999", "1,234,567"]);
        let money = |amount| money(&Cost { amount, currency: "EUR".into() });
        assert_eq!(
            [money(0.0), money(0.0123), money(12.345)],
            ["0.00 EUR", "0.0123 EUR", "12.35 EUR"]
        );
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

    #[test]
    fn a_table_gives_way_to_a_narrow_terminal() {
        let rows =
            [vec!["idle".into(), "fix-the-login".into(), "Fix the login".into(), "1m".into()]];
        let head = ["STATE", "ID", "TITLE", "AGE"];
        let within =
            |room| table_within(room, &[(2, 6), (0, 1)], &head, &rows, |_, cell| cell.to_owned());
        let whole =
            "STATE  ID             TITLE          AGE\nidle   fix-the-login  Fix the login  1m\n";
        assert_eq!(within(40), whole);
        assert_eq!(
            within(34),
            "STATE  ID             TITLE    AGE\nidle   fix-the-login  Fix th…  1m\n"
        );
        assert_eq!(within(26), "STATE  ID             AGE\nidle   fix-the-login  1m\n");
        assert_eq!(within(22), "S…  ID             AGE\ni…  fix-the-login  1m\n");
        assert_eq!(within(1), "ID             AGE\nfix-the-login  1m\n");
    }
}
