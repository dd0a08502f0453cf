//! Turns one commit into rows: whose it is, in which order its parts are written, and who hears of it.

use aloft_proto::v1::{ThreadState, event::Payload};
use rusqlite::Connection;

use crate::{
    clock,
    model::time::millis,
    store::{
        Commit, Committed, Error, Removed, Result,
        sqlite::{
            audit,
            feed::{self, About, Entry},
            ledger, log, notices, repositories, requests, threads,
            writer::News,
        },
    },
};

/// Tables whose rows belong to a thread.
const OF_THREAD: [&str; 7] = [
    "delete from events where thread = ?",
    "delete from pieces where thread = ?",
    "delete from items where thread = ?",
    "delete from turns where thread = ?",
    "delete from requests where thread = ?",
    "delete from notices where thread = ?",
    "delete from threads where id = ?",
];

/// Whom a commit is about.
struct Subject {
    /// Empty when it is about no thread.
    thread: String,
    owner: String,
    /// The thread has a row already.
    known: bool,
}

/// Writes a commit.
pub(super) fn apply(db: &Connection, commit: &mut Commit, news: &mut News) -> Result<Committed> {
    let subject = subject(db, commit)?;
    let cursor = if commit.delete_thread {
        delete(db, &subject, commit, news)?;
        0
    } else {
        write_thread(db, &subject, commit, news)?
    };
    // After a deletion: the answer to the request that asked for it stays, those of all others are gone. It is accepted
    // before, and nothing else is once the thread is being deleted.
    if let Some(request) = &commit.request {
        let thread = if commit.delete_thread || is_deleting(commit) { "" } else { &subject.thread };
        requests::insert(db, thread, request, cursor)?;
    }
    for row in &commit.usage {
        ledger::add(db, &subject.owner, row)?;
    }
    for entry in &commit.ledger {
        ledger::enter(db, &subject.owner, entry)?;
    }
    for notice in &commit.notices {
        notices::post(db, &subject.owner, &subject.thread, notice, news)?;
    }
    Ok(Committed { cursor, feed: feed::newest(db, &subject.owner)? })
}

fn is_deleting(commit: &Commit) -> bool {
    commit.thread.as_ref().is_some_and(|row| row.thread.state() == ThreadState::Deleting)
}

fn subject(db: &Connection, commit: &Commit) -> Result<Subject> {
    if let Some(row) = &commit.thread {
        let (thread, owner) = (row.thread.id.clone(), row.thread.owner.clone());
        let stored = threads::owner(db, &thread)?;
        if thread.is_empty() || stored.as_ref().is_some_and(|stored| *stored != owner) {
            return Err(Error::Contradiction(format!(
                "thread `{thread}` has another owner, or no id"
            )));
        }
        return Ok(Subject { thread, owner, known: stored.is_some() });
    }
    let named = commit
        .events
        .first()
        .map(|event| &event.thread_id)
        .or(commit.notices.first().map(|notice| &notice.thread_id));
    let thread = named.cloned().unwrap_or_default();
    if !thread.is_empty() {
        let owner =
            threads::owner(db, &thread)?.ok_or_else(|| Error::UnknownThread(thread.clone()))?;
        return Ok(Subject { thread, owner, known: true });
    }
    if !commit.events.is_empty() || commit.delete_thread {
        return Err(Error::Contradiction("it names no thread".to_owned()));
    }
    match &commit.request {
        Some(request) => Ok(Subject { thread, owner: request.owner.clone(), known: false }),
        None => Err(Error::Contradiction("it names no owner".to_owned())),
    }
}

/// Writes row and events; returns the newest cursor.
fn write_thread(
    db: &Connection,
    subject: &Subject,
    commit: &mut Commit,
    news: &mut News,
) -> Result<u64> {
    if subject.thread.is_empty() {
        return Ok(0);
    }
    let changed = commit.events.iter().rev().find_map(|event| match &event.payload {
        Some(Payload::ThreadChanged(thread)) => Some(thread),
        _ => None,
    });
    match (&commit.thread, changed) {
        (Some(row), _) => threads::put(db, &row.thread, &row.private)?,
        (None, Some(thread)) => {
            if thread.id != subject.thread || thread.owner != subject.owner {
                return Err(Error::Contradiction(format!(
                    "an event of thread `{}` tells of another",
                    subject.thread
                )));
            }
            threads::change(db, thread)?;
        }
        (None, None) => {}
    }
    if changed.is_some() || !subject.known {
        feed::enter(db, &subject.owner, About::Thread, &subject.thread, Entry::Current, news)?;
    }
    let cursor = log::append(db, &subject.thread, &subject.owner, &mut commit.events)?;
    if !commit.events.is_empty() {
        news.threads.push((subject.thread.clone(), cursor));
    }
    Ok(cursor)
}

fn delete(db: &Connection, subject: &Subject, commit: &Commit, news: &mut News) -> Result<()> {
    if !commit.events.is_empty() {
        return Err(Error::Contradiction(format!(
            "thread `{}` is deleted, and has new events",
            subject.thread
        )));
    }
    let slug = threads::slug(db, &subject.thread)?
        .ok_or_else(|| Error::UnknownThread(subject.thread.clone()))?;
    for notice in notices::unread_of_thread(db, &subject.thread)? {
        feed::enter(db, &subject.owner, About::Notice, &notice, Entry::Gone, news)?;
    }
    for statement in OF_THREAD {
        db.prepare_cached(statement)?.execute([&subject.thread])?;
    }
    // With its last thread: after a crash nobody would know whose it was. Unless somebody wanted it for another thread since.
    if let Some(thread) = commit.thread.as_ref().map(|row| &row.thread)
        && let Some(repository) = &thread.repository
    {
        let since = thread.update_time.as_ref().map_or(i64::MAX, millis);
        repositories::delete_unless_used(db, &repository.id, since)?;
    }
    let removed = Removed {
        thread: subject.thread.clone(),
        slug,
        time: clock::now(),
        expired: commit.expired,
    };
    audit::write(db, &subject.owner, &removed)?;
    feed::enter(db, &subject.owner, About::Thread, &subject.thread, Entry::Gone, news)?;
    news.deleted.push(subject.thread.clone());
    news.scrub = true;
    Ok(())
}
