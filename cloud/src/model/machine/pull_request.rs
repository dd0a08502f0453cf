//! The pull request of a thread, and what it pushed itself: only that may it ever overwrite.

use aloft_proto::v1::{
    Input as Part, Level, NoticeKind, Problem, PullRequest, PullRequestState, TurnState,
};
use serde::{Deserialize, Serialize};

use crate::model::machine::{
    Accepted, DESCRIBE_GRACE, Deadline, Effect, Machine, Millis, Outcome, Phase, Refused, Sandbox,
};

/// What `checks` says where one of them failed, and where none did.
const FAILING: &str = "failing";
const PASSING: &str = "passing";
/// Remarks that are remembered as told, the newest.
const HEARD: usize = 2_000;
/// Commits of the branch it goes to that are remembered, the newest.
const UPSTREAMS: usize = 50;

/// What a thread pushed. Wherever that stands under the thread's branch, it is its own: an address may change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pushed {
    /// The commit its branch was made to point to.
    pub commit: String,
    /// Commits it was being made to point to since: what is not known to have arrived may have.
    pub tried: Vec<String>,
}

/// What the agent was told of what stands against its pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fix {
    /// The commit whose checks it was told of last.
    pub commit: String,
    /// Remarks of people that it was told.
    pub heard: Vec<String>,
    /// How often in a row, with nothing said in between and no check that passed.
    pub attempts: u32,
}

impl Fix {
    pub(super) fn told(&mut self, commit: String, heard: Vec<String>, attempt: u32) {
        self.commit = commit;
        self.attempts = attempt;
        self.heard.extend(heard);
        let old = self.heard.len().saturating_sub(HEARD);
        self.heard.drain(..old);
    }
}

impl Pushed {
    /// Commits that the branch may stand at by this thread's own doing.
    pub fn own(&self) -> Vec<String> {
        let all = std::iter::once(&self.commit).chain(&self.tried);
        all.filter(|commit| !commit.is_empty()).cloned().collect()
    }
}

impl Machine {
    /// The pull request will close this issue; of a new thread.
    pub fn closes(&mut self, issue: String) {
        self.memory.closes = issue;
    }

    /// The agent is to write the words of the pull request, in one short turn.
    pub(super) fn describe(
        &mut self,
        now: Millis,
        parts: Vec<Part>,
        author: &str,
        out: &mut Accepted,
    ) -> Result<(), Refused> {
        // What waits in the queue goes on waiting.
        let held = self.memory.held;
        self.describing = true;
        let begun = self.message(now, parts, false, author, out);
        self.describing = false;
        begun?;
        self.memory.held = held;
        let deadline = Deadline::Finish(self.turn_id());
        out.effects.push(Effect::Wake { at: now + DESCRIBE_GRACE, deadline });
        Ok(())
    }

    /// The budget does not reach for the words of the pull request: it goes on without them.
    pub(super) fn leave_undescribed(&mut self, now: Millis, words: &str, out: &mut Accepted) {
        let problem = Problem {
            reason: "BUDGET_SPENT".to_owned(),
            message: format!("the budget is used up: {words}"),
            hint: "raise it with `aloft budget`".to_owned(),
            retryable: false,
        };
        let held = self.memory.held;
        match &mut self.turn {
            // The agent had nothing of it, and goes on as it is.
            Some(running)
                if running.phase == Phase::Waiting && self.sandbox != Sandbox::Starting =>
            {
                let (state, stopped_by) = (TurnState::Failed, "cloud".to_owned());
                running.outcome = Some(Outcome { state, stopped_by, problem: Some(problem) });
                self.complete(now, None, out);
            }
            // It was looked that there is a turn.
            _ => drop(self.halt(now, problem, out)),
        }
        self.memory.held = held;
    }

    /// The branch is about to be pushed.
    pub(super) fn pushing(&mut self, commit: String) {
        let tried = &mut self.memory.pushed.tried;
        if !tried.contains(&commit) {
            tried.push(commit);
        }
    }

    /// It was pushed.
    pub(super) fn pushed(&mut self, now: Millis, remote: &str, commit: String, out: &mut Accepted) {
        let pushed = &mut self.memory.pushed;
        let is_new = pushed.commit != commit;
        *pushed = Pushed { commit, tried: Vec::new() };
        if is_new {
            let text = format!("Pushed the branch {} to {remote}.", self.thread.branch);
            self.say(now, Level::Info, text, out);
        }
    }

    /// The branch it goes to has moved on to this commit.
    pub(super) fn base_moved(
        &mut self,
        now: Millis,
        commit: String,
        level: Level,
        text: String,
        out: &mut Accepted,
    ) {
        let upstreams = &mut self.memory.upstreams;
        if upstreams.contains(&commit) {
            return;
        }
        upstreams.push(commit);
        let old = upstreams.len().saturating_sub(UPSTREAMS);
        upstreams.drain(..old);
        if !text.is_empty() {
            self.say(now, level, text, out);
        }
    }

    /// The pull request is there, or stands otherwise than before.
    pub(super) fn pull_request(&mut self, now: Millis, request: &PullRequest, out: &mut Accepted) {
        let before = self.thread.pull_request.replace(request.clone());
        let (number, url) = (request.number, &request.url);
        let is_new = before.as_ref().is_none_or(|before| before.number != number);
        if is_new {
            self.memory.fix = Fix::default();
            self.charge_pull_request(now, number, out);
        } else if before.as_ref().is_some_and(|before| before.state == request.state) {
            let (known, said) =
                before.map(|before| (before.checks, before.comments)).unwrap_or_default();
            if request.checks == PASSING {
                self.memory.fix.attempts = 0;
            }
            if request.comments > said {
                let text = match request.comments - said {
                    1 => "a new comment".to_owned(),
                    several => format!("{several} new comments"),
                };
                self.say(now, Level::Info, format!("Pull request {number} has {text}: {url}"), out);
                let what = format!("– pull request {number} has {text}");
                self.post(NoticeKind::PullRequest, &what, url, out);
            }
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
