//! What the `shell` agent remembers of a session: `shell.json` in its folder.

use std::{io, path::Path};

use serde::{Deserialize, Serialize};

/// Turns kept for a client that loads the session.
const TURNS: usize = 50;
/// Characters kept of a prompt or an answer.
const TEXT: usize = 4000;

/// The memory of one session.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// A person allowed every command from then on.
    pub(super) all_commands: bool,
    /// A person allowed every write from then on.
    pub(super) all_writes: bool,
    /// Turns ever begun: it makes the names of actions unique in the session.
    pub(super) count: u64,
    /// The last turns.
    pub(super) turns: Vec<Turn>,
}

/// A turn that was.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Turn {
    /// What was asked.
    pub(super) prompt: String,
    /// What the agent said at its end.
    pub(super) answer: String,
}

impl Memory {
    /// What is kept in `folder`; nothing when it cannot be read.
    pub(super) fn read(folder: &Path) -> Self {
        let bytes = std::fs::read(folder.join("shell.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Keeps it in `folder`.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::write(folder.join("shell.json"), serde_json::to_vec(self)?)
    }

    /// Begins a turn and gives its number, from 1.
    pub(super) fn begin_turn(&mut self, prompt: &str) -> u64 {
        self.count += 1;
        self.turns
            .push(Turn { prompt: prompt.chars().take(TEXT).collect(), answer: String::new() });
        let surplus = self.turns.len().saturating_sub(TURNS);
        self.turns.drain(..surplus);
        self.count
    }

    /// What the agent says at the end of the turn.
    pub(super) fn answer(&mut self, text: &str) {
        if let Some(turn) = self.turns.last_mut() {
            turn.answer = text.chars().take(TEXT).collect();
        }
    }
}
