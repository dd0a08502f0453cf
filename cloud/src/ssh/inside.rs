//! Who is in which sandbox, so that they can be told of a key that was taken back, or be cut off.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::sandbox::Sandbox;

/// All that are in; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Inside(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    entries: HashMap<u64, (String, Sandbox, CancellationToken)>,
    /// Held by who tells a sandbox something.
    orders: HashMap<String, Arc<tokio::sync::Mutex<()>>>,
}

/// One that is in, until it is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    inside: Inside,
    number: u64,
    thread: String,
    cut: CancellationToken,
}

impl Inside {
    /// One more way of `owner` into a sandbox.
    pub(super) fn enter(&self, owner: &str, sandbox: &Sandbox) -> Entry {
        let cut = CancellationToken::new();
        let mut state = self.lock();
        state.next += 1;
        let number = state.next;
        state.entries.insert(number, (owner.to_owned(), sandbox.clone(), cut.clone()));
        Entry { inside: self.clone(), number, thread: sandbox.id.clone(), cut }
    }

    /// The sandboxes that an owner is in, each once.
    pub(super) fn sandboxes(&self, owner: &str) -> Vec<Sandbox> {
        let state = self.lock();
        let own = state.entries.values().filter(|(of, ..)| of == owner);
        let by_id: HashMap<&str, &Sandbox> =
            own.map(|(_, sandbox, _)| (sandbox.id.as_str(), sandbox)).collect();
        by_id.into_values().cloned().collect()
    }

    /// Ends all ways into the sandbox of a thread.
    pub(super) fn cut(&self, thread: &str) {
        let state = self.lock();
        let into = state.entries.values().filter(|(_, sandbox, _)| sandbox.id == thread);
        into.for_each(|(.., cut)| cut.cancel());
    }

    /// What is held by who tells a sandbox something.
    pub(super) fn order(&self, thread: &str) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.lock().orders.entry(thread.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Resolves when the way must end.
    pub(super) async fn cut(&self) {
        self.cut.cancelled().await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut state = self.inside.lock();
        state.entries.remove(&self.number);
        if !state.entries.values().any(|(_, sandbox, _)| sandbox.id == self.thread) {
            state.orders.remove(&self.thread);
        }
    }
}
