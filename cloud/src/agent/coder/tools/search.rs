//! Lists and searches the workspace as ripgrep does: what git ignores is left out.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ignore::{Walk, WalkBuilder, overrides::OverrideBuilder};
use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::agent::{
    coder::tools::{Call, Outcome, blocking},
    stdio::message::Kind,
};

const MAX_FILES: usize = 1000;
const MAX_MATCHES: usize = 200;
/// Longest line shown, in characters.
const MAX_LINE: usize = 300;
/// A NUL byte in a file's beginning means that it is no text.
const LOOK_BYTES: usize = 8192;
/// Longest line searched.
const MAX_LINE_BYTES: usize = 1024 * 1024;

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    path: String,
    glob: Option<String>,
}

#[derive(Deserialize)]
struct Search {
    pattern: String,
    #[serde(default)]
    path: String,
    glob: Option<String>,
    #[serde(default)]
    ignore_case: bool,
}

/// Ends a walk when the turn that wanted it is gone.
struct Ends(Arc<AtomicBool>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) async fn list(call: &Call<'_>) -> Result<String, Outcome> {
    let arguments: List = call.arguments()?;
    let root = call.path(&arguments.path);
    call.looking(Kind::Search, format!("List {}", call.shown(&root).display()), &root).await;
    let ended = Ends(Arc::default());
    let (flag, base) = (Arc::clone(&ended.0), call.session.cwd().to_owned());
    let result = blocking(call.session, move || {
        let mut files: Vec<String> = walk(&root, arguments.glob.as_deref())?
            .take_while(|_| !flag.load(Ordering::Relaxed))
            .filter_map(|entry| file_of(entry.ok()?))
            .take(MAX_FILES + 1)
            .map(|path| path.strip_prefix(&base).unwrap_or(&path).display().to_string())
            .collect();
        let more = files.len() > MAX_FILES;
        files.truncate(MAX_FILES);
        files.sort();
        Ok(match (files.is_empty(), more) {
            (true, _) => "(no files)".to_owned(),
            (false, false) => files.join("\n"),
            (false, true) => {
                format!("{}\n(and more: narrow it with path or glob)", files.join("\n"))
            }
        })
    });
    call.looked(result.await?).await
}

pub(super) async fn search(call: &Call<'_>) -> Result<String, Outcome> {
    let arguments: Search = call.arguments()?;
    let root = call.path(&arguments.path);
    let title = format!("Search for {} in {}", arguments.pattern, call.shown(&root).display());
    call.looking(Kind::Search, title, &root).await;
    let ended = Ends(Arc::default());
    let (flag, base) = (Arc::clone(&ended.0), call.session.cwd().to_owned());
    let result = blocking(call.session, move || {
        let pattern = RegexBuilder::new(&arguments.pattern)
            .case_insensitive(arguments.ignore_case)
            .build()
            .map_err(|error| format!("the pattern is no regular expression: {error}"))?;
        let mut found = String::new();
        let mut left = MAX_MATCHES;
        for entry in walk(&root, arguments.glob.as_deref())? {
            if left == 0 || flag.load(Ordering::Relaxed) {
                break;
            }
            if let Some(path) = entry.ok().and_then(file_of) {
                let shown = path.strip_prefix(&base).unwrap_or(&path).to_owned();
                search_file(&path, &shown, &pattern, &mut left, &mut found);
            }
        }
        if left == 0 {
            found.push_str("(and perhaps more: narrow it with path, glob or a longer pattern)");
        }
        Ok(if found.is_empty() { "(nothing found)".to_owned() } else { found })
    });
    call.looked(result.await?).await
}

/// Everything below `root` that git does not ignore; hidden files belong to a project, `.git` does not.
fn walk(root: &Path, glob: Option<&str>) -> Result<Walk, String> {
    if !root.exists() {
        return Err(format!("there is no {}", root.display()));
    }
    let mut builder = WalkBuilder::new(root);
    builder
        .hidden(false)
        .require_git(false)
        .sort_by_file_path(Ord::cmp)
        .filter_entry(|entry| entry.file_name() != ".git");
    if let Some(glob) = glob {
        let mut overrides = OverrideBuilder::new(root);
        overrides.add(glob).map_err(|error| format!("the glob is wrong: {error}"))?;
        let built = overrides.build().map_err(|error| format!("the glob is wrong: {error}"))?;
        builder.overrides(built);
    }
    Ok(builder.build())
}

fn file_of(entry: ignore::DirEntry) -> Option<PathBuf> {
    entry.file_type()?.is_file().then(|| entry.into_path())
}

fn search_file(path: &Path, shown: &Path, pattern: &Regex, left: &mut usize, found: &mut String) {
    let Ok(file) = File::open(path) else { return };
    let mut reader = BufReader::with_capacity(LOOK_BYTES, file);
    if reader.fill_buf().is_ok_and(|beginning| beginning.contains(&0)) {
        return;
    }
    let mut line = Vec::new();
    let mut number = 0;
    while *left > 0 {
        line.clear();
        match std::io::Read::take(&mut reader, MAX_LINE_BYTES as u64).read_until(b'\n', &mut line) {
            Ok(1..) => number += 1,
            Ok(0) | Err(_) => return,
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if pattern.is_match(text) {
            *left -= 1;
            let cut: String = text.chars().take(MAX_LINE).collect();
            let _infallible = writeln!(found, "{}:{number}:{cut}", shown.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_what_git_ignores_and_what_is_no_text() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, bytes: &[u8]| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        write(".gitignore", b"target/\n");
        write("target/out.txt", b"needle\n");
        write(".git/config", b"needle\n");
        write(".ci/run", b"a\nthe needle\n");
        write("src/a.rs", b"\xff needle\n");
        write("picture", b"\0 needle");
        let pattern = Regex::new("needle$").unwrap();
        let search = |glob| {
            let mut found = String::new();
            for entry in walk(folder.path(), glob).unwrap() {
                if let Some(path) = file_of(entry.unwrap()) {
                    let shown = path.strip_prefix(folder.path()).unwrap().to_owned();
                    search_file(&path, &shown, &pattern, &mut 10, &mut found);
                }
            }
            found
        };
        assert_eq!(search(None), ".ci/run:2:the needle\nsrc/a.rs:1:\u{fffd} needle\n");
        assert_eq!(search(Some("*.rs")), "src/a.rs:1:\u{fffd} needle\n");
        assert!(walk(folder.path(), Some("{")).is_err());
    }
}
