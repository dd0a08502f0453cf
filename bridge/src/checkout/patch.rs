//! The patch of a thread's change, and what its headers say its files were before.

use aloft_proto::v1;

use crate::checkout::{Error, Result};

/// One file of a patch as it was before it.
#[derive(Debug, PartialEq)]
pub(super) struct Before {
    /// Relative to the root; none where the header does not tell it.
    pub(super) path: Option<Vec<u8>>,
    /// Octal, as git writes it.
    pub(super) mode: String,
    /// Name of its content, perhaps shortened; none where the patch leaves the content alone.
    pub(super) blob: Option<String>,
}

/// Puts the patches of all files together. One that the cloud left out, because it is too large, is an error: a change is
/// applied whole or not at all.
pub fn whole_patch(files: &[v1::FileDiff]) -> Result<Vec<u8>> {
    if let Some(file) = files.iter().find(|file| file.patch.is_empty()) {
        return Err(Error::TooLarge { path: file.path.clone() });
    }
    Ok(files.iter().flat_map(|file| file.patch.iter().copied()).collect())
}

/// The files that a patch changes, renames or deletes; those it creates were nothing before.
pub(super) fn files_before(patch: &[u8]) -> Vec<Before> {
    let mut files = Vec::new();
    let mut current: Option<Header> = None;
    for line in patch.split(|byte| *byte == b'\n') {
        if let Some(paths) = line.strip_prefix(b"diff --git ") {
            files.extend(current.take().and_then(Header::finish));
            current = Some(Header { path: same_path(paths), ..Header::default() });
        } else if let Some(header) = current.as_mut().filter(|header| !header.ended) {
            header.read(line);
        }
    }
    files.extend(current.and_then(Header::finish));
    files
}

#[derive(Debug, Default)]
struct Header {
    path: Option<Vec<u8>>,
    renamed_from: Option<Vec<u8>>,
    mode: Option<String>,
    blob: Option<String>,
    created: bool,
    ended: bool,
}

impl Header {
    fn read(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if let Some(mode) =
            text.strip_prefix("old mode ").or_else(|| text.strip_prefix("deleted file mode "))
        {
            self.mode = Some(mode.trim().to_owned());
        } else if text.starts_with("new file mode ") {
            self.created = true;
        } else if let Some(path) =
            line.strip_prefix(b"rename from ").or_else(|| line.strip_prefix(b"copy from "))
        {
            self.renamed_from = Some(unquote(path));
        } else if let Some(rest) = text.strip_prefix("index ") {
            let (blobs, mode) =
                rest.split_once(' ').map_or((rest, None), |(blobs, mode)| (blobs, Some(mode)));
            self.blob = blobs.split("..").next().map(ToOwned::to_owned);
            self.mode = mode.map(|mode| mode.trim().to_owned()).or_else(|| self.mode.take());
        } else if let Some(path) = line.strip_prefix(b"--- ") {
            // A tab ends a path that holds blanks.
            let path = unquote(path.strip_suffix(b"\t").unwrap_or(path));
            self.path =
                path.strip_prefix(b"a/").map(ToOwned::to_owned).or_else(|| self.path.take());
        } else if line.starts_with(b"@@") || line.starts_with(b"GIT binary patch") {
            self.ended = true;
        }
    }

    fn finish(self) -> Option<Before> {
        let mode = self.mode.unwrap_or_else(|| "100644".into());
        (!self.created).then(|| Before {
            path: self.renamed_from.or(self.path),
            mode,
            blob: self.blob,
        })
    }
}

/// The path of `a/PATH b/PATH`, where both are the same.
fn same_path(paths: &[u8]) -> Option<Vec<u8>> {
    let half = paths.len().checked_sub(1)? / 2;
    let (old, new) = (unquote(paths.get(..half)?), unquote(paths.get(half + 1..)?));
    let (old, new) = (old.strip_prefix(b"a/")?, new.strip_prefix(b"b/")?);
    (old == new).then(|| old.to_owned())
}

/// A path as it is, where git quoted it for unusual bytes.
fn unquote(path: &[u8]) -> Vec<u8> {
    let Some(inner) = path.strip_prefix(b"\"").and_then(|path| path.strip_suffix(b"\"")) else {
        return path.to_owned();
    };
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        match bytes.next() {
            Some(digit @ b'0'..=b'7') => {
                let mut value = u32::from(digit - b'0');
                while let Some(next) =
                    bytes.next_if(|next| value < 32 && (b'0'..=b'7').contains(next))
                {
                    value = value * 8 + u32::from(next - b'0');
                }
                plain.push(u8::try_from(value).unwrap_or(u8::MAX));
            }
            Some(b'n') => plain.push(b'\n'),
            Some(b't') => plain.push(b'\t'),
            Some(b'r') => plain.push(b'\r'),
            Some(b'a') => plain.push(7),
            Some(b'b') => plain.push(8),
            Some(b'v') => plain.push(11),
            Some(b'f') => plain.push(12),
            other => plain.extend(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(path: &[u8], mode: &str, blob: Option<&str>) -> Before {
        Before { path: Some(path.to_owned()), mode: mode.into(), blob: blob.map(Into::into) }
    }

    #[test]
    fn headers_tell_what_was_before() {
        let patch = b"diff --git a/x y b/x y\nindex 111..222 100755\n--- a/x y\t\n+++ b/x y\t\n@@ -1 +1 @@\n--- a/no\n+no\n\
            diff --git a/new b/new\nnew file mode 100644\nindex 000..333\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+n\n\
            diff --git a/gone b/gone\ndeleted file mode 120000\nindex 444..000\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-g\n\
            diff --git a/old b/moved\nsimilarity index 90%\nrename from old\nrename to moved\nindex 555..666 100644\n--- a/old\n+++ b/moved\n@@ -1 +1 @@\n\
            diff --git a/mode b/mode\nold mode 100644\nnew mode 100755\n\
            diff --git \"a/\\303\\274.bin\" \"b/\\303\\274.bin\"\nindex 777..888 100644\nGIT binary patch\nliteral 1\nabc\n";
        let wanted = [
            before(b"x y", "100755", Some("111")),
            before(b"gone", "120000", Some("444")),
            before(b"old", "100644", Some("555")),
            before(b"mode", "100644", None),
            before("ü.bin".as_bytes(), "100644", Some("777")),
        ];
        assert_eq!(files_before(patch), wanted);
    }

    proptest::proptest! {
        #[test]
        fn anything_is_read_without_harm(patch: Vec<u8>) {
            files_before(&patch);
            files_before(&[b"diff --git \"a/\\7".as_slice(), &patch].concat());
        }
    }
}
