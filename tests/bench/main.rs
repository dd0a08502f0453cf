//! What `make bench` runs: the real programs, measured from outside, beside their goals and beside codex where it is installed.
//!
//! Nothing here fails because it is slow: figures are for people. Each file measures one thing; [`report`] keeps and shows the
//! figures. Arguments are names of measures; none means all.

#![expect(clippy::print_stdout, reason = "a table for people is what this program is for")]

mod codex;
mod editor;
mod events;
mod fleet;
mod lsp;
mod open;
mod reconnect;
mod report;
mod repositories;
mod rest;
mod sandbox;
mod ssh;
mod stop;
mod threads;

use std::{path::Path, time::Instant};

use crate::report::Report;

/// A measure: what it is called, and what measures it.
type Measure = (&'static str, fn(&mut Report) -> anyhow::Result<()>);

const MEASURES: &[Measure] = &[
    ("lsp", lsp::measure),
    ("codex", codex::measure),
    ("request", threads::requests),
    ("list", threads::list_change),
    ("new", threads::first_event),
    ("stop", stop::measure),
    ("open", open::measure),
    ("events", events::measure),
    ("sandbox", sandbox::measure),
    ("rest", rest::measure),
    ("repositories", repositories::measure),
    ("reconnect", reconnect::measure),
    ("fleet", fleet::measure),
    ("ssh", ssh::measure),
];

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let mut report = Report::default();
    for (name, measure) in MEASURES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            let began = Instant::now();
            measure(&mut report)?;
            tell(name, began);
        }
    }
    report.show();
    report.write(Path::new(report::FOLDER))
}

#[expect(
    clippy::print_stderr,
    reason = "tells that it goes on; the table alone goes to standard output"
)]
fn tell(name: &str, began: Instant) {
    eprintln!("{name}: measured in {:.1} s", began.elapsed().as_secs_f64());
}
