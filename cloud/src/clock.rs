//! The time of day: the one place that asks the machine for it, and the one that waits for a time to come.
//!
//! Weeks must pass in a test. A program built for development, and no other, may therefore follow a file that says by how much
//! its clock is ahead; the file's name comes from `ALOFT_TEST_CLOCK`.

use std::{
    path::PathBuf,
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How often one who waits looks at a clock that may be moved.
const LOOK: Duration = Duration::from_millis(50);

/// Says by how many milliseconds the clock is ahead.
static AHEAD: OnceLock<PathBuf> = OnceLock::new();

/// Milliseconds since the Unix epoch.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    now.saturating_add(AHEAD.get().map_or(0, |_| ahead()))
}

/// Waits until it is `at`.
pub async fn until(at: i64) {
    loop {
        let left = Duration::from_millis(u64::try_from(at.saturating_sub(now())).unwrap_or(0));
        if left.is_zero() {
            return;
        }
        let sleep = if AHEAD.get().is_some() { left.min(LOOK) } else { left };
        tokio::time::sleep(sleep).await;
    }
}

/// From now on the clock is ahead by what the file says, where there is one; refused by a program built for use.
pub fn follow(file: Option<PathBuf>) {
    let Some(file) = file else { return };
    if cfg!(debug_assertions) {
        tracing::warn!(file = %file.display(), "the clock is that of a test");
        // Followed already: by one file only.
        drop(AHEAD.set(file));
    } else {
        tracing::error!(
            "ALOFT_TEST_CLOCK is for programs built for development; the clock is right"
        );
    }
}

fn ahead() -> i64 {
    let text = AHEAD.get().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}
