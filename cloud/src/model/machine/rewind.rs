//! The workspace between turns: brought back to a snapshot when a person asks for it, and looked at for what was changed by
//! hand before the agent goes on.

use aloft_proto::v1::{Author, DiffStat, FileStatus, Level, Problem};

use crate::model::{
    machine::{
        Accepted, ByHand, Effect, Look, Machine, Millis, Point, Refused, Rewind, Sandbox, Saved,
    },
    time::timestamp,
};

/// Files named to an agent one by one.
const NAMED: usize = 50;

impl Machine {
    /// Begins to bring the workspace back; a thread without a sandbox gets one for it.
    pub(super) fn rewind(
        &mut self,
        now: Millis,
        to: Point,
        commit: String,
        force: bool,
        out: &mut Accepted,
    ) -> Result<(), Refused> {
        if let Some(running) = &self.turn {
            return Err(Refused::TurnActive(running.turn.id.clone()));
        }
        if self.memory.rewind.is_some() {
            return Err(Refused::Rewinding);
        }
        self.activity += 1;
        let text = match to {
            Point::Turn(_) | Point::Safety(_) => {
                format!("The workspace is being brought back to what it was {to}.")
            }
            Point::Merge => format!("The workspace is being made what it is {to}."),
        };
        let (item, events) = self.transcript.begin_notice(Level::Info, text, timestamp(now));
        self.log_all(events, out);
        out.item = Some(item.clone());
        // What an unsaved turn left is in the safety snapshot like anything else.
        let force = force || self.memory.unsaved;
        self.memory.rewind = Some(Rewind { item: item.id, to, commit, force, kept: false });
        match self.sandbox {
            Sandbox::Absent => self.start(out),
            Sandbox::Stopping => self.memory.resume = true,
            Sandbox::Starting => {}
            Sandbox::Up => self.go_back(out),
        }
        Ok(())
    }

    /// Goes on with a rewind as soon as nothing else works on the files.
    pub(super) fn go_back(&self, out: &mut Accepted) {
        if let Some(rewind) = &self.memory.rewind
            && self.sandbox == Sandbox::Up
            && self.saving.is_none()
            && !self.killing
        {
            out.effects.push(Effect::Rewind(rewind.clone()));
        }
    }

    pub(super) fn kept(&mut self) {
        if let Some(rewind) = &mut self.memory.rewind
            && !rewind.kept
        {
            rewind.kept = true;
            self.memory.safeties += 1;
        }
    }

    pub(super) fn rewound(&mut self, now: Millis, diff: DiffStat, out: &mut Accepted) {
        let Some(rewind) = self.memory.rewind.take_if(|rewind| rewind.kept) else { return };
        let number = match rewind.to {
            Point::Turn(number) => number,
            Point::Safety(_) | Point::Merge => self.memory.turns,
        };
        let (to, safety, slug) = (rewind.to, self.memory.safeties, &self.thread.slug);
        let (is, told) = match to {
            Point::Turn(_) | Point::Safety(_) => (
                "was",
                format!(
                    "A person has rewound the workspace: its files, the branch, HEAD and the index are what they were {to}."
                ),
            ),
            Point::Merge => (
                "is",
                "The branch that the pull request goes to was merged into yours, and everything was committed: files, the \
                 branch, HEAD and the index are what that gives."
                    .to_owned(),
            ),
        };
        let text = format!(
            "The workspace is what it {is} {to}. What it was before is kept: `aloft rewind {slug} --safety {safety}` brings it back."
        );
        self.memory.unsaved = false;
        self.now_at(Saved { number, commit: rewind.commit }, diff, out);
        self.memory.tell.push(format!(
            "{told} Files that are ignored stayed. Look at files again before you rely on what you know of them."
        ));
        self.end_rewind(now, &rewind.item, text, None, out);
    }

    pub(super) fn not_rewound(&mut self, now: Millis, problem: Problem, out: &mut Accepted) {
        let Some(rewind) = self.memory.rewind.take() else { return };
        let mut text = match rewind.to {
            Point::Turn(_) | Point::Safety(_) => {
                format!("The workspace was not rewound: {}.", problem.message)
            }
            Point::Merge => format!("The branch was not merged in: {}.", problem.message),
        };
        if rewind.kept {
            // It may be half way.
            self.memory.unsaved = true;
            let (safety, slug) = (self.memory.safeties, &self.thread.slug);
            text = format!(
                "Rewinding the workspace went wrong: {}. What it was before is kept: `aloft rewind {slug} --safety {safety}` brings it back.",
                problem.message
            );
        }
        self.end_rewind(now, &rewind.item, text, Some(problem), out);
    }

    /// Gives a rewind up that has not changed anything yet. One that has goes on when the sandbox is there again.
    pub(super) fn leave_rewind(
        &mut self,
        now: Millis,
        reason: &str,
        message: &str,
        out: &mut Accepted,
    ) {
        if self.memory.rewind.as_ref().is_some_and(|rewind| !rewind.kept) {
            let problem = Problem {
                reason: reason.to_owned(),
                message: message.to_owned(),
                hint: "ask for it again".to_owned(),
                retryable: true,
            };
            self.not_rewound(now, problem, out);
        }
    }

    fn end_rewind(
        &mut self,
        now: Millis,
        item: &str,
        text: String,
        problem: Option<Problem>,
        out: &mut Accepted,
    ) {
        let events = self.transcript.end_notice(item, text, problem, timestamp(now));
        self.log_all(events, out);
        self.advance(now, out);
        if self.turn.is_none() {
            self.rest(now, out);
        }
    }

    /// It is known whether files were changed by hand: the turn may begin.
    pub(super) fn looked(
        &mut self,
        now: Millis,
        turn: &str,
        found: Option<Box<ByHand>>,
        out: &mut Accepted,
    ) {
        let Some(running) = &mut self.turn else { return };
        if running.turn.id != turn || running.look != Look::UnderWay {
            return;
        }
        running.look = Look::Done;
        let number = running.turn.number - 1;
        if let Some(found) = found {
            let ByHand { commit, diff, files } = *found;
            self.now_at(Saved { number, commit }, diff, out);
            self.memory.tell.push(told(&files));
            let events = self.transcript.file_change(files, Author::Person, timestamp(now));
            self.log_all(events, out);
        }
        self.advance(now, out);
    }
}

/// What an agent is told of files that were changed by hand.
fn told(files: &[aloft_proto::v1::FileDiff]) -> String {
    let line = |file: &aloft_proto::v1::FileDiff| {
        let how = match file.status() {
            FileStatus::Added => "added",
            FileStatus::Deleted => "deleted",
            FileStatus::Renamed => "renamed",
            FileStatus::TypeChanged => "became another kind of file",
            FileStatus::Modified | FileStatus::Unspecified => "changed",
        };
        format!("- {} ({how})", file.path)
    };
    let mut lines =
        vec!["Since your last turn these files were changed by a person, not by you:".to_owned()];
    lines.extend(files.iter().take(NAMED).map(line));
    if files.len() > NAMED {
        lines.push(format!("- and {} more", files.len() - NAMED));
    }
    lines.push("Keep these changes unless you are asked to undo them.".to_owned());
    lines.join("\n")
}
