//! The pull request of a thread, and what it pushed itself: only that may it ever overwrite.

use aloft_proto::v1::{Level, NoticeKind, PullRequest, PullRequestState};
use serde::{Deserialize, Serialize};

use crate::model::machine::{Accepted, Machine, Millis};

/// What `checks` says where one of them failed.
const FAILING: &str = "failing";

/// What a thread pushed to a remote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pushed {
    /// The address, without credentials.
    pub remote: String,
    /// The commit its branch was made to point to.
    pub commit: String,
    /// The commit it is being made to point to: after a crash it may or may not.
    pub intended: String,
}

impl Pushed {
    /// Commits that the branch may stand at by this thread's own doing.
    pub fn own(&self, remote: &str) -> Vec<String> {
        if self.remote != remote {
            return Vec::new();
        }
        let both = [&self.commit, &self.intended];
        both.into_iter().filter(|commit| !commit.is_empty()).cloned().collect()
    }
}

impl Machine {
    /// The pull request will close this issue; of a new thread.
    pub fn closes(&mut self, issue: String) {
        self.memory.closes = issue;
    }

    /// The branch is about to be pushed.
    pub(super) fn pushing(&mut self, remote: String, commit: String) {
        let pushed = &mut self.memory.pushed;
        if pushed.remote != remote {
            *pushed = Pushed { remote, ..Pushed::default() };
        }
        pushed.intended = commit;
    }

    /// It was pushed.
    pub(super) fn pushed(&mut self, now: Millis, remote: &str, commit: String, out: &mut Accepted) {
        let pushed = &mut self.memory.pushed;
        let is_new = pushed.commit != commit;
        *pushed = Pushed { remote: remote.to_owned(), commit, intended: String::new() };
        if is_new {
            let text = format!("Pushed the branch {} to {remote}.", self.thread.branch);
            self.say(now, Level::Info, text, out);
        }
    }

    /// The pull request is there, or stands otherwise than before.
    pub(super) fn pull_request(&mut self, now: Millis, request: &PullRequest, out: &mut Accepted) {
        let before = self.thread.pull_request.replace(request.clone());
        let (number, url) = (request.number, &request.url);
        let is_new = before.as_ref().is_none_or(|before| before.url != request.url);
        if is_new {
            self.charge_pull_request(now, number, out);
        } else if before.as_ref().is_some_and(|before| before.state == request.state) {
            let known = before.map(|before| before.checks).unwrap_or_default();
            if request.checks == FAILING && known != FAILING {
                let text = format!("A check of pull request {number} failed: {url}");
                self.say(now, Level::Warning, text, out);
                let what = format!("– a check of pull request {number} failed");
                self.post(NoticeKind::PullRequest, &what, url, out);
            }
            return;
        }
        let what = match request.state() {
            PullRequestState::Draft if is_new => "was opened as a draft",
            _ if is_new => "was opened",
            PullRequestState::Merged => "was merged",
            PullRequestState::Closed => "was closed",
            PullRequestState::Draft => "is a draft again",
            PullRequestState::Open | PullRequestState::Unspecified => "is open for review",
        };
        self.say(now, Level::Info, format!("Pull request {number} {what}: {url}"), out);
        self.post(NoticeKind::PullRequest, &format!("– pull request {number} {what}"), url, out);
    }
}
