//! What a command printed: all bytes go into appends, the last of them stay in the item.

use aloft_proto::v1::{CommandExecution, Field, ItemAppended, event::Payload};
use bytes::Bytes;

/// Bytes of output an item holds, and the most one append holds.
pub(super) const TAIL: usize = 64 * 1024;

/// The output of one command.
#[derive(Clone, Debug, Default)]
pub(super) struct Output {
    /// At least the last [`TAIL`] bytes, and less than three times as many.
    recent: Vec<u8>,
    total: u64,
}

impl Output {
    pub(super) fn restored(tail: &Bytes, total: u64) -> Self {
        Self { recent: tail.to_vec(), total }
    }

    /// Puts it into the record.
    pub(super) fn fill(&self, command: &mut CommandExecution) {
        command.output = Bytes::copy_from_slice(self.tail());
        command.output_bytes = self.total;
        command.truncated = self.total > self.tail().len() as u64;
    }

    /// What is new in `whole`; `None` when it does not go on from what was printed so far.
    pub(super) fn rest(&self, whole: &Bytes) -> Option<Bytes> {
        let known = usize::try_from(self.total).ok()?;
        let before = whole.get(..known)?;
        before.ends_with(self.tail()).then(|| whole.slice(known..))
    }

    /// Adds output and gives the appends that say so.
    pub(super) fn append(&mut self, item_id: &str, mut bytes: Bytes, events: &mut Vec<Payload>) {
        while !bytes.is_empty() {
            let delta = bytes.split_to(bytes.len().min(TAIL));
            let offset = self.total;
            self.total += delta.len() as u64;
            self.recent.extend_from_slice(&delta);
            if self.recent.len() >= 2 * TAIL {
                self.recent.drain(..self.recent.len() - TAIL);
            }
            let (item_id, field) = (item_id.to_owned(), Field::Output.into());
            events.push(Payload::ItemAppended(ItemAppended { item_id, field, delta, offset }));
        }
    }

    fn tail(&self) -> &[u8] {
        &self.recent[self.recent.len().saturating_sub(TAIL)..]
    }
}
