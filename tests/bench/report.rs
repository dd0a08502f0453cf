//! The figures of one run: a table with goals, and JSON that the next run is compared with.

use std::{collections::BTreeMap, path::Path, time::SystemTime};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Where the figures of all runs are.
pub(crate) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench");

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

/// One figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What was measured.
    pub name: String,
    /// Of all numbers: `ms`, `MiB`, `s`, `events/s`; `×` = a quotient.
    pub unit: String,
    /// The middle of the samples.
    pub p50: f64,
    /// What one in twenty samples is worse than.
    pub p95: f64,
    /// How many were taken.
    pub samples: usize,
    /// What the middle is meant to be.
    pub goal: Option<Goal>,
}

/// What a figure is meant to be.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Report {
    /// Keeps the samples of one figure.
    pub(crate) fn add(&mut self, name: &str, unit: &str, goal: Option<Goal>, samples: &[f64]) {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        if matches!(goal, Some(Goal::AtLeast(_))) {
            sorted.reverse();
        }
        let at = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(index).copied().unwrap_or(f64::NAN)
        };
        self.rows.push(Row {
            name: name.to_owned(),
            unit: unit.to_owned(),
            p50: at(50),
            p95: at(95),
            samples: sorted.len(),
            goal,
        });
    }

    /// Prints the table, with the ratio to the run before where there was one.
    pub(crate) fn show(&self) {
        let before = previous();
        println!();
        println!("| measure | goal | p50 | p95 | samples | met | to the run before |");
        println!("|---|---|---|---|---|---|---|");
        for row in &self.rows {
            let (goal, met) = match row.goal {
                None => (String::new(), ""),
                Some(Goal::AtMost(most)) => {
                    (format!("≤ {}", number(most)), if row.p50 <= most { "yes" } else { "no" })
                }
                Some(Goal::AtLeast(least)) => {
                    (format!("≥ {}", number(least)), if row.p50 >= least { "yes" } else { "no" })
                }
            };
            let ratio = before
                .get(&row.name)
                .map(|before| format!("{:.2} of {}", row.p50 / before.p50, number(before.p50)))
                .unwrap_or_default();
            println!(
                "| {} ({}) | {goal} | {} | {} | {} | {met} | {ratio} |",
                row.name,
                row.unit,
                number(row.p50),
                number(row.p95),
                row.samples
            );
        }
    }

    /// Writes the run beside earlier ones, and as `latest.json`.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        let text = serde_json::to_string_pretty(&self.rows)?;
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let path = folder.join(format!("{seconds}.json"));
        std::fs::write(&path, &text).with_context(|| format!("write {}", path.display()))?;
        // A run of some measures leaves the figures of the others.
        let mut latest = previous();
        latest.extend(self.rows.iter().map(|row| (row.name.clone(), row.clone())));
        let latest: Vec<Row> = latest.into_values().collect();
        std::fs::write(folder.join("latest.json"), serde_json::to_string_pretty(&latest)?)?;
        println!("\nwritten to {}", path.display());
        Ok(())
    }
}

fn previous() -> BTreeMap<String, Row> {
    let text = std::fs::read_to_string(Path::new(FOLDER).join("latest.json")).unwrap_or_default();
    let rows: Vec<Row> = serde_json::from_str(&text).unwrap_or_default();
    rows.into_iter().map(|row| (row.name.clone(), row)).collect()
}

/// Three digits that say something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A duration in milliseconds.
pub(crate) fn milliseconds(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
