//! What stands against a pull request at Forgejo: statuses that failed, reviews, remarks to lines and to the whole.

use std::collections::HashSet;

use serde::Deserialize;

use crate::forge::{
    self, Checks, FailedCheck, Findings, Result,
    findings::or_nobody,
    forgejo::{CommitStatus, Forgejo, scope},
    github::{Remark, repos},
};

/// The state of a review that its author has not sent.
const UNSENT: &str = "PENDING";

/// Somebody who may write to a repository.
#[derive(Deserialize)]
struct Writer {
    #[serde(default)]
    login: Option<String>,
}

#[derive(Deserialize)]
struct Review {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    comments_count: Option<u64>,
    #[serde(flatten)]
    remark: Remark,
}

/// A remark to a line, which lies below its review.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    path: Option<String>,
    /// The line as it is now; 0 = it is none of these.
    #[serde(default)]
    position: Option<u64>,
    /// As it was before the change.
    #[serde(default)]
    original_position: Option<u64>,
    #[serde(flatten)]
    remark: Remark,
}

impl Forgejo {
    pub(super) async fn findings(&self, name: &str, number: u64, commit: &str) -> Result<Findings> {
        let mut failing = self.statuses(name, commit).await?;
        failing.retain(|status| status.stands() == Checks::Failing);
        let checks = failing.into_iter().map(|status: CommitStatus| FailedCheck {
            name: status.context.unwrap_or_default(),
            url: status.target_url.unwrap_or_default(),
            text: status.description.unwrap_or_default(),
            log: String::new(),
        });
        let what = format!("read what was said at {name}");
        let text = number.to_string();
        let url = self.http.url(&repos(name, &["issues", &text, "comments"]), &[]);
        let said = self.http.get::<Vec<Remark>>(url, &what).await.map_err(scope)?.body;
        let mut remarks: Vec<_> = said.into_iter().map(|remark| remark.told("comment")).collect();
        let parts = repos(name, &["pulls", &text, "reviews"]);
        let reviews = self.http.all(&parts, &[], &what, |page: Vec<Review>| page).await;
        for review in reviews.map_err(scope)? {
            if review.state.as_deref() == Some(UNSENT) {
                continue;
            }
            if review.comments_count != Some(0) {
                let review = review.remark.id.to_string();
                let parts = repos(name, &["pulls", &text, "reviews", &review, "comments"]);
                let lines = self.http.get::<Vec<Line>>(self.http.url(&parts, &[]), &what).await;
                remarks.extend(lines.map_err(scope)?.body.into_iter().map(Line::told));
            }
            remarks.push(review.remark.told("review"));
        }
        let mut findings = Findings { checks: checks.collect(), remarks, later: 0 }.tidied();
        if !findings.remarks.is_empty() {
            let writers = or_nobody(self.writers(name).await)?;
            for remark in &mut findings.remarks {
                remark.belongs = writers.contains(&remark.author);
            }
        }
        Ok(findings)
    }

    /// Who may write to a repository: to these an issue can be given.
    async fn writers(&self, name: &str) -> Result<HashSet<String>> {
        let what = format!("ask who may write to {name}");
        let url = self.http.url(&repos(name, &["assignees"]), &[]);
        let people = self.http.get::<Vec<Writer>>(url, &what).await.map_err(scope)?.body;
        Ok(people.into_iter().filter_map(|one| one.login).collect())
    }
}

impl Line {
    fn told(self) -> forge::Remark {
        let line =
            [self.position, self.original_position].into_iter().flatten().find(|line| *line > 0);
        let place = match (self.path, line) {
            (Some(path), Some(line)) => format!("{path}:{line}"),
            (path, _) => path.unwrap_or_default(),
        };
        forge::Remark { place, ..self.remark.told("line") }
    }
}
