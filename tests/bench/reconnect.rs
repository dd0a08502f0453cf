//! How soon an editor hears of its threads again once the network is back.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use aloft_tests::{
    home::{Home, finish, kill},
    relay::{Network, Relay},
    remote::{Remote, TOKEN},
};
use anyhow::ensure;
use serde_json::json;

use crate::{
    editor::Editor,
    report::{Goal, Report, milliseconds},
};

/// Breaks of each kind.
const BREAKS: usize = 4;

pub(crate) fn measure(report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new();
    let remote = Remote::start(&home);
    let relay = Relay::to(remote.port());
    let home = home.with("ALOFT_CLOUD", relay.url()).with("ALOFT_TOKEN", TOKEN);
    let thread = home.shell(&home.repository(), "auto", "$ true")["id"].clone();
    let thread = thread.as_str().unwrap_or_default();
    let mut editor = Editor::aloft(&home)?;
    let feed = editor.request("thread/list", &json!({}))?["feed"].clone();
    editor.request("thread/subscribe", &json!({ "after": feed }))?;
    let kinds = [
        ("network back after it was cut", Network::Cut, 5, false),
        ("network back after a silence", Network::Silent, 8, false),
        ("awake again, on another network", Network::Silent, 8, true),
    ];
    for (name, network, seconds, asleep) in kinds {
        let mut times = Vec::new();
        for number in 0..BREAKS {
            relay.set(network);
            if asleep {
                kill(editor.pid(), libc::SIGSTOP);
            }
            sleep(Duration::from_secs(seconds));
            let title = format!("{name} {number}");
            let mut rename = home.command(["rename", thread, &title]);
            rename.env("ALOFT_CLOUD", remote.url()).env("ALOFT_DATA_DIR", home.path("elsewhere"));
            ensure!(finish(rename).code == 0, "the thread was not renamed");
            relay.set(Network::Up);
            let began = Instant::now();
            if asleep {
                kill(editor.pid(), libc::SIGCONT);
            }
            editor.wait(|heard| {
                heard["method"] == "thread/didChange"
                    && heard["params"]["thread"]["title"] == *title
            })?;
            times.push(milliseconds(began.elapsed()));
        }
        report.add(&format!("{name}: heard"), "ms", Some(Goal::AtMost(2_000.0)), &times);
    }
    Ok(())
}
