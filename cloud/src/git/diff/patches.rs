//! Cuts the text of `git diff` into the patches of its files, byte for byte.
//!
//! A line that begins with `diff --git ` begins a patch: every line of content is indented by a space, `+`, `-` or `\`.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::git::diff::PATCH_LIMIT;
use crate::git::diff::changes::Change;
use crate::git::{Error, Result};

const HEADER: &[u8] = b"diff --git ";
/// Lines are read in pieces of this size, so that a file of one long line does not fill the memory.
const PIECE: u64 = 64 << 10;

/// The patches of a diff, one after the other.
pub(crate) struct Patches<R> {
    reader: BufReader<R>,
    /// The first line of the next patch; empty at the end.
    header: Vec<u8>,
    started: bool,
}

impl<R: AsyncRead + Unpin> Patches<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(64 << 10, reader),
            header: Vec::new(),
            started: false,
        }
    }

    /// The patch of this file, which must be the next; empty where it is too large to be shown.
    pub(crate) async fn of(&mut self, change: &Change) -> Result<Vec<u8>> {
        let mut patch = Vec::new();
        let mut too_large = false;
        for _ in 0..change.patch_count() {
            if !self.started {
                self.started = true;
                read_piece(&mut self.reader, &mut self.header).await?;
            }
            if !self.header.starts_with(HEADER) || !is_header_of(&self.header, change) {
                return Err(out_of_step());
            }
            patch.append(&mut self.header);
            too_large |= self.rest(&mut patch).await?;
        }
        Ok(if too_large { Vec::new() } else { patch })
    }

    /// Nothing may be left.
    pub(crate) async fn expect_end(&mut self) -> Result<()> {
        if !self.started {
            read_piece(&mut self.reader, &mut self.header).await?;
        }
        if self.header.is_empty() { Ok(()) } else { Err(out_of_step()) }
    }

    /// Reads to the next patch; true where this one was too large.
    async fn rest(&mut self, patch: &mut Vec<u8>) -> Result<bool> {
        let mut too_large = false;
        let mut at_line_start = patch.ends_with(b"\n");
        let mut piece = Vec::new();
        loop {
            piece.clear();
            read_piece(&mut self.reader, &mut piece).await?;
            if piece.is_empty() || (at_line_start && piece.starts_with(HEADER)) {
                self.header = piece;
                return Ok(too_large);
            }
            at_line_start = piece.ends_with(b"\n");
            too_large |= patch.len() + piece.len() > PATCH_LIMIT;
            if too_large {
                *patch = Vec::new();
            } else {
                patch.extend_from_slice(&piece);
            }
        }
    }
}

/// Reads a line, or a part of a long one.
async fn read_piece(
    reader: &mut (impl AsyncBufReadExt + Unpin),
    piece: &mut Vec<u8>,
) -> Result<()> {
    reader.take(PIECE).read_until(b'\n', piece).await.map_err(Error::io("read git's diff"))?;
    Ok(())
}

/// Compares where the names are plain; git quotes the others.
fn is_header_of(header: &[u8], change: &Change) -> bool {
    let old = change.old_path.as_deref().unwrap_or(&change.path);
    let is_plain = |name: &[u8]| {
        name.iter().all(|byte| (b' '..=b'~').contains(byte) && !b"\"\\".contains(byte))
    };
    if !is_plain(old) || !is_plain(&change.path) {
        return true;
    }
    let expected = [HEADER, b"a/", old, b" b/", &change.path, b"\n"].concat();
    expected.len() as u64 > PIECE || header == expected
}

fn out_of_step() -> Error {
    Error::Command {
        attempt: "compare commits".to_owned(),
        detail: "git's patches do not fit its list of changes".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str) -> Change {
        Change { path: path.as_bytes().to_vec(), ..Change::default() }
    }

    #[tokio::test]
    async fn patches_are_cut_at_their_headers_only() {
        let long = format!("+{}", "x".repeat(200_000));
        let first = format!(
            "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -0,0 +1 @@\n+diff --git a/b b/b\n{long}\n\\ No newline at end of file\n"
        );
        let second = "diff --git a/b b/b\nold mode 100644\nnew mode 100755\n";
        let text = format!("{first}{second}");
        let mut patches = Patches::new(text.as_bytes());
        assert!(patches.of(&change("a")).await.unwrap() == first.as_bytes());
        assert_eq!(patches.of(&change("b")).await.unwrap(), second.as_bytes());
        patches.expect_end().await.unwrap();
        assert!(patches.of(&change("c")).await.is_err());
    }

    #[tokio::test]
    async fn a_patch_of_another_file_is_an_error() {
        let mut patches = Patches::new(b"diff --git a/a b/a\n".as_slice());
        assert!(patches.of(&change("b")).await.is_err());
    }

    #[tokio::test]
    async fn a_patch_over_the_limit_is_left_out_and_the_next_is_whole() {
        let line = format!("+{}\n", "y".repeat(1 << 20));
        let text = format!(
            "diff --git a/a b/a\n{}diff --git a/b b/b\n",
            line.repeat((PATCH_LIMIT >> 20) + 1)
        );
        let mut patches = Patches::new(text.as_bytes());
        assert!(patches.of(&change("a")).await.unwrap().is_empty());
        assert_eq!(patches.of(&change("b")).await.unwrap(), b"diff --git a/b b/b\n");
    }
}
