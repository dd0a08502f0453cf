//! What stands against a pull request at GitHub: checks that failed with their reports, reviews, remarks to lines and to the whole.

use serde::Deserialize;

use crate::forge::{
    Checks, FailedCheck, Findings, Remark, Result,
    github::{self, GitHub, checks::Run, repos},
};

/// Annotations of a check that are told.
const ANNOTATIONS: usize = 30;

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
                findings.checks.push(self.report(name, run).await?);
            }
        }
        let mut failing = self.statuses(name, commit).await?;
        failing.retain(|status| status.stands() == Checks::Failing);
        findings.checks.extend(failing.into_iter().map(|status| FailedCheck {
            name: status.context.unwrap_or_default(),
            url: status.target_url.unwrap_or_default(),
            text: status.description.unwrap_or_default(),
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
    async fn report(&self, name: &str, run: Run) -> Result<FailedCheck> {
        let mut text: Vec<String> = Vec::new();
        if let Some(output) = run.output {
            text.extend([output.title, output.summary, output.text].into_iter().flatten());
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
            name: run.name.unwrap_or_default(),
            url: run.html_url.unwrap_or_default(),
            text: text.join("\n\n"),
        })
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
