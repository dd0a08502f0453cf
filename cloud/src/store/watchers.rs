//! Wakes those who watch a thread or a feed. Holds a sender only while somebody listens, so a hundred thousand quiet threads
//! cost nothing. Knows no rows: the numbers come from whoever wrote them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// Below this many senders, none is looked for that could go.
const FEW: usize = 64;

/// The listeners of one kind, by name.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<Senders>);

#[derive(Debug, Default)]
struct Senders {
    by_name: HashMap<String, watch::Sender<u64>>,
    /// How many senders there were after the last sweep.
    swept: usize,
}

impl Watchers {
    /// Returns a receiver that changes with the next [`Watchers::wake`] of this name.
    pub(crate) fn watch(&self, name: &str) -> watch::Receiver<u64> {
        let mut senders = self.lock();
        if let Some(sender) = senders.by_name.get(name) {
            return sender.subscribe();
        }
        if senders.by_name.len() >= FEW.max(senders.swept * 2) {
            senders.by_name.retain(|_, sender| sender.receiver_count() > 0);
            senders.swept = senders.by_name.len();
        }
        let (sender, receiver) = watch::channel(0);
        senders.by_name.insert(name.to_owned(), sender);
        receiver
    }

    /// Tells the listeners of this name its newest number.
    pub(crate) fn wake(&self, name: &str, number: u64) {
        let mut senders = self.lock();
        if let Some(sender) = senders.by_name.get(name)
            && sender.send(number).is_err()
        {
            senders.by_name.remove(name);
        }
    }

    /// Tells the listeners of this name that nothing will come any more: their receivers close.
    pub(crate) fn close(&self, name: &str) {
        self.lock().by_name.remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, Senders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use crate::store::watchers::Watchers;

    #[test]
    fn a_listener_hears_the_newest_number_and_the_end() {
        let watchers = Watchers::default();
        let mut first = watchers.watch("a");
        watchers.wake("a", 3);
        watchers.wake("b", 9);
        let second = watchers.watch("a");
        assert!(first.has_changed().unwrap());
        assert_eq!(*first.borrow_and_update(), 3);
        assert_eq!((*second.borrow(), second.has_changed().unwrap()), (3, false));
        watchers.close("a");
        assert!(first.has_changed().is_err());
    }

    #[test]
    fn senders_without_listeners_do_not_pile_up() {
        let watchers = Watchers::default();
        let kept = watchers.watch("kept");
        for name in 0..100_000 {
            drop(watchers.watch(&name.to_string()));
        }
        assert!(watchers.lock().by_name.len() <= 2 * super::FEW);
        watchers.wake("kept", 1);
        assert_eq!(*kept.borrow(), 1);
        drop(kept);
        watchers.wake("kept", 2);
        assert!(!watchers.lock().by_name.contains_key("kept"));
    }
}
