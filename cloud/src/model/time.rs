//! Times as records carry them.

use prost_types::Timestamp;

use crate::model::machine::Millis;

/// Milliseconds since the Unix epoch as a record carries them.
pub fn timestamp(millis: Millis) -> Timestamp {
    let nanos = i32::try_from(millis.rem_euclid(1_000) * 1_000_000).unwrap_or_default();
    Timestamp { seconds: millis.div_euclid(1_000), nanos }
}

/// The milliseconds since the Unix epoch of a record's time.
pub fn millis(time: &Timestamp) -> Millis {
    time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000
}
