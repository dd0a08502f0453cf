//! The list of changed files, from `git diff --raw --numstat -z`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use aloft_proto::v1::{FileDiff, FileStatus};

use crate::git::command::Git;
use crate::git::diff::git_diff;
use crate::git::{Error, Result};

const SUBMODULE: &str = "160000";
const ABSENT: &str = "000000";
/// What changed, for programs.
const RAW: [&str; 3] = ["--raw", "-z", "--no-abbrev"];

/// One changed file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Change {
    /// As git gives it.
    pub(crate) path: Vec<u8>,
    /// Before a rename.
    pub(crate) old_path: Option<Vec<u8>>,
    pub(crate) status: u8,
    pub(crate) old_mode: String,
    pub(crate) new_mode: String,
    pub(crate) old_id: String,
    pub(crate) new_id: String,
    pub(crate) additions: u64,
    pub(crate) deletions: u64,
    pub(crate) binary: bool,
}

impl Change {
    /// The record of it, without patch, sizes and texts.
    pub(crate) fn to_diff(&self) -> FileDiff {
        let status = match self.status {
            b'A' => FileStatus::Added,
            b'D' => FileStatus::Deleted,
            b'R' => FileStatus::Renamed,
            b'T' => FileStatus::TypeChanged,
            _ => FileStatus::Modified,
        };
        let mode = |mode: &str| if mode == ABSENT { String::new() } else { mode.to_owned() };
        FileDiff {
            path: shown_path(&self.path),
            old_path: self.old_path.as_deref().map(shown_path).unwrap_or_default(),
            status: status.into(),
            old_mode: mode(&self.old_mode),
            new_mode: mode(&self.new_mode),
            additions: self.additions,
            deletions: self.deletions,
            binary: self.binary,
            ..FileDiff::default()
        }
    }

    /// Arguments that limit a diff to it.
    pub(crate) fn pathspecs(&self) -> impl Iterator<Item = OsString> {
        self.old_path.iter().chain([&self.path]).map(|path| OsString::from_vec(path.clone()))
    }

    /// The contents it is about.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &str> {
        let old = self.has_old_text().then_some(self.old_id.as_str());
        old.into_iter().chain(self.has_new_text().then_some(self.new_id.as_str()))
    }

    /// There was a file, not nothing and not a submodule.
    pub(crate) fn has_old_text(&self) -> bool {
        self.old_mode != ABSENT && self.old_mode != SUBMODULE
    }

    /// There is a file, not nothing and not a submodule.
    pub(crate) fn has_new_text(&self) -> bool {
        self.new_mode != ABSENT && self.new_mode != SUBMODULE
    }

    /// What became another kind of file is shown as a deletion and an addition.
    pub(crate) fn patch_count(&self) -> usize {
        if self.status == b'T' { 2 } else { 1 }
    }
}

/// Lists what changed, in the order of `git diff`.
pub(crate) async fn list(repository: &Path, from: &str, to: &str) -> Result<Vec<Change>> {
    run(git_diff(repository, from, to).args(RAW).args(["--numstat", "--"])).await
}

/// Lists what changed of one file, by its path before or after. Others are not read, be they ever so many.
pub(crate) async fn of_file(
    repository: &Path,
    from: &str,
    to: &str,
    path: &str,
) -> Result<Vec<Change>> {
    let mut named = run(git_diff(repository, from, to).args(RAW).args(["--"])).await?;
    named.retain(|change| {
        shown_path(&change.path) == *path
            || change.old_path.as_deref().is_some_and(|old| shown_path(old) == *path)
    });
    if named.is_empty() {
        return Ok(named);
    }
    let command = git_diff(repository, from, to).args(RAW).args(["--numstat", "--"]);
    run(command.args(named.iter().flat_map(Change::pathspecs))).await
}

async fn run(command: Git) -> Result<Vec<Change>> {
    let answer = command.run().await?;
    parse(&answer).ok_or_else(|| Error::Command {
        attempt: "compare commits".to_owned(),
        detail: "git's list of changes cannot be read".to_owned(),
    })
}

/// A path as records show it: itself, or quoted as git does where it is not UTF-8.
pub(crate) fn shown_path(path: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(path) {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for &byte in path {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(quoted, "\\{byte:03o}")),
        }
    }
    quoted.push('"');
    quoted
}

fn parse(answer: &[u8]) -> Option<Vec<Change>> {
    let mut fields = answer.split(|byte| *byte == 0).peekable();
    let mut changes: Vec<Change> = Vec::new();
    while let Some(field) = fields.next_if(|field| field.starts_with(b":")) {
        let head = std::str::from_utf8(&field[1..]).ok()?;
        let [old_mode, new_mode, old_id, new_id, status] =
            head.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let status = *status.as_bytes().first()?;
        let first = fields.next()?.to_vec();
        let (old_path, path) = if matches!(status, b'R' | b'C') {
            (Some(first), fields.next()?.to_vec())
        } else {
            (None, first)
        };
        let [old_mode, new_mode, old_id, new_id] =
            [old_mode, new_mode, old_id, new_id].map(str::to_owned);
        changes.push(Change {
            path,
            old_path,
            status,
            old_mode,
            new_mode,
            old_id,
            new_id,
            ..Change::default()
        });
    }
    let mut numbers: HashMap<&[u8], (u64, u64, bool)> = HashMap::new();
    while let Some(field) = fields.next_if(|field| !field.is_empty()) {
        let mut parts = field.splitn(3, |byte| *byte == b'\t');
        let (added, deleted, path) = (parts.next()?, parts.next()?, parts.next()?);
        // A rename is followed by both its paths.
        let path =
            if path.is_empty() { fields.next().and_then(|_old| fields.next())? } else { path };
        let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
        numbers.insert(
            path,
            if added == b"-" { (0, 0, true) } else { (number(added)?, number(deleted)?, false) },
        );
    }
    for change in &mut changes {
        // What changed only in name or mode may have no numbers.
        (change.additions, change.deletions, change.binary) =
            numbers.get(change.path.as_slice()).copied().unwrap_or_default();
    }
    Some(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renames_binaries_and_plain_changes_are_read() {
        let answer = b":100644 100644 aa bb R090\0old name\0new\tname\0:000000 120000 00 cc A\0link\0:100644 100644 dd ee M\0b.bin\0\
                       2\t1\t\0old name\0new\tname\x001\t0\tlink\0-\t-\tb.bin\0";
        let changes = parse(answer).unwrap();
        let shown: Vec<_> = changes
            .iter()
            .map(|change| {
                (shown_path(&change.path), change.additions, change.deletions, change.binary)
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("new\tname".to_owned(), 2, 1, false),
                ("link".to_owned(), 1, 0, false),
                ("b.bin".to_owned(), 0, 0, true)
            ]
        );
        assert_eq!(changes[0].old_path.as_deref(), Some(b"old name".as_slice()));
        assert_eq!(parse(b"").unwrap(), []);
        assert_eq!(parse(b":100644 1"), None);
    }

    #[test]
    fn a_path_that_is_not_utf8_is_quoted() {
        assert_eq!(shown_path(b"caf\xe9 \"x\""), r#""caf\351 \"x\"""#);
        assert_eq!(shown_path("café\n".as_bytes()), "café\n");
    }
}
