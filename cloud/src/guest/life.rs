//! How long the guest lives: until it is told to end, or hears no cloud for too long.
//!
//! The time without a word is counted in wake-ups, not read off a clock: a sandbox that was frozen for an hour must not
//! end itself in the moment it is thawed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// In how many naps the time of loneliness is slept.
const NAPS: u32 = 10;

/// The guest's own life; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    heard: Arc<AtomicBool>,
    end: CancellationToken,
}

impl Life {
    /// The cloud said something.
    pub(super) fn heard(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// It is time to end.
    pub(super) fn end(&self) {
        self.end.cancel();
    }

    /// Resolves when it is time to end.
    pub(super) async fn ended(&self) {
        self.end.cancelled().await;
    }

    /// Resolves when nothing was heard for `time`, or up to a tenth of it later.
    pub(super) async fn lonely(&self, time: Duration) {
        let mut silent = 0;
        while silent <= NAPS {
            tokio::time::sleep(time / NAPS).await;
            silent = if self.heard.swap(false, Ordering::Relaxed) { 1 } else { silent + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_word_winds_the_timer_up() {
        let life = Life::default();
        let begin = Instant::now();
        let time = Duration::from_millis(200);
        let speaks = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            life.heard();
            std::future::pending::<()>().await;
        };
        tokio::select! { () = life.lonely(time) => {}, () = speaks => {} }
        assert!(begin.elapsed() >= Duration::from_millis(350), "{:?}", begin.elapsed());
    }
}
