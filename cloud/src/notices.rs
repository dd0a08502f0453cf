//! Words to a thread's owner: which are posted, and their way out of the cloud to a webhook.
//!
//! The inbox itself is the store's; editors hear of it through the feed.

mod body;
mod target;
pub mod webhook;

use aloft_proto::v1::{NoticeKind, Thread};

use crate::config::Notices;

/// Whether a notice about a thread is posted. A muted thread is silent, but for its end, which would lose its work for good, and
/// for its questions where the user wants those.
pub fn is_posted(thread: &Thread, kind: NoticeKind, settings: &Notices) -> bool {
    !thread.muted
        || kind == NoticeKind::Expiring
        || (kind == NoticeKind::NeedsAttention && settings.questions_pierce_mute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mute_silences_all_but_what_the_user_lets_through() {
        let loud = Thread::default();
        let muted = Thread { muted: true, ..Thread::default() };
        let (closed, open) =
            (Notices::default(), Notices { questions_pierce_mute: true, ..Notices::default() });
        for kind in [
            NoticeKind::Completed,
            NoticeKind::NeedsAttention,
            NoticeKind::Failed,
            NoticeKind::PullRequest,
            NoticeKind::Budget,
        ] {
            assert!(is_posted(&loud, kind, &closed) && !is_posted(&muted, kind, &closed));
            assert_eq!(is_posted(&muted, kind, &open), kind == NoticeKind::NeedsAttention);
        }
        assert!(is_posted(&muted, NoticeKind::Expiring, &closed));
    }
}
