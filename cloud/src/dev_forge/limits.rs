//! How many calls each token has left in this hour, as GitHub counts them.

use std::collections::HashMap;

use crate::clock;

/// Calls of one token in an hour.
const PER_HOUR: u64 = 5_000;
const HOUR: i64 = 3_600_000;

/// What is left to everybody.
#[derive(Debug, Default)]
pub(super) struct Limits(HashMap<String, Left>);

/// What one token has left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) remaining: u64,
    /// When all of it is back, in seconds since the epoch.
    pub(super) reset: i64,
    until: i64,
}

impl Limits {
    /// What this token has.
    pub(super) fn of(&mut self, token: &str) -> Left {
        let now = clock::now();
        let left =
            self.0.entry(token.to_owned()).or_insert_with(|| Left::new(PER_HOUR, now + HOUR));
        if left.until <= now {
            *left = Left::new(PER_HOUR, now + HOUR);
        }
        *left
    }

    /// Takes one call; when the hour it is of ends, where there was one left.
    pub(super) fn take(&mut self, token: &str) -> Option<i64> {
        let left = self.of(token);
        if let Some(kept) = self.0.get_mut(token) {
            kept.remaining = left.remaining.saturating_sub(1);
        }
        (left.remaining > 0).then_some(left.until)
    }

    /// Gives a call back to the hour that ends then: an answer that nothing changed is free.
    pub(super) fn give_back(&mut self, token: &str, until: i64) {
        if let Some(kept) = self.0.get_mut(token)
            && kept.until == until
        {
            kept.remaining = (kept.remaining + 1).min(PER_HOUR);
        }
    }

    /// Says what a token has left, and for how long.
    pub(super) fn set(&mut self, token: &str, remaining: u64, seconds: i64) {
        self.0.insert(token.to_owned(), Left::new(remaining, clock::now() + seconds * 1_000));
    }
}

impl Left {
    fn new(remaining: u64, until: i64) -> Self {
        Self { remaining, reset: until.div_euclid(1_000) + 1, until }
    }

    /// As answers carry it.
    pub(super) fn headers(self) -> [(&'static str, String); 5] {
        [
            ("x-ratelimit-limit", PER_HOUR.to_string()),
            ("x-ratelimit-remaining", self.remaining.to_string()),
            ("x-ratelimit-used", PER_HOUR.saturating_sub(self.remaining).to_string()),
            ("x-ratelimit-reset", self.reset.to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ]
    }

    /// As `GET /rate_limit` says it.
    pub(super) fn shape(self) -> serde_json::Value {
        let one = serde_json::json!({
            "limit": PER_HOUR,
            "remaining": self.remaining,
            "used": PER_HOUR.saturating_sub(self.remaining),
            "reset": self.reset,
        });
        serde_json::json!({ "resources": { "core": one, "search": one }, "rate": one })
    }
}
