//! Age: when a thread that nobody uses is removed, and how its owner is told before.
//!
//! A thread is removed only after its owner was told for long enough: where the cloud was down when it should have told, the
//! removal waits. Any use makes it young again.

use aloft_proto::v1::NoticeKind;

use crate::model::{
    machine::{Accepted, Machine, Millis},
    time::timestamp,
};

const DAY: Millis = 24 * 60 * 60 * 1000;
/// How long before the end its owner is told first.
const FIRST_CALL: Millis = 7 * DAY;
/// How long before the end its owner is told last, and at least: nothing is removed that was not announced for so long.
const LAST_CALL: Millis = DAY;

/// When what happens to an unused thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Course {
    /// Its owner is told first; none where it does not live long enough for that.
    first: Option<Millis>,
    /// Its owner is told last.
    last: Millis,
    /// It is removed.
    end: Millis,
}

/// How far the owner of an unused thread was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Told {
    /// That it will be removed.
    pub first: bool,
    /// That it will be removed soon: when.
    pub last: Option<Millis>,
}

impl Machine {
    /// Somebody used the thread.
    pub(super) fn used_at(&mut self, now: Millis) {
        self.memory.used = now;
        self.memory.told = Told::default();
    }

    /// Looks at the thread's age: tells its owner, or removes it.
    pub(super) fn review(&mut self, now: Millis, out: &mut Accepted) {
        let Some(Course { first, last, end }) = self.course() else { return };
        if self.turn.is_some() || self.attached > 0 {
            return;
        }
        if now >= last {
            match self.memory.told.last {
                None => {
                    self.memory.told = Told { first: true, last: Some(now) };
                    // The cloud may have been down when it was time.
                    self.announce(out, now, self.course().map_or(end, |course| course.end));
                }
                Some(_) if now >= end => {
                    self.memory.expired = true;
                    self.delete(out);
                }
                Some(_) => {}
            }
        } else if first.is_some_and(|first| now >= first) && !self.memory.told.first {
            self.memory.told.first = true;
            self.announce(out, now, end);
        }
    }

    /// Brings the time the thread's record shows up to date.
    pub(super) fn show_end(&mut self) {
        self.thread.expire_time = self.course().map(|course| timestamp(course.end));
    }

    /// Whether a look at the thread at this time would change something.
    pub fn is_due(&self, now: Millis) -> bool {
        let Some(Course { first, last, end }) = self.course() else {
            return self.thread.expire_time.is_some();
        };
        let told = self.memory.told;
        self.thread.expire_time != Some(timestamp(end))
            || (now >= last && (told.last.is_none() || now >= end))
            || (first.is_some_and(|first| now >= first) && !told.first)
    }

    fn course(&self) -> Option<Course> {
        let age = self.resting.remove_after;
        if age <= 0 || self.thread.keep || self.deleting {
            return None;
        }
        // One that lives for hours is told of in time too.
        let last_call = LAST_CALL.min(age / 2);
        let mut end = self.memory.used.saturating_add(age);
        let last = end - last_call;
        if let Some(told) = self.memory.told.last {
            end = end.max(told.saturating_add(last_call));
        }
        let first = (age > FIRST_CALL + LAST_CALL).then(|| end - FIRST_CALL);
        Some(Course { first, last, end })
    }

    fn announce(&mut self, out: &mut Accepted, now: Millis, end: Millis) {
        let left = match (end - now + DAY / 2) / DAY {
            0 => "in less than a day".to_owned(),
            1 => "in 1 day".to_owned(),
            days => format!("in {days} days"),
        };
        let diff = self.thread.diff.unwrap_or_default();
        let work = match (&self.thread.pull_request, diff.files) {
            (_, 0) => "It changed no files.".to_owned(),
            (Some(pull), files) => format!(
                "Its changes ({} +{} -{}) are in {} as far as that was updated.",
                count(files),
                diff.additions,
                diff.deletions,
                pull.url
            ),
            (None, files) => format!(
                "With it go changes that no pull request has: {} +{} -{}.",
                count(files),
                diff.additions,
                diff.deletions
            ),
        };
        let id = &self.thread.slug;
        let body = format!(
            "Nobody used it for long. {work} `aloft keep {id}` keeps it, any message does for a while; `aloft apply {id}` takes \
             the changes."
        );
        self.post(NoticeKind::Expiring, &format!("is removed {left}"), &body, out);
    }
}

fn count(files: u32) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}
