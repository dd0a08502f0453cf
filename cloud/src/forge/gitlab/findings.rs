//! What stands against a merge request at GitLab: statuses of its newest commit that failed, and what people said, to lines and
//! to the whole.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::forge::{
    Checks, FailedCheck, Findings, Remark, Result,
    findings::or_nobody,
    github::sum,
    gitlab::{GitLab, MAY_PUSH, Note},
};

/// People whose rights are asked for at once.
const PEOPLE: usize = 100;

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

/// What somebody may do in a project.
#[derive(Deserialize)]
struct Member {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    access_level: Option<u32>,
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
        let writers = or_nobody(self.writers(name, &notes).await)?;
        let remarks = notes.into_iter().map(|note| note.told(&writers)).collect();
        Ok(Findings { checks: checks.collect(), remarks, later: 0 }.tidied())
    }

    /// Those of the authors who may push.
    async fn writers(&self, name: &str, notes: &[Note]) -> Result<BTreeSet<u64>> {
        let authors: BTreeSet<u64> = notes.iter().map(Note::author).collect();
        let authors: Vec<String> = authors.iter().map(u64::to_string).collect();
        let what = format!("ask who may push to {name}");
        let mut writers = BTreeSet::new();
        for some in authors.chunks(PEOPLE) {
            let query: Vec<_> = some.iter().map(|id| ("user_ids[]", id.as_str())).collect();
            let parts = ["projects", name, "members", "all"];
            let members = self.http.all(&parts, &query, &what, |page: Vec<Member>| page).await?;
            let may_push = |member: &Member| member.access_level >= Some(MAY_PUSH);
            writers.extend(members.into_iter().filter(may_push).map(|member| member.id));
        }
        Ok(writers)
    }
}

impl Note {
    fn author(&self) -> u64 {
        self.author.as_ref().map(|author| author.id).unwrap_or_default()
    }

    fn told(self, writers: &BTreeSet<u64>) -> Remark {
        let belongs = writers.contains(&self.author());
        let place = self.position.and_then(|at| Some((at.new_path?, at.new_line)));
        Remark {
            id: format!("note-{}", self.id),
            time: self.created_at.unwrap_or_default(),
            author: self.author.and_then(|author| author.username).unwrap_or_default(),
            belongs,
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
