//! A thousand repositories of one account: how soon an editor has the first page of them, and what one types for.

use std::{fs, path::Path, time::Instant};

use aloft_tests::{
    dev_forge::DevForge,
    home::{Home, feed},
};
use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::{
    editor::Editor,
    report::{Goal, Report, milliseconds},
};

/// Repositories at the forge.
const COUNT: usize = 1_000;
/// Of the first page.
const REQUESTS: usize = 200;
/// What a person types, letter by letter.
const WORDS: &[&str] = &["dev/service-0420", "tool 07", "docs-0998"];

pub(crate) fn measure(report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new();
    let forge = DevForge::start(&home.path("forge"));
    let first = forge.repository("dev/first");
    for number in 1..COUNT {
        let kind = ["service", "tool", "docs"][number % 3];
        copy(&first, &home.path(&format!("forge/dev/{kind}-{number:04}.git")))?;
    }
    let connect = ["forge", "connect", "github", "--url", &forge.url(), "--token-stdin"];
    let run = feed(home.command(connect), forge.token().as_bytes());
    ensure!(run.code == 0, "aloft forge connect: {}{}", run.text(), run.stderr);

    let mut editor = Editor::aloft(&home)?;
    let mut list = |words: &str, least: usize| {
        let began = Instant::now();
        let answer = editor.request("repository/list", &json!({ "query": words }))?;
        let time = milliseconds(began.elapsed());
        let found = answer["repositories"].as_array().context("no repositories")?.len();
        ensure!(found >= least, "{found} repositories for {words:?}");
        anyhow::Ok(time)
    };
    let cold = list("", 100)?;
    let pages = (0..REQUESTS).map(|_| list("", 100)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut typed = Vec::new();
    for words in WORDS {
        for end in 1..=words.len() {
            typed.push(list(&words[..end], 1)?);
        }
    }
    report.add("1,000 repositories: read from dev-forge", "ms", None, &[cold]);
    let goal = Some(Goal::AtMost(200.0));
    report.add("1,000 repositories: first page, from the cache", "ms", goal, &pages);
    report.add("1,000 repositories: search, a letter more", "ms", goal, &typed);
    Ok(())
}

/// A bare repository once more; hooks are none of what makes it one.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name() == "hooks" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
