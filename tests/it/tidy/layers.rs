//! The layers of `ARCHITECTURE.md`: who may import whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::source::{Complaints, File, line_of, read, rust, take_apart};

/// The rows of one program: each module's height. Islands have none.
type Rows = BTreeMap<String, Option<u32>>;

/// What only some files may name: below which folder, the words, and where they may stand.
const ONLY_IN: [(&str, &str, &[&str]); 5] = [
    (
        "cloud/src",
        "SystemTime::now",
        &["cloud/src/clock.rs", "cloud/src/ssh.rs", "cloud/src/trust/"],
    ),
    ("", "tower_lsp::", &["bridge/src/lsp.rs", "bridge/src/lsp/"]),
    ("", "rusqlite::", &["cloud/src/store/"]),
    ("", "broadcast::", &[]),
    (
        "cloud/src",
        r"tonic::Status::|\bStatus::(new|with_\w+|aborted|already_exists|cancelled|internal|invalid_argument|not_found|unavailable|unimplemented)\(",
        // The last is the guest's client: it makes one for a stream that broke off.
        &["cloud/src/api/", "cloud/src/guest/", "cloud/src/sandbox/guest.rs"],
    ),
];

#[test]
fn no_module_imports_its_own_row_or_one_above() {
    let mut complaints = Complaints::default();
    for (place, column) in [("cloud/src", 2), ("bridge/src", 3)] {
        let rows = rows(column);
        let mut seen = BTreeSet::new();
        for file in rust(place) {
            let module = module(&file, place);
            if module == "lib" || module == "main" {
                continue;
            }
            let Some(own) = rows.get(module) else {
                complaints.add(
                    &file.path,
                    1,
                    format!("`{module}` is in no row of ARCHITECTURE.md"),
                );
                continue;
            };
            seen.insert(module.to_owned());
            let code = take_apart(&file.text).code;
            for (line, import) in imports(&code) {
                // A test may play with an island.
                let island = file.is_test() && rows.get(&import) == Some(&None);
                if import != module
                    && !island
                    && !rows.get(&import).is_some_and(|row| may(*own, *row))
                {
                    complaints.add(
                        &file.path,
                        line,
                        format!("`{module}` may not import `{import}`"),
                    );
                }
            }
        }
        for missing in rows.keys().filter(|name| !seen.contains(*name)) {
            complaints.add("ARCHITECTURE.md", 1, format!("{place} has no module `{missing}`"));
        }
    }
    complaints.end();
}

#[test]
fn a_library_is_used_where_it_belongs() {
    let mut complaints = Complaints::default();
    let sources: Vec<_> = ["cloud/src", "bridge/src"]
        .into_iter()
        .flat_map(rust)
        .map(|file| (take_apart(file.without_tests()).code, file.path))
        .collect();
    for (below, words, places) in ONLY_IN {
        let words = regex::Regex::new(words).unwrap();
        for (code, path) in &sources {
            if !path.starts_with(below) || places.iter().any(|place| path.starts_with(place)) {
                continue;
            }
            for found in words.find_iter(code) {
                let what = format!("{} stands only in {places:?}", found.as_str());
                complaints.add(path, line_of(code, found.start()), what);
            }
        }
    }
    complaints.end();
}

/// Whether a module of the one row may import one of the other; without a row it is an island.
fn may(own: Option<u32>, other: Option<u32>) -> bool {
    match (own, other) {
        (Some(own), Some(other)) => other < own,
        // The command line starts the islands; nobody else knows them.
        (Some(own), None) => own >= 6,
        (None, _) => false,
    }
}

/// The module a file belongs to: its first name below the crate.
fn module<'a>(file: &'a File, place: &str) -> &'a str {
    let below = &file.path[place.len() + 1..];
    below.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The modules of the crate that code names, by `use crate::…` or by path, each with its line.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, words) in code.match_indices("crate::") {
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || "_$".contains(before)) {
            continue;
        }
        let start = at + words.len();
        for (offset, path) in paths(&code[start..]) {
            let name = path.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
            let name = name.unwrap_or_default().to_owned();
            if !name.is_empty() {
                found.push((line_of(code, start + offset), name));
            }
        }
    }
    found
}

/// What follows `crate::`: one path, or those of a group in braces; each with where it begins.
fn paths(rest: &str) -> Vec<(usize, &str)> {
    if !rest.starts_with('{') {
        return vec![(0, rest)];
    }
    let (mut depth, mut start, mut paths) = (0, 1, Vec::new());
    for (at, letter) in rest.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && letter == ',') {
            let path = rest[start..at].trim_start();
            paths.push((at - path.len(), path));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    paths
}

/// One column of the table of rows.
fn rows(column: usize) -> Rows {
    let page = read("ARCHITECTURE.md");
    let section = page.split("## Layers").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut rows = Rows::new();
    for line in section.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let height = match cells[1] {
            "islands" => None,
            number => match number.parse() {
                Ok(height) => Some(height),
                Err(_) => continue,
            },
        };
        let plain: String = cells[column].split(['(', ')']).step_by(2).collect();
        for name in plain.split([' ', ',']).filter(|name| !name.is_empty() && *name != "–") {
            rows.insert(name.to_owned(), height);
        }
    }
    assert!(rows.len() > 5, "the table of rows is not where it was: {rows:?}");
    rows
}

#[test]
fn imports_are_read_from_groups_and_paths() {
    let code = "use crate::{\n    config::{Config, Environment},\n    guest, store::Store,\n};\nuse crate::git;\nlet x = crate::acp::Driver::new($crate::no);";
    let names: Vec<_> =
        imports(code).into_iter().map(|(line, name)| format!("{line} {name}")).collect();
    assert_eq!(names, ["2 config", "3 guest", "3 store", "5 git", "6 acp"]);
}
