//! How soon a stopped turn is INTERRUPTED with everything it started gone, also what ignores the signals that ask.

use std::time::Instant;

use aloft_tests::home::Home;
use anyhow::{Context as _, ensure};

use crate::report::{Goal, Report, milliseconds};

/// Turns that are stopped.
const STOPS: usize = 20;

pub(crate) fn measure(report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new();
    let thread = home.shell(&home.repository(), "auto", "$ true");
    let id = thread["id"].as_str().context("a thread without id")?;
    let mut times = Vec::new();
    for number in 0..STOPS {
        let mark = home.mark(&format!("stop{number}"));
        let command = format!(
            "$ trap '' TERM INT HUP; (setsid bash -c \"exec -a {mark} sleep 1000\" &); exec bash -c 'exec -a {mark} sleep 1000'"
        );
        home.ok(["send", id, &command]);
        Home::wait_processes(&mark, 2);
        let began = Instant::now();
        home.json(["stop", id]);
        times.push(milliseconds(began.elapsed()));
        ensure!(Home::processes_with(&mark).is_empty(), "something of the turn still runs");
    }
    report.add("aloft stop: to the end of the turn", "ms", Some(Goal::AtMost(3_000.0)), &times);
    Ok(())
}
