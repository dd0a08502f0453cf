//! The project's files, and Rust source taken apart as far as these tests need it.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// A file of the project.
#[derive(Debug)]
pub(super) struct File {
    /// Where it is, below the project's folder.
    pub(super) path: String,
    /// All of it.
    pub(super) text: String,
}

impl File {
    /// Whether its name has this ending, without the dot.
    pub(super) fn ends_in(&self, ending: &str) -> bool {
        std::path::Path::new(&self.path).extension().is_some_and(|of| of == ending)
    }
}

/// Everything that is not as it must be.
#[derive(Debug, Default)]
pub(super) struct Complaints(Vec<String>);

/// Rust source taken apart; both parts have the lines of the whole.
#[derive(Debug)]
pub(super) struct Parts {
    /// The code, with comments and the insides of literals blank.
    pub(super) code: String,
    /// Each string literal with its line.
    pub(super) literals: Vec<(usize, String)>,
}

/// The project's folder.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// One file of the project.
pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All text files below a folder of the project that git does not ignore, in order.
pub(super) fn files(below: &str) -> Vec<File> {
    let root = root();
    let walk = ignore::WalkBuilder::new(root.join(below))
        .hidden(false)
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    let mut files: Vec<File> = walk
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            let path = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            Some(File { path, text })
        })
        .collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!files.is_empty(), "no file below {below}");
    files
}

/// The Rust files below a folder.
pub(super) fn rust(below: &str) -> Vec<File> {
    files(below)
        .into_iter()
        .filter(|file| Path::new(&file.path).extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

impl File {
    /// Whether all of it is tests.
    pub(super) fn is_test(&self) -> bool {
        let path = Path::new(&self.path);
        let folder = path
            .components()
            .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "testing");
        folder || path.ends_with("tests.rs") || path.ends_with("testing.rs")
    }

    /// Its text up to the tests at its bottom.
    pub(super) fn without_tests(&self) -> &str {
        if self.is_test() {
            return "";
        }
        self.text.find("\n#[cfg(test)]\nmod tests {").map_or(&self.text, |end| &self.text[..end])
    }
}

impl Complaints {
    pub(super) fn add(&mut self, path: &str, line: usize, what: impl AsRef<str>) {
        self.0.push(format!("{path}:{line}: {}", what.as_ref()));
    }

    /// Fails with all of them, if there is any.
    #[track_caller]
    pub(super) fn end(self) {
        let list = self.0.iter().fold(String::new(), |mut list, complaint| {
            writeln!(list, "  {complaint}").unwrap();
            list
        });
        assert!(self.0.is_empty(), "\n{list}");
    }
}

/// The line of a place in a text, counted from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Tells code, comments and literals apart.
pub(super) fn take_apart(source: &str) -> Parts {
    static TOKEN: LazyLock<regex::Regex> = LazyLock::new(|| {
        regex::Regex::new(
            r#"(?xs)
        (?<comment> //[^\n]* | /\*.*?\*/ )
        | b?r\#"(?<hashed>.*?)"\#
        | b?r"(?<raw>[^"]*)"
        | b?"(?<string>(?:[^"\\]|\\.)*)"
        | b?'(?:[^'\\]|\\[^\n]{1,9}?)'
        "#,
        )
        .unwrap()
    });
    let mut code = source.as_bytes().to_vec();
    let mut literals = Vec::new();
    for found in TOKEN.captures_iter(source) {
        let whole = found.get(0).unwrap();
        let literal = ["hashed", "raw", "string"].into_iter().find_map(|name| found.name(name));
        if let Some(literal) = literal {
            literals.push((line_of(source, literal.start()), literal.as_str().to_owned()));
        }
        let blank = literal.map_or(whole.range(), |literal| literal.range());
        for byte in &mut code[blank] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    Parts { code: String::from_utf8(code).unwrap(), literals }
}

#[test]
#[expect(
    clippy::needless_raw_string_hashes,
    reason = "there is a quote with a hash behind it inside"
)]
fn comments_and_literals_are_told_from_code() {
    let source = r##"let a = "x // \" y"; // use crate::b
let c = r#"say "it""#; let d: &'static str = 'e'; /* crate::f
*/ crate::g::h('"');
"##;
    let parts = take_apart(source);
    let literals: Vec<_> = parts.literals.iter().map(|(line, text)| (*line, &**text)).collect();
    assert_eq!(literals, [(1, r#"x // \" y"#), (2, r#"say "it""#)]);
    assert_eq!(parts.code.len(), source.len());
    assert!(parts.code.contains("&'static str") && parts.code.contains("crate::g::h("));
    assert!(!parts.code.contains("crate::b") && !parts.code.contains("crate::f"));
}
