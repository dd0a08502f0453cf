//! What is known of a repository that git does not know: one JSON file in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What somebody may do with a repository; each includes the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Access {
    None,
    Read,
    Write,
    Admin,
}

/// A repository, but for its commits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Record {
    /// Its number; 0 = none was given yet.
    pub(super) id: u64,
    pub(super) private: bool,
    pub(super) archived: bool,
    pub(super) description: Option<String>,
    /// The repository it was forked from, `owner/name`.
    pub(super) fork_of: Option<String>,
    /// Branches nobody pushes to.
    pub(super) protected: Vec<String>,
    /// What others than its owner may do.
    pub(super) permissions: BTreeMap<String, Access>,
    /// Labels that were made; those on issues are labels too.
    pub(super) labels: Vec<String>,
    /// Issues and pull requests, which share their numbers.
    pub(super) issues: Vec<Issue>,
    pub(super) checks: Vec<Check>,
    pub(super) statuses: Vec<Status>,
    /// By the number of a job of Actions, where its log is kept.
    pub(super) logs: BTreeMap<u64, String>,
    /// Numbers given to comments, reviews and checks so far.
    pub(super) last: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Issue {
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) login: String,
    pub(super) closed_at: Option<String>,
    pub(super) created_at: String,
    pub(super) updated_at: String,
    pub(super) labels: Vec<String>,
    pub(super) comments: Vec<Comment>,
    /// What makes it a pull request.
    pub(super) pull: Option<Pull>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Pull {
    pub(super) base: String,
    pub(super) base_sha: String,
    pub(super) head: String,
    /// `owner/name` of the repository the head is in.
    pub(super) head_repository: String,
    pub(super) head_sha: String,
    pub(super) draft: bool,
    pub(super) merged: Option<Merged>,
    pub(super) reviewers: Vec<String>,
    pub(super) reviews: Vec<Review>,
    /// Comments on lines.
    pub(super) remarks: Vec<Remark>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Merged {
    pub(super) at: String,
    pub(super) by: String,
    pub(super) commit: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) body: String,
    pub(super) created_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Review {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) body: String,
    pub(super) state: String,
    pub(super) commit: String,
    pub(super) submitted_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remark {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) body: String,
    pub(super) path: String,
    pub(super) line: u64,
    pub(super) side: String,
    pub(super) commit: String,
    pub(super) reply_to: Option<u64>,
    pub(super) review: Option<u64>,
    pub(super) created_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) sha: String,
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
    pub(super) details_url: Option<String>,
    pub(super) title: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) text: Option<String>,
    pub(super) annotations: Vec<Value>,
    pub(super) started_at: String,
    pub(super) completed_at: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) id: u64,
    pub(super) sha: String,
    pub(super) state: String,
    pub(super) context: String,
    pub(super) description: Option<String>,
    pub(super) target_url: Option<String>,
    pub(super) login: String,
    pub(super) created_at: String,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            id: 0,
            // Nobody sees what they were not given.
            private: true,
            archived: false,
            description: None,
            fork_of: None,
            protected: Vec::new(),
            permissions: BTreeMap::new(),
            labels: Vec::new(),
            issues: Vec::new(),
            checks: Vec::new(),
            statuses: Vec::new(),
            logs: BTreeMap::new(),
            last: 0,
        }
    }
}

impl Record {
    /// A number that nothing else of this forge has.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last += 1;
        (self.id << 20) + self.last
    }

    /// The next number of an issue or pull request.
    pub(super) fn next_number(&self) -> u64 {
        self.issues.iter().map(|issue| issue.number).max().unwrap_or(0) + 1
    }

    pub(super) fn has_label(&self, name: &str) -> bool {
        let on_issues = self.issues.iter().flat_map(|issue| &issue.labels);
        self.labels.iter().chain(on_issues).any(|label| label == name)
    }

    /// Takes in that a repository has another name; whether anything here named it.
    pub(super) fn renamed(&mut self, from: &str, to: &str) -> bool {
        let pulls = self.issues.iter_mut().filter_map(|issue| issue.pull.as_mut());
        let heads = pulls.map(|pull| &mut pull.head_repository);
        let mut named = false;
        for name in heads.chain(&mut self.fork_of).filter(|name| *name == from) {
            to.clone_into(name);
            named = true;
        }
        named
    }

    pub(super) fn issue(&self, number: u64) -> Option<&Issue> {
        self.issues.iter().find(|issue| issue.number == number)
    }

    pub(super) fn issue_mut(&mut self, number: u64) -> Option<&mut Issue> {
        self.issues.iter_mut().find(|issue| issue.number == number)
    }
}

impl Issue {
    pub(super) fn state(&self) -> &'static str {
        if self.closed_at.is_some() { "closed" } else { "open" }
    }
}
