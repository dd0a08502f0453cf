//! Waiting for something to become true, with a limit and a name.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up: far more than it needs on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Looks again and again until there is a value; panics with `what` after [`LIMIT`].
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, what, look)
}

/// The same with a limit of its own, for what is slow by nature.
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(began.elapsed() < limit, "waited {} s for {what}", limit.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}
