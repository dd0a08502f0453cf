//! Every reason an error can have is in `docs/errors.md`, and nothing else is.

use std::collections::BTreeMap;

use regex::Regex;

use crate::tidy::source::{Complaints, line_of, read, rust, take_apart};

/// Files in which texts of the same letters are variables of programs, or words of a forge.
const VARIABLES: [&str; 9] = [
    "bridge/src/cli/command/forge.rs",
    "bridge/src/config.rs",
    "cloud/src/accounts/keys.rs",
    "cloud/src/accounts/keys/environment.rs",
    "cloud/src/acp/known/launch.rs",
    "cloud/src/agent/coder/settings.rs",
    "cloud/src/dev_forge/rest/reviews.rs",
    "cloud/src/host/git/backend.rs",
    "cloud/src/sandbox/bubblewrap/arguments.rs",
];
/// The same, everywhere: what git, the tests and other programs read.
const VARIABLE: &str =
    "^((ALOFT|CARGO|SSL|LC)_.*|GIT_.*|.*_PROXY|SSH_(AUTH_SOCK|CLIENT|CONNECTION|TTY))$";
/// Reasons that look like one of git's variables.
const OF_GIT: [&str; 2] = ["GIT_FAILED", "GIT_MISSING"];
/// Reasons of one word.
const ONE_WORD: [&str; 4] = ["CANCELLED", "INTERNAL", "UNAUTHENTICATED", "USAGE"];

#[test]
fn every_reason_is_explained_and_every_explained_reason_exists() {
    let several = Regex::new(r"^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$").unwrap();
    let variable = Regex::new(VARIABLE).unwrap();
    let mut reasons = BTreeMap::new();
    for file in ["cloud/src", "bridge/src"].into_iter().flat_map(rust) {
        if VARIABLES.contains(&&*file.path) {
            continue;
        }
        for (line, literal) in take_apart(file.without_tests()).literals {
            let ours = several.is_match(&literal)
                && (!variable.is_match(&literal) || OF_GIT.contains(&&*literal));
            if ours || ONE_WORD.contains(&&*literal) {
                reasons.entry(literal).or_insert((file.path.clone(), line));
            }
        }
    }
    let page = read("docs/errors.md");
    let row = Regex::new(r"(?m)^\| `([A-Z][A-Z0-9_]*)` \| ([^|]+) \| ([^|]+) \|$").unwrap();
    let mut explained = BTreeMap::new();
    let mut complaints = Complaints::default();
    for found in row.captures_iter(&page) {
        let line = line_of(&page, found.get(0).unwrap().start());
        if explained.insert(found[1].to_owned(), line).is_some() {
            complaints.add("docs/errors.md", line, format!("{} is explained twice", &found[1]));
        }
    }
    for (reason, (path, line)) in &reasons {
        if !explained.contains_key(reason) {
            complaints.add(path, *line, format!("{reason} is not in docs/errors.md"));
        }
    }
    for (reason, line) in &explained {
        if !reasons.contains_key(reason) {
            complaints.add("docs/errors.md", *line, format!("nothing gives {reason}"));
        }
    }
    complaints.end();
}
