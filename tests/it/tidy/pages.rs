//! The reference pages say what the programs do: every command, every key of the configuration, every variable.
//!
//! `docs/cli.md` is what the programs print; `scripts/docs.sh` writes it anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    process::Command,
};

use aloft_tests::home::program;
use regex::Regex;

use crate::tidy::source::{Complaints, files, line_of, read, root, rust, take_apart};

/// Set by `scripts/docs.sh`: write the page instead of comparing it.
const WRITE: &str = "ALOFT_TEST_WRITE_DOCS";

/// Each table of `config.toml`: the file and type that read it, and its name in the page.
const TABLES: [(&str, &str, &str); 12] = [
    ("bridge/src/config.rs", "Settings", ""),
    ("bridge/src/config.rs", "CloudSettings", "clouds.NAME."),
    ("bridge/src/config.rs", "NoticeSettings", "notices."),
    ("cloud/src/config.rs", "Config", "serve."),
    ("cloud/src/config.rs", "Notices", "serve.notices."),
    ("cloud/src/config.rs", "Webhook", "serve.notices.webhook."),
    ("cloud/src/config.rs", "Limits", "serve.limits."),
    ("cloud/src/config.rs", "ForgeApplication", "serve.forges.HOST."),
    ("cloud/src/config.rs", "ForgeCalls", "serve.forgeCalls."),
    ("cloud/src/config.rs", "CustomAgent", "serve.agents.NAME."),
    ("cloud/src/config.rs", "Prices", "serve.prices."),
    ("cloud/src/config.rs", "Price", "serve.prices.models.NAME."),
];

/// What a program says of itself and of each of its commands, by the words that call them.
fn helps(name: &str) -> BTreeMap<Vec<String>, String> {
    let mut open = vec![vec![name.to_owned()]];
    let mut helps = BTreeMap::new();
    while let Some(words) = open.pop() {
        let output = Command::new(program(name))
            .args(&words[1..])
            .arg("--help")
            .env_clear()
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{} --help: {text}", words.join(" "));
        for command in commands(&text) {
            open.push(words.iter().cloned().chain([command]).collect());
        }
        helps.insert(words, text);
    }
    helps
}

/// The commands a help lists.
fn commands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_page_of_commands_is_what_the_programs_print() {
    let mut page = String::from(
        "# Command line\n\nWhat `--help` prints, command by command; written by `scripts/docs.sh`. `--json` prints the shapes of\n\
         [protocol.d.ts](protocol.d.ts). Exit codes: 0 done · 1 failed · 2 usage · 3 not signed in or not allowed · 4 cloud or\n\
         forge unreachable · 5 the turn or thread failed (with `--wait`) · 6 needs an answer (with `--wait` and no terminal).\n",
    );
    for (words, help) in helps("aloft").into_iter().chain(helps("aloft-cloud")) {
        write!(
            page,
            "\n{} {}\n\n```text\n{}\n```\n",
            "#".repeat(words.len() + 1),
            words.join(" "),
            help.trim_end()
        )
        .unwrap();
    }
    let path = root().join("docs/cli.md");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(page.lines()).position(|(kept, now)| kept != now);
    let line = differs.unwrap_or_else(|| kept.lines().count().min(page.lines().count())) + 1;
    assert!(kept == page, "docs/cli.md:{line}: not what the programs print; run scripts/docs.sh");
}

#[test]
fn a_command_that_is_recommended_exists() {
    let known: BTreeSet<String> = ["aloft", "aloft-cloud"]
        .into_iter()
        .flat_map(helps)
        .map(|(words, _)| words.join(" "))
        .collect();
    let mention = Regex::new(r"`(aloft(?:-cloud)? [a-z][a-z-]*)\b").unwrap();
    let mut complaints = Complaints::default();
    let mut check = |path: &str, line: usize, text: &str| {
        for found in mention.captures_iter(text).filter(|found| !known.contains(&found[1])) {
            complaints.add(path, line, format!("there is no `{}`", &found[1]));
        }
    };
    for file in ["cloud/src", "bridge/src"].into_iter().flat_map(rust) {
        for (line, literal) in take_apart(&file.text).literals {
            check(&file.path, line, &literal);
        }
    }
    for page in files("").iter().filter(|file| file.ends_in("md")) {
        for (number, line) in page.text.lines().enumerate() {
            check(&page.path, number + 1, line);
        }
    }
    complaints.end();
}

#[test]
fn the_page_of_the_configuration_lists_every_key_and_variable() {
    let mut expected = BTreeMap::new();
    for (path, name, table) in TABLES {
        let source = read(path);
        for (line, field, kind) in fields(&source, name) {
            let own_table = TABLES.iter().any(|(_, other, _)| kind.contains(other));
            if !own_table {
                expected.insert(format!("{table}{}", camel(&field)), (path.to_owned(), line));
            }
        }
    }
    let variable = Regex::new(r"^ALOFT_[A-Z_]+$").unwrap();
    for file in ["cloud/src", "bridge/src"].into_iter().flat_map(rust) {
        for (line, literal) in take_apart(file.without_tests()).literals {
            if variable.is_match(&literal) {
                expected.insert(literal, (file.path.clone(), line));
            }
        }
    }
    let page = read("docs/config.md");
    let row = Regex::new(r"(?m)^\| `([^`]+)` \|").unwrap();
    let listed: BTreeMap<&str, usize> = row
        .captures_iter(&page)
        .map(|found| found.get(1).unwrap())
        .map(|name| (name.as_str(), line_of(&page, name.start())))
        .collect();
    let mut complaints = Complaints::default();
    for (name, (path, line)) in &expected {
        if !listed.contains_key(name.as_str()) {
            complaints.add(path, *line, format!("{name} is not in docs/config.md"));
        }
    }
    for (name, line) in listed {
        if !expected.contains_key(name)
            && (name.contains("ALOFT_")
                || !name.contains("_KEY") && !name.contains("_URL") && name != "NO_COLOR")
        {
            complaints.add("docs/config.md", line, format!("nothing reads {name}"));
        }
    }
    complaints.end();
}

/// The fields of a type: line, name and type.
fn fields(source: &str, name: &str) -> Vec<(usize, String, String)> {
    let head = format!("pub struct {name} {{\n");
    let start =
        source.find(&head).unwrap_or_else(|| panic!("there is no struct {name}")) + head.len();
    let end = start + source[start..].find("\n}").unwrap();
    let field = Regex::new(r"(?m)^    pub(?:\(crate\))? (\w+): (.+),$").unwrap();
    let fields: Vec<_> = field
        .captures_iter(&source[start..end])
        .map(|found| {
            let at = start + found.get(0).unwrap().start();
            (line_of(source, at), found[1].to_owned(), found[2].to_owned())
        })
        .collect();
    assert!(!fields.is_empty(), "struct {name} has no field");
    fields
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| text + &word[..1].to_uppercase() + &word[1..])
}
