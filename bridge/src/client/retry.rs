//! When a call is sent again, and after which pause.

use std::time::Duration;

use rand::Rng as _;

use crate::config::Address;

/// How often a call is sent at most.
pub(crate) const ATTEMPTS: u32 = 4;
/// The first pause; each next one is twice as long.
const FIRST: Duration = Duration::from_millis(50);
/// The longest before a stream is opened again: a cloud that is back is noticed this soon.
const LONGEST: Duration = Duration::from_secs(1);
/// The same where each try starts a cloud.
const LONGEST_START: Duration = Duration::from_secs(5);
/// How long a call is repeated that does not arrive, without what its attempts themselves took at last.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// Returns the pause after the given failed attempt (0 for the first), somewhere between half and all of its length:
/// many bridges that lost one cloud do not come back at the same moment.
pub(crate) fn pause(attempt: u32) -> Duration {
    (FIRST * 2_u32.pow(attempt.min(6))).mul_f64(rand::rng().random_range(0.5..=1.0))
}

/// Returns the pause before a broken stream is opened again, after so many failures.
pub(crate) fn before_reconnecting(address: &Address, failures: u32) -> Duration {
    let longest = match address {
        // To try costs a process.
        Address::Embedded => LONGEST_START,
        _ => LONGEST,
    };
    let whole = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(longest);
    whole.mul_f64(rand::rng().random_range(0.5..=1.0))
}

/// Tells whether a call that ended so may be sent again: it never arrived, or the cloud was on its way out.
pub(crate) fn is_worth_it(status: &tonic::Status) -> bool {
    status.code() == tonic::Code::Unavailable || is_of_the_line(status)
}

/// Tells whether it was the connection that failed, whatever code that was given here: a cloud's own word has no cause on
/// this side.
pub(crate) fn is_of_the_line(status: &tonic::Status) -> bool {
    use tonic::Code::{Cancelled, Internal, Unavailable, Unknown};
    std::error::Error::source(status).is_some()
        && matches!(status.code(), Cancelled | Internal | Unavailable | Unknown)
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
    fn a_cloud_that_is_back_is_tried_within_a_second() {
        let remote = Address::Https("https://aloft.example".into());
        for failures in 0..100 {
            assert!(before_reconnecting(&remote, failures) <= LONGEST);
            assert!(before_reconnecting(&Address::Embedded, failures) <= LONGEST_START);
        }
        assert!(before_reconnecting(&remote, 0) <= FIRST);
    }

    #[test]
    fn only_what_did_not_arrive_is_sent_again() {
        assert!(is_worth_it(&tonic::Status::unavailable("")));
        assert!(!is_worth_it(&tonic::Status::deadline_exceeded("")));
        assert!(!is_worth_it(&tonic::Status::failed_precondition("")));
        assert!(!is_worth_it(&tonic::Status::unknown("the cloud's own word")));
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(is_worth_it(&tonic::Status::from_error(Box::new(broken))));
    }
}
