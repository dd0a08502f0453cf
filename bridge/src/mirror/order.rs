//! Keeps what is asked for one thread in the order in which it came in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// Past this many threads, those with nothing in work are forgotten.
const REMEMBERED: usize = 256;

/// The last ticket given for each thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    last: Arc<Mutex<HashMap<String, oneshot::Receiver<()>>>>,
}

/// A place in the order of one thread; dropping it lets the next one go.
#[derive(Debug)]
pub struct Ticket {
    before: Option<oneshot::Receiver<()>>,
    done: Option<oneshot::Sender<()>>,
}

impl Order {
    /// Takes the next place.
    pub(super) fn ticket(&self, thread: &str) -> Ticket {
        let (done, after) = oneshot::channel();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() > REMEMBERED {
            last.retain(|_, receiver| {
                matches!(receiver.try_recv(), Err(oneshot::error::TryRecvError::Empty))
            });
        }
        let before = last.insert(thread.to_owned(), after);
        Ticket { before, done: Some(done) }
    }
}

impl Ticket {
    /// Waits until everything before it is done.
    pub async fn turn(&mut self) {
        if let Some(before) = &mut self.before {
            // Its sender only ever goes away.
            drop(before.await);
        }
        self.before = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Given up while waiting: the next one has to wait for what this one waited for.
        if let (Some(before), Some(done)) = (self.before.take(), self.done.take())
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                drop(before.await);
                drop(done);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_at_a_time_in_order_also_when_one_gives_up() {
        let order = Order::default();
        let (mut first, second, mut third) =
            (order.ticket("a"), order.ticket("a"), order.ticket("a"));
        let mut other = order.ticket("b");
        assert!(other.turn().now_or_never().is_some() && first.turn().now_or_never().is_some());
        drop(second);
        tokio::task::yield_now().await;
        assert!(third.turn().now_or_never().is_none());
        drop(first);
        third.turn().await;
    }

    #[tokio::test]
    async fn idle_threads_are_forgotten() {
        let order = Order::default();
        for thread in 0..5_000 {
            drop(order.ticket(&thread.to_string()));
        }
        assert!(order.last.lock().unwrap().len() <= REMEMBERED + 2);
    }
}
