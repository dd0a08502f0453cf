//! The bytes of one output stream that are still kept, by their offset in the whole stream.
//!
//! Pure: it knows neither readers nor pipes. Who may still need which bytes is said by the caller as a floor.

use std::collections::VecDeque;

use bytes::Bytes;

/// A window on a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Ring {
    kept: VecDeque<u8>,
    start: u64,
}

impl Ring {
    /// Offset of the oldest byte that is kept.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Offset after the newest byte.
    pub(super) fn end(&self) -> u64 {
        self.start + self.kept.len() as u64
    }

    /// Adds bytes at the end.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.kept.extend(bytes);
    }

    /// The bytes at `offset`, at most `limit`; from the oldest kept if those are gone.
    pub(super) fn read(&self, offset: u64, limit: usize) -> (u64, Bytes) {
        let offset = offset.max(self.start).min(self.end());
        // At most the length of a buffer in memory.
        #[expect(clippy::cast_possible_truncation, reason = "within the kept bytes")]
        let skipped = (offset - self.start) as usize;
        let (front, back) = self.kept.as_slices();
        let slice =
            if skipped < front.len() { &front[skipped..] } else { &back[skipped - front.len()..] };
        (offset, Bytes::copy_from_slice(&slice[..slice.len().min(limit)]))
    }

    /// Drops what lies before `offset`.
    pub(super) fn forget_before(&mut self, offset: u64) {
        let offset = offset.clamp(self.start, self.end());
        #[expect(clippy::cast_possible_truncation, reason = "within the kept bytes")]
        self.kept.drain(..(offset - self.start) as usize);
        self.start = offset;
    }

    /// Gives back memory that the kept bytes do not need.
    pub(super) fn shrink(&mut self) {
        self.kept.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_gone_begins_at_the_oldest_kept() {
        let mut ring = Ring::default();
        ring.push(b"0123456789");
        ring.forget_before(4);
        assert_eq!(ring.read(0, 3), (4, Bytes::from_static(b"456")));
        assert_eq!(ring.read(99, 3), (10, Bytes::new()));
    }

    proptest! {
        #[test]
        fn a_reader_sees_the_stream_itself(steps in prop::collection::vec((0_usize..50, 0_u64..60, 1_usize..40), 1..60)) {
            let mut ring = Ring::default();
            let mut whole = Vec::new();
            for (added, kept, limit) in steps {
                let bytes: Vec<u8> = (0..added).map(|index| u8::try_from((whole.len() + index) % 251).unwrap()).collect();
                ring.push(&bytes);
                whole.extend(bytes);
                ring.forget_before(ring.end().saturating_sub(kept));
                let mut offset = ring.start();
                while offset < ring.end() {
                    let (at, data) = ring.read(offset, limit);
                    let from = usize::try_from(at).unwrap();
                    prop_assert_eq!(&data[..], &whole[from..from + data.len()]);
                    prop_assert!(!data.is_empty());
                    offset = at + data.len() as u64;
                }
                prop_assert_eq!(ring.end(), whole.len() as u64);
            }
        }
    }
}
