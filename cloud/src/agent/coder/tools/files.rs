//! Reads files for the model.

use std::{fmt::Write as _, fs::File, io::Read, path::Path};

use serde::Deserialize;

use crate::agent::{
    coder::tools::{Call, Outcome, blocking},
    stdio::message::Kind,
};

/// Largest file read or changed.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// Lines given at once.
const MAX_LINES: usize = 1500;
/// Bytes given at once.
const MAX_BYTES: usize = 50_000;
/// Longest line given whole, in characters.
const MAX_LINE: usize = 2000;

#[derive(Deserialize)]
struct Arguments {
    path: String,
    first_line: Option<usize>,
    last_line: Option<usize>,
}

pub(super) async fn read(call: &Call<'_>) -> Result<String, Outcome> {
    let arguments: Arguments = call.arguments()?;
    let path = call.path(&arguments.path);
    call.looking(Kind::Read, format!("Read {}", call.shown(&path).display()), &path).await;
    let result = blocking(call.session, move || {
        let text = text_of(&path)?;
        Ok(numbered(&text, arguments.first_line.unwrap_or(1), arguments.last_line))
    });
    call.looked(result.await?).await
}

/// The text of a file, or why there is none, in words for the model.
pub(super) fn text_of(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("there is no file {shown}; list_files shows what there is")
        }
        _ => format!("{shown} cannot be read: {error}"),
    };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(format!("{shown} is a folder; use list_files"));
    }
    if !metadata.is_file() {
        return Err(format!("{shown} is no regular file"));
    }
    if metadata.len() > MAX_FILE {
        return Err(format!(
            "{shown} has {} bytes, more than this tool takes; use run with tools such as sed or head",
            metadata.len()
        ));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes))
        .map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| format!("{shown} is not UTF-8 text"))
}

fn numbered(text: &str, first: usize, last: Option<usize>) -> String {
    let total = text.lines().count();
    if total == 0 {
        return "(the file is empty)".to_owned();
    }
    let first = first.max(1);
    let last = last.unwrap_or(usize::MAX).min(total);
    if first > last {
        return format!("(nothing there: the file has {total} lines)");
    }
    let mut shown = String::new();
    let mut next = first;
    for line in text.lines().skip(first - 1).take(last + 1 - first) {
        if next - first == MAX_LINES || shown.len() > MAX_BYTES {
            break;
        }
        let cut: String = line.chars().take(MAX_LINE).collect();
        let mark = if cut.len() < line.len() { " [line cut]" } else { "" };
        let _infallible = writeln!(shown, "{next}\t{cut}{mark}");
        next += 1;
    }
    if next <= last {
        let _infallible = write!(
            shown,
            "(lines {first} to {} of {total}; go on with first_line {next})",
            next - 1
        );
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_their_ends() {
        let text = "a\nb\nc\n";
        assert_eq!(numbered(text, 1, None), "1\ta\n2\tb\n3\tc\n");
        assert_eq!(numbered(text, 2, Some(2)), "2\tb\n");
        assert_eq!(numbered(text, 0, Some(99)), "1\ta\n2\tb\n3\tc\n");
        assert_eq!(numbered(text, 9, None), "(nothing there: the file has 3 lines)");
        assert_eq!(numbered("", 1, None), "(the file is empty)");
        let long = "x\n".repeat(MAX_LINES + 5);
        let end = "(lines 1 to 1500 of 1505; go on with first_line 1501)";
        assert!(numbered(&long, 1, None).ends_with(end));
    }
}
