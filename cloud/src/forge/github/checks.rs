//! The checks of a commit at GitHub, of both kinds: runs of apps, and statuses of whoever sets them.

use serde::{Deserialize, de::DeserializeOwned};

use crate::forge::{
    Checks, Error, Result,
    github::{GitHub, PAGE, ended, repos, sum},
};

#[derive(Default, Deserialize)]
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

#[derive(Default, Deserialize)]
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
        Ok(self.seen::<Runs>(name, commit, "check-runs").await?.check_runs)
    }

    pub(super) async fn statuses(&self, name: &str, commit: &str) -> Result<Vec<Status>> {
        Ok(self.seen::<Statuses>(name, commit, "status").await?.statuses)
    }

    /// What a token may see: some see statuses and no runs.
    async fn seen<T: Default + DeserializeOwned>(
        &self,
        name: &str,
        commit: &str,
        kind: &str,
    ) -> Result<T> {
        let url = self.http.url(&repos(name, &["commits", commit, kind]), &[("per_page", PAGE)]);
        match self.http.get::<T>(url, &format!("look at the checks of {name}")).await {
            Ok(reply) => Ok(reply.body),
            Err(Error::NotFound { .. } | Error::Denied { .. }) => Ok(T::default()),
            Err(error) => Err(error),
        }
    }
}

impl Run {
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
