//! What comes by is remembered, for the time when the cloud cannot be reached: gathered here, written now and then.

use std::collections::HashMap;

use aloft_proto::v1;
use aloft_proto::v1::event::Payload;
use aloft_proto::v1::feed_event::Payload as FeedPayload;

use crate::mirror::{Topic, Update};
use crate::offline::{Fold, Seen};
use crate::protocol::error::{Code, Error};

/// What changed since it was last written.
#[derive(Debug)]
pub(super) struct Memory {
    seen: Seen,
    threads: HashMap<String, v1::Thread>,
    gone: Vec<String>,
    /// Pages of followed threads; changed ones are marked. Without one, nobody has read the thread.
    pages: HashMap<String, Option<(Fold, bool)>>,
}

impl Memory {
    pub(super) fn new(seen: Seen) -> Self {
        Self { seen, threads: HashMap::new(), gone: Vec::new(), pages: HashMap::new() }
    }

    /// A topic is followed from now on; the page that was read of it follows its events.
    pub(super) fn followed(&mut self, topic: &Topic) {
        if let Topic::Thread(id) = topic {
            let page = self.seen.page(id).map(|(page, _)| (Fold::new(page), false));
            self.pages.insert(id.clone(), page);
        }
    }

    /// A topic is followed no more, as the cloud ended it.
    pub(super) fn ended(&mut self, topic: &Topic, error: &Error) {
        if let Topic::Thread(id) = topic {
            self.pages.remove(id);
            if error.code == Code::NotFound {
                self.gone.push(id.clone());
            }
        }
    }

    /// Takes in what the cloud said.
    pub(super) fn take(&mut self, update: &Update) {
        match update {
            Update::Feed(entry) => match &entry.payload {
                Some(FeedPayload::ThreadChanged(thread)) => self.changed(thread),
                Some(FeedPayload::ThreadDeleted(id)) => {
                    self.threads.remove(id);
                    self.pages.remove(id);
                    self.gone.push(id.clone());
                }
                _ => {}
            },
            Update::Event(event) => {
                if let Some(Payload::ThreadChanged(thread)) = &event.payload {
                    self.changed(thread);
                }
                if let Some(page) = self.pages.get_mut(&event.thread_id) {
                    let follows = page.as_mut().is_some_and(|(fold, changed)| {
                        *changed = true;
                        fold.take(event)
                    });
                    if !follows {
                        *page = None;
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn is_dirty(&self) -> bool {
        let changed =
            |page: &Option<(Fold, bool)>| page.as_ref().is_some_and(|(_, changed)| *changed);
        !self.threads.is_empty() || !self.gone.is_empty() || self.pages.values().any(changed)
    }

    /// Writes down what changed.
    pub(super) fn write(&mut self) {
        if !self.threads.is_empty() || !self.gone.is_empty() {
            let threads: Vec<_> = self.threads.drain().map(|(_, thread)| thread).collect();
            self.seen.note(&threads, &std::mem::take(&mut self.gone));
        }
        for (fold, changed) in self.pages.values_mut().flatten() {
            if std::mem::take(changed) {
                self.seen.note_page(fold.page());
            }
        }
    }

    fn changed(&mut self, thread: &v1::Thread) {
        self.threads.insert(thread.id.clone(), thread.clone());
    }
}
