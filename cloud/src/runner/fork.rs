//! A new thread that goes on from the end of another one's turn: with its snapshots and its history up to there, and
//! nothing that needs the other any more.

use std::collections::HashSet;

use aloft_proto::v1::{Event, Item, ItemState, Thread, ThreadState, TurnSummary, event::Payload};

use crate::{
    model::{
        machine::{Input, Machine, Memory, Point, Saved, Stored},
        time::timestamp,
    },
    runner::{
        Applied, Error, RequestKey, Runner, new_id, now,
        stored::{self, encode_memory},
        whole,
    },
    store::{self, Commit, ThreadRow},
};

/// Items read at once.
const ITEMS: usize = 1_000;
/// Events copied at once.
const EVENTS: usize = 512;

impl Runner {
    /// Makes a thread from the end of turn `turn` of another one, or from its newest snapshot, and begins to start it.
    pub async fn fork(
        &self,
        owner: &str,
        name: &str,
        turn: Option<u32>,
        request: Option<RequestKey>,
    ) -> Result<Applied, Error> {
        if let Some(known) = self.remembered(request.as_ref()).await? {
            return Ok(known);
        }
        let (source, known) = self.find_whole(owner, name).await?;
        let (number, commit) = match (turn, &known.snapshot) {
            (None, Some(saved)) => (saved.number.min(known.turns), saved.commit.clone()),
            (turn, _) => {
                let number = turn.unwrap_or_default();
                (number, self.commit_at(owner, name, Point::Turn(number)).await?)
            }
        };
        let thread = self.forked(&source, number).await?;
        let mut branches = known.former_branches.clone();
        branches.push(source.branch.clone());
        let memory = Memory {
            items: known.items,
            turns: number,
            prompted: true,
            used: crate::clock::now(),
            messages: if number == known.turns { known.messages.clone() } else { Vec::new() },
            snapshot: (commit != source.base_commit)
                .then(|| Saved { number, commit: commit.clone() }),
            tell: vec![format!(
                "This is a new thread that goes on from where another one was {}. Its branch is `{}`.",
                Point::Turn(number),
                thread.branch
            )],
            former_branches: branches,
            closes: known.closes.clone(),
            about: known.about.clone(),
            upstreams: known.upstreams.clone(),
            ..Memory::default()
        };
        let id = thread.id.clone();
        let made = async {
            let thread = self.fork_files(&source, thread, number, &commit).await?;
            self.fork_log(&source.id, &thread, &memory).await?;
            let turn = self.parts().store.turn_by_number(&thread.id, number).await?;
            let stored = Stored { thread, memory, turn, open: Vec::new() };
            let machine = Machine::restore(stored, stored::resting(&self.parts().config));
            let handle = self.begin(&id, machine, None, None);
            handle.ask(Input::Resume, request.clone()).await
        };
        match made.await {
            Ok(applied) => Ok(applied),
            Err(error) => {
                self.take_back(&id).await;
                match error {
                    // The same request came twice at once: the other one made it.
                    Error::Store(store::Error::RequestExists(_)) => {
                        self.remembered(request.as_ref()).await?.ok_or(Error::Ended)
                    }
                    error => Err(error),
                }
            }
        }
    }

    /// The record of the new thread.
    async fn forked(&self, source: &Thread, number: u32) -> Result<Thread, Error> {
        let id = new_id();
        let title = match source.title.strip_suffix(" (fork)") {
            Some(_) => source.title.clone(),
            None => format!("{} (fork)", source.title),
        };
        let slug = self.free_slug(&title, &id).await?;
        let state = match number {
            0 => None,
            number => self.parts().store.turn_by_number(&source.id, number).await?,
        };
        let last_turn = state.map(|turn| TurnSummary { number, state: turn.state, id: turn.id });
        let time = Some(timestamp(now()));
        let mut thread = Thread {
            branch: format!("aloft/{slug}"),
            id,
            slug,
            title,
            last_turn,
            create_time: time,
            update_time: time,
            muted: false,
            keep: false,
            step: "Copying the history".to_owned(),
            queue_position: 0,
            queued: 0,
            diff: None,
            pull_request: None,
            usage: None,
            error: None,
            expire_time: None,
            ..source.clone()
        };
        thread.set_state(ThreadState::Starting);
        Ok(thread)
    }

    /// Gives the new thread a repository with the snapshots up to there.
    async fn fork_files(
        &self,
        source: &Thread,
        mut thread: Thread,
        number: u32,
        commit: &str,
    ) -> Result<Thread, Error> {
        let repository = source.repository.clone().unwrap_or_default();
        let (snapshots, base) = (&self.parts().snapshots, &source.base_commit);
        let mirror = self.parts().mirrors.path(&repository.id)?;
        snapshots.create(&thread.id, &mirror, base).await?;
        if commit != base {
            snapshots.copy(&source.id, &thread.id, number, commit).await?;
            thread.diff = Some(snapshots.stat(&thread.id, base, commit).await?);
        }
        Ok(thread)
    }

    /// Gives the new thread the history up to there. Until it is whole, the thread is one that a crash removes.
    async fn fork_log(&self, source: &str, thread: &Thread, memory: &Memory) -> Result<(), Error> {
        let filling = Memory { filling: true, ..memory.clone() };
        let row = ThreadRow { thread: thread.clone(), private: encode_memory(&filling) };
        let store = &self.parts().store;
        let kept = self.items_up_to(source, memory.turns).await?;
        store.commit(Commit { thread: Some(row.clone()), ..Commit::default() }).await?;
        let mut after = 0;
        loop {
            let page = store.events(source, after, EVENTS, false).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.cursor;
            let events: Vec<Event> = page
                .into_iter()
                .filter_map(|event| moved(event, &thread.id, memory.turns, &kept))
                .collect();
            if !events.is_empty() {
                store
                    .commit(Commit { thread: Some(row.clone()), events, ..Commit::default() })
                    .await?;
            }
        }
    }

    /// The items that had ended at the end of this turn.
    async fn items_up_to(&self, thread: &str, last: u32) -> Result<HashSet<String>, Error> {
        let mut kept = HashSet::new();
        let mut before: Option<String> = None;
        let mut reached = false;
        loop {
            let page = self.parts().store.items(thread, before.as_deref(), ITEMS).await?;
            for item in page.items.iter().rev() {
                let turn = turn_number(&item.turn_id);
                // What belongs to no turn was said between two of them.
                reached |= turn.is_some_and(|turn| turn <= last);
                if reached
                    && item.state() != ItemState::InProgress
                    && turn.is_none_or(|turn| turn <= last)
                {
                    kept.insert(item.id.clone());
                }
            }
            before = page.items.first().map(|item: &Item| item.id.clone());
            if !page.has_more || before.is_none() {
                return Ok(kept);
            }
        }
    }

    /// Removes what was made of a thread that could not be made whole.
    pub(super) async fn take_back(&self, id: &str) {
        let store = &self.parts().store;
        let removed = async {
            if let Some((row, _)) = store.thread(id).await? {
                let gone = Commit { thread: Some(row), delete_thread: true, ..Commit::default() };
                store.commit(gone).await?;
            }
            self.parts().snapshots.remove(id).await?;
            Ok::<_, Error>(())
        };
        if let Err(error) = removed.await {
            tracing::error!(thread = id, error = whole(&error), "could not remove half a thread");
        }
    }
}

/// An event as the new thread has it; none where it is not about what was up to there.
fn moved(mut event: Event, thread: &str, last: u32, kept: &HashSet<String>) -> Option<Event> {
    let is_kept = match &mut event.payload {
        Some(Payload::TurnStarted(turn) | Payload::TurnCompleted(turn)) => {
            thread.clone_into(&mut turn.thread_id);
            turn.number <= last
        }
        Some(Payload::ItemStarted(item) | Payload::ItemCompleted(item)) => kept.contains(&item.id),
        Some(Payload::ItemAppended(appended)) => kept.contains(&appended.item_id),
        Some(Payload::ThreadChanged(_) | Payload::DiffChanged(_)) | None => false,
    };
    thread.clone_into(&mut event.thread_id);
    is_kept.then_some(event)
}

/// The number in a turn's id.
fn turn_number(id: &str) -> Option<u32> {
    id.strip_prefix('t')?.parse().ok()
}
