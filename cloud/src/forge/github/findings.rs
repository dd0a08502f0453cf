//! What stands against a pull request at GitHub: runs of checks with their reports, statuses, reviews, remarks to lines and to
//! the whole.

use serde::{Deserialize, de::DeserializeOwned};

use crate::forge::{
    Checks, Error, FailedCheck, Findings, Remark, Result,
    github::{self, GitHub, PAGE, ended, repos},
};

/// Pages of remarks that are read at most.
const PAGES: u32 = 10;
/// Annotations of a check that are told.
const ANNOTATIONS: usize = 30;

#[derive(Deserialize)]
struct Runs {
    #[serde(default)]
    check_runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    conclusion: Option<String>,
    #[serde(default)]
    output: Option<Output>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    annotations_count: Option<u64>,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    start_line: Option<u64>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Statuses {
    #[serde(default)]
    statuses: Vec<Status>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    context: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    target_url: Option<String>,
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
        let what = format!("read the checks of {name}");
        let runs: Runs = self.seen(name, &["commits", commit, "check-runs"], &what).await?;
        for run in runs.check_runs {
            if ended(run.conclusion.as_deref().unwrap_or("success")) == Checks::Failing {
                findings.checks.push(self.run(name, run).await?);
            }
        }
        let statuses: Statuses = self.seen(name, &["commits", commit, "status"], &what).await?;
        let failing = statuses.statuses.into_iter().filter(|status| {
            let state = status.state.as_deref();
            state.is_some_and(|state| ended(state) == Checks::Failing)
        });
        findings.checks.extend(failing.map(|status| FailedCheck {
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
            for said in self.all::<Said>(name, &below).await? {
                findings.remarks.push(said.told(kind));
            }
        }
        Ok(findings.tidied())
    }

    /// A run with what it reports and where.
    async fn run(&self, name: &str, run: Run) -> Result<FailedCheck> {
        let mut text: Vec<String> = Vec::new();
        if let Some(output) = run.output {
            text.extend([output.title, output.summary, output.text].into_iter().flatten());
            if output.annotations_count.unwrap_or_default() > 0 {
                let id = run.id.to_string();
                let what = format!("read the checks of {name}");
                let url = self
                    .http
                    .url(&repos(name, &["check-runs", &id, "annotations"]), &[("per_page", PAGE)]);
                let all = self.http.get::<Vec<Annotation>>(url, &what).await?.body;
                text.extend(all.into_iter().take(ANNOTATIONS).map(|one| {
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

    /// What a token may see; one that may not sees nothing.
    async fn seen<T: DeserializeOwned>(&self, name: &str, below: &[&str], what: &str) -> Result<T> {
        let url = self.http.url(&repos(name, below), &[("per_page", PAGE)]);
        match self.http.get::<T>(url, what).await {
            Ok(reply) => Ok(reply.body),
            Err(error @ (Error::NotFound { .. } | Error::Denied { .. })) => {
                serde_json::from_str("{}").map_err(|_| error)
            }
            Err(error) => Err(error),
        }
    }

    async fn all<T: DeserializeOwned>(&self, name: &str, below: &[&str]) -> Result<Vec<T>> {
        let what = format!("read what was said at {name}");
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let page = page.to_string();
            let query = [("per_page", PAGE), ("page", page.as_str())];
            let reply = self.http.get::<Vec<T>>(self.http.url(&repos(name, below), &query), &what);
            let reply = reply.await?;
            all.extend(reply.body);
            if !reply.more {
                break;
            }
        }
        Ok(all)
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
