//! What is written at once: reports of the world that arrived together.

use aloft_proto::v1::event::Payload;

use crate::model::{
    machine::{Accepted, Record},
    transcript,
};

/// Changes that are written as one transaction, each with the JSON behind it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub accepted: Accepted,
    pub raws: Vec<(usize, String)>,
}

impl Batch {
    pub(super) fn add(&mut self, accepted: Accepted, raw: String) {
        if !raw.is_empty() && !accepted.events.is_empty() {
            self.raws.push((self.accepted.events.len(), raw));
        }
        self.accepted.events.extend(accepted.events);
        self.accepted.effects.extend(accepted.effects);
        self.accepted.notices.extend(accepted.notices);
        self.accepted.usage.extend(accepted.usage);
        self.accepted.ledger.extend(accepted.ledger);
    }

    pub(super) fn clone_records(&self) -> Self {
        let accepted = Accepted {
            events: self.accepted.events.clone(),
            notices: self.accepted.notices.clone(),
            usage: self.accepted.usage.clone(),
            ledger: self.accepted.ledger.clone(),
            ..Accepted::default()
        };
        Self { accepted, raws: self.raws.clone() }
    }

    /// Joins appends to the same text that follow each other; the JSON behind a joined one is its delta, so it is dropped.
    pub(super) fn merge_appends(&mut self) {
        let events = std::mem::take(&mut self.accepted.events);
        let mut raws = std::mem::take(&mut self.raws).into_iter().peekable();
        for (at, record) in events.into_iter().enumerate() {
            let raw = raws.next_if(|(first, _)| *first == at).map(|(_, raw)| raw);
            let Record { turn_id, payload } = record;
            let payload = match payload {
                Payload::ItemAppended(more) => match self.accepted.events.last_mut() {
                    Some(Record { payload: Payload::ItemAppended(last), .. }) => {
                        match transcript::merge(last, more) {
                            None => continue,
                            Some(more) => Payload::ItemAppended(more),
                        }
                    }
                    _ => Payload::ItemAppended(more),
                },
                other => {
                    self.raws.extend(raw.map(|raw| (self.accepted.events.len(), raw)));
                    other
                }
            };
            self.accepted.events.push(Record { turn_id, payload });
        }
    }
}
