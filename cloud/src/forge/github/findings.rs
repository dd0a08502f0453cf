//! What stands against a pull request at GitHub: checks that failed with their reports and logs, reviews, remarks to lines and to the whole.

use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::forge::{
    Checks, FailedCheck, Findings, Remark, Result,
    github::{self, GitHub, checks::Run, repos},
};

/// Annotations of a check that are told.
const ANNOTATIONS: usize = 30;
/// Failing runs whose logs are read.
const LOGS: usize = 10;
/// How a line of a log begins that says why its job failed.
const FAILED: &str = "##[error]";

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    start_line: Option<u64>,
    #[serde(default)]
    message: Option<String>,
}

/// A review, a remark to a line, or a comment to the whole.
#[derive(Deserialize)]
struct Said {
    #[serde(flatten)]
    remark: github::Remark,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    line: Option<u64>,
    #[serde(default)]
    original_line: Option<u64>,
}

impl GitHub {
    pub(super) async fn findings(&self, name: &str, number: u64, commit: &str) -> Result<Findings> {
        let mut findings = Findings::default();
        for run in self.runs(name, commit).await? {
            if run.stands() == Checks::Failing {
                let mut check = self.report(name, &run).await?;
                if findings.checks.len() < LOGS {
                    check.log = self.log(name, &run).await;
                }
                findings.checks.push(check);
            }
        }
        let mut failing = self.statuses(name, commit).await?;
        failing.retain(|status| status.stands() == Checks::Failing);
        findings.checks.extend(failing.into_iter().map(|status| FailedCheck {
            name: status.context.unwrap_or_default(),
            url: status.target_url.unwrap_or_default(),
            text: status.description.unwrap_or_default(),
            log: String::new(),
        }));
        let number = number.to_string();
        for (kind, below) in [
            ("review", ["pulls", &number, "reviews"]),
            ("line", ["pulls", &number, "comments"]),
            ("comment", ["issues", &number, "comments"]),
        ] {
            let (parts, what) = (repos(name, &below), format!("read what was said at {name}"));
            let said = self.http.all(&parts, &[], &what, |page: Vec<Said>| page).await?;
            findings.remarks.extend(said.into_iter().map(|said| said.told(kind)));
        }
        Ok(findings.tidied())
    }

    /// A run with what it reports and where.
    async fn report(&self, name: &str, run: &Run) -> Result<FailedCheck> {
        let mut text: Vec<String> = Vec::new();
        if let Some(output) = &run.output {
            let said = [&output.title, &output.summary, &output.text];
            text.extend(said.into_iter().flatten().cloned());
            if output.annotations_count.unwrap_or_default() > 0 {
                let id = run.id.to_string();
                let what = format!("read the checks of {name}");
                let parts = repos(name, &["check-runs", &id, "annotations"]);
                let entries = |page: Vec<Annotation>| page;
                let first = self.http.page(&parts, &[], 1, &what, entries).await?.entries;
                text.extend(first.into_iter().take(ANNOTATIONS).map(|one| {
                    format!(
                        "{}:{}: {}",
                        one.path.unwrap_or_default(),
                        one.start_line.unwrap_or_default(),
                        one.message.unwrap_or_default()
                    )
                }));
            }
        }
        Ok(FailedCheck {
            name: run.name.clone().unwrap_or_default(),
            url: run.html_url.clone().unwrap_or_default(),
            text: text.join("\n\n"),
            log: String::new(),
        })
    }

    /// How the log of a job of Actions ends; empty where there is none, or none for this account.
    async fn log(&self, name: &str, run: &Run) -> String {
        let Some(job) = run.job() else { return String::new() };
        let url = self.http.url(&repos(name, &["actions", "jobs", job, "logs"]), &[]);
        match self.http.end_of(url, &format!("read the log of job {job} of {name}")).await {
            Ok(log) => readable(&log),
            Err(error) => {
                // What else is known of the check is told all the same.
                tracing::warn!(%error, "a failing check is told without its log");
                String::new()
            }
        }
    }
}

impl Said {
    fn told(self, kind: &str) -> Remark {
        let line = self.line.or(self.original_line);
        let place = match (self.path, line) {
            (Some(path), Some(line)) => format!("{path}:{line}"),
            (path, _) => path.unwrap_or_default(),
        };
        Remark { place, ..self.remark.told(kind) }
    }
}

/// A log as a person reads it: without the time before each line and without colors, up to where the job failed. What comes
/// after that only clears up.
fn readable(log: &str) -> String {
    let lines: Vec<String> = log.trim_start_matches('\u{feff}').lines().map(line).collect();
    let failed = lines.iter().rposition(|line| line.starts_with(FAILED));
    lines[..failed.map_or(lines.len(), |at| at + 1)].join("\n")
}

fn line(line: &str) -> String {
    let text = match line.split_once(' ') {
        Some((time, rest)) if OffsetDateTime::parse(time, &Rfc3339).is_ok() => rest,
        _ => line,
    };
    let mut plain = String::new();
    let mut parts = text.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        // The first letter ends what a terminal would do.
        let end = part.find(|one: char| one.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
        plain.push_str(&part[end..]);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_ends_where_its_job_failed() {
        let log = "\u{feff}2026-11-01T12:00:00.1234567Z ##[group]Run make\n\
            2026-11-01T12:00:01.0000000Z \u{1b}[36;1mmake test\u{1b}[0m\r\n\
            2026-11-01T12:00:02.0000000Z 1 of 2 failed\n\
            not a time\n\
            2026-11-01T12:00:03.0000000Z ##[error]Process completed with exit code 2.\n\
            2026-11-01T12:00:04.0000000Z Post job cleanup.\n";
        assert_eq!(
            readable(log),
            "##[group]Run make\nmake test\n1 of 2 failed\nnot a time\n##[error]Process completed with exit code 2."
        );
        assert_eq!(readable("one\ntwo\n"), "one\ntwo");
        assert_eq!(readable(""), "");
    }
}
