//! The deliberate breaks of `tests/breaks`: each still applies, and names its invariant and the test it must turn red.
//!
//! That the named test fails with it and passes without it is shown by `scripts/breaks.sh`.

use std::process::Command;

use crate::tidy::source::{Complaints, files, root};

#[test]
fn every_deliberate_break_still_applies() {
    let breaks: Vec<_> =
        files("tests/breaks").into_iter().filter(|file| file.ends_in("patch")).collect();
    assert!(breaks.len() >= 8, "{} breaks found", breaks.len());
    let mut complaints = Complaints::default();
    for patch in breaks {
        let mut head = patch.text.lines();
        for (number, word) in ["# breaks: ", "# red: "].into_iter().enumerate() {
            if !head.next().is_some_and(|line| line.starts_with(word) && line.len() > word.len()) {
                complaints.add(&patch.path, number + 1, format!("begins with `{word}`"));
            }
        }
        // Works where there is no repository too.
        let check = Command::new("git")
            .args(["apply", "--check", "--whitespace=nowarn"])
            .arg(root().join(&patch.path))
            .current_dir(root())
            .env("GIT_CEILING_DIRECTORIES", root().parent().unwrap())
            .output()
            .unwrap();
        if !check.status.success() {
            complaints.add(&patch.path, 1, String::from_utf8_lossy(&check.stderr).trim());
        }
    }
    complaints.end();
}
