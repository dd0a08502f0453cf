//! What an editor pays when it starts `aloft lsp`.

use std::time::Instant;

use aloft_tests::home::Home;
use serde_json::json;

use crate::{
    editor::{Editor, Framing},
    report::{Goal, Report, milliseconds},
};

/// Starts of the bridge.
const STARTS: usize = 60;

pub(crate) fn measure(report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new();
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut editor = Editor::start(home.command(["lsp"]), Framing::Header)?;
        editor.request("initialize", &json!({"capabilities": {}}))?;
        times.push(milliseconds(began.elapsed()));
        memory.push(editor.resident()?);
    }
    report.add("aloft lsp: spawn to initialize", "ms", Some(Goal::AtMost(10.0)), &times);
    report.add("aloft lsp: memory after initialize", "MiB", Some(Goal::AtMost(15.0)), &memory);
    Ok(())
}
