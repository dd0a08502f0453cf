//! When a call is sent again, and after which pause.

use std::time::Duration;

use rand::Rng as _;

/// How often a call is sent at most.
pub(crate) const ATTEMPTS: u32 = 4;
/// The first pause; each next one is twice as long.
const FIRST: Duration = Duration::from_millis(50);

/// Returns the pause after the given failed attempt (0 for the first), somewhere between half and all of its length:
/// many bridges that lost one cloud do not come back at the same moment.
pub(crate) fn pause(attempt: u32) -> Duration {
    (FIRST * 2_u32.pow(attempt.min(6))).mul_f64(rand::rng().random_range(0.5..=1.0))
}

/// Tells whether a call that ended so may be sent again: it never arrived, or the cloud was on its way out.
pub(crate) fn is_worth_it(status: &tonic::Status) -> bool {
    status.code() == tonic::Code::Unavailable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        for attempt in 0..20 {
            let longest = FIRST * 2_u32.pow(attempt.min(6));
            let pause = pause(attempt);
            assert!(pause >= longest / 2 && pause <= longest, "{attempt}: {pause:?}");
        }
    }

    #[test]
    fn only_what_did_not_arrive_is_sent_again() {
        assert!(is_worth_it(&tonic::Status::unavailable("")));
        assert!(!is_worth_it(&tonic::Status::deadline_exceeded("")));
        assert!(!is_worth_it(&tonic::Status::failed_precondition("")));
    }
}
