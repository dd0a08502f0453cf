//! `docs/reliability.md` names tests and breaks that exist, and each break beside the test it turns red.

use regex::Regex;

use crate::tidy::source::{Complaints, files, line_of, read, rust};

const PAGE: &str = "docs/reliability.md";

#[test]
fn every_test_the_page_of_reliability_names_exists() {
    let page = read(PAGE);
    let sources: Vec<(String, String)> = ["tests/it", "cloud/src", "cloud/tests", "bridge/src"]
        .into_iter()
        .flat_map(rust)
        .map(|file| (file.path.trim_end_matches(".rs").replace('/', "::"), file.text))
        .collect();
    let breaks = files("tests/breaks");
    let row = Regex::new(r"(?m)^\| \*\*(?:[^|]+)\| [^|]+ \| ([^|]+) \|([^|]*)\|$").unwrap();
    let word = Regex::new("`([a-z0-9_:-]+)`").unwrap();
    let mut complaints = Complaints::default();
    let mut rows = 0;
    for found in row.captures_iter(&page) {
        rows += 1;
        let line = line_of(&page, found.get(0).unwrap().start());
        let words = |at: usize| -> Vec<String> {
            word.captures_iter(&found[at]).map(|word| word[1].to_owned()).collect()
        };
        let tests = words(1);
        if tests.is_empty() {
            complaints.add(PAGE, line, "no test is named");
        }
        for test in &tests {
            let (module, name) = test.rsplit_once("::").unwrap_or(("", test));
            // In a file of its own, or at the bottom of what it tests.
            let places = [module, module.trim_end_matches("::tests")];
            let exists = sources.iter().any(|(path, text)| {
                let there = places.iter().any(|place| path.ends_with(&format!("::{place}")));
                there && text.contains(&format!("fn {name}("))
            });
            if !exists {
                complaints.add(PAGE, line, format!("there is no test {test}"));
            }
        }
        for name in words(2) {
            let path = format!("tests/breaks/{name}.patch");
            let red = breaks.iter().find(|file| file.path == path).and_then(|file| {
                file.text.lines().find_map(|line| line.strip_prefix("# red: ")).map(str::to_owned)
            });
            let filter = red.as_deref().and_then(|red| red.split(' ').next_back());
            if !filter.is_some_and(|filter| {
                tests.iter().any(|test| test.ends_with(filter) || test.contains(filter))
            }) {
                complaints.add(PAGE, line, format!("{path} turns none of these tests red"));
            }
        }
    }
    assert!(rows >= 10, "{rows} rows found");
    complaints.end();
}
