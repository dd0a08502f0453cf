//! What stands against a merge request at GitLab: statuses of its newest commit that failed, and what people said, to lines and
//! to the whole.

use serde::Deserialize;

use crate::forge::{
    Checks, FailedCheck, Findings, Remark, Result,
    github::sum,
    gitlab::{GitLab, Note},
};

#[derive(Deserialize)]
struct CommitStatus {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    target_url: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    allow_failure: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct Position {
    #[serde(default)]
    new_path: Option<String>,
    #[serde(default)]
    new_line: Option<u64>,
}

impl GitLab {
    async fn statuses(&self, name: &str, commit: &str) -> Result<Vec<CommitStatus>> {
        let parts = ["projects", name, "repository", "commits", commit, "statuses"];
        let what = format!("look at the checks of {name}");
        self.http.all(&parts, &[], &what, |page: Vec<CommitStatus>| page).await
    }

    pub(super) async fn checks(&self, name: &str, commit: &str) -> Result<Option<Checks>> {
        Ok(sum(self.statuses(name, commit).await?.iter().map(CommitStatus::stands)))
    }

    pub(super) async fn findings(&self, name: &str, number: u64, commit: &str) -> Result<Findings> {
        let mut failing = self.statuses(name, commit).await?;
        failing.retain(|status| status.stands() == Checks::Failing);
        let checks = failing.into_iter().map(|status| FailedCheck {
            name: status.name.unwrap_or_default(),
            url: status.target_url.unwrap_or_default(),
            text: status.description.unwrap_or_default(),
            log: String::new(),
        });
        let text = number.to_string();
        let what = format!("read what was said at {name}");
        let notes = self.notes(name, ["merge_requests", &text], &what).await?;
        let remarks = notes.into_iter().map(Note::told).collect();
        Ok(Findings { checks: checks.collect(), remarks, later: 0 }.tidied())
    }
}

impl Note {
    fn told(self) -> Remark {
        let place = self.position.and_then(|at| Some((at.new_path?, at.new_line)));
        Remark {
            id: format!("note-{}", self.id),
            time: self.created_at.unwrap_or_default(),
            author: self.author.and_then(|author| author.username).unwrap_or_default(),
            place: match place {
                Some((path, Some(line))) => format!("{path}:{line}"),
                Some((path, None)) => path,
                None => String::new(),
            },
            text: self.body.unwrap_or_default(),
        }
    }
}

impl CommitStatus {
    /// Words that are not known here do no harm.
    fn stands(&self) -> Checks {
        match self.status.as_deref() {
            Some("failed" | "canceled") if self.allow_failure != Some(true) => Checks::Failing,
            Some("created" | "waiting_for_resource" | "preparing" | "pending" | "running") => {
                Checks::Pending
            }
            _ => Checks::Passing,
        }
    }
}
