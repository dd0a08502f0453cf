//! Fault points: named steps of the programs at which a test lets them die as `kill -9` would.
//!
//! [`pass!`] marks a step. In a release build it is nothing. In a debug build that finds a folder named by `ALOFT_FAULTS`,
//! each step is noted in its file `passed`, one name a line; and a line `kill POINT N` of its file `armed` lets the process
//! that comes to that point for the Nth time from then on take the line away and end itself with SIGKILL. With `hold` in
//! place of `kill` it makes the file `held` and waits until that is gone: time to kill something else at this step.
//!
//! [`POINTS`] lists all of them; a name that is not in it does not compile. The crash walk of `tests/it` shows that each is
//! passed by some journey and survived.

mod armed;
mod points;

pub use crate::points::POINTS;

/// Names the folder that steps are noted in and faults are armed by.
pub const VARIABLE: &str = "ALOFT_FAULTS";

/// Marks a step by its name in [`POINTS`].
#[macro_export]
macro_rules! pass {
    ($name:expr) => {{
        const { assert!($crate::is_known($name), "the point is not in POINTS") };
        $crate::pass($name);
    }};
}

/// What [`pass!`] does, once its name is known to be one.
#[inline]
pub fn pass(point: &'static str) {
    if cfg!(debug_assertions) {
        armed::pass(point);
    }
}

/// Whether [`POINTS`] has this name.
pub const fn is_known(name: &str) -> bool {
    let mut at = 0;
    while at < POINTS.len() {
        if equal(POINTS[at].as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}
