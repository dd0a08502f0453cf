//! The same of codex's own server for editors, where it is installed.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use aloft_tests::home::Home;
use serde_json::json;

use crate::{
    editor::{Editor, Framing},
    report::{Report, milliseconds},
};

/// Starts of it.
const STARTS: usize = 10;
/// Requests to it.
const REQUESTS: usize = 200;

pub(crate) fn measure(report: &mut Report) -> anyhow::Result<()> {
    let Some(program) = find(Path::new("target/agents/plain/node_modules/@openai"), 6) else {
        return Ok(());
    };
    let home = Home::new();
    let command = || {
        let mut command = Command::new(&program);
        command.arg("app-server");
        home.dress(&mut command);
        command
    };
    let initialize = json!({"clientInfo": {"name": "bench", "title": "bench", "version": "1"}});
    let (mut times, mut memory, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut editor = Editor::start(command(), Framing::Lines)?;
        editor.request("initialize", &initialize)?;
        times.push(milliseconds(began.elapsed()));
        memory.push(editor.resident()?);
    }
    let mut editor = Editor::start(command(), Framing::Lines)?;
    editor.request("initialize", &initialize)?;
    for _ in 0..REQUESTS {
        let began = Instant::now();
        editor.request("thread/loaded/list", &json!({}))?;
        requests.push(milliseconds(began.elapsed()));
    }
    report.add("codex app-server: spawn to initialize", "ms", None, &times);
    report.add("codex app-server: memory after initialize", "MiB", None, &memory);
    report.add("codex app-server: a request answered in its own process", "ms", None, &requests);
    Ok(())
}

/// The program itself, not the script that starts it.
fn find(folder: &Path, depth: usize) -> Option<PathBuf> {
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if depth > 0
                && let Some(found) = find(&path, depth - 1)
            {
                return Some(found);
            }
        } else if path.ends_with("bin/codex")
            && path.metadata().is_ok_and(|about| about.len() > 1 << 20)
        {
            return std::path::absolute(path).ok();
        }
    }
    None
}
