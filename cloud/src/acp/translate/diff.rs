//! The diffs that agents report, as file changes.
//!
//! An agent's diff is a hint for people: it may be a fragment, and the exact one is made from snapshots. So the patch here
//! is one plain hunk around everything that differs.

use std::fmt::Write as _;

use aloft_proto::v1::{FileDiff, FileStatus};
use serde_json::Value;

/// Lines shown around a change.
const CONTEXT: usize = 3;
/// A larger text gets no patch: the log is not the place for it.
const MAX_PATCHED: usize = 512 * 1024;

/// The file change of one `diff` content; `cwd` makes its path relative.
pub(super) fn change(diff: &Value, cwd: &str) -> Option<FileDiff> {
    let path = relative(diff["path"].as_str()?, cwd);
    let old = diff["oldText"].as_str();
    let new = diff["newText"].as_str();
    let status = match (diff["_meta"]["kind"].as_str(), old, new) {
        (Some("delete"), ..) | (_, Some(_), None) => FileStatus::Deleted,
        (Some("add"), ..) | (_, None, _) => FileStatus::Added,
        _ => FileStatus::Modified,
    };
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let mut change = FileDiff {
        path,
        status: status.into(),
        old_size: old.len() as u64,
        new_size: new.len() as u64,
        ..FileDiff::default()
    };
    fill_patch(&mut change, status, old, new);
    Some(change)
}

/// Relative to the workspace, where it lies in it.
pub(super) fn relative(path: &str, cwd: &str) -> String {
    let inside = path.strip_prefix(cwd).and_then(|rest| rest.strip_prefix('/'));
    inside.unwrap_or(path.strip_prefix("./").unwrap_or(path)).to_owned()
}

fn fill_patch(change: &mut FileDiff, status: FileStatus, old: &str, new: &str) {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let before = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - before;
    let after = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(rest)
        .take_while(|(old, new)| old == new)
        .count();
    let (removed, added) = (&old[before..old.len() - after], &new[before..new.len() - after]);
    change.additions = added.len() as u64;
    change.deletions = removed.len() as u64;
    if (removed.is_empty() && added.is_empty())
        || change.old_size.max(change.new_size) > MAX_PATCHED as u64
    {
        return;
    }
    let head = before.saturating_sub(CONTEXT);
    let tail = after.min(CONTEXT);
    let path = &change.path;
    let from =
        if status == FileStatus::Added { "/dev/null".to_owned() } else { format!("a/{path}") };
    let to =
        if status == FileStatus::Deleted { "/dev/null".to_owned() } else { format!("b/{path}") };
    let mut patch = format!("--- {from}\n+++ {to}\n");
    let shown = |count: usize| before - head + count + tail;
    let start = |count: usize| if shown(count) == 0 { 0 } else { head + 1 };
    let _never_fails = writeln!(
        patch,
        "@@ -{},{} +{},{} @@",
        start(removed.len()),
        shown(removed.len()),
        start(added.len()),
        shown(added.len()),
    );
    put(&mut patch, ' ', &old[head..before]);
    put(&mut patch, '-', removed);
    put(&mut patch, '+', added);
    put(&mut patch, ' ', &old[old.len() - after..old.len() - after + tail]);
    change.patch = patch.into();
}

fn put(patch: &mut String, sign: char, lines: &[&str]) {
    for line in lines {
        patch.push(sign);
        patch.push_str(line);
        if !line.ends_with('\n') {
            patch.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_diff_becomes_one_hunk() {
        let diff = json!({"type": "diff", "path": "/w/a.txt", "oldText": "1\n2\n3\n4\n5\n6\n", "newText": "1\n2\n3\n4\nfive\n6"});
        let change = change(&diff, "/w").unwrap();
        assert_eq!((change.path.as_str(), change.additions, change.deletions), ("a.txt", 2, 2));
        assert_eq!(change.status(), FileStatus::Modified);
        assert_eq!(
            String::from_utf8_lossy(&change.patch),
            "--- a/a.txt\n+++ b/a.txt\n@@ -2,5 +2,5 @@\n 2\n 3\n 4\n-5\n-6\n+five\n+6\n\\ No newline at end of file\n"
        );
    }

    #[test]
    fn new_gone_and_unchanged_files() {
        let new = change(&json!({"path": "x", "newText": "a\n"}), "/w").unwrap();
        assert_eq!(
            String::from_utf8_lossy(&new.patch),
            "--- /dev/null\n+++ b/x\n@@ -0,0 +1,1 @@\n+a\n"
        );
        let gone = change(&json!({"path": "./x", "oldText": "a\n"}), "/w").unwrap();
        assert_eq!((gone.status(), gone.path.as_str()), (FileStatus::Deleted, "x"));
        assert_eq!(
            String::from_utf8_lossy(&gone.patch),
            "--- a/x\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n"
        );
        let same = change(&json!({"path": "/w/x", "oldText": "a\na\n", "newText": "a\na\n"}), "/w")
            .unwrap();
        assert!(same.patch.is_empty());
        assert_eq!(change(&json!({"newText": "a"}), "/w"), None);
    }
}
