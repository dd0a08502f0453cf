//! The pull request of a thread, and what it pushed itself: only that may it ever overwrite.

use aloft_proto::v1::{
    Input as Part, Level, NoticeKind, Problem, PullRequest, PullRequestState, TurnState,
};
use serde::{Deserialize, Serialize};

use crate::model::machine::{
    Accepted, Against, DESCRIBE_GRACE, Deadline, Effect, Followed, Machine, Memory, Millis,
    Outcome, Phase, Refused, Sandbox,
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

/// The issue that a thread began with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// Where it is kept; empty = there is none.
    pub host: String,
    /// The repository there, where it is in one.
    pub repository: String,
    /// What people call it there.
    pub key: String,
    /// What a pull request elsewhere says of it.
    pub line: String,
}

/// What the agent was told of what stands against its pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fix {
    /// The commit whose checks it was told of last.
    pub commit: String,
    /// Those of them that it was told of, by name.
    pub checks: Vec<String>,
    /// Remarks of people that it was told.
    pub heard: Vec<String>,
    /// How often in a row, with nothing said in between and no check that passed.
    pub attempts: u32,
    /// How often in all.
    pub times: u32,
    /// How often of that nobody had asked for it.
    pub unasked: u32,
    /// Something stands against it that the cloud has not looked at yet.
    pub due: bool,
    /// The turn in which it mends what nobody had asked for, until that was seen to; 0 = none.
    pub turn: u32,
}

impl Fix {
    fn told(&mut self, told: Against) {
        if self.commit != told.commit {
            self.checks.clear();
        }
        self.commit = told.commit;
        self.checks.extend(told.checks);
        self.attempts = told.attempt;
        self.times += 1;
        self.heard.extend(told.heard);
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

impl Memory {
    /// What a pull request says of the issue the thread began with; empty = nothing.
    pub fn of_issue(&self) -> String {
        match self.closes.as_str() {
            "" => self.about.line.clone(),
            issue => format!("Closes {issue}"),
        }
    }
}

impl Machine {
    /// It begins with this issue, which its pull request closes, as the forge writes it, or only names; of a new thread.
    pub fn begins_with(&mut self, about: About, closes: String) {
        self.memory.about = about;
        self.memory.closes = closes;
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

    /// The agent is told what stands against the pull request. What was found out before it was told of something, or of
    /// another pull request, is not told: it may be the same.
    pub(super) fn fix(
        &mut self,
        now: Millis,
        parts: Vec<Part>,
        author: &str,
        told: Against,
        out: &mut Accepted,
    ) -> Result<(), Refused> {
        let number = self.thread.pull_request.as_ref().map(|known| known.number);
        if number != Some(told.number) || self.memory.fix.times != told.times {
            return Err(Refused::PullRequestChanged);
        }
        self.message(now, parts, false, author, out)?;
        if !told.unasked.is_empty() {
            self.memory.fix.unasked += 1;
            self.memory.fix.turn = self.memory.turns;
            self.say(now, Level::Info, told.unasked.clone(), out);
        }
        self.memory.fix.told(told);
        Ok(())
    }

    /// The cloud has seen to what stands against the pull request, or does not; `due`: it looks again.
    pub(super) fn fix_seen(&mut self, now: Millis, due: bool, text: String, out: &mut Accepted) {
        self.memory.fix.due = due;
        self.memory.fix.turn = 0;
        if !text.is_empty() {
            self.say(now, Level::Warning, text, out);
        }
    }

    /// The budget does not reach for the words of the pull request: it goes on without them.
    pub(super) fn leave_undescribed(&mut self, now: Millis, words: &str, out: &mut Accepted) {
        let problem = Problem {
            reason: "BUDGET_SPENT".to_owned(),
            message: format!("the budget is used up: {words}"),
            hint: "raise it with `aloft budget`".to_owned(),
            retryable: false,
        };
        match &self.turn {
            // The agent had nothing of it, and goes on as it is.
            Some(running)
                if running.phase == Phase::Waiting && self.sandbox != Sandbox::Starting =>
            {
                let (state, stopped_by) = (TurnState::Failed, "cloud".to_owned());
                self.memory.outcome = Some(Outcome { state, stopped_by, problem: Some(problem) });
                self.complete(now, None, out);
            }
            // It was looked that there is a turn.
            _ => drop(self.halt(now, problem, out)),
        }
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
            // Nobody knows yet how its checks stand.
            if let Some(request) = &mut self.thread.pull_request {
                request.checks.clear();
            }
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

    /// The pull request is there; how its checks stand was not asked.
    pub(super) fn proposed(&mut self, now: Millis, mut request: PullRequest, out: &mut Accepted) {
        if let Some(known) = &self.thread.pull_request
            && known.number == request.number
        {
            request.checks.clone_from(&known.checks);
        }
        self.pull_request(now, &request, out);
    }

    /// It was looked at as it was known to be, with this commit pushed last. An answer that comes after it has changed is of no
    /// use any more.
    pub(super) fn followed(&mut self, now: Millis, seen: &Followed, out: &mut Accepted) {
        let Followed { before, pushed, request } = seen;
        if self.thread.pull_request.as_ref() == Some(before) && self.memory.pushed.commit == *pushed
        {
            self.pull_request(now, request, out);
        }
    }

    /// The pull request stands otherwise than before.
    fn pull_request(&mut self, now: Millis, request: &PullRequest, out: &mut Accepted) {
        let before = self.thread.pull_request.replace(request.clone());
        let (number, url) = (request.number, &request.url);
        let is_new = before.as_ref().is_none_or(|before| before.number != number);
        if is_new {
            self.memory.fix = Fix { due: true, ..Fix::default() };
            self.charge_pull_request(now, number, out);
        } else if before.as_ref().is_some_and(|before| before.state == request.state) {
            let (known, said) =
                before.map(|before| (before.checks, before.comments)).unwrap_or_default();
            if request.checks == PASSING {
                self.memory.fix.attempts = 0;
            }
            if request.comments > said {
                self.memory.fix.due = true;
                let text = match request.comments - said {
                    1 => "a new comment".to_owned(),
                    several => format!("{several} new comments"),
                };
                self.say(now, Level::Info, format!("Pull request {number} has {text}: {url}"), out);
                let what = format!("– pull request {number} has {text}");
                self.post(NoticeKind::PullRequest, &what, url, out);
            }
            if request.checks == FAILING && known != FAILING {
                self.memory.fix.due = true;
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
