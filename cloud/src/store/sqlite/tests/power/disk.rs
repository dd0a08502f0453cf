//! A disk with a cache: what is synced stays, what is not may.

use std::{collections::BTreeMap, path::Path};

use crate::store::sqlite::tests::power::Step;

/// Bytes that a disk writes whole.
const SECTOR: usize = 512;

/// The files of one folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    files: BTreeMap<String, File>,
}

#[derive(Clone, Debug, Default)]
struct File {
    /// As it was synced last; `None` before that.
    synced: Option<Vec<u8>>,
    /// What came since, in order.
    waiting: Vec<Step>,
}

/// What of the unsynced steps reaches the disk: the same for the same number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Luck(Option<u64>);

impl Luck {
    /// Nothing that was not synced is there.
    pub(super) const NOTHING: Self = Self(None);

    /// The luck of a moment, in one of its variants.
    pub(super) fn of(at: usize, variant: u64) -> Self {
        Self(Some((at as u64) << 8 | variant))
    }

    /// One of two.
    fn next(&mut self) -> bool {
        let Some(state) = &mut self.0 else { return false };
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 40) & 1 == 1
    }
}

impl Disk {
    /// A step of the trace.
    pub(super) fn take(&mut self, step: &Step) {
        match step {
            Step::Remove { file, certain: true } => {
                self.files.remove(file);
            }
            Step::Write { file, .. }
            | Step::Truncate { file, .. }
            | Step::Remove { file, certain: false } => {
                self.files.entry(file.clone()).or_default().waiting.push(step.clone());
            }
            Step::Sync { file } => {
                let file = self.files.entry(file.clone()).or_default();
                let mut content = file.synced.clone();
                for step in std::mem::take(&mut file.waiting) {
                    apply(&mut content, &step, |_| true);
                }
                file.synced = Some(content.unwrap_or_default());
            }
            Step::Acknowledged { .. } | Step::Deleting { .. } | Step::Deleted { .. } => {}
        }
    }

    /// Writes the files as they may be when the power comes back.
    pub(super) fn after_a_cut(&self, mut luck: Luck, folder: &Path) {
        for (name, file) in &self.files {
            let mut content = file.synced.clone();
            for step in &file.waiting {
                // Each step by itself, each sector by itself: any order, any part.
                let (whole, part) = (luck.next(), luck.next());
                if whole || part {
                    apply(&mut content, step, |_| whole || luck.next());
                }
            }
            if let Some(content) = content {
                std::fs::write(folder.join(name), content).unwrap();
            }
        }
    }
}

/// Does a step, of a write only the sectors that are chosen.
fn apply(content: &mut Option<Vec<u8>>, step: &Step, mut chosen: impl FnMut(usize) -> bool) {
    match step {
        Step::Write { offset, data, .. } => {
            let content = content.get_or_insert_default();
            let mut at = usize::try_from(*offset).unwrap();
            let mut rest = data.as_slice();
            while !rest.is_empty() {
                let (sector, later) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                if chosen(at) {
                    if content.len() < at + sector.len() {
                        content.resize(at + sector.len(), 0);
                    }
                    content[at..at + sector.len()].copy_from_slice(sector);
                }
                (at, rest) = (at + sector.len(), later);
            }
        }
        Step::Truncate { size, .. } => {
            content.get_or_insert_default().resize(usize::try_from(*size).unwrap(), 0);
        }
        Step::Remove { .. } => *content = None,
        Step::Sync { .. }
        | Step::Acknowledged { .. }
        | Step::Deleting { .. }
        | Step::Deleted { .. } => {}
    }
}
