//! How soon the newest page of a long thread is there.

use std::time::Instant;

use aloft_tests::home::Home;
use anyhow::ensure;
use serde_json::json;

use crate::{
    editor::Editor,
    report::{Goal, Report, milliseconds},
};

/// Items of the thread, made by this many turns.
const ITEMS: usize = 10_000;
const TURNS: usize = 5;
/// Items of a page.
const PAGE: usize = 100;
/// How often it is opened.
const OPENED: usize = 50;

pub(crate) fn measure(report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new();
    let commands = "$ :\n".repeat(ITEMS / TURNS);
    let thread = home.shell(&home.repository(), "auto", &commands);
    let id = &thread["id"];
    for _ in 1..TURNS {
        home.ok(["send", id.as_str().unwrap_or_default(), "--wait", &commands]);
    }
    let mut editor = Editor::aloft(&home)?;
    let mut times = Vec::new();
    for _ in 0..OPENED {
        let began = Instant::now();
        let page = editor.request("thread/read", &json!({"threadId": id, "limit": PAGE}))?;
        times.push(milliseconds(began.elapsed()));
        ensure!(page["items"].as_array().map(Vec::len) == Some(PAGE), "not a whole page: {page}");
    }
    let name = format!("first page of a thread of {ITEMS} items");
    report.add(&name, "ms", Some(Goal::AtMost(50.0)), &times);
    Ok(())
}
