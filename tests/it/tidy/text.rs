//! How the files themselves must look.

use std::os::unix::fs::PermissionsExt;

use regex::Regex;

use crate::tidy::source::{Complaints, files, line_of, read, root, rust, take_apart};

/// Words that mean something else here, or nothing: what stands instead, and the files that need them.
const WORDS: [(&str, &str, &[&str]); 6] = [
    (
        "approv(al|e[sd]?)",
        "permission, answer",
        &["cloud/src/acp", "cloud/src/agent", "cloud/tests"],
    ),
    ("checkpoint", "snapshot", &["cloud/src/store"]),
    (
        "conversation",
        "thread",
        // The first two define the thread by it; the agents have one with their model.
        &["bridge/src/protocol/thread.rs", "proto/aloft/v1/thread.proto", "cloud/src/agent"],
    ),
    ("workflow", "turn", &[]),
    ("instance", "sandbox", &[]),
    ("steering committee|whitelist|blacklist", "what is allowed, what is refused", &[]),
];

/// Addresses a file may name: standards, the providers, examples, this machine.
const HOSTS: &str = r"^(127\.0\.0\.1|localhost|([\w-]+\.)*(example(\.(com|org|net))?|localhost|invalid|test)|[a-z]+|HOST|10\.0\.0\.1|192\.0\.2\.1|((api|docs|git-lfs|www)\.)?github\.com|gitlab\.com|codeberg\.org|((api|uploads)\.)?linear\.app|[\w-]+\.atlassian\.net|(api\.)?[\w-]+\.ghe\.com|json-schema\.org|www\.apache\.org|api\.(anthropic|openai)\.com|registry\.npmjs\.org|agentclientprotocol\.com|microsoft\.github\.io|keepachangelog\.com|semver\.org|rustup\.rs|www\.w3\.org)$";

#[test]
fn every_file_of_code_says_what_it_owns() {
    let mut complaints = Complaints::default();
    for file in ["proto", "cloud", "bridge", "tests"].into_iter().flat_map(rust) {
        if !file.text.starts_with("//! ") {
            complaints.add(
                &file.path,
                1,
                "begins with `//!`: what it owns, what it leaves to others",
            );
        }
        if file.path.ends_with("/mod.rs") {
            complaints.add(&file.path, 1, "stands beside its folder, not inside as mod.rs");
        }
        let body = file.text.lines().any(|line| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with("//")
        });
        if !body {
            complaints.add(&file.path, 1, "holds no code");
        }
    }
    complaints.end();
}

#[test]
fn no_lint_and_no_test_is_switched_off() {
    let mut complaints = Complaints::default();
    let switched =
        Regex::new(r"#!?\[\s*(allow\(|ignore\b|cfg_attr\([^\]]*\b(allow|ignore)\b)").unwrap();
    for file in ["proto", "cloud", "bridge", "tests"].into_iter().flat_map(rust) {
        let code = take_apart(&file.text).code;
        for found in switched.find_iter(&code) {
            // What a code generator wrote is not ours to mend.
            if file.path != "proto/src/lib.rs" {
                complaints.add(&file.path, line_of(&code, found.start()), found.as_str());
            }
        }
        for (at, _) in file.text.match_indices("[expect(") {
            let attribute = file.text[at..].split(")]").next().unwrap();
            if code[at..].starts_with("[expect(") && !attribute.contains("reason = ") {
                complaints.add(
                    &file.path,
                    line_of(&file.text, at),
                    "an expected lint has a reason",
                );
            }
        }
    }
    for manifest in files("").iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        if !manifest.text.contains("[lints]\nworkspace = true") {
            complaints.add(&manifest.path, 1, "takes the lints of the workspace");
        }
    }
    complaints.end();
}

#[test]
fn one_word_stands_for_one_thing() {
    let mut complaints = Complaints::default();
    let sources: Vec<_> =
        ["proto", "cloud/src", "bridge/src"].into_iter().flat_map(files).collect();
    for (word, instead, places) in WORDS {
        let word = Regex::new(&format!(r"(?i)\b({word})\b")).unwrap();
        for file in &sources {
            if places.iter().any(|place| file.path.starts_with(place)) {
                continue;
            }
            for found in word.find_iter(&file.text) {
                let what = format!("`{}` is not our word: {instead}", found.as_str());
                complaints.add(&file.path, line_of(&file.text, found.start()), what);
            }
        }
    }
    complaints.end();
}

#[test]
fn every_field_of_a_contract_says_what_it_is() {
    let field = Regex::new(r"^\s*((repeated |optional |map<[^>]*> )?[\w.<>, ]+ \w+|[A-Z][A-Z_0-9]*) = \d+( \[[^\]]*\])?;").unwrap();
    let explained = Regex::new(r";\s*// \S").unwrap();
    let mut complaints = Complaints::default();
    let mut fields = 0;
    for file in files("proto").iter().filter(|file| file.ends_in("proto")) {
        for (number, line) in file.text.lines().enumerate().filter(|(_, line)| field.is_match(line))
        {
            fields += 1;
            if !explained.is_match(line) {
                complaints.add(
                    &file.path,
                    number + 1,
                    "a field has a comment at the end of its line",
                );
            }
        }
    }
    assert!(fields > 100, "{fields} fields found");
    complaints.end();
}

#[test]
fn no_file_names_a_machine_or_a_host_that_is_not_everybodys() {
    let address = Regex::new(r"https?://(?:[^/\s@]*@)?([A-Za-z0-9._-]+)").unwrap();
    let hosts = Regex::new(HOSTS).unwrap();
    // A home of a person or of the machine this was written on; the one inside a sandbox is everybody's.
    let place = Regex::new(r"(^|[^\w.$}/-])(/root/|/Users/|/home/)[\w.-]*").unwrap();
    let mut complaints = Complaints::default();
    for file in files("") {
        if file.path == "tests/it/tidy/text.rs" {
            continue;
        }
        // What packages say of their funders is theirs to say; where they are to come from is not ours to say.
        if file.path.ends_with("package-lock.json") {
            if let Some(at) = file.text.find("\"resolved\"") {
                complaints.add(&file.path, line_of(&file.text, at), "a registry's address");
            }
            continue;
        }
        for found in address.captures_iter(&file.text) {
            if !hosts.is_match(found[1].trim_end_matches('.')) {
                complaints.add(
                    &file.path,
                    line_of(&file.text, found.get(0).unwrap().start()),
                    &found[0],
                );
            }
        }
        for found in place.find_iter(&file.text) {
            if !["/home/agent", "/home/me"].iter().any(|home| found.as_str().ends_with(home)) {
                complaints.add(&file.path, line_of(&file.text, found.start()), found.as_str());
            }
        }
    }
    complaints.end();
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)#:\s]+)(#[^)]*)?\)").unwrap();
    let mut complaints = Complaints::default();
    for page in files("").iter().filter(|file| file.ends_in("md")) {
        let folder = root().join(&page.path).parent().unwrap().to_owned();
        for found in link.captures_iter(&page.text) {
            if !folder.join(&found[1]).exists() {
                complaints.add(
                    &page.path,
                    line_of(&page.text, found.get(0).unwrap().start()),
                    format!("{} is not there", &found[1]),
                );
            }
        }
    }
    complaints.end();
}

#[test]
fn every_script_stops_at_its_first_mistake_and_has_its_target() {
    let mut complaints = Complaints::default();
    for script in files("scripts").iter().filter(|file| file.ends_in("sh")) {
        let mode = root().join(&script.path).metadata().unwrap().permissions().mode();
        if mode & 0o111 == 0 {
            complaints.add(&script.path, 1, "may be executed");
        }
        if !script.text.contains("\nset -euo pipefail\n") {
            complaints.add(&script.path, 1, "sets -euo pipefail");
        }
    }
    let makefile = read("Makefile");
    for target in ["demo", "test", "soak", "install", "bench", "lint"] {
        if !makefile.contains(&format!("\n{target}:")) {
            complaints.add("Makefile", 1, format!("has the target {target}"));
        }
    }
    for found in Regex::new(r"scripts/[\w-]+\.sh").unwrap().find_iter(&makefile) {
        if !root().join(found.as_str()).exists() {
            complaints.add(
                "Makefile",
                line_of(&makefile, found.start()),
                format!("{} is not there", found.as_str()),
            );
        }
    }
    let continuous = read(".ci/run");
    if continuous.lines().last() != Some("make test") {
        complaints.add(".ci/run", continuous.lines().count(), "runs `make test` and nothing else");
    }
    complaints.end();
}
