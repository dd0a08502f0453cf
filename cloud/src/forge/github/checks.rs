//! The checks of a commit at GitHub, of both kinds: runs of apps, and statuses of whoever sets them.

use serde::{Deserialize, de::DeserializeOwned};

use crate::forge::{
    Checks, Error, Result,
    github::{GitHub, ended, repos, sum},
};

#[derive(Deserialize)]
struct Runs {
    #[serde(default)]
    check_runs: Vec<Run>,
}

#[derive(Deserialize)]
pub(super) struct Run {
    #[serde(default)]
    pub(super) id: u64,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) html_url: Option<String>,
    #[serde(default)]
    details_url: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    conclusion: Option<String>,
    #[serde(default)]
    pub(super) output: Option<Output>,
}

#[derive(Deserialize)]
pub(super) struct Output {
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) summary: Option<String>,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) annotations_count: Option<u64>,
}

#[derive(Deserialize)]
struct Statuses {
    #[serde(default)]
    statuses: Vec<Status>,
}

#[derive(Deserialize)]
pub(super) struct Status {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    pub(super) context: Option<String>,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) target_url: Option<String>,
}

impl GitHub {
    pub(super) async fn checks(&self, name: &str, commit: &str) -> Result<Option<Checks>> {
        let (runs, statuses) = (self.runs(name, commit).await?, self.statuses(name, commit).await?);
        Ok(sum(runs.iter().map(Run::stands).chain(statuses.iter().map(Status::stands))))
    }

    pub(super) async fn runs(&self, name: &str, commit: &str) -> Result<Vec<Run>> {
        self.seen(name, commit, "check-runs", |page: Runs| page.check_runs).await
    }

    pub(super) async fn statuses(&self, name: &str, commit: &str) -> Result<Vec<Status>> {
        self.seen(name, commit, "status", |page: Statuses| page.statuses).await
    }

    /// What a token may see: some see statuses and no runs.
    async fn seen<P: DeserializeOwned, T>(
        &self,
        name: &str,
        commit: &str,
        kind: &str,
        entries: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>> {
        let (parts, what) =
            (repos(name, &["commits", commit, kind]), format!("look at the checks of {name}"));
        match self.http.all(&parts, &[], &what, entries).await {
            Err(Error::NotFound { .. } | Error::Denied { .. }) => Ok(Vec::new()),
            other => other,
        }
    }
}

impl Run {
    /// The job of Actions that it is, whose log can be asked for.
    pub(super) fn job(&self) -> Option<&str> {
        let (_, way) = self.details_url.as_deref()?.split_once("/actions/runs/")?;
        let (_, job) = way.split_once("/job/")?;
        let job = job.split(['?', '#', '/']).next()?;
        (!job.is_empty() && job.bytes().all(|digit| digit.is_ascii_digit())).then_some(job)
    }

    pub(super) fn stands(&self) -> Checks {
        match (self.status.as_deref(), self.conclusion.as_deref()) {
            (Some("completed"), conclusion) => ended(conclusion.unwrap_or("success")),
            _ => Checks::Pending,
        }
    }
}

impl Status {
    pub(super) fn stands(&self) -> Checks {
        match self.state.as_deref() {
            Some("pending") | None => Checks::Pending,
            Some(state) => ended(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_job_of_actions_has_a_log_to_ask_for() {
        let job = |url: &str| {
            let text = serde_json::json!({ "details_url": url }).to_string();
            serde_json::from_str::<Run>(&text).unwrap().job().map(str::to_owned)
        };
        let page = "https://github.com/a/b/actions/runs/17/job/4711";
        assert_eq!(job(page).as_deref(), Some("4711"));
        assert_eq!(job(&format!("{page}?pr=1#step:3:7")).as_deref(), Some("4711"));
        for none in [
            "",
            "https://ci.example/job/1",
            "https://github.com/a/b/runs/1",
            "x/actions/runs/1/job/../2",
        ] {
            assert_eq!(job(none), None, "{none}");
        }
        assert_eq!(serde_json::from_str::<Run>("{}").unwrap().job(), None);
    }
}
