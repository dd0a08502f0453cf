//! A page of a thread that follows the thread's events, so that what was seen last is what is remembered.

use aloft_proto::v1;
use aloft_proto::v1::event::Payload;
use aloft_proto::v1::item::Kind;

/// Items that are kept, the newest; a little above what is written, so that not every event moves them all.
const ITEMS: usize = 250;
/// Bytes of a command's output, the last.
const OUTPUT: usize = 64 << 10;

/// The page of one thread.
#[derive(Clone, Debug)]
pub struct Fold {
    page: v1::ReadThreadResponse,
}

impl Fold {
    /// Begins with a page.
    pub fn new(page: v1::ReadThreadResponse) -> Self {
        Self { page }
    }

    /// The page as it is now.
    pub fn page(&self) -> &v1::ReadThreadResponse {
        &self.page
    }

    /// Takes in an event. False where the ones before it are missing: what follows cannot be understood.
    pub fn take(&mut self, event: &v1::Event) -> bool {
        if event.cursor <= self.page.cursor {
            return true;
        }
        if event.cursor != self.page.cursor + event.folded + 1 {
            return false;
        }
        self.page.cursor = event.cursor;
        match &event.payload {
            Some(Payload::ThreadChanged(thread)) => self.page.thread = Some(thread.clone()),
            Some(Payload::TurnStarted(turn) | Payload::TurnCompleted(turn)) => {
                match self.page.turns.iter_mut().find(|known| known.id == turn.id) {
                    Some(known) => known.clone_from(turn),
                    None => self.page.turns.push(turn.clone()),
                }
            }
            Some(Payload::ItemStarted(item) | Payload::ItemCompleted(item)) => {
                match self.item(&item.id) {
                    Some(known) => known.clone_from(item),
                    None => self.page.items.push(item.clone()),
                }
            }
            Some(Payload::ItemAppended(appended)) => self.append(appended),
            Some(Payload::DiffChanged(diff)) => {
                if let Some(thread) = &mut self.page.thread {
                    thread.diff = Some(*diff);
                }
            }
            None => {}
        }
        if self.page.items.len() > ITEMS {
            self.page.items.drain(..ITEMS / 5);
            self.page.has_more = true;
        }
        true
    }

    /// The newest items change most.
    fn item(&mut self, id: &str) -> Option<&mut v1::Item> {
        self.page.items.iter_mut().rev().find(|known| known.id == id)
    }

    fn append(&mut self, appended: &v1::ItemAppended) {
        let Some(item) = self.item(&appended.item_id) else { return };
        match &mut item.kind {
            Some(Kind::AgentMessage(message)) => {
                message.text.push_str(&String::from_utf8_lossy(&appended.delta));
            }
            Some(Kind::Reasoning(reasoning)) => {
                reasoning.text.push_str(&String::from_utf8_lossy(&appended.delta));
            }
            Some(Kind::CommandExecution(command)) => {
                let mut output = Vec::from(std::mem::take(&mut command.output));
                output.extend_from_slice(&appended.delta);
                let dropped = output.len().saturating_sub(OUTPUT);
                output.drain(..dropped);
                command.output = output.into();
                command.output_bytes = appended.offset + appended.delta.len() as u64;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(cursor: u64, payload: Payload) -> v1::Event {
        v1::Event { cursor, payload: Some(payload), ..Default::default() }
    }

    fn command(output: &str, state: v1::ItemState) -> v1::Item {
        let kind = v1::CommandExecution {
            output: output.as_bytes().to_vec().into(),
            ..Default::default()
        };
        let mut item = v1::Item {
            id: "i1".into(),
            kind: Some(Kind::CommandExecution(kind)),
            ..Default::default()
        };
        item.set_state(state);
        item
    }

    #[test]
    fn a_page_follows_its_events_and_knows_when_it_lost_them() {
        let mut fold = Fold::new(v1::ReadThreadResponse { cursor: 3, ..Default::default() });
        // Known already.
        assert!(fold.take(&event(3, Payload::ThreadChanged(v1::Thread::default()))));
        assert!(fold.page().thread.is_none());
        let turn = v1::Turn { id: "t1".into(), ..Default::default() };
        assert!(fold.take(&event(4, Payload::TurnStarted(turn))));
        assert!(fold.take(&event(5, Payload::ItemStarted(command("", v1::ItemState::InProgress)))));
        let appended = |delta: &'static [u8], offset| v1::ItemAppended {
            item_id: "i1".into(),
            delta: bytes::Bytes::from_static(delta),
            offset,
            ..Default::default()
        };
        assert!(fold.take(&event(6, Payload::ItemAppended(appended(b"one ", 0)))));
        assert!(fold.take(&event(7, Payload::ItemAppended(appended(b"two", 4)))));
        let Some(Kind::CommandExecution(shown)) = &fold.page().items[0].kind else { panic!() };
        assert_eq!((&shown.output[..], shown.output_bytes), (&b"one two"[..], 7));
        let whole = command("one two", v1::ItemState::Completed);
        assert!(fold.take(&event(8, Payload::ItemCompleted(whole.clone()))));
        assert_eq!((&fold.page().items[..], fold.page().turns.len()), (&[whole][..], 1));
        assert!(!fold.take(&event(10, Payload::ThreadChanged(v1::Thread::default()))));
        assert_eq!(fold.page().cursor, 8);
    }
}
